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
}

/// Bytes have been waiting at every look so far.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// When the last progress was seen, or the first of the wait.
    since: Instant,
    looked: Instant,
    /// A stall was found that has not ended.
    is_stalled: bool,
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
        let Some(wait) = &mut self.wait else {
            self.wait = sight.is_waited_for.then(|| Wait::since(now));
            return Finding::Fine;
        };
        let recovered = if has_moved || !sight.is_waited_for {
            wait.progress(now)
        } else {
            Finding::Fine
        };
        if !sight.is_waited_for {
            // It has caught up, and owes nothing.
            self.pace = limits.rate().map(Pace::new);
            self.wait = None;
            return recovered;
        }
        let waited = now.saturating_duration_since(wait.looked);
        wait.looked = now;
        let is_below_rate = self.pace.as_mut().is_some_and(|pace| {
            pace.waited(waited);
            pace.left().is_zero()
        });
        let idle = now.saturating_duration_since(wait.since);
        let slowness = if idle >= limits.stall() {
            Some(Slowness::Stalled)
        } else {
            is_below_rate.then_some(Slowness::BelowMinRate)
        };
        match slowness.map(|slowness| SlowClient::new(slowness, idle, sight.taken)) {
            Some(slow) if !limits.is_report_only() => Finding::TooSlow(slow),
            Some(slow) if !wait.would_be_cut => {
                wait.would_be_cut = true;
                wait.is_stalled |= slow.slowness() == Slowness::Stalled;
                Finding::WouldBeTooSlow(slow)
            }
            _ if !wait.is_stalled && idle >= limits.stall() / 2 => {
                wait.is_stalled = true;
                Finding::Stalled { idle }
            }
            _ => recovered,
        }
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
}

// === impl Wait ===

impl Wait {
    const fn since(now: Instant) -> Self {
        Self {
            since: now,
            looked: now,
            is_stalled: false,
            would_be_cut: false,
        }
    }

    fn progress(&mut self, now: Instant) -> Finding {
        let after = now.saturating_duration_since(self.since);
        self.since = now;
        if std::mem::take(&mut self.is_stalled) {
            Finding::Recovered { after }
        } else {
            Finding::Fine
        }
    }
}
