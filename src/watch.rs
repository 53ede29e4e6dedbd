//! A phase clock with its timer and its way to the observer: what every future and body that has phases holds.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::clock::now;
use crate::error::PhaseExpired;
use crate::event::{Outcome, Reporter, Side};
use crate::phase::{BodyClock, Endless, HeadClock, PhaseLimits, Verdict};
use crate::timer::Timer;

/// Watches over the wait for a response head.
#[derive(Debug)]
pub(crate) struct HeadWatch {
    clock: HeadClock,
    timer: Timer,
    reporter: Reporter,
    side: Side,
}

/// Watches over a response body.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    clock: BodyClock,
    timer: Timer,
    reporter: Reporter,
    side: Side,
}

// === impl HeadWatch ===

impl HeadWatch {
    pub(crate) const fn new(
        limits: &PhaseLimits,
        deadline: Option<Instant>,
        reporter: Reporter,
        side: Side,
    ) -> Self {
        Self {
            clock: HeadClock::new(limits, deadline),
            timer: Timer::new(),
            reporter,
            side,
        }
    }

    /// When the head was first waited for.
    #[inline]
    pub(crate) const fn started(&self) -> Option<Instant> {
        self.clock.started()
    }

    /// The head is not there. Ready: and it is too late for it.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        if self.clock.is_idle() || (self.clock.started().is_some() && self.timer.is_set(cx)) {
            return Poll::Pending;
        }
        poll_clock(&mut self.timer, (&self.reporter, self.side), cx, |now| {
            self.clock.wait(now)
        })
    }

    /// The head is there. `small`: its body is known to be so small that it matters only if it waits.
    pub(crate) fn into_body(self, endless: Endless, small: bool) -> BodyWatch {
        let Self {
            clock,
            timer,
            reporter,
            side,
        } = self;
        let clock = clock.into_body(endless, || (!small).then(now));
        BodyWatch {
            clock,
            timer,
            reporter,
            side,
        }
    }

    pub(crate) fn report(&self, expired: PhaseExpired, outcome: Outcome) {
        self.reporter.phase_expired(self.side, expired, outcome);
    }
}

// === impl BodyWatch ===

impl BodyWatch {
    /// Whether there is nothing to watch over.
    pub(crate) const fn is_idle(&self) -> bool {
        self.clock.is_idle()
    }

    /// A frame came. True: a [look](Self::look) at the time is due.
    #[inline]
    pub(crate) const fn frame(&mut self, bytes: usize, progress: bool) -> bool {
        self.clock.frame(bytes, progress)
    }

    /// Looks at the time. `Some`: the frame that has just come is the last one that was in time.
    #[cold]
    pub(crate) fn look(&mut self) -> Option<PhaseExpired> {
        match self.clock.looked(now())? {
            Verdict::Expired(expired) => Some(expired),
            Verdict::WouldExpire(expired) => {
                self.report(expired, Outcome::WouldHaveCut);
                None
            }
            Verdict::Wait(_) => None,
        }
    }

    /// No frame is there. Ready: and it is too late for one.
    #[inline]
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        if self.clock.is_idle() || (self.clock.is_waiting() && self.timer.is_set(cx)) {
            return Poll::Pending;
        }
        poll_clock(&mut self.timer, (&self.reporter, self.side), cx, |now| {
            self.clock.wait(now)
        })
    }

    pub(crate) fn report(&self, expired: PhaseExpired, outcome: Outcome) {
        self.reporter.phase_expired(self.side, expired, outcome);
    }
}

/// Asks the clock until it says how long to wait, and waits.
pub(crate) fn poll_clock(
    timer: &mut Timer,
    (reporter, side): (&Reporter, Side),
    cx: &mut Context<'_>,
    mut wait: impl FnMut(Instant) -> Verdict,
) -> Poll<PhaseExpired> {
    let mut instant = now();
    loop {
        match wait(instant) {
            Verdict::Wait(None) => return Poll::Pending,
            Verdict::Wait(Some(until)) => {
                if timer.poll_until(until, cx).is_pending() {
                    return Poll::Pending;
                }
                instant = now();
            }
            Verdict::Expired(expired) => return Poll::Ready(expired),
            Verdict::WouldExpire(expired) => {
                reporter.phase_expired(side, expired, Outcome::WouldHaveCut);
            }
        }
    }
}
