//! The clocks of a request body, which run while its reader waits.

use std::time::{Duration, Instant};

use super::limits::RequestBodyLimits;
use crate::error::{Bound, Phase, PhaseExpired};
use crate::pace::Pace;
use crate::phase::{AWAY, Verdict};

/// They are told of each frame and of each poll that found none, and asked for the time only where a wait
/// begins or ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestClock {
    limits: RequestBodyLimits,
    total: Option<Duration>,
    pace: Option<Pace>,
    /// The wait that goes on.
    since: Option<Instant>,
    /// Until when it may.
    ends: Option<Instant>,
    /// All the waits before it.
    waited: Duration,
    /// Those of them that no byte has ended.
    silence: Duration,
    /// This silence ran out and was reported, which is all that was asked for.
    silence_excused: bool,
}

// === impl RequestClock ===

impl RequestClock {
    /// `early`: the bytes that came before anybody had to wait.
    pub(super) fn new(limits: RequestBodyLimits, early: usize) -> Self {
        let mut pace = limits.pace().map(Pace::new);
        if let Some(pace) = &mut pace {
            pace.moved(early);
        }
        Self {
            limits,
            total: limits.total(),
            pace,
            since: None,
            ends: None,
            waited: Duration::ZERO,
            silence: Duration::ZERO,
            silence_excused: false,
        }
    }

    /// Whether no wait can ever run out, so that nobody need ask for the time.
    pub(super) const fn is_idle(&self) -> bool {
        self.limits.idle().is_none() && self.total.is_none() && self.pace.is_none()
    }

    /// Whether the wait goes on that the clock was last told of.
    pub(super) const fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// A frame came, with that many bytes of data. `progress`: it is worth having waited for.
    #[inline]
    pub(super) fn frame(&mut self, bytes: usize, progress: bool, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.since.take() {
            self.end_wait(since, now());
        }
        if let Some(pace) = &mut self.pace {
            pace.moved(bytes);
        }
        if progress {
            self.silence = Duration::ZERO;
            self.silence_excused = false;
        }
    }

    #[cold]
    fn end_wait(&mut self, since: Instant, now: Instant) {
        let wait = if self.was_away(now) {
            Duration::ZERO
        } else {
            now.saturating_duration_since(since)
        };
        self.ends = None;
        self.waited = self.waited.saturating_add(wait);
        self.silence = self.silence.saturating_add(wait);
        if let Some(pace) = &mut self.pace {
            pace.waited(wait);
        }
    }

    /// No frame is there.
    pub(super) fn wait(&mut self, now: Instant) -> Verdict {
        let since = self.since.filter(|_| !self.was_away(now)).unwrap_or(now);
        self.since = Some(since);
        let idle = self.limits.idle().filter(|_| !self.silence_excused);
        let ends = [
            (
                Phase::RequestIdle,
                idle.map(|limit| limit.saturating_sub(self.silence)),
            ),
            (
                Phase::RequestTotal,
                self.total.map(|limit| limit.saturating_sub(self.waited)),
            ),
            (Phase::RequestRate, self.pace.as_mut().map(Pace::left)),
        ];
        let ends = ends
            .into_iter()
            .filter_map(|(phase, left)| Some((phase, since.checked_add(left?)?)));
        match ends.min_by_key(|(_, end)| *end) {
            Some((phase, end)) if end <= now => self.expired(phase, now - since, now - end),
            ends => {
                self.ends = ends.map(|(_, end)| end);
                Verdict::Wait(self.ends)
            }
        }
    }

    /// Whether nobody looked when the wait was to end. What came of it meanwhile is not the client's to answer for.
    fn was_away(&self, now: Instant) -> bool {
        self.ends
            .is_some_and(|ends| now.saturating_duration_since(ends) > AWAY)
    }

    fn expired(&mut self, phase: Phase, wait: Duration, late: Duration) -> Verdict {
        let before = if phase == Phase::RequestIdle {
            self.silence
        } else {
            self.waited
        };
        let elapsed = before.saturating_add(wait);
        let limit = match phase {
            Phase::RequestIdle => self.limits.idle(),
            Phase::RequestTotal => self.total,
            _ => None,
        };
        // A rate has no limit of its own: its client was allowed what the grace and the bytes paid for.
        let limit = limit.unwrap_or_else(|| elapsed.saturating_sub(late));
        let expired = PhaseExpired::new(phase, Bound::Limit, limit, elapsed);
        if !self.limits.is_report_only(phase) {
            return Verdict::Expired(expired);
        }
        match phase {
            Phase::RequestIdle => self.silence_excused = true,
            Phase::RequestTotal => self.total = None,
            _ => self.pace = None,
        }
        Verdict::WouldExpire(expired)
    }
}
