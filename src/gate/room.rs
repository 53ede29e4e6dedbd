//! The room that a class has, and what is counted.

use super::place::Line;
use super::rate::Rate;

/// The class of everybody who is in no other: no limits but those of the whole.
pub(crate) const STANDARD: u8 = 0;

/// How a class is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassSetup {
    pub(crate) name: &'static str,
    /// Seats of its own. `None`: as many as the whole has.
    pub(crate) seats: Option<u32>,
    /// Places of its own in the queue.
    pub(crate) places: u32,
    /// Whether its seats are no part of the whole.
    pub(crate) apart: bool,
}

/// What has happened at a gate since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Seats that were given after a wait.
    pub(crate) waited: u64,
    pub(crate) full: u64,
    pub(crate) timed_out: u64,
    pub(crate) key_share: u64,
    pub(crate) draining: u64,
    pub(crate) abandoned: u64,
    pub(crate) would_refuse: u64,
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) setup: ClassSetup,
    /// Not counted for the standard class, whose seats the word alone counts.
    pub(super) in_flight: u32,
    pub(super) waiting: u32,
    pub(super) freed: u64,
    pub(super) line: Line,
    pub(super) rate: Rate,
}

// === impl ClassSetup ===

impl ClassSetup {
    /// Whether the class has nothing of its own, and waits in the standard class's places. So does that class.
    pub(super) const fn shares_places(&self) -> bool {
        self.seats.is_none() && self.places == 0
    }
}

// === impl Room ===

impl Room {
    pub(super) fn new(setup: ClassSetup) -> Self {
        Self {
            setup,
            in_flight: 0,
            waiting: 0,
            freed: 0,
            line: Line::EMPTY,
            rate: Rate::default(),
        }
    }

    pub(super) fn has_seat(&self) -> bool {
        self.setup.seats.is_none_or(|seats| self.in_flight < seats)
    }
}
