//! What is measured: one table, from which metrics are registered, described, and checked.

use metrics::Unit;

/// A metric of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) labels: &'static [&'static str],
    pub(super) description: &'static str,
}

/// What kind a metric is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution of seconds, from a millisecond to minutes.
    Latency,
    /// A distribution of seconds in which nothing went out, to be held against the limits of proxies.
    Silence,
}

/// Buckets for silences, in seconds: each limit at which a known proxy gives up has a bucket of its own, 2 s wide.
///
/// Those limits are 10, 15, 30 (with 29), 55, 60, 75, 90, 100, 120, 125, 180, 230, 240, 300, 350, 600 and 900 s. Where
/// peers vanish after the same silence again and again, there is a hop with that limit, or a client with that
/// patience.
pub const SILENCE_BUCKETS: [f64; 36] = [
    1.0, 5.0, 9.0, 11.0, 14.0, 16.0, 28.0, 31.0, 54.0, 56.0, 59.0, 61.0, 74.0, 76.0, 89.0, 91.0, 99.0, 101.0,
    119.0, 121.0, 124.0, 126.0, 179.0, 181.0, 229.0, 231.0, 239.0, 241.0, 299.0, 301.0, 349.0, 351.0, 599.0,
    601.0, 899.0, 901.0,
];

/// Buckets for everything else that takes time, in seconds: from what a cache answers to what an agent works.
pub const LATENCY_BUCKETS: [f64; 16] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

macro_rules! table {
    ($($constant:ident $kind:ident $name:literal [$($label:literal)*] $description:literal;)*) => {
        $(pub(super) const $constant: Metric = Metric {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label),*],
            description: $description,
        };)*

        /// All metrics, in the order of the [table](super).
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    REQUESTS_IN_FLIGHT Gauge "lifeline_requests_in_flight" [] "Requests whose answer has not ended.";
    RESPONSES Counter "lifeline_responses_total" ["status_class" "origin"] "Response heads, by who made them.";
    REQUESTS_ENDED Counter "lifeline_requests_ended_total" ["stage" "ending"] "Requests that are over, by how and when they ended.";
    RESPONSE_HEAD Latency "lifeline_response_head_seconds" [] "Time from the request to the response head.";
    RESPONSE_FIRST_BYTE Latency "lifeline_response_first_byte_seconds" [] "Time from the request to the first byte of the body, heartbeats included.";
    REQUEST_DURATION Latency "lifeline_request_duration_seconds" [] "Time from the request to its end, however it ended.";
    VANISHED_SILENCE Silence "lifeline_vanished_silence_seconds" ["stage"] "Silence before an unfinished answer that was waited for was dropped.";

    PHASE_TIMEOUTS Counter "lifeline_phase_timeouts_total" ["side" "phase" "outcome"] "Phases that ran out.";
    OUTGOING_CALLS Counter "lifeline_outgoing_calls_total" ["name" "outcome"] "Calls under a deadline that are over.";
    OUTGOING_CALL_DURATION Latency "lifeline_outgoing_call_duration_seconds" ["name"] "Time that calls under a deadline took, however they ended.";
    DEADLINE_HEADERS_IGNORED Counter "lifeline_deadline_headers_ignored_total" ["header"] "Deadline headers that made no sense.";
    GATE_REFUSALS Counter "lifeline_gate_refusals_total" ["gate" "class" "reason" "outcome"] "Refusals at gates.";
    GATE_WAIT Latency "lifeline_gate_wait_seconds" ["gate" "class" "end"] "Time waited for a seat, where there was a wait.";
    GATES_CLOSED Counter "lifeline_gates_closed_total" ["gate"] "Gates that were closed for a drain.";
    HEARTBEATS Counter "lifeline_heartbeats_total" [] "Heartbeats put into event streams.";
    HEARTBEAT_STREAMS Counter "lifeline_heartbeat_streams_total" [] "Event streams that were silent for long enough to get a heartbeat.";
    EARLY_COMMITS Counter "lifeline_early_commits_total" [] "Answers whose event stream began before the service had answered.";
    EARLY_COMMIT_LOSSES Counter "lifeline_early_commit_losses_total" ["lost"] "What was lost of answers that came after their stream had begun.";
    FAREWELLS Counter "lifeline_farewells_total" ["outcome"] "Streams that ended because the server shuts down.";
    CLIENTS_STALLED Counter "lifeline_clients_stalled_total" ["seen"] "Clients that took nothing for half of the time that they may.";
    CLIENTS_RECOVERED Counter "lifeline_clients_recovered_total" ["seen"] "Stalled clients that went on.";
    CLIENTS_TOO_SLOW Counter "lifeline_clients_too_slow_total" ["seen" "slowness" "outcome"] "Clients that were too slow; each cut gives back what the exchange held, its seat included.";
    SOCKET_SETTINGS_REFUSED Counter "lifeline_socket_settings_refused_total" ["setting"] "Socket settings that the system refused.";
    CONNECTIONS_TIMED_OUT Counter "lifeline_connections_timed_out_total" ["phase"] "Connections closed because a phase of theirs took too long.";
    PEER_CONNECTIONS_REFUSED Counter "lifeline_peer_connections_refused_total" [] "Connections closed at once because their peer had as many as it may have.";
    ACCEPT_FAILURES Counter "lifeline_accept_failures_total" [] "Connections that could not be accepted.";
    HANDSHAKE_FAILURES Counter "lifeline_handshake_failures_total" [] "TLS handshakes that failed.";
    DRAINS Counter "lifeline_drains_total" [] "Drains that began.";
    DRAINING Gauge "lifeline_draining" [] "Servers that drain now.";
    DRAIN_DURATION Latency "lifeline_drain_duration_seconds" [] "Time that drains took.";
    DRAIN_CONNECTIONS Counter "lifeline_drain_connections_total" ["ending"] "Connections at drains, by how they ended.";
    DRAIN_REQUESTS_CUT Counter "lifeline_drain_requests_cut_total" [] "Requests in progress on connections that drains cut.";

    GATE_SEATS Gauge "lifeline_gate_seats" ["gate"] "Seats of a gate.";
    GATE_IN_FLIGHT Gauge "lifeline_gate_in_flight" ["gate"] "Seats of a gate that are taken, those of classes apart left out.";
    GATE_QUEUE_PLACES Gauge "lifeline_gate_queue_places" ["gate"] "Places in a gate's queue.";
    GATE_QUEUED Gauge "lifeline_gate_queued" ["gate"] "Requests in a gate's queue.";
    GATE_CLASS_SEATS Gauge "lifeline_gate_class_seats" ["gate" "class"] "Seats that a class can have.";
    GATE_CLASS_IN_FLIGHT Gauge "lifeline_gate_class_in_flight" ["gate" "class"] "Seats that a class has taken.";
    GATE_CLASS_QUEUE_PLACES Gauge "lifeline_gate_class_queue_places" ["gate" "class"] "Places in the queue that a class can have.";
    GATE_CLASS_QUEUED Gauge "lifeline_gate_class_queued" ["gate" "class"] "Requests of a class in the queue.";
    GATE_CLOSED Gauge "lifeline_gate_closed" ["gate"] "1: the gate was closed.";
    GATE_DRY_RUN Gauge "lifeline_gate_dry_run" ["gate"] "1: the gate refuses nobody.";
    GATE_ADMITTED Counter "lifeline_gate_admitted_total" ["gate"] "Seats of a gate ever taken.";

    RUNTIME_LAG Latency "lifeline_runtime_lag_seconds" [] "How late a task of the runtime woke from its sleep.";
    RUNTIME_LAG_MAX Gauge "lifeline_runtime_lag_max_seconds" [] "The greatest lag of the last one to two minutes.";
}

// === impl Metric ===

impl Metric {
    /// The name, as Prometheus has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> Unit {
        if self.name.ends_with("_seconds") {
            Unit::Seconds
        } else {
            Unit::Count
        }
    }

    /// The names of its labels.
    #[must_use]
    pub const fn labels(&self) -> &'static [&'static str] {
        self.labels
    }

    /// What it tells.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// The buckets that it was made for, in seconds. `None`: it is no histogram.
    #[must_use]
    pub const fn buckets(&self) -> Option<&'static [f64]> {
        match self.kind {
            MetricKind::Counter | MetricKind::Gauge => None,
            MetricKind::Latency => Some(&LATENCY_BUCKETS),
            MetricKind::Silence => Some(&SILENCE_BUCKETS),
        }
    }
}
