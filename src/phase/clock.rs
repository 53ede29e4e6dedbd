//! The clocks of one exchange: of its head, then of its body.
//!
//! They are told what happened and, only where something waits, when; they answer how long the wait may last.
//! A response that is ready at once therefore never costs a look at the time.

use std::time::{Duration, Instant};

use http::Method;

use super::limits::{PhaseLimits, PhaseSet, Span, Spans};
use crate::error::{Bound, Phase, PhaseExpired};
use crate::request_head::RequestHead;
use crate::rpc;

/// What a clock says to somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Wait; ask again at that instant at the latest, where there is one.
    Wait(Option<Instant>),
    /// Time is up.
    Expired(PhaseExpired),
    /// Time would be up, but the phase only reports. Ask again: it will not say so twice in one wait.
    WouldExpire(PhaseExpired),
}

/// How long a body may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endless {
    /// No longer than the total.
    No,
    /// For ever, as long as it goes on.
    Stream,
    /// For ever, and there may be nothing to say for as long.
    Subscription,
}

/// The clocks from the first poll of the response future to the response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadClock {
    spans: Spans,
    started: Option<Instant>,
    deadline: Option<Instant>,
}

/// The clocks of a response body: its silence, and the end of the whole exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyClock {
    read: Span,
    silence: Silence,
    total: Total,
    /// Bytes until the next look at the time while everything is ready at once; a small frame counts as
    /// [`SMALL_FRAME`].
    until_look: u32,
    report_only: PhaseSet,
}

/// How long the producer has let its reader wait since it last made progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// Nobody has waited since the last progress.
    None,
    /// Somebody waits; the instant is where the wait would have begun, had it been one stretch.
    Since(Instant),
    /// Nobody waits now, after so many nanoseconds of waiting without progress.
    Paused(u64),
    /// It ran out and was reported, which is all that was asked for.
    Excused,
}

/// The end of the exchange, counted from its first poll.
#[derive(Clone, Copy, Debug)]
enum Total {
    Unlimited,
    /// Nobody has asked for the end yet; nobody has even looked at the time where it has not started.
    Unasked {
        started: Option<Instant>,
        limit: Span,
        deadline: Option<Instant>,
    },
    Running {
        started: Instant,
        ends: Instant,
        bound: Bound,
    },
}

/// A reader that has not come back so long after the time was up does not wait: it polled once and went away, or
/// its thread was blocked. Far longer than any timer is late on a server that can still answer.
pub(crate) const AWAY: Duration = Duration::from_secs(1);

/// A look at the time is due after that many bytes that were all ready at once: at 1 GB/s, each 65 µs.
pub(crate) const BYTES_BETWEEN_LOOKS: u32 = 64 * 1024;

/// Tiny frames are dear to make, so that a look is due after 32 of them at the latest. One look costs about as
/// much as two forwarded frames.
const SMALL_FRAME: u32 = BYTES_BETWEEN_LOOKS / 32;

const SMALL: usize = SMALL_FRAME as usize;
const LARGE: usize = BYTES_BETWEEN_LOOKS as usize;

// === impl Endless ===

impl Endless {
    /// How long an event stream in answer to this request may last, as far as the request's head tells.
    pub(crate) fn asked_for_by(head: &RequestHead<'_>) -> Self {
        match *head.method() {
            Method::GET if rpc::is_mcp(head.headers()) => Self::Subscription,
            Method::GET => Self::Stream,
            Method::POST if rpc::header_method(head.headers()) == Some(rpc::SUBSCRIPTIONS_LISTEN) => {
                Self::Subscription
            }
            _ => Self::No,
        }
    }
}

// === impl HeadClock ===

impl HeadClock {
    pub(crate) const fn new(limits: &PhaseLimits, deadline: Option<Instant>) -> Self {
        Self {
            spans: limits.spans(),
            started: None,
            deadline,
        }
    }

    /// Whether no wait can ever run out, so that nobody need ask for the time.
    pub(crate) const fn is_idle(&self) -> bool {
        self.spans.head.is_none() && self.spans.total.is_none() && self.deadline.is_none()
    }

    /// When a poll found the response pending for the first time.
    pub(crate) const fn started(&self) -> Option<Instant> {
        self.started
    }

    /// The head is not there yet.
    pub(crate) fn wait(&mut self, now: Instant) -> Verdict {
        let started = *self.started.get_or_insert(now);
        let own = self.spans.head.shorter(self.spans.total).after(started);
        match soonest(own, self.deadline) {
            Some(ends) if ends <= now => self.ran_out(started, now),
            ends => Verdict::Wait(ends),
        }
    }

    /// The head is there: the clocks of the body that follows it. `now` is asked only where the body should be
    /// counted from here on.
    pub(crate) fn into_body(self, endless: Endless, now: impl FnOnce() -> Option<Instant>) -> BodyClock {
        let Self {
            spans,
            started,
            deadline,
        } = self;
        let read = if endless == Endless::Subscription {
            spans.endless_read
        } else {
            spans.read
        };
        let (limit, deadline) = match endless {
            Endless::No => (spans.total, deadline),
            Endless::Stream | Endless::Subscription => (spans.endless_total, None),
        };
        let total = if limit.is_none() && deadline.is_none() {
            Total::Unlimited
        } else {
            let started = started.or_else(now);
            Total::Unasked {
                started,
                limit,
                deadline,
            }
        };
        BodyClock {
            read,
            silence: Silence::None,
            total,
            until_look: BYTES_BETWEEN_LOOKS,
            report_only: spans.report_only,
        }
    }

    /// Something has run out; which, and what of it.
    #[cold]
    fn ran_out(&mut self, started: Instant, now: Instant) -> Verdict {
        let total = Total::Unasked {
            started: None,
            limit: self.spans.total,
            deadline: self.deadline,
        };
        let total = total.asked(started);
        let head = self.spans.head.after(started);
        let is_head_first = |head: &Instant| *head <= now && total.ends().is_none_or(|ends| *head <= ends);
        let expired = match head.filter(is_head_first) {
            Some(head) => PhaseExpired::new(Phase::Head, Bound::Limit, head - started, now - started),
            None => match total.expired(now) {
                Some(expired) => expired,
                None => return Verdict::Wait(soonest(head, total.ends())),
            },
        };
        if !self.spans.report_only.contains(expired.phase()) {
            return Verdict::Expired(expired);
        }
        match expired.phase() {
            Phase::Head => self.spans.head = Span::NONE,
            _ => (self.spans.total, self.deadline) = (Span::NONE, None),
        }
        Verdict::WouldExpire(expired)
    }
}

// === impl BodyClock ===

impl BodyClock {
    /// Whether no wait can ever run out, so that nobody need ask for the time.
    pub(crate) const fn is_idle(&self) -> bool {
        self.read.is_none() && matches!(self.total, Total::Unlimited)
    }

    /// Whether the wait goes on that the clock was last told of, so that asking it again can wait for the
    /// timer.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.silence, Silence::Since(_))
    }

    /// A frame came. True: a look at the time is due, see [`looked`](Self::looked).
    #[inline]
    pub(crate) const fn frame(&mut self, bytes: usize, progress: bool) -> bool {
        let bytes = match bytes {
            0..SMALL => SMALL_FRAME,
            SMALL..LARGE => bytes as u32,
            _ => BYTES_BETWEEN_LOOKS,
        };
        self.until_look = self.until_look.saturating_sub(bytes);
        if progress {
            self.silence = Silence::None;
        }
        self.until_look == 0 || self.is_waiting()
    }

    /// Somebody looked at the time because [`frame`](Self::frame) asked for it. The frame itself goes out
    /// whatever the answer is: what is here already beats a limit that has just run out.
    pub(crate) fn looked(&mut self, now: Instant) -> Option<Verdict> {
        if self.was_away(now) {
            self.silence = Silence::None;
        } else if let Silence::Since(since) = self.silence {
            let silence = now.saturating_duration_since(since).as_nanos();
            self.silence = Silence::Paused(u64::try_from(silence).unwrap_or(u64::MAX));
        }
        self.until_look = BYTES_BETWEEN_LOOKS;
        self.total = self.total.asked(now);
        self.total.expired(now).map(|expired| self.verdict(expired))
    }

    /// No frame is there.
    pub(crate) fn wait(&mut self, now: Instant) -> Verdict {
        if matches!(self.total, Total::Unasked { .. }) {
            self.total = self.total.asked(now);
        }
        let since = match self.silence {
            Silence::Since(_) if self.was_away(now) => Some(now),
            Silence::None => Some(now),
            Silence::Since(since) => Some(since),
            Silence::Paused(silence) => now.checked_sub(Duration::from_nanos(silence)),
            Silence::Excused => None,
        };
        let mut read = None;
        if let Some(since) = since {
            self.silence = Silence::Since(since);
            read = self.read.after(since);
        }
        match soonest(read, self.total.ends()) {
            Some(ends) if ends <= now => self.ran_out(since, read, now),
            ends => Verdict::Wait(ends),
        }
    }

    /// Whether nobody looked when the silence was to end: what came of it meanwhile is not the producer's to
    /// answer for.
    fn was_away(&self, now: Instant) -> bool {
        let Silence::Since(since) = self.silence else {
            return false;
        };
        let ends = self.read.after(since);
        ends.is_some_and(|ends| now.saturating_duration_since(ends) > AWAY)
    }

    /// The silence or the whole has run out; which, and what of it.
    #[cold]
    fn ran_out(&mut self, since: Option<Instant>, read: Option<Instant>, now: Instant) -> Verdict {
        let ends = self.total.ends();
        if let (Some(since), Some(read)) = (since, read) {
            if read <= now && ends.is_none_or(|ends| read <= ends) {
                let expired = PhaseExpired::new(Phase::Read, Bound::Limit, read - since, now - since);
                return self.verdict(expired);
            }
        }
        match self.total.expired(now) {
            Some(expired) => self.verdict(expired),
            None => Verdict::Wait(soonest(read, ends)),
        }
    }

    fn verdict(&mut self, expired: PhaseExpired) -> Verdict {
        if !self.report_only.contains(expired.phase()) {
            return Verdict::Expired(expired);
        }
        match expired.phase() {
            Phase::Read => self.silence = Silence::Excused,
            _ => self.total = Total::Unlimited,
        }
        Verdict::WouldExpire(expired)
    }
}

// === impl Total ===

impl Total {
    /// The end is asked for at `now`, which is when it starts where nobody has looked at the time before.
    fn asked(self, now: Instant) -> Self {
        let Self::Unasked {
            started,
            limit,
            deadline,
        } = self
        else {
            return self;
        };
        let started = started.unwrap_or(now);
        let running = |ends, bound| Self::Running { started, ends, bound };
        match (limit.after(started), deadline) {
            (Some(own), Some(deadline)) if deadline < own => running(deadline, Bound::Deadline),
            (Some(own), _) => running(own, Bound::Limit),
            (None, Some(deadline)) => running(deadline, Bound::Deadline),
            (None, None) => Self::Unlimited,
        }
    }

    const fn ends(&self) -> Option<Instant> {
        match self {
            Self::Running { ends, .. } => Some(*ends),
            _ => None,
        }
    }

    fn expired(&self, now: Instant) -> Option<PhaseExpired> {
        match *self {
            Self::Running { started, ends, bound } if ends <= now => Some(PhaseExpired::new(
                Phase::Total,
                bound,
                ends.saturating_duration_since(started),
                now.saturating_duration_since(started),
            )),
            _ => None,
        }
    }
}

fn soonest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
