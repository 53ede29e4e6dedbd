//! Where a connection stands, and how long it may stay there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::ConnectionPhase;

/// The phase of one connection, read by one task and written by others, with a count of its changes.
#[derive(Debug)]
pub(super) struct PhaseCell(AtomicU64);

/// A phase, as somebody who looks from time to time sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    word: u64,
    since: Instant,
}

const PHASES: [ConnectionPhase; 5] = [
    ConnectionPhase::Handshake,
    ConnectionPhase::FirstByte,
    ConnectionPhase::Idle,
    ConnectionPhase::RequestHead,
    ConnectionPhase::Busy,
];
const BITS: u32 = 3;

const fn phase_of(word: u64) -> ConnectionPhase {
    let index = (word & ((1 << BITS) - 1)) as usize;
    if index < PHASES.len() {
        PHASES[index]
    } else {
        ConnectionPhase::Busy
    }
}

// === impl PhaseCell ===

impl PhaseCell {
    pub(super) const fn new(phase: ConnectionPhase) -> Self {
        Self(AtomicU64::new(phase as u64))
    }

    pub(super) fn get(&self) -> ConnectionPhase {
        phase_of(self.0.load(Ordering::Relaxed))
    }

    /// Begins `phase`.
    pub(super) fn set(&self, phase: ConnectionPhase) {
        let set = |word| Some(next(word, phase));
        // It cannot fail, since it is always set.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, set);
    }

    /// Begins `to`, if the phase is still `from`.
    pub(super) fn advance(&self, from: ConnectionPhase, to: ConnectionPhase) {
        let word = self.0.load(Ordering::Relaxed);
        if phase_of(word) == from {
            // Whoever was quicker knew better.
            let _ = self
                .0
                .compare_exchange(word, next(word, to), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(super) fn sight(&self, now: Instant) -> Sighting {
        Sighting {
            word: self.0.load(Ordering::Relaxed),
            since: now,
        }
    }
}

const fn next(word: u64, phase: ConnectionPhase) -> u64 {
    (((word >> BITS) + 1) << BITS) | phase as u64
}

// === impl Sighting ===

impl Sighting {
    /// What is to be seen now, and for how long it has been so at least.
    pub(super) fn update(&mut self, cell: &PhaseCell, now: Instant) -> (ConnectionPhase, Duration) {
        let seen = cell.sight(now);
        if seen.word != self.word {
            *self = seen;
        }
        (phase_of(self.word), now.saturating_duration_since(self.since))
    }
}
