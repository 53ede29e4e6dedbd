//! Which deadline an outgoing request is under.

use std::time::{Duration, Instant};

use http::Extensions;

use crate::clock::now;
use crate::deadline::Deadline;
use crate::error::{Bound, Phase, PhaseExpired};

/// The deadline in the request's own extensions, else that of the task that sends it.
pub(super) fn deadline_of(extensions: &Extensions) -> Option<Instant> {
    match extensions.get::<Deadline>() {
        Some(deadline) => deadline.instant(),
        None => Deadline::current().instant(),
    }
}

/// What is left until `deadline`.
///
/// # Errors
/// Where nothing is left, so that sending would be in vain.
pub(super) fn left_of(deadline: Instant) -> Result<Duration, PhaseExpired> {
    match deadline.saturating_duration_since(now()) {
        Duration::ZERO => Err(PhaseExpired::new(
            Phase::Total,
            Bound::Deadline,
            Duration::ZERO,
            Duration::ZERO,
        )),
        left => Ok(left),
    }
}
