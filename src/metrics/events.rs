//! The observer that turns events into metrics.

use std::fmt;

use metrics::{Counter, Gauge, Histogram};

use super::register::{Family, Handle, describe};
use super::table as t;
use crate::error::{Bound, Phase};
use crate::event::{CallOutcome, ConnectionPhase, Event, Observer, Outcome, Reporter, SeenBy, Side};
use crate::refusal::Reason;

/// Counts every [`Event`], and passes it on. See the [module docs](super).
///
/// It keeps the handles that the recorder of its own thread gives out when it is made, so the recorder comes
/// first. Those whose labels are names of yours (gates, classes, calls, socket settings) are registered when such
/// a name first occurs.
pub struct EventMetrics {
    then: Reporter,
    phase_timeouts: Family<Counter, 3>,
    calls: Family<Counter, 2>,
    call_duration: Family<Histogram, 1>,
    headers_ignored: Family<Counter, 1>,
    gate_refusals: Family<Counter, 4>,
    gate_wait: Family<Histogram, 3>,
    gates_closed: Family<Counter, 1>,
    heartbeats: Counter,
    heartbeat_streams: Counter,
    early_commits: Counter,
    early_commit_losses: Family<Counter, 1>,
    farewells: Family<Counter, 1>,
    clients_stalled: Family<Counter, 1>,
    clients_recovered: Family<Counter, 1>,
    clients_too_slow: Family<Counter, 3>,
    settings_refused: Family<Counter, 1>,
    connections_timed_out: Family<Counter, 1>,
    peer_connections_refused: Counter,
    accept_failures: Counter,
    handshake_failures: Counter,
    drains: Counter,
    draining: Gauge,
    drain_duration: Histogram,
    drain_connections: Family<Counter, 1>,
    drain_requests_cut: Counter,
}

const SEEN: [SeenBy; 2] = [SeenBy::Body, SeenBy::Connection];
const LOST: [&str; 6] = [
    "late_status",
    "late_headers",
    "service_error",
    "body_failed",
    "too_large",
    "format",
];
const CONNECTION_PHASES: [ConnectionPhase; 4] = [
    ConnectionPhase::Handshake,
    ConnectionPhase::FirstByte,
    ConnectionPhase::Idle,
    ConnectionPhase::RequestHead,
];

// === impl EventMetrics ===

impl EventMetrics {
    /// Counts with the recorder that is installed now.
    ///
    /// Whatever is counted by fixed words is there at once, at zero, so that the first occurrence is an increase.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            then: Reporter::silent(),
            phase_timeouts: Family::of(&t::PHASE_TIMEOUTS, phase_timeouts()),
            calls: Family::new(&t::OUTGOING_CALLS),
            call_duration: Family::new(&t::OUTGOING_CALL_DURATION),
            headers_ignored: Family::new(&t::DEADLINE_HEADERS_IGNORED),
            gate_refusals: Family::new(&t::GATE_REFUSALS),
            gate_wait: Family::new(&t::GATE_WAIT),
            gates_closed: Family::new(&t::GATES_CLOSED),
            heartbeats: single(&t::HEARTBEATS),
            heartbeat_streams: single(&t::HEARTBEAT_STREAMS),
            early_commits: single(&t::EARLY_COMMITS),
            early_commit_losses: Family::of(&t::EARLY_COMMIT_LOSSES, LOST.map(|lost| [lost])),
            farewells: Family::of(&t::FAREWELLS, [["said_goodbye"], ["ended_resumable"]]),
            clients_stalled: Family::of(&t::CLIENTS_STALLED, SEEN.map(|seen| [seen.as_str()])),
            clients_recovered: Family::of(&t::CLIENTS_RECOVERED, SEEN.map(|seen| [seen.as_str()])),
            clients_too_slow: Family::of(&t::CLIENTS_TOO_SLOW, too_slow()),
            settings_refused: Family::new(&t::SOCKET_SETTINGS_REFUSED),
            connections_timed_out: Family::of(
                &t::CONNECTIONS_TIMED_OUT,
                CONNECTION_PHASES.map(|phase| [phase.as_str()]),
            ),
            peer_connections_refused: single(&t::PEER_CONNECTIONS_REFUSED),
            accept_failures: single(&t::ACCEPT_FAILURES),
            handshake_failures: single(&t::HANDSHAKE_FAILURES),
            drains: single(&t::DRAINS),
            draining: single(&t::DRAINING),
            drain_duration: single(&t::DRAIN_DURATION),
            drain_connections: Family::of(&t::DRAIN_CONNECTIONS, [["closed"], ["cut"]]),
            drain_requests_cut: single(&t::DRAIN_REQUESTS_CUT),
        }
    }

    /// Passes every event on to `then`, once it is counted: to the [log](Reporter::log), for example.
    #[must_use]
    pub fn and(mut self, then: Reporter) -> Self {
        self.then = then;
        self
    }

    /// No arm for all the rest: whoever adds an event decides here how it is counted.
    fn count(&self, event: &Event) {
        match *event {
            Event::PhaseExpired {
                side,
                expired,
                outcome,
            } => self
                .phase_timeouts
                .count([side.as_str(), expired.phase().as_str(), outcome_word(outcome)]),
            Event::CallEnded {
                name,
                outcome,
                elapsed,
            } => {
                self.calls.count([name, call_word(outcome)]);
                self.call_duration
                    .with([name], |histogram| histogram.record(elapsed));
            }
            Event::DeadlineHeaderIgnored { header } => self.headers_ignored.count([header.name()]),
            Event::GateRefused {
                gate,
                class,
                reason,
                outcome,
            } => {
                self.gate_refusals
                    .count([gate, class, reason.as_str(), outcome_word(outcome)]);
                if let Reason::QueueTimeout { waited, .. } = reason {
                    self.gate_wait
                        .with([gate, class, "timed_out"], |wait| wait.record(waited));
                }
            }
            Event::GateWaited { gate, class, waited } => {
                self.gate_wait
                    .with([gate, class, "seated"], |wait| wait.record(waited));
            }
            Event::GateAbandoned { gate, class, waited } => {
                self.gate_wait
                    .with([gate, class, "abandoned"], |wait| wait.record(waited));
            }
            Event::GateClosed { gate } => self.gates_closed.count([gate]),
            Event::Heartbeat => self.heartbeats.increment(1),
            Event::FirstHeartbeat { .. } => {
                self.heartbeats.increment(1);
                self.heartbeat_streams.increment(1);
            }
            Event::CommittedEarly { .. } => self.early_commits.increment(1),
            Event::CommitLost { lost } => self.early_commit_losses.count([lost.as_str()]),
            Event::Farewell { outcome } => self.farewells.count([outcome_word(outcome)]),
            Event::ClientStalled { seen, .. } => self.clients_stalled.count([seen.as_str()]),
            Event::ClientRecovered { seen, .. } => self.clients_recovered.count([seen.as_str()]),
            Event::ClientTooSlow { seen, slow, outcome } => {
                self.clients_too_slow
                    .count([seen.as_str(), slow.slowness().as_str(), outcome_word(outcome)])
            }
            Event::SocketSettingRefused { setting, .. } => self.settings_refused.count([setting]),
            Event::ConnectionTimedOut { phase, .. } => self.connections_timed_out.count([phase.as_str()]),
            Event::PeerConnectionRefused => self.peer_connections_refused.increment(1),
            Event::AcceptFailed { .. } => self.accept_failures.increment(1),
            Event::HandshakeFailed { .. } => self.handshake_failures.increment(1),
            Event::DrainBegan => {
                self.drains.increment(1);
                self.draining.increment(1.0);
            }
            Event::Drained {
                connections,
                cut,
                requests_cut,
                took,
            } => {
                self.draining.decrement(1.0);
                self.drain_duration.record(took);
                let closed = connections.saturating_sub(cut) as u64;
                self.drain_connections
                    .with(["closed"], |counter| counter.increment(closed));
                self.drain_connections
                    .with(["cut"], |counter| counter.increment(cut as u64));
                self.drain_requests_cut.increment(requests_cut as u64);
            }
        }
    }
}

impl Observer for EventMetrics {
    fn on_event(&self, event: &Event) {
        self.count(event);
        self.then.report(event);
    }
}

impl Default for EventMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for EventMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventMetrics")
            .field("then", &self.then)
            .finish_non_exhaustive()
    }
}

fn single<H: Handle>(metric: &t::Metric) -> H {
    H::register(metric, &[])
}

/// Every phase that can run out, with everything that can come of it.
fn phase_timeouts() -> impl Iterator<Item = [&'static str; 3]> {
    let server = [
        Phase::Head,
        Phase::Read,
        Phase::Total,
        Phase::RequestIdle,
        Phase::RequestRate,
        Phase::RequestTotal,
    ];
    let outcomes = [
        "refused",
        "said_goodbye",
        "cut",
        "ended_resumable",
        "failed",
        "would_have_cut",
    ];
    let outgoing = [Phase::Connect, Phase::Head, Phase::Read, Phase::Total];
    let of = |side: Side, phase: Phase, outcome| [side.as_str(), phase.as_str(), outcome];
    let server = server
        .into_iter()
        .flat_map(move |phase| outcomes.map(|outcome| of(Side::Server, phase, outcome)));
    let outgoing = outgoing.into_iter().flat_map(move |phase| {
        ["failed", "would_have_cut"].map(|outcome| of(Side::Outgoing, phase, outcome))
    });
    server.chain(outgoing)
}

fn too_slow() -> impl Iterator<Item = [&'static str; 3]> {
    SEEN.into_iter().flat_map(|seen| {
        [
            [seen.as_str(), "stalled", "cut"],
            [seen.as_str(), "stalled", "would_have_cut"],
            [seen.as_str(), "below_min_rate", "cut"],
            [seen.as_str(), "below_min_rate", "would_have_cut"],
        ]
    })
}

pub(super) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(_) => "refused",
        Outcome::SaidGoodbye => "said_goodbye",
        Outcome::Cut => "cut",
        Outcome::EndedResumable => "ended_resumable",
        Outcome::Failed => "failed",
        Outcome::WouldHaveCut => "would_have_cut",
        Outcome::WouldHaveRefused => "would_have_refused",
    }
}

const fn call_word(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Completed => "completed",
        CallOutcome::Expired(Bound::Limit) => "expired_limit",
        CallOutcome::Expired(Bound::Deadline) => "expired_deadline",
        CallOutcome::Dropped => "dropped",
    }
}
