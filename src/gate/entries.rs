//! What is kept of seats that carry more than themselves: a class, a key, a line in the listing.

use std::time::Instant;

use crate::client_stall::ClientStall;

/// Which of the kept seats one is; most are [`NONE`](Self::NONE), a mere count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(u32);

/// What the listing shows of a seat.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) since: Instant,
    pub(crate) tool: Option<Box<str>>,
    pub(crate) stall: Option<ClientStall>,
    pub(crate) phase: SeatPhase,
}

/// What a seat's holder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SeatPhase {
    /// The handler works on it; no response head yet.
    Head,
    /// The response body is under way.
    Body,
    /// The response is over; work that outlives it still holds a [`SharedSeat`](crate::SharedSeat).
    Outliving,
    /// Work without HTTP, see [`AdmissionGate::enter`](crate::AdmissionGate::enter).
    Work,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) class: u8,
    pub(super) key: Option<u64>,
    pub(super) listed: Option<Listed>,
}

/// A slab of kept seats: as many slots as were ever needed at once.
#[derive(Debug)]
pub(super) struct Entries {
    slots: Vec<Result<Entry, u32>>,
    free: u32,
}

// === impl EntryId ===

impl EntryId {
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }
}

// === impl SeatPhase ===

impl SeatPhase {
    /// `head`, `body`, `outliving` or `work`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
            Self::Outliving => "outliving",
            Self::Work => "work",
        }
    }
}

// === impl Entries ===

impl Entries {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: u32::MAX,
        }
    }

    pub(super) fn insert(&mut self, entry: Entry) -> EntryId {
        match self.slots.get_mut(self.free as usize) {
            Some(slot) => {
                let id = EntryId(self.free);
                if let Err(next) = std::mem::replace(slot, Ok(entry)) {
                    self.free = next;
                }
                id
            }
            None => {
                self.slots.push(Ok(entry));
                EntryId((self.slots.len() - 1) as u32)
            }
        }
    }

    pub(super) fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.slots.get_mut(id.0 as usize)?.as_mut().ok()
    }

    pub(super) fn remove(&mut self, id: EntryId) -> Option<Entry> {
        let slot = self.slots.get_mut(id.0 as usize)?;
        if slot.is_err() {
            return None;
        }
        let entry = std::mem::replace(slot, Err(self.free)).ok();
        self.free = id.0;
        entry
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }
}
