//! Searches that go wrong on demand.

use std::sync::atomic::{AtomicU8, Ordering};

/// A way for searches to go wrong; see [`PgStore::inject`](super::PgStore::inject).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// As if there were no index: each search compares its query with every vector of the table.
    SequentialScan,
    /// As if a join lacked its condition: the sequential scan is repeated for hours.
    Runaway,
}

/// Which fault is on. Zero: none.
#[derive(Debug, Default)]
pub(super) struct Hook(AtomicU8);

// === impl Hook ===

impl Hook {
    pub(super) fn set(&self, fault: Option<Fault>) {
        let number = match fault {
            None => 0,
            Some(Fault::SequentialScan) => 1,
            Some(Fault::Runaway) => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<Fault> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Fault::SequentialScan),
            2 => Some(Fault::Runaway),
            _ => None,
        }
    }
}
