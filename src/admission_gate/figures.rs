//! What a gate tells of itself.

use std::time::{Duration, Instant};

use crate::gate::{Listed, SeatPhase, Standing};

/// How a gate stands, and what has happened at it since it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateFigures {
    /// Seats there are now.
    pub max_in_flight: u32,
    /// Seats of the whole that are taken; those of classes apart are not among them.
    pub in_flight: u32,
    /// Places there are in the queue.
    pub max_queue: u32,
    /// Who waits for a seat of the whole.
    pub waiting: u32,
    /// The longest wait.
    pub queue_timeout: Duration,
    /// The share of one key.
    pub key_share: Option<u32>,
    /// Whether the gate was closed.
    pub is_closed: bool,
    /// Whether nobody is refused.
    pub is_dry_run: bool,
    /// Seats of the whole ever taken.
    pub admitted: u64,
    /// Those of them, and of classes apart, that had been waited for.
    pub waited: u64,
    /// Refused because seats and places were taken.
    pub refused_full: u64,
    /// Refused because the wait took too long, for a seat or, with a seat, for the inner service to be ready.
    pub refused_timeout: u64,
    /// Refused because their key had its share.
    pub refused_key_share: u64,
    /// Refused because the gate was closed.
    pub refused_draining: u64,
    /// Let in by a dry run, and would have been refused.
    pub would_have_refused: u64,
    /// Left the queue because their client went away.
    pub abandoned: u64,
}

/// How one class stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassFigures {
    /// Its name.
    pub name: &'static str,
    /// Its seats. `None`: as many as the whole has.
    pub seats: Option<u32>,
    /// Seats of it that are taken.
    pub in_flight: u32,
    /// Its places in the queue; without limits of its own, those that it shares with the standard class.
    pub max_queue: u32,
    /// Who of it waits.
    pub waiting: u32,
    /// Whether its seats are no part of the whole.
    pub is_apart: bool,
}

/// Who holds a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatInfo {
    age: Duration,
    class: &'static str,
    tool: Option<Box<str>>,
    phase: SeatPhase,
    client_stalled: bool,
}

// === impl GateFigures ===

impl GateFigures {
    pub(super) const fn new(standing: &Standing) -> Self {
        let Standing {
            look,
            limits,
            waiting,
            admitted,
            counts,
        } = *standing;
        Self {
            max_in_flight: look.limit(),
            in_flight: look.in_flight(),
            max_queue: limits.max_queue,
            waiting,
            queue_timeout: limits.queue_timeout,
            key_share: limits.key_share,
            is_closed: look.is_closed(),
            is_dry_run: look.is_dry(),
            admitted,
            waited: counts.waited,
            refused_full: counts.full,
            refused_timeout: counts.timed_out,
            refused_key_share: counts.key_share,
            refused_draining: counts.draining,
            would_have_refused: counts.would_refuse,
            abandoned: counts.abandoned,
        }
    }
}

// === impl SeatInfo ===

impl SeatInfo {
    pub(super) fn new(class: &'static str, listed: Listed, now: Instant) -> Self {
        Self {
            age: now.saturating_duration_since(listed.since),
            class,
            client_stalled: listed.stall.is_some_and(|stall| stall.is_stalled()),
            tool: listed.tool,
            phase: listed.phase,
        }
    }

    /// How long it has been held.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.age
    }

    /// The class that it is of.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        self.class
    }

    /// The MCP tool that it is held for, as far as headers tell (at most 64 bytes of its name), or the label of
    /// [`Enter::label`](super::Enter::label).
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.tool.as_deref()
    }

    /// What its holder does.
    #[must_use]
    pub const fn phase(&self) -> SeatPhase {
        self.phase
    }

    /// Whether its client does not read, as far as a layer outside has noted it in a
    /// [`ClientStall`](crate::ClientStall).
    #[must_use]
    pub const fn client_stalled(&self) -> bool {
        self.client_stalled
    }
}
