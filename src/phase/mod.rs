//! How long each phase of an exchange may take, and the clocks that say when one has taken too long.
//!
//! The clocks do no IO and never ask for the time: they are told what happened and, where it matters, when.

mod clock;
mod limits;

#[cfg(test)]
mod tests;

pub use self::limits::{PhaseLimits, PhaseLimitsBuilder};

pub(crate) use self::clock::{AWAY, BYTES_BETWEEN_LOOKS, BodyClock, Endless, HeadClock, Verdict};
pub(crate) use self::limits::PhaseSet;
