//! What Prometheus is told.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tower_lifeline::AdmissionGate;

use crate::stack::{MCP, PROBES};

/// Collects what is counted from now on, in the whole process.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}

/// Counts the answers by path and status.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let known = PROBES.iter().chain([&MCP]);
    let path = known.copied().find(|path| *path == request.uri().path());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    // Paths that clients make up would fill the memory.
    counter!("http_responses_total", "path" => path.unwrap_or("other"), "status" => status).increment(1);
    response
}

/// All figures, with the gate's as they are now.
pub(crate) fn render(handle: &PrometheusHandle, gate: &AdmissionGate) -> String {
    let figures = gate.figures();
    gauge!("gate_seats").set(figures.max_in_flight);
    gauge!("gate_in_flight").set(figures.in_flight);
    gauge!("gate_waiting").set(figures.waiting);
    counter!("gate_admitted_total").absolute(figures.admitted);
    for (reason, count) in [
        ("full", figures.refused_full),
        ("timeout", figures.refused_timeout),
        ("draining", figures.refused_draining),
    ] {
        counter!("gate_refused_total", "reason" => reason).absolute(count);
    }
    handle.render()
}
