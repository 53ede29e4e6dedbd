//! The layers, in the one order in which they work.

use std::sync::Arc;

use tower_layer::Layer;

use super::LivePhases;
use super::flat::Flat;
use super::service::LifelineService;
use super::surroundings::Surroundings;
use crate::admission_gate::{AdmissionGateLayer, AdmissionGateService};
use crate::deadline::Terms;
use crate::phase_timeout::{PhaseTimeout, PhaseTimeoutLayer};
use crate::request_body::{RequestBodyLayer, RequestBodyService};
use crate::request_deadline::{DeadlineLayer, DeadlineService};
use crate::slow_client_guard::{SlowClientGuard, SlowClientGuardLayer};
use crate::sse_heartbeat::{SseHeartbeat, SseHeartbeatLayer};

/// Every layer of a [`Lifeline`](super::Lifeline), as one. Whatever it is applied to shares the gate and the watchdog.
#[derive(Clone, Debug)]
pub struct LifelineLayer {
    pub(super) layers: Arc<Layers>,
}

/// The pieces.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) deadline: DeadlineLayer,
    /// What the deadlines of plain requests have in common.
    pub(super) on_demand: Arc<Terms>,
    pub(super) guard: SlowClientGuardLayer,
    pub(super) request_body: RequestBodyLayer,
    pub(super) heartbeat: SseHeartbeatLayer,
    pub(super) gate: AdmissionGateLayer,
    pub(super) phases: PhaseTimeoutLayer<LivePhases>,
    pub(super) has_short_way: bool,
    pub(super) surroundings: Surroundings,
}

/// What every request goes through.
pub(super) type Core<S> = AdmissionGateService<PhaseTimeout<S, LivePhases>>;

/// Outermost first: the deadline, which counts everything; the guard, whose cut releases all that is inside; the
/// request body, whose call the others want to know; heartbeats, outside of every clock that they would disturb; the
/// gate, whose seat covers head and body; the phases of the handler.
pub(super) type Stack<S> = DeadlineService<SlowClientGuard<Flat<RequestBodyService<SseHeartbeat<Core<S>>>>>>;

// === impl LifelineLayer ===

impl<S> Layer<S> for LifelineLayer {
    type Service = LifelineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layers = &self.layers;
        let core = layers.gate.layer(layers.phases.layer(inner));
        let inner = layers.request_body.layer(layers.heartbeat.layer(core));
        let stack = layers.deadline.layer(layers.guard.layer(Flat::new(inner)));
        LifelineService::new(stack, layers.clone())
    }
}
