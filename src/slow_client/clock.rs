//! Judges a client look by look.
//!
//! Nobody asks for the time when a client takes something, since that happens with every frame or write. Instead
//! somebody looks at the client at intervals, and says what is to be seen; the moment of the last progress is
//! known to within one interval, and rounded in the client's favour.

use std::time::{Duration, Instant};

use super::{SlowClient, SlowClientLimits, Slowness};
use crate::pace::Pace;

/// What is to be seen of a client at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Bytes wait for it.
    pub(crate) is_waited_for: bool,
    /// A figure that differs from the last one if it has taken anything since.
    pub(crate) progress: u64,
    /// The bytes that it has taken so far.
    pub(crate) taken: u64,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing that is worth a word.
    Fine,
    /// It has taken nothing for half of the time that it may.
    Stalled { idle: Duration },
    /// It takes something again, or nothing waits for it any longer, after so long.
    Recovered { after: Duration },
    /// It is too slow.
    TooSlow(SlowClient),
    /// It would be too slow, but the limits only report. Said once in a wait.
    WouldBeTooSlow(SlowClient),
}

/// What earlier looks have found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlowClock {
    wait: Option<Wait>,
    progress: u64,
    taken: u64,
    pace: Option<Pace>,
    /// In which way the client is slow, as was said.
    slow: Option<Slowness>,
}

/// Bytes have been waiting at every look so far.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// When the last progress was seen, or the first of the wait.
    since: Instant,
    looked: Instant,
    /// What would have been cut was said.
    would_be_cut: bool,
}

// === impl SlowClock ===

impl SlowClock {
    pub(crate) fn new(limits: &SlowClientLimits) -> Self {
        Self {
            wait: None,
            progress: 0,
            taken: 0,
            pace: limits.rate().map(Pace::new),
            slow: None,
        }
    }

    /// Takes notice of what is to be seen now.
    pub(crate) fn look(&mut self, limits: &SlowClientLimits, sight: Sight, now: Instant) -> Finding {
        let moved = sight.taken.saturating_sub(self.taken);
        let has_moved = sight.progress != self.progress;
        (self.progress, self.taken) = (sight.progress, sight.taken);
        if let Some(pace) = &mut self.pace {
            pace.moved(usize::try_from(moved).unwrap_or(usize::MAX));
        }
        let Some(mut wait) = self.wait.take() else {
            self.wait = sight.is_waited_for.then(|| Wait::since(now));
            return Finding::Fine;
        };
        let waited = wait.look(limits.stall() / 2, now);
        let idle = now.saturating_duration_since(wait.since);
        if !sight.is_waited_for {
            // It has caught up, and owes nothing.
            self.pace = limits.rate().map(Pace::new);
            return self.recovered(idle);
        }
        let is_below_rate = self.pace.as_mut().is_some_and(|pace| {
            pace.waited(waited);
            pace.left().is_zero()
        });
        if has_moved {
            wait.since = now;
        }
        let wait = self.wait.insert(wait);
        let slowness = match now.saturating_duration_since(wait.since) {
            still if still >= limits.stall() => Some(Slowness::Stalled),
            _ if is_below_rate => Some(Slowness::BelowMinRate),
            still if still >= limits.stall() / 2 && self.slow.is_none() => {
                self.slow = Some(Slowness::Stalled);
                return Finding::Stalled { idle: still };
            }
            _ => None,
        };
        let Some(slowness) = slowness else {
            return if has_moved {
                self.recovered(idle)
            } else {
                Finding::Fine
            };
        };
        self.slow = Some(slowness);
        let slow = SlowClient::new(slowness, now.saturating_duration_since(wait.since), sight.taken);
        if !limits.is_report_only() {
            return Finding::TooSlow(slow);
        }
        match std::mem::replace(&mut wait.would_be_cut, true) {
            false => Finding::WouldBeTooSlow(slow),
            true => Finding::Fine,
        }
    }

    /// Somebody else was to blame for the wait so far: it begins now.
    pub(crate) fn begin_afresh(&mut self, limits: &SlowClientLimits, now: Instant) {
        self.wait = Some(Wait::since(now));
        self.pace = limits.rate().map(Pace::new);
    }

    /// Whether it was said that the client is slow, and not that it recovered.
    pub(crate) const fn is_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// As [`idle`](Self::idle), where something waits.
    #[cfg(feature = "serve")]
    pub(crate) fn waited(&self, now: Instant) -> Option<Duration> {
        self.wait.map(|wait| now.saturating_duration_since(wait.since))
    }

    /// How long the client has been seen to take nothing of what waits for it.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        self.wait
            .map_or(Duration::ZERO, |wait| now.saturating_duration_since(wait.since))
    }

    fn recovered(&mut self, after: Duration) -> Finding {
        match self.slow.take() {
            Some(_) => Finding::Recovered { after },
            None => Finding::Fine,
        }
    }
}

// === impl Wait ===

impl Wait {
    const fn since(now: Instant) -> Self {
        Self {
            since: now,
            looked: now,
            would_be_cut: false,
        }
    }

    /// How long it was waited since the last look. More than `most` of it was the looker's own absence: a process that
    /// was stopped, a runtime that was blocked. Nobody is charged with that.
    fn look(&mut self, most: Duration, now: Instant) -> Duration {
        let waited = now.saturating_duration_since(self.looked);
        self.looked = now;
        let absent = waited.saturating_sub(most);
        self.since += absent;
        waited - absent
    }
}
