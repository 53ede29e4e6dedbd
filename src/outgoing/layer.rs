//! `OutgoingTimeoutLayer`.

use tower_layer::Layer;

use super::service::OutgoingTimeout;
use crate::event::Reporter;
use crate::phase::PhaseLimits;

/// Limits the `head`, `read` and `total` phases of a client's requests; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct OutgoingTimeoutLayer {
    limits: PhaseLimits,
    reporter: Reporter,
}

// === impl OutgoingTimeoutLayer ===

impl OutgoingTimeoutLayer {
    /// Limits every request to `limits`, unless its extensions hold [`OutgoingLimits`](super::OutgoingLimits) of their own.
    #[must_use]
    pub const fn new(limits: PhaseLimits) -> Self {
        Self {
            limits,
            reporter: Reporter::log(),
        }
    }

    /// Tells `reporter`, and not the [log](Reporter::log), of phases that ran out.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }
}

impl Default for OutgoingTimeoutLayer {
    fn default() -> Self {
        Self::new(PhaseLimits::new())
    }
}

impl<S> Layer<S> for OutgoingTimeoutLayer {
    type Service = OutgoingTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OutgoingTimeout::new(inner, self.limits, self.reporter.clone())
    }
}
