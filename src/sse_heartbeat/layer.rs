//! The layer, and what it can be set to.

use std::sync::Arc;

use http::Response;
use http_body::Body;
use tower_layer::Layer;

use super::candidate::Asker;
use super::farewells::Farewells;
use super::future::Answering;
use super::plan::Plan;
use super::progress::Progress;
use super::settings::HeartbeatSettings;
use super::{HeartbeatPolicy, SseHeartbeat, SseHeartbeatBody};
use crate::event::Reporter;
use crate::timer::Timer;

/// Applies [`SseHeartbeat`]. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct SseHeartbeatLayer<P = HeartbeatSettings> {
    policy: P,
    plan: Plan,
}

impl SseHeartbeatLayer {
    /// A layer with these settings for every request that has none of its own.
    #[must_use]
    pub fn new(settings: HeartbeatSettings) -> Self {
        Self {
            policy: settings,
            plan: Plan::new(settings),
        }
    }
}

impl Default for SseHeartbeatLayer {
    fn default() -> Self {
        Self::new(HeartbeatSettings::new())
    }
}

impl<P: HeartbeatPolicy> SseHeartbeatLayer<P> {
    /// A layer that chooses the settings by a function of the request's head. Those other than the defaults cost
    /// one allocation for each request that gets them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings};
    /// use tower_lifeline::{RequestHead, SseHeartbeatLayer};
    ///
    /// # fn main() -> Result<(), tower_lifeline::ConfigError> {
    /// let usual = HeartbeatSettings::new();
    /// let chat = HeartbeatSettings::builder()
    ///     .commit(EarlyCommit::AnyRequest, Duration::from_secs(5))
    ///     .build()?;
    /// let layer = SseHeartbeatLayer::per_request(move |head: &RequestHead<'_>| {
    ///     if head.uri().path() == "/v1/chat/completions" { chat } else { usual }
    /// });
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn per_request(policy: P) -> Self {
        let plan = Plan::new(policy.fixed().copied().unwrap_or_default());
        Self { policy, plan }
    }

    /// Sends beats as progress notifications where a tool is chosen and its client has asked for progress.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.plan.progress = Some(progress);
        self
    }

    /// Reports to another observer than the [log](Reporter::log).
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.plan.reporter = reporter;
        self
    }

    /// Gives the answer to a plain request that was kept from this layer what the layer would have given to it.
    pub(crate) fn dress<F, B: Body>(&self, response: Response<B>) -> Response<SseHeartbeatBody<B, F>> {
        let answering = Answering {
            plan: Arc::new(self.plan.clone()),
            asker: Asker {
                call: None,
                can_resume: true,
            },
            is_bodiless: self.plan.settings.is_off(),
        };
        answering.dress(response, Timer::new())
    }

    /// The handle that ends the streams which agreed to a goodbye. All services of this layer and of its clones
    /// share it.
    #[must_use]
    pub fn farewells(&self) -> Farewells {
        self.plan.farewells.clone()
    }
}

impl<S, P: Clone> Layer<S> for SseHeartbeatLayer<P> {
    type Service = SseHeartbeat<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        SseHeartbeat::new(inner, self.policy.clone(), Arc::new(self.plan.clone()))
    }
}
