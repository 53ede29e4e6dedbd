//! The places of those who wait: a slab of doubly linked lists, so that somebody who leaves from the middle is
//! gone at once and costs nobody else anything.

use crate::refusal::Reason;

/// A place that somebody has until they come for what became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlaceId(u32);

/// The places of all classes.
#[derive(Debug)]
pub(super) struct Places<W> {
    slots: Vec<Slot<W>>,
    free: u32,
}

/// One class's line, first come first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Slot<W> {
    state: PlaceState<W>,
    class: u8,
    key: Option<u64>,
    /// Tells who of two lines' first came first.
    ticket: u64,
    prev: u32,
    next: u32,
}

#[derive(Debug)]
pub(super) enum PlaceState<W> {
    Free,
    /// In line; whom to wake, once that is known.
    Waiting(Option<W>),
    /// A seat is theirs.
    Seated,
    Refused(Reason),
}

const NONE: u32 = u32::MAX;

// === impl PlaceId ===

impl PlaceId {
    const fn index(&self) -> usize {
        self.0 as usize
    }

    #[cfg(test)]
    pub(super) const fn gone() -> Self {
        Self(NONE)
    }
}

// === impl Line ===

impl Line {
    pub(super) const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

// === impl Places ===

impl<W> Places<W> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
        }
    }

    /// Lines up at the end.
    pub(super) fn push(&mut self, line: &mut Line, class: u8, key: Option<u64>, ticket: u64) -> PlaceId {
        let slot = Slot {
            state: PlaceState::Waiting(None),
            class,
            key,
            ticket,
            prev: line.tail,
            next: NONE,
        };
        let index = match self.slots.get_mut(self.free as usize) {
            Some(reused) => {
                let index = self.free;
                self.free = reused.next;
                *reused = slot;
                index
            }
            None => {
                self.slots.push(slot);
                // As many as there are seats at most, see `MAX_QUEUE`.
                (self.slots.len() - 1) as u32
            }
        };
        match self.slots.get_mut(line.tail as usize) {
            Some(last) => last.next = index,
            None => line.head = index,
        }
        line.tail = index;
        PlaceId(index)
    }

    /// The ticket of the first in line.
    pub(super) fn first(&self, line: Line) -> Option<u64> {
        self.slots.get(line.head as usize).map(|slot| slot.ticket)
    }

    /// Takes the first out of the line and tells them what became of their wait. Their place stays theirs until
    /// they come for it.
    pub(super) fn settle_first(&mut self, line: &mut Line, with: PlaceState<W>) -> Option<W> {
        let index = line.head;
        self.unlink(line, index as usize);
        let slot = self.slots.get_mut(index as usize)?;
        match std::mem::replace(&mut slot.state, with) {
            PlaceState::Waiting(waker) => waker,
            _ => None,
        }
    }

    pub(super) fn class(&self, place: &PlaceId) -> u8 {
        self.slots[place.index()].class
    }

    pub(super) fn key(&self, place: &PlaceId) -> Option<u64> {
        self.slots[place.index()].key
    }

    /// What became of the wait so far.
    pub(super) fn state(&mut self, place: &PlaceId) -> &mut PlaceState<W> {
        &mut self.slots[place.index()].state
    }

    /// Gives the place up; whoever still waits there leaves the line.
    pub(super) fn remove(&mut self, line: &mut Line, place: &PlaceId) -> PlaceState<W> {
        let index = place.index();
        let slot = &mut self.slots[index];
        let state = std::mem::replace(&mut slot.state, PlaceState::Free);
        if matches!(state, PlaceState::Waiting(_)) {
            self.unlink(line, index);
        }
        self.slots[index].next = self.free;
        self.free = place.0;
        state
    }

    fn unlink(&mut self, line: &mut Line, index: usize) {
        let Some(&Slot { prev, next, .. }) = self.slots.get(index) else {
            return;
        };
        match self.slots.get_mut(prev as usize) {
            Some(slot) => slot.next = next,
            None => line.head = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(slot) => slot.prev = prev,
            None => line.tail = prev,
        }
    }

    #[cfg(test)]
    pub(super) fn line(&self, line: Line) -> Vec<u32> {
        let mut indices = Vec::new();
        let (mut at, mut prev) = (line.head, NONE);
        while let Some(slot) = self.slots.get(at as usize) {
            assert_eq!(slot.prev, prev, "the list hangs together");
            indices.push(at);
            (prev, at) = (at, slot.next);
        }
        assert_eq!(line.tail, prev, "the last is the last");
        indices
    }
}
