//! The layers, in the one order in which they work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::LivePhases;
use crate::admission_gate::{AdmissionGateLayer, AdmissionGateService};
use crate::cut::CutHandle;
use crate::phase_timeout::{PhaseTimeout, PhaseTimeoutLayer};
use crate::request_body::{RequestBodyLayer, RequestBodyService};
use crate::request_deadline::{DeadlineLayer, DeadlineService};
use crate::slow_client_guard::{SlowClientGuard, SlowClientGuardLayer};
use crate::sse_heartbeat::{SseHeartbeat, SseHeartbeatLayer};

/// Every layer of a [`Lifeline`](super::Lifeline), as one. Whatever it is applied to shares the gate and the watchdog.
#[derive(Clone, Debug)]
pub struct LifelineLayer {
    pub(super) deadline: DeadlineLayer,
    pub(super) guard: SlowClientGuardLayer,
    pub(super) request_body: RequestBodyLayer,
    pub(super) heartbeat: SseHeartbeatLayer,
    pub(super) gate: AdmissionGateLayer,
    pub(super) phases: PhaseTimeoutLayer<LivePhases>,
    pub(super) surroundings: Arc<Surroundings>,
}

/// A service inside every layer of a [`Lifeline`](super::Lifeline).
#[derive(Clone, Debug)]
pub struct LifelineService<S> {
    stack: Stack<S>,
    surroundings: Arc<Surroundings>,
}

/// Outermost first: the deadline, which counts everything; the guard, whose cut releases all that is inside; the
/// request body, whose call the others want to know; heartbeats, outside of every clock that they would disturb; the
/// gate, whose seat covers head and body; the phases of the handler.
type Stack<S> = DeadlineService<
    SlowClientGuard<RequestBodyService<SseHeartbeat<AdmissionGateService<PhaseTimeout<S, LivePhases>>>>>,
>;

/// What is found out about the server by the first request that comes from it.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    is_known: AtomicBool,
}

// === impl LifelineLayer ===

impl<S> Layer<S> for LifelineLayer {
    type Service = LifelineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let inner = self.gate.layer(self.phases.layer(inner));
        let inner = self.request_body.layer(self.heartbeat.layer(inner));
        LifelineService {
            stack: self.deadline.layer(self.guard.layer(inner)),
            surroundings: self.surroundings.clone(),
        }
    }
}

// === impl LifelineService ===

impl<S, B> Service<Request<B>> for LifelineService<S>
where
    Stack<S>: Service<Request<B>>,
{
    type Response = <Stack<S> as Service<Request<B>>>::Response;
    type Error = <Stack<S> as Service<Request<B>>>::Error;
    type Future = <Stack<S> as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.surroundings.look(&request);
        self.stack.call(request)
    }
}

// === impl Surroundings ===

impl Surroundings {
    #[inline]
    fn look<B>(&self, request: &Request<B>) {
        if !self.is_known.load(Ordering::Relaxed) {
            self.find_out(request);
        }
    }

    #[cold]
    fn find_out<B>(&self, request: &Request<B>) {
        if self.is_known.swap(true, Ordering::Relaxed) || request.extensions().get::<CutHandle>().is_some() {
            return;
        }
        for (protection, why) in NEEDS_SERVE {
            tracing::info!(target: "tower_lifeline", protection, state = "inert", why);
        }
    }
}

/// What no layer can do.
const NEEDS_SERVE: [(&str, &str); 3] = [
    (
        "stalled streams and connections",
        "the server is not this crate's: what a stalled client held is freed, its stream and connection stay open",
    ),
    (
        "slow request heads and idle connections",
        "the server is not this crate's: what it does about them is its own",
    ),
    (
        "cut answers without a length over HTTP/1.0",
        "the server is not this crate's: they end as if they were complete",
    ),
];
