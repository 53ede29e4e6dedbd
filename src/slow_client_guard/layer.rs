//! The layer, and what it can be set to.

use std::sync::Arc;

use http::Response;
use http_body::Body;
use tower_layer::Layer;

use super::future::Asked;
use super::slot::{Due, Terms, Ties};
use super::{SlowClientGuard, SlowClientGuardBody};
use crate::cut::CutHandle;
use crate::event::Reporter;
use crate::slow_client::SlowClientLimits;
use crate::watchdog::Watchdog;

/// Applies [`SlowClientGuard`]. See the [module docs](super).
///
/// All services of one layer, and of its clones, share one watchdog.
#[derive(Clone, Debug)]
pub struct SlowClientGuardLayer {
    terms: Arc<Terms>,
    is_off: bool,
    watchdog: Watchdog,
    tells_inside: bool,
}

impl SlowClientGuardLayer {
    /// A layer with these limits.
    #[must_use]
    pub fn new(limits: SlowClientLimits) -> Self {
        Self {
            watchdog: Watchdog::new(limits.between_looks()),
            terms: Arc::new(Terms {
                limits,
                reporter: Reporter::log(),
            }),
            tells_inside: false,
            is_off: false,
        }
    }

    /// A layer that leaves every answer alone.
    pub(crate) fn off() -> Self {
        Self {
            is_off: true,
            ..Self::default()
        }
    }

    /// Puts a [`ClientStall`](crate::ClientStall) into each request, so that the gate's listing shows whose client
    /// does not read. It costs an entry in the request's extensions and one allocation.
    #[must_use]
    pub const fn telling_inside(mut self) -> Self {
        self.tells_inside = true;
        self
    }

    /// Reports to another observer than the [log](Reporter::log).
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.terms = Arc::new(Terms {
            limits: self.terms.limits,
            reporter,
        });
        self
    }

    /// Watches over the answer to a plain request that was kept from this layer, as the layer would have.
    pub(crate) fn guard<B>(
        &self,
        response: Response<B>,
        cut: Option<CutHandle>,
        due: Option<Due>,
    ) -> Response<SlowClientGuardBody<B>>
    where
        B: Body + Send + 'static,
    {
        if self.is_off {
            return response.map(SlowClientGuardBody::untouched);
        }
        let asked = Asked {
            terms: self.terms.clone(),
            watchdog: self.watchdog.clone(),
            ties: Ties {
                cut,
                due,
                stall: None,
            },
            is_connect: false,
            // Of a GET.
            is_endless: true,
        };
        asked.guard(response)
    }

    /// How many bodies are watched at this moment.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.watchdog.count()
    }
}

impl Default for SlowClientGuardLayer {
    fn default() -> Self {
        Self::new(SlowClientLimits::new())
    }
}

impl<S> Layer<S> for SlowClientGuardLayer {
    type Service = SlowClientGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let terms = (!self.is_off).then(|| self.terms.clone());
        SlowClientGuard::new(inner, terms, self.watchdog.clone(), self.tells_inside)
    }
}
