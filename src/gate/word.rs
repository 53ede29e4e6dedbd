//! The one atomic word of a gate: how many are in, how many may be, and whether there is more to know.

use super::sync::{AtomicU64, Ordering};

/// Seats taken (20 bits), seats there are (20 bits), three flags, and a count of all seats ever taken
/// (21 bits, wrapping).
///
/// Limit and count in one word make "never above a lowered limit" exact. The count of seats ever taken costs
/// nothing here; a counter of its own would cost a third locked operation per request.
#[derive(Debug)]
pub(crate) struct Word {
    bits: AtomicU64,
    /// How often the count of seats ever taken has wrapped.
    wraps: AtomicU64,
}

/// What became of the wish for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is taken.
    Seat,
    /// Everything is taken.
    Full,
    /// There may be room, but others were here first.
    Behind,
    /// The gate is closed.
    Closed,
}

/// The word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look(u64);

/// The most seats that a gate can have, 2^20 - 1.
pub(crate) const MAX_SEATS: u32 = (1 << 20) - 1;

const LIMIT_SHIFT: u32 = 20;
const TAKEN_SHIFT: u32 = 43;
const MASK: u64 = MAX_SEATS as u64;
/// Somebody waits who could go in, were there a free seat.
const WAITED: u64 = 1 << 40;
const CLOSED: u64 = 1 << 41;
/// Nobody is turned away: the gate only counts.
const DRY: u64 = 1 << 42;
const ONE_MORE: u64 = (1 << TAKEN_SHIFT) + 1;

// === impl Word ===

impl Word {
    pub(crate) fn new(limit: u32) -> Self {
        let bits = u64::from(limit.min(MAX_SEATS)) << LIMIT_SHIFT;
        Self {
            bits: AtomicU64::new(bits),
            wraps: AtomicU64::new(0),
        }
    }

    pub(crate) fn look(&self) -> Look {
        Look(self.bits.load(Ordering::Acquire))
    }

    /// Takes a seat if one is free and nobody waits for it.
    #[inline]
    pub(crate) fn take(&self) -> Take {
        let mut now = self.bits.load(Ordering::Relaxed);
        loop {
            let look = Look(now);
            if !look.has_room() {
                return look.why_not();
            }
            match self.swap(now, now.wrapping_add(ONE_MORE)) {
                Ok(()) => return Take::Seat,
                Err(changed) => now = changed,
            }
        }
    }

    /// Takes a seat for somebody who waits, whom nobody may overtake; where there is none, leaves a mark
    /// so that whoever frees one next looks into the queue.
    pub(crate) fn take_or_mark(&self) -> bool {
        let mut now = self.bits.load(Ordering::Acquire);
        loop {
            let look = Look(now);
            let free = look.in_flight() < look.limit();
            if !free && look.is_waited() {
                return false;
            }
            let next = if free {
                now.wrapping_add(ONE_MORE)
            } else {
                now | WAITED
            };
            match self.swap(now, next) {
                Ok(()) => return free,
                Err(changed) => now = changed,
            }
        }
    }

    /// Takes a seat whatever the limit is. `None`: no more can be counted; else how many were in before.
    pub(crate) fn take_beyond(&self) -> Option<u32> {
        let mut now = self.bits.load(Ordering::Acquire);
        loop {
            let in_flight = Look(now).in_flight();
            if in_flight >= MAX_SEATS {
                return None;
            }
            match self.swap(now, now.wrapping_add(ONE_MORE)) {
                Ok(()) => return Some(in_flight),
                Err(changed) => now = changed,
            }
        }
    }

    /// Gives a seat back. True: somebody may have waited for that, so the queue has to be looked at.
    #[inline]
    pub(crate) fn give_back(&self) -> bool {
        self.bits.fetch_sub(1, Ordering::AcqRel) & (WAITED | CLOSED) != 0
    }

    pub(crate) fn nobody_waits(&self) {
        // A load first: this is asked after every look into the queue.
        if self.look().is_waited() {
            self.bits.fetch_and(!WAITED, Ordering::AcqRel);
        }
    }

    /// False: it was closed before.
    pub(crate) fn close(&self) -> bool {
        self.bits.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    pub(crate) fn set_dry(&self, dry: bool) {
        if dry {
            self.bits.fetch_or(DRY, Ordering::AcqRel);
        } else {
            self.bits.fetch_and(!DRY, Ordering::AcqRel);
        }
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        let limit = u64::from(limit.min(MAX_SEATS)) << LIMIT_SHIFT;
        let mut now = self.bits.load(Ordering::Acquire);
        while let Err(changed) = self.swap(now, (now & !(MASK << LIMIT_SHIFT)) | limit) {
            now = changed;
        }
    }

    /// How often the count of [`Look::taken`] has started over. Read before the look that it belongs to it is
    /// at most one behind, for a moment.
    pub(crate) fn wraps(&self) -> u64 {
        self.wraps.load(Ordering::Acquire)
    }

    #[inline]
    fn swap(&self, from: u64, to: u64) -> Result<(), u64> {
        self.bits
            .compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire)?;
        if to >> TAKEN_SHIFT < from >> TAKEN_SHIFT {
            self.wraps.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

// === impl Look ===

impl Look {
    pub(crate) const fn in_flight(self) -> u32 {
        (self.0 & MASK) as u32
    }

    pub(crate) const fn limit(self) -> u32 {
        (self.0 >> LIMIT_SHIFT & MASK) as u32
    }

    pub(crate) const fn is_waited(self) -> bool {
        self.0 & WAITED != 0
    }

    pub(crate) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) const fn is_dry(self) -> bool {
        self.0 & DRY != 0
    }

    pub(crate) const fn is_full(self) -> bool {
        self.in_flight() >= self.limit()
    }

    pub(crate) const fn has_room(self) -> bool {
        self.0 & (WAITED | CLOSED) == 0 && !self.is_full()
    }

    /// Seats ever taken, modulo [`WRAP`](Self::WRAP).
    pub(crate) const fn taken(self) -> u64 {
        self.0 >> TAKEN_SHIFT
    }

    pub(crate) const WRAP: u64 = 1 << (64 - TAKEN_SHIFT);

    #[cold]
    const fn why_not(self) -> Take {
        match self {
            _ if self.is_closed() => Take::Closed,
            _ if self.is_full() => Take::Full,
            _ => Take::Behind,
        }
    }
}
