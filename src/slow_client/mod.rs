//! When a client is too slow: the limits, the clock that judges by what is seen of the client, and the error.

mod clock;
mod error;
mod limits;

#[cfg(test)]
mod tests;

pub(crate) use self::clock::{Finding, Sight, SlowClock};
pub use self::error::{SlowClient, Slowness};
pub use self::limits::{SlowClientLimits, SlowClientLimitsBuilder};
