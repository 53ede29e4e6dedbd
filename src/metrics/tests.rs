//! What is exported, read as Prometheus reads it.

mod page;
mod requests;
mod shipped;

use std::io;
use std::time::Duration;

use tokio::time::advance;

use self::page::Page;
use super::*;
use crate::admission_gate::{AdmissionGate, ClassLimits, GateLimits};
use crate::error::{Bound, Phase, PhaseExpired};
use crate::event::{
    CallOutcome, ConnectionPhase, DeadlineHeader, Event, Lost, Observer, Outcome, Reporter, SeenBy, Side,
};
use crate::refusal::Reason;
use crate::slow_client::{Finding, Sight, SlowClient, SlowClientLimits, SlowClock};

const SECOND: Duration = Duration::from_secs(1);

/// One of each event.
fn every_event() -> Vec<Event> {
    let (gate, class) = ("gate", "standard");
    let expired = PhaseExpired::new(Phase::Head, Bound::Limit, SECOND, SECOND);
    let timed_out = Reason::QueueTimeout {
        bound: Bound::Limit,
        limit: SECOND,
        waited: SECOND,
    };
    let seen = SeenBy::Body;
    vec![
        Event::PhaseExpired {
            side: Side::Server,
            expired,
            outcome: Outcome::Refused(504),
        },
        Event::CallEnded {
            name: "db.search",
            outcome: CallOutcome::Expired(Bound::Deadline),
            elapsed: SECOND,
        },
        Event::DeadlineHeaderIgnored {
            header: DeadlineHeader::GrpcTimeout,
        },
        Event::GateRefused {
            gate,
            class,
            reason: timed_out,
            outcome: Outcome::Refused(504),
        },
        Event::GateWaited {
            gate,
            class,
            waited: SECOND,
        },
        Event::GateAbandoned {
            gate,
            class,
            waited: SECOND,
        },
        Event::GateClosed { gate },
        Event::FirstHeartbeat { silence: SECOND },
        Event::Heartbeat,
        Event::CommittedEarly { waited: SECOND },
        Event::CommitLost {
            lost: Lost::Status(503),
        },
        Event::Farewell {
            outcome: Outcome::SaidGoodbye,
        },
        Event::ClientStalled {
            seen,
            idle: SECOND,
            taken: 1,
        },
        Event::ClientRecovered {
            seen,
            after: SECOND,
            taken: 1,
        },
        Event::ClientTooSlow {
            seen,
            slow: too_slow(),
            outcome: Outcome::Cut,
        },
        Event::SocketSettingRefused {
            setting: "TCP_NODELAY",
            error: io::ErrorKind::Other,
        },
        Event::ConnectionTimedOut {
            phase: ConnectionPhase::Idle,
            after: SECOND,
        },
        Event::PeerConnectionRefused,
        Event::AcceptFailed {
            error: io::ErrorKind::Other,
        },
        Event::DrainBegan,
        Event::Drained {
            connections: 3,
            cut: 1,
            requests_cut: 2,
            took: SECOND,
        },
        Event::HandshakeFailed {
            error: io::ErrorKind::InvalidData,
        },
    ]
}

fn too_slow() -> SlowClient {
    let limits = SlowClientLimits::new();
    let (mut clock, start) = (SlowClock::new(&limits), crate::clock::now());
    let sight = Sight {
        is_waited_for: true,
        progress: 0,
        taken: 0,
    };
    (0..3600)
        .find_map(
            |second| match clock.look(&limits, sight, start + SECOND * second) {
                Finding::TooSlow(slow) => Some(slow),
                _ => None,
            },
        )
        .expect("an hour is too long")
}

/// Makes everything happen that is measured, and reads what is exported.
async fn everything(page: &Page) {
    let _local = page.install();
    let mut gate = AdmissionGate::builder(GateLimits::builder(2).build().unwrap());
    gate.class("bulk", ClassLimits::inside(1));
    let gate = gate.build().unwrap();
    let watch = watch_runtime(SECOND, [&gate]).unwrap();
    drop(gate.try_enter().unwrap());
    tokio::task::yield_now().await;
    advance(SECOND * 3).await;
    tokio::task::yield_now().await;
    drop(watch);
    let observer = EventMetrics::new();
    for event in every_event() {
        observer.on_event(&event);
    }
    requests::answered_and_vanished(&MetricsLayer::new()).await;
}

#[tokio::test(start_paused = true)]
async fn the_docs_the_table_and_what_is_exported_agree() {
    let page = Page::open();
    everything(&page).await;
    if let Some(path) = std::env::var_os("LIFELINE_METRICS_TEXT") {
        std::fs::write(path, page.text()).unwrap();
    }
    let families = page.families();
    let documented: Vec<_> = include_str!("mod.rs").lines().filter_map(row).collect();
    let table: Vec<_> = ALL.iter().map(Family::of).collect();
    assert_eq!(documented, table);
    let mut names: Vec<_> = table.iter().map(|family| family.name.clone()).collect();
    names.sort();
    assert_eq!(families.keys().cloned().collect::<Vec<_>>(), names);
    for family in &table {
        assert_eq!(
            families[&family.name],
            (family.kind.clone(), family.labels.clone()),
            "{}",
            family.name
        );
        let gauge = family.kind == "gauge";
        let sum = page.sum(&[&family.name, "_count"].concat(), &[]) + page.sum(&family.name, &[]);
        assert!(gauge || sum > 0.0, "{} was never counted", family.name);
    }
}

/// A metric as the documentation has it.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    name: String,
    kind: String,
    labels: Vec<String>,
}

impl Family {
    fn of(metric: &Metric) -> Self {
        let kind = match metric.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Latency | MetricKind::Silence => "histogram",
        };
        Self {
            name: metric.name().to_owned(),
            kind: kind.to_owned(),
            labels: metric.labels().iter().map(ToString::to_string).collect(),
        }
    }
}

fn row(line: &str) -> Option<Family> {
    let cells: Vec<_> = line.strip_prefix("//! | `lifeline_")?.split('|').collect();
    let labels = cells[2]
        .split(',')
        .map(|label| label.trim().trim_matches('`').to_owned());
    Some(Family {
        name: format!("lifeline_{}", cells[0].trim().trim_matches('`')),
        kind: cells[1].trim().to_owned(),
        labels: labels.filter(|label| !label.is_empty()).collect(),
    })
}

#[test]
fn whatever_is_counted_by_fixed_words_is_there_before_it_happens() {
    let page = Page::open();
    let _local = page.install();
    let observer = EventMetrics::new();
    let before = page.series();
    let named = [
        "lifeline_outgoing_call",
        "lifeline_deadline_headers",
        "lifeline_gate",
        "lifeline_socket_settings",
    ];
    for event in every_event() {
        observer.on_event(&event);
    }
    let new = page.series();
    let new: Vec<_> = new
        .difference(&before)
        .filter(|series| !named.iter().any(|name| series.starts_with(name)))
        .collect();
    assert!(new.is_empty(), "{new:?}");
}

#[test]
fn events_are_passed_on_in_their_order() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let then = seen.clone();
    let observer = EventMetrics::new().and(Reporter::to(move |event: &Event| {
        then.lock().unwrap().push(*event)
    }));
    for event in every_event() {
        observer.on_event(&event);
    }
    assert_eq!(*seen.lock().unwrap(), every_event());
}

#[test]
fn a_gate_is_shown_with_its_classes_and_its_refusals_exist_at_zero() {
    let page = Page::open();
    let _local = page.install();
    let mut gate = AdmissionGate::builder(GateLimits::builder(4).max_queue(6).build().unwrap()).name("model");
    gate.class("streams", ClassLimits::apart(9));
    let gate = gate.build().unwrap();
    let gauges = GateGauges::new(&gate);
    let seats = [gate.try_enter().unwrap(), gate.try_enter().unwrap()];
    gauges.record();
    let value = |name: &str, labels: &[(&str, &str)]| page.sum(name, labels);
    assert_eq!(value("lifeline_gate_seats", &[("gate", "model")]), 4.0);
    assert_eq!(value("lifeline_gate_in_flight", &[]), 2.0);
    assert_eq!(value("lifeline_gate_queue_places", &[]), 6.0);
    assert_eq!(value("lifeline_gate_class_seats", &[("class", "streams")]), 9.0);
    assert_eq!(value("lifeline_gate_class_seats", &[("class", "standard")]), 4.0);
    assert_eq!(
        value("lifeline_gate_class_in_flight", &[("class", "standard")]),
        2.0
    );
    assert_eq!(value("lifeline_gate_admitted_total", &[]), 2.0);
    let refusals = page.series();
    let refusals = refusals
        .iter()
        .filter(|series| series.starts_with("lifeline_gate_refusals_total"));
    assert_eq!(refusals.count(), 8);
    drop(seats);
    let _closed = gate.close();
    gauges.record();
    assert_eq!(value("lifeline_gate_in_flight", &[]), 0.0);
    assert_eq!(value("lifeline_gate_closed", &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_runtime_shows_until_the_watch_is_dropped() {
    let page = Page::open();
    let _local = page.install();
    let watch = watch_runtime(SECOND / 4, []).unwrap();
    let count = || page.sum("lifeline_runtime_lag_seconds_count", &[]);
    tokio::time::sleep(SECOND * 10).await;
    let ticks = count();
    assert!((39.0..=40.0).contains(&ticks), "{ticks}");
    assert!(page.sum("lifeline_runtime_lag_max_seconds", &[]) <= 0.002);
    // The clock goes on, and nobody is woken in the meantime.
    advance(SECOND * 2).await;
    tokio::task::yield_now().await;
    let worst = page.sum("lifeline_runtime_lag_max_seconds", &[]);
    assert!((1.7..2.1).contains(&worst), "{worst}");
    drop(watch);
    tokio::task::yield_now().await;
    let ticks = count();
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(count(), ticks);
}

#[test]
fn an_interval_that_cannot_work_is_refused() {
    for interval in [Duration::ZERO, SECOND * 3601] {
        let error = watch_runtime(interval, []).unwrap_err();
        assert!(error.to_string().contains("cannot be watched"), "{error}");
    }
}
