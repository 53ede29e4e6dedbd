//! What makes the service, and its configuration.

use std::sync::Arc;

use http::StatusCode;
use tower_layer::Layer;

use super::limits::RequestBodyLimits;
use super::service::RequestBodyService;
use crate::error::ConfigError;
use crate::event::Reporter;
use crate::refusal::RefusalStatus;

/// Clocks request bodies and learns whose call they hold, see the [module docs](super).
#[derive(Clone, Debug)]
pub struct RequestBodyLayer {
    policy: Policy,
}

/// What a request is treated by; shared, so that bodies and futures stay small.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) limits: RequestBodyLimits,
    /// `None`: the handler's answer stands.
    pub(super) status: Option<RefusalStatus>,
    pub(super) reporter: Reporter,
}

// === impl RequestBodyLayer ===

impl RequestBodyLayer {
    /// Clocks bodies by `limits`, answers 408 and reports to nobody.
    #[must_use]
    pub const fn new(limits: RequestBodyLimits) -> Self {
        let status = Some(RefusalStatus::REQUEST_TIMEOUT);
        Self {
            policy: Policy {
                limits,
                status,
                reporter: Reporter::log(),
            },
        }
    }

    /// Answers `status` instead of 408.
    ///
    /// # Errors
    /// Refuses a status that is not one of a failure (400 to 599).
    pub fn with_status(mut self, status: StatusCode) -> Result<Self, ConfigError> {
        self.policy.status = Some(RefusalStatus::new(status)?);
        Ok(self)
    }

    /// Leaves the answer to the handler, which sees the error of the body in any case.
    #[must_use]
    pub const fn keep_handlers_answer(mut self) -> Self {
        self.policy.status = None;
        self
    }

    /// Tells `reporter` of bodies that came too slowly.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.policy.reporter = reporter;
        self
    }
}

impl Policy {
    /// Whether a cut may be answered in the handler's stead.
    pub(super) const fn answers(&self) -> bool {
        self.status.is_some() && self.limits.can_cut()
    }
}

impl Default for RequestBodyLayer {
    fn default() -> Self {
        Self::new(RequestBodyLimits::new())
    }
}

impl<S> Layer<S> for RequestBodyLayer {
    type Service = RequestBodyService<S>;

    fn layer(&self, handler: S) -> Self::Service {
        RequestBodyService::new(handler, Arc::new(self.policy.clone()))
    }
}
