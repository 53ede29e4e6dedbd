//! What Prometheus is told.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use metrics::counter;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tower_lifeline::metrics::{ALL, GateGauges, RuntimeWatch, watch_runtime};
use tower_lifeline::{AdmissionGate, ConfigError};

use crate::stack::{MCP, PROBES};

/// The page, and what has to be looked at before it is shown.
pub(crate) struct Figures {
    page: PrometheusHandle,
    gate: GateGauges,
    _watch: RuntimeWatch,
}

/// How often it is looked at how late the runtime is.
const LOOK: Duration = Duration::from_millis(250);

/// How often the page's histograms are tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Collects what is counted from now on, in the whole process.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let mut exporter = PrometheusBuilder::new();
    for metric in ALL {
        if let Some(buckets) = metric.buckets() {
            exporter = exporter.set_buckets_for_metric(Matcher::Full(metric.name().into()), buckets)?;
        }
    }
    exporter.install_recorder()
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

// === impl Figures ===

impl Figures {
    pub(crate) fn new(page: PrometheusHandle, gate: &AdmissionGate) -> Result<Self, ConfigError> {
        let upkeep = page.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self {
            page,
            gate: GateGauges::new(gate),
            _watch: watch_runtime(LOOK, [gate])?,
        })
    }

    /// All figures, with the gate's as they are now.
    pub(crate) fn render(&self) -> String {
        self.gate.record();
        self.page.render()
    }
}
