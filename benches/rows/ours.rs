//! What this crate offers.
#![expect(clippy::expect_used, reason = "these configurations are not refused")]

use std::time::Duration;

use tower::ServiceBuilder;
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, DeadlineLayer, GateLimits, Lifeline, PhaseLimits, PhaseTimeoutLayer,
    RequestBodyLayer, RequestBodyLimits, SlowClientGuardLayer, SseHeartbeatLayer,
};

use super::Row;

pub(super) fn rows() -> Vec<Row> {
    let phases = PhaseTimeoutLayer::new(PhaseLimits::new());
    let deadline = DeadlineLayer::new(Duration::from_secs(120)).expect("a deadline");
    let body = RequestBodyLayer::new(RequestBodyLimits::new());
    let gate = GateLimits::builder(64)
        .build()
        .map(AdmissionGate::new)
        .expect("a gate");
    let gate = AdmissionGateLayer::new(gate);
    let all = ServiceBuilder::new()
        .layer(deadline.clone())
        .layer(body.clone())
        .layer(SlowClientGuardLayer::default())
        .layer(SseHeartbeatLayer::default())
        .layer(gate.clone())
        .layer(phases.clone());
    let mut rows = vec![
        Row::layer("PhaseTimeout, all phases", phases),
        Row::layer("SseHeartbeat", SseHeartbeatLayer::default()),
        Row::layer("SlowClientGuard", SlowClientGuardLayer::default()),
        Row::layer("AdmissionGate", gate.clone()),
        Row::layer("DeadlineLayer", deadline),
        Row::layer("RequestBody", body),
        Row::layer("all of them", all),
        Row::layer("Lifeline", Lifeline::builder().build().expect("a stack").layer()),
        Row::layer(
            "Lifeline, stamped",
            Lifeline::builder()
                .deadline_in_every_request()
                .build()
                .expect("a stack")
                .layer(),
        ),
    ];
    #[cfg(feature = "metrics")]
    rows.extend(measured());
    rows
}

/// The layer alone, and with a recorder that keeps what it is told.
#[cfg(feature = "metrics")]
fn measured() -> [Row; 2] {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower_lifeline::metrics::MetricsLayer;

    let recorder = PrometheusBuilder::new().build_recorder();
    let recorded = metrics::with_local_recorder(&recorder, MetricsLayer::new);
    [
        Row::layer("MetricsLayer, no recorder", MetricsLayer::new()),
        Row::layer("MetricsLayer, Prometheus", recorded),
    ]
}
