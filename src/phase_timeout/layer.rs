//! The layer, and what it can be set to.

use std::time::{Duration, Instant};

use http::StatusCode;
use tower_layer::Layer;

use super::future::Waiting;
use super::policy::Settings;
use super::{PhasePolicy, PhaseTimeout};
use crate::error::ConfigError;
use crate::event::{Reporter, Side};
use crate::phase::{Endless, PhaseLimits};
use crate::refusal::Caller;
use crate::watch::HeadWatch;

/// Applies [`PhaseTimeout`]. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct PhaseTimeoutLayer<P = PhaseLimits> {
    policy: P,
    settings: Settings,
    reporter: Reporter,
}

impl PhaseTimeoutLayer {
    /// A layer with these limits for every request that has none of its own.
    #[must_use]
    pub const fn new(limits: PhaseLimits) -> Self {
        Self {
            policy: limits,
            settings: Settings::new(),
            reporter: Reporter::log(),
        }
    }
}

impl<P: PhasePolicy> PhaseTimeoutLayer<P> {
    /// A layer that chooses the limits by a function of the request's head.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tower_lifeline::{PhaseLimits, PhaseTimeoutLayer, RequestHead};
    ///
    /// # fn main() -> Result<(), tower_lifeline::ConfigError> {
    /// let usual = PhaseLimits::new();
    /// let quick = PhaseLimits::builder()
    ///     .read(Duration::from_secs(5))
    ///     .total(Duration::from_secs(10))
    ///     .build()?;
    /// let layer = PhaseTimeoutLayer::per_request(move |head: &RequestHead<'_>| {
    ///     if head.uri().path() == "/healthz" { quick } else { usual }
    /// });
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn per_request(policy: P) -> Self {
        Self {
            policy,
            settings: Settings::new(),
            reporter: Reporter::log(),
        }
    }

    pub(crate) const fn policy(&self) -> &P {
        &self.policy
    }

    /// The wait for the answer to a plain request that was kept from this layer: one that asked for no stream.
    pub(crate) fn waiting(&self, limits: &PhaseLimits, deadline: Option<Instant>, caller: Caller) -> Waiting {
        Waiting {
            watch: HeadWatch::new(limits, deadline, self.reporter.clone(), Side::Server),
            caller,
            settings: self.settings,
            is_connect: false,
            endless: Endless::No,
            can_resume: true,
        }
    }

    /// Refuses with `status` where no head came in time. Default: 504 Gateway Timeout, because this server
    /// waited for somebody else; 503 suits a client that retries only on that.
    ///
    /// # Errors
    /// Refuses a status below 400, which would look like an answer.
    pub fn with_status(mut self, status: StatusCode) -> Result<Self, ConfigError> {
        self.settings = self.settings.status(status)?;
        Ok(self)
    }

    /// Stays pending for so long between goodbye and error. Default: 50 ms.
    ///
    /// # Errors
    /// Refuses zero, with which the goodbye would be lost, and more than 5 s.
    pub fn with_grace(mut self, grace: Duration) -> Result<Self, ConfigError> {
        self.settings = self.settings.grace(grace)?;
        Ok(self)
    }

    /// Cuts event streams without a goodbye.
    #[must_use]
    pub const fn without_goodbye(mut self) -> Self {
        self.settings.goodbye = false;
        self
    }

    /// Reports to another observer than the [log](Reporter::log).
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }
}

impl<S, P: Clone> Layer<S> for PhaseTimeoutLayer<P> {
    type Service = PhaseTimeout<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        PhaseTimeout::new(inner, self.policy.clone(), self.settings, self.reporter.clone())
    }
}
