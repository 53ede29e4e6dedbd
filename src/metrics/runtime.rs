//! How late the runtime wakes its tasks.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use metrics::{Gauge, Histogram};
use tokio::task::JoinHandle;

use super::gates::GateGauges;
use super::register::{Handle, describe};
use super::table as t;
use crate::admission_gate::AdmissionGate;
use crate::clock::now;
use crate::error::ConfigError;
use crate::timer::Timer;

/// A task that watches the runtime until this is dropped. See [`watch_runtime`].
#[derive(Debug)]
#[must_use = "the runtime is watched until this is dropped"]
pub struct RuntimeWatch(JoinHandle<()>);

/// The gauge and the histogram of the lag.
struct Lag {
    each: Histogram,
    max: Gauge,
    worst: Worst,
}

/// The worst of this minute and of the one before: a gauge must survive until it is read, and then go away.
#[derive(Debug)]
struct Worst {
    since: Instant,
    now: Duration,
    before: Duration,
}

const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Measures, every `interval`, how late a task of this runtime wakes, and [records](GateGauges::record) how
/// `gates` stand.
///
/// What blocks a runtime stops heartbeats, deadlines and timeouts with it. The task sleeps like any other, so it
/// is as late as they are: about a millisecond on an idle runtime, and much more where all workers are busy, or
/// the one that drives the timers is. Where one worker of many is blocked, others wake this task in time, and
/// only what is stuck on that worker is late. 100 ms to 1 s are sensible intervals; each costs a timer, two looks
/// at the clock and what the recorder takes.
///
/// # Errors
/// Refuses an interval of zero and one longer than an hour.
///
/// # Panics
/// Outside of a tokio runtime; its task panics where the runtime's timer is not enabled.
pub fn watch_runtime<'a>(
    interval: Duration,
    gates: impl IntoIterator<Item = &'a AdmissionGate>,
) -> Result<RuntimeWatch, ConfigError> {
    if interval.is_zero() || interval > LONGEST_INTERVAL {
        return Err(ConfigError::new(format!(
            "the runtime cannot be watched every {interval:?}: choose an interval of up to an hour, such as 250 ms"
        )));
    }
    let gates: Vec<_> = gates.into_iter().map(GateGauges::new).collect();
    let lag = Lag::new();
    Ok(RuntimeWatch(tokio::spawn(watch(interval, gates, lag))))
}

async fn watch(interval: Duration, gates: Vec<GateGauges>, mut lag: Lag) {
    let mut timer = Timer::new();
    loop {
        gates.iter().for_each(GateGauges::record);
        let due = now() + interval;
        let woken = poll_fn(|cx| {
            loop {
                let now = now();
                if due <= now {
                    return Poll::Ready(now);
                }
                ready!(timer.poll_until(due, cx));
            }
        });
        let woken = woken.await;
        lag.note(woken.saturating_duration_since(due), woken);
    }
}

// === impl RuntimeWatch ===

impl Drop for RuntimeWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Lag ===

impl Lag {
    fn new() -> Self {
        describe();
        Self {
            each: Histogram::register(&t::RUNTIME_LAG, &[]),
            max: Gauge::register(&t::RUNTIME_LAG_MAX, &[]),
            worst: Worst::new(now()),
        }
    }

    fn note(&mut self, lag: Duration, now: Instant) {
        self.each.record(lag);
        self.max.set(self.worst.with(lag, now));
    }
}

// === impl Worst ===

impl Worst {
    const fn new(since: Instant) -> Self {
        Self {
            since,
            now: Duration::ZERO,
            before: Duration::ZERO,
        }
    }

    fn with(&mut self, lag: Duration, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.since);
        if age >= MINUTE {
            self.before = if age < MINUTE * 2 {
                self.now
            } else {
                Duration::ZERO
            };
            (self.now, self.since) = (Duration::ZERO, now);
        }
        self.now = self.now.max(lag);
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_told_for_a_minute_at_least_and_not_for_ever() {
        let start = now();
        let mut worst = Worst::new(start);
        let mut at = |second, lag| {
            worst
                .with(Duration::from_millis(lag), start + Duration::from_secs(second))
                .as_millis()
        };
        assert_eq!(at(59, 900), 900);
        assert_eq!(at(60, 5), 900);
        assert_eq!(at(119, 5), 900);
        assert_eq!(at(120, 5), 5);
        assert_eq!(at(130, 700), 700);
        // A block of minutes: what was before it is over.
        assert_eq!(at(400, 1), 1);
    }
}
