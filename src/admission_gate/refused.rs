//! The error of whoever asks for a seat without HTTP.

use std::error::Error;
use std::fmt;

use crate::refusal::Reason;

/// A gate refused a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateRefused {
    gate: &'static str,
    class: &'static str,
    reason: Reason,
}

// === impl GateRefused ===

impl GateRefused {
    pub(super) const fn new(gate: &'static str, class: &'static str, reason: Reason) -> Self {
        Self { gate, class, reason }
    }

    /// The name of the gate.
    #[must_use]
    pub const fn gate(&self) -> &'static str {
        self.gate
    }

    /// The name of the class.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        self.class
    }

    /// Why: one of [`QueueFull`](Reason::QueueFull), [`QueueTimeout`](Reason::QueueTimeout),
    /// [`KeyShare`](Reason::KeyShare) and [`Draining`](Reason::Draining).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for GateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the gate {}: ", self.gate)?;
        match self.reason {
            Reason::QueueFull => f.write_str("every seat and every place in the queue is taken"),
            Reason::QueueTimeout { waited, limit, .. } => {
                write!(
                    f,
                    "no seat came free for {waited:?}, the wait was limited to {limit:?}"
                )
            }
            Reason::KeyShare => f.write_str("the key has its share of the seats"),
            Reason::Draining => f.write_str("it is closed"),
            Reason::PhaseExpired(expired) => expired.fmt(f),
        }
    }
}

impl Error for GateRefused {}
