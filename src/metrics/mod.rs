//! What happens, as metrics of the [`metrics`](https://docs.rs/metrics) facade: for Prometheus, OpenTelemetry, or
//! whatever is installed as its recorder.
//!
//! # Failure it stops
//! Nobody sees it coming. The 504 that a proxy makes never reaches the server, a full queue looks like a quiet
//! server, and a blocked runtime takes the heartbeats with it that should have told.
//!
//! # What it does
//! | piece | measures |
//! |---|---|
//! | [`MetricsLayer`] | requests: in flight, by who answered them, how long they took, how they ended, and the silence before a peer vanished |
//! | [`EventMetrics`] | every [`Event`](crate::Event), and passes it on, to the [log](crate::Reporter::log) for example |
//! | [`GateGauges`] | how a gate stands |
//! | [`watch_runtime`] | how late the runtime is, and gates from time to time |
//!
//! # Place in the stack
//! [`MetricsLayer`] is outermost, outside of [`SlowClientGuardLayer`](crate::SlowClientGuardLayer): so it sees what
//! the server sees. Give the same [`Reporter`](crate::Reporter) to all layers, gates and servers.
//!
//! **The recorder comes first.** Handles are registered once, when these pieces are made, and belong to the
//! recorder of that moment; those of pieces that are made before it is installed go nowhere, for ever.
//!
//! # Metrics
//! | name | type | labels | meaning |
//! |---|---|---|---|
//! | `lifeline_requests_in_flight` | gauge | | requests whose answer has not ended; an upgraded connection is none |
//! | `lifeline_responses_total` | counter | `status_class`, `origin` | response heads. `origin`: `handler`; or `lifeline`, a refusal or, with `2xx`, a stream committed early (and refusals of gRPC, whose status is 200) |
//! | `lifeline_requests_ended_total` | counter | `stage`, `ending` | `stage`: before the `head`, or in the `body`. `ending`: `complete`; `failed`, an error of service or body, our cuts included; `dropped`, by the server because the peer vanished or its connection was cut |
//! | `lifeline_response_head_seconds` | histogram | | from the request to the response head |
//! | `lifeline_response_first_byte_seconds` | histogram | | from the request to the first byte of the body. Heartbeats count: they are what proxies wait for |
//! | `lifeline_request_duration_seconds` | histogram | | from the request to its end, however it ended |
//! | `lifeline_vanished_silence_seconds` | histogram | `stage` | how long nothing had gone out when an unfinished answer was dropped while it was waited for; before the head, since the request came. It points at the hop whose limit it matches |
//! | `lifeline_phase_timeouts_total` | counter | `side`, `phase`, `outcome` | phases that ran out |
//! | `lifeline_outgoing_calls_total` | counter | `name`, `outcome` | calls of [`Deadline::call`](crate::Deadline::call). `outcome`: `completed`, `expired_limit`, `expired_deadline`, `dropped` |
//! | `lifeline_outgoing_call_duration_seconds` | histogram | `name` | how long they took, however they ended |
//! | `lifeline_deadline_headers_ignored_total` | counter | `header` | deadline headers that made no sense |
//! | `lifeline_gate_refusals_total` | counter | `gate`, `class`, `reason`, `outcome` | refusals at gates; `outcome` is `would_have_refused` in a dry run |
//! | `lifeline_gate_wait_seconds` | histogram | `gate`, `class`, `end` | waits for a seat, where there was one. `end`: `seated`, `timed_out`, `abandoned` |
//! | `lifeline_gates_closed_total` | counter | `gate` | gates that were closed for a drain |
//! | `lifeline_heartbeats_total` | counter | | heartbeats put into event streams |
//! | `lifeline_heartbeat_streams_total` | counter | | event streams that were silent for long enough to get one |
//! | `lifeline_early_commits_total` | counter | | answers whose event stream began before the service had answered |
//! | `lifeline_early_commit_losses_total` | counter | `lost` | what was lost because it came after that |
//! | `lifeline_farewells_total` | counter | `outcome` | streams that ended because the server shuts down |
//! | `lifeline_clients_stalled_total` | counter | `seen` | clients that took nothing for half of the time that they may. `seen`: by `body` or `connection` |
//! | `lifeline_clients_recovered_total` | counter | `seen` | those of them that went on |
//! | `lifeline_clients_too_slow_total` | counter | `seen`, `slowness`, `outcome` | clients that were too slow. Each `cut` reclaims what the exchange held, its seat at a gate included |
//! | `lifeline_socket_settings_refused_total` | counter | `setting` | socket settings that the system refused, once for each |
//! | `lifeline_connections_timed_out_total` | counter | `phase` | connections closed because a phase of theirs took too long; `idle` is an orderly end |
//! | `lifeline_peer_connections_refused_total` | counter | | connections closed at once because their peer had as many as it may have |
//! | `lifeline_accept_failures_total` | counter | | connections that could not be accepted |
//! | `lifeline_handshake_failures_total` | counter | | TLS handshakes that failed; those that took too long are `lifeline_connections_timed_out_total` |
//! | `lifeline_drains_total` | counter | | drains that began |
//! | `lifeline_draining` | gauge | | servers that drain now |
//! | `lifeline_drain_duration_seconds` | histogram | | how long drains took |
//! | `lifeline_drain_connections_total` | counter | `ending` | connections at drains: `closed` by themselves, or `cut` |
//! | `lifeline_drain_requests_cut_total` | counter | | requests in progress on those that were cut |
//! | `lifeline_gate_seats` | gauge | `gate` | seats of the whole |
//! | `lifeline_gate_in_flight` | gauge | `gate` | those that are taken; classes apart are left out |
//! | `lifeline_gate_queue_places` | gauge | `gate` | places in the queue |
//! | `lifeline_gate_queued` | gauge | `gate` | those that are taken |
//! | `lifeline_gate_class_seats` | gauge | `gate`, `class` | seats that a class can have |
//! | `lifeline_gate_class_in_flight` | gauge | `gate`, `class` | those that it has taken |
//! | `lifeline_gate_class_queue_places` | gauge | `gate`, `class` | places that it can have |
//! | `lifeline_gate_class_queued` | gauge | `gate`, `class` | those that it has taken |
//! | `lifeline_gate_closed` | gauge | `gate` | 1: it was closed |
//! | `lifeline_gate_dry_run` | gauge | `gate` | 1: it refuses nobody |
//! | `lifeline_gate_admitted_total` | counter | `gate` | seats of the whole ever taken |
//! | `lifeline_runtime_lag_seconds` | histogram | | how late a task of the runtime woke from its sleep |
//! | `lifeline_runtime_lag_max_seconds` | gauge | | the greatest of them in the last one to two minutes |
//!
//! [`ALL`] is the same table as a value. Labels are bounded: each is one of a few fixed words, or a `&'static str`
//! that was given to a gate, a class, a call or a socket setting. Nothing that a client sends becomes a label.
//!
//! Buckets are the recorder's business; [`Metric::buckets`] says which suit a metric. Without them an exporter may
//! make summaries of the histograms, of which the alert rules know nothing.
//!
//! # Cost
//! [`MetricsLayer`] looks at the clock when a request comes, at its head, its first byte and its end (three times
//! where the first frame is the last, as most answers are), and once for each wait for a frame; a frame that is there
//! at once costs no look. It allocates nothing itself. That is about
//! 790 instructions for a request, 80 for a wait for a frame and 30 for a frame that is there, without a recorder;
//! with the Prometheus exporter a request takes 1320. An event of fixed words is one addition behind, at
//! most, a lock that is only read and a lookup; events are where something happens, not where requests pass, but
//! for [calls](crate::Deadline::call).
//!
//! # What it does not do
//! It exports nothing, and counts no requests by route. A [silence](SILENCE_BUCKETS) is measured by the server:
//! bytes that a proxy has not passed on count as gone out, and a peer that vanishes is noticed when its connection
//! tells, which a silent network never does. Answers to clients that have everything they asked for may still be
//! `dropped`, where a body neither ends nor says its length.
//!
//! # Logs
//! Lines of the [log](crate::Log) have the fields of the span that they are written in. Put the span of a request,
//! with its id, around these layers (tower-http's `TraceLayer`, outermost): its future and its body are polled
//! inside of that span, and what layers report then carries the id. What is found by a task of its own does not: a
//! slow client or a deadline noticed by the watchdog, connections and drains; and neither does what is
//! reported because a request was dropped (`a call was dropped`, `somebody who waited for a seat went away`). Events
//! hold numbers and fixed words, so there is no path, query or credential that could get into the log.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//! use tower_lifeline::metrics::{self, EventMetrics, MetricsLayer};
//! use tower_lifeline::{AdmissionGate, AdmissionGateLayer, GateLimits, PhaseLimits, PhaseTimeoutLayer, Reporter};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut exporter = PrometheusBuilder::new();
//! for metric in metrics::ALL {
//!     if let Some(buckets) = metric.buckets() {
//!         exporter = exporter.set_buckets_for_metric(Matcher::Full(metric.name().into()), buckets)?;
//!     }
//! }
//! let page = exporter.install_recorder()?;
//!
//! let reporter = Reporter::to(EventMetrics::new().and(Reporter::log()));
//! let gate = AdmissionGate::builder(GateLimits::builder(64).build()?).reporter(reporter.clone()).build()?;
//! let _watch = metrics::watch_runtime(Duration::from_millis(250), [&gate])?;
//!
//! let app: Router = Router::new()
//!     .route("/", get(async || "hello"))
//!     .layer(PhaseTimeoutLayer::new(PhaseLimits::new()).with_reporter(reporter))
//!     .layer(AdmissionGateLayer::new(gate))
//!     .layer(MetricsLayer::new())
//!     .route("/metrics", get(move || std::future::ready(page.render())));
//! # drop(app);
//! # Ok(()) }
//! ```

mod body;
mod events;
mod exchange;
mod future;
mod gates;
mod layer;
mod register;
mod runtime;
mod table;

#[cfg(test)]
mod tests;

pub use self::body::MetricsBody;
pub use self::events::EventMetrics;
pub use self::future::MetricsFuture;
pub use self::gates::GateGauges;
pub use self::layer::{MetricsLayer, MetricsService};
pub use self::runtime::{RuntimeWatch, watch_runtime};
pub use self::table::{ALL, LATENCY_BUCKETS, Metric, MetricKind, SILENCE_BUCKETS};
