//! Which limits a request gets.

use http::StatusCode;

use crate::error::ConfigError;
use crate::phase::PhaseLimits;
use crate::refusal::RefusalStatus;
use crate::request_head::RequestHead;

use std::time::Duration;

/// Chooses the limits of a request: fixed [`PhaseLimits`], or any function of the request's head.
pub trait PhasePolicy {
    /// The limits of this request.
    fn limits(&self, head: &RequestHead<'_>) -> PhaseLimits;
}

/// What else a layer is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) status: RefusalStatus,
    pub(super) goodbye: bool,
    pub(super) grace: Grace,
}

/// The time between goodbye and error, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace(u16);

/// Long enough for hyper to flush a goodbye, which took it a few milliseconds on a loaded machine.
const GRACE: Grace = Grace(50);

/// A longer grace would keep a connection busy with nothing but its own end.
const MOST_GRACE: Duration = Duration::from_secs(5);

// === impl PhasePolicy ===

impl PhasePolicy for PhaseLimits {
    fn limits(&self, _: &RequestHead<'_>) -> PhaseLimits {
        *self
    }
}

impl<F: Fn(&RequestHead<'_>) -> PhaseLimits> PhasePolicy for F {
    fn limits(&self, head: &RequestHead<'_>) -> PhaseLimits {
        self(head)
    }
}

// === impl Settings ===

impl Settings {
    pub(super) const fn new() -> Self {
        Self {
            status: RefusalStatus::GATEWAY_TIMEOUT,
            goodbye: true,
            grace: GRACE,
        }
    }

    pub(super) fn status(mut self, status: StatusCode) -> Result<Self, ConfigError> {
        self.status = RefusalStatus::new(status)?;
        Ok(self)
    }

    pub(super) fn grace(mut self, grace: Duration) -> Result<Self, ConfigError> {
        if grace.is_zero() || grace > MOST_GRACE {
            return Err(ConfigError::new(format!(
                "a grace of {grace:?} cannot work: without one the server throws the goodbye away, and one of \
                 more than {MOST_GRACE:?} keeps the connection busy with its own end"
            )));
        }
        let millis = grace.as_nanos().div_ceil(1_000_000);
        self.grace = Grace(u16::try_from(millis).unwrap_or(u16::MAX));
        Ok(self)
    }
}

// === impl Grace ===

impl From<Grace> for Duration {
    fn from(grace: Grace) -> Self {
        Self::from_millis(grace.0.into())
    }
}
