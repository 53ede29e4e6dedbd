//! A body in a place from which somebody else than its owner can take it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};

use crate::client_stall::ClientStall;
use crate::cut::{CutHandle, Turn};
use crate::error::{Bound, BoxError, Phase, PhaseExpired};
use crate::event::{Event, Outcome, Reporter, SeenBy, Side};
use crate::slow_client::{Finding, Sight, SlowClient, SlowClientLimits, SlowClock};
use crate::watchdog::{After, Watched};

/// What the bodies of one layer have in common.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) limits: SlowClientLimits,
    pub(super) reporter: Reporter,
}

/// What else hangs on an exchange.
#[derive(Debug)]
pub(super) struct Ties {
    /// When it has to be over, whether or not somebody polls it.
    pub(super) due: Option<Due>,
    /// How to end it on the wire.
    pub(super) cut: Option<CutHandle>,
    /// Who wants to know of a stall.
    pub(super) stall: Option<ClientStall>,
}

/// The deadline of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    /// When the request came.
    pub(crate) since: Instant,
}

/// A body, and what is known of whoever takes it.
pub(super) struct Slot<B> {
    terms: Arc<Terms>,
    ties: Ties,
    content: Mutex<Content<B>>,
}

struct Content<B> {
    body: Held<B>,
    /// Counts the polls: whoever polls is there.
    polls: u64,
    taken: u64,
    /// There was something for the client at the last poll, and nobody has come for more.
    is_waited_for: bool,
    clock: SlowClock,
    /// That it would have been cut at its deadline was said.
    would_be_late: bool,
}

enum Held<B> {
    /// In a box: it must not move once it was polled, and yet be able to leave this place.
    Body(Pin<Box<B>>),
    /// It was taken away, and this is its last word.
    Cut(BoxError),
    /// It has ended, and is gone; its last frame may still wait for the client in the server's hands.
    Ended,
    Over,
}

// === impl Slot ===

impl<B: Body> Slot<B> {
    pub(super) fn new(body: B, terms: Arc<Terms>, ties: Ties) -> Self {
        let clock = SlowClock::new(&terms.limits);
        Self {
            terms,
            ties,
            content: Mutex::new(Content {
                body: Held::Body(Box::pin(body)),
                polls: 0,
                taken: 0,
                // Over HTTP/2 nobody polls a body whose client has not opened its window.
                is_waited_for: true,
                clock,
                would_be_late: false,
            }),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.content().body {
            Held::Body(body) => body.size_hint(),
            Held::Cut(_) => SizeHint::new(),
            Held::Ended | Held::Over => SizeHint::with_exact(0),
        }
    }
}

impl<B: Body<Error: Into<BoxError>>> Slot<B> {
    /// Polls the body. `is_over` becomes true with its end.
    #[inline]
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
        is_over: &mut bool,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut content = self.content();
        let content = &mut *content;
        let Held::Body(body) = &mut content.body else {
            *is_over = true;
            return Poll::Ready(content.last_word());
        };
        content.polls += 1;
        match body.as_mut().poll_frame(cx) {
            Poll::Pending => {
                content.is_waited_for = false;
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                content.is_waited_for = true;
                content.taken += frame.data_ref().map_or(0, Buf::remaining) as u64;
                *is_over = body.is_end_stream();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => {
                *is_over = true;
                Poll::Ready(end.map(|frame| frame.map_err(Into::into)))
            }
        }
    }
}

impl<B> Slot<B> {
    /// Its owner is gone.
    pub(super) fn close(&self) {
        let body = self.content().take(Held::Over);
        drop(body);
    }

    /// The body has ended. False: whoever holds its last frame can be told apart from its end only by the server, which
    /// has not offered to.
    pub(super) fn end(&self) -> bool {
        let is_watched_on = self.ties.cut.is_some();
        let next = if is_watched_on { Held::Ended } else { Held::Over };
        let body = self.content().take(next);
        drop(body);
        is_watched_on
    }

    fn content(&self) -> MutexGuard<'_, Content<B>> {
        // Poisoned by a body that panicked while it was polled: its owner is about to drop it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, mut content: MutexGuard<'_, Content<B>>, error: BoxError, event: Event) {
        let next = match content.body {
            Held::Body(_) => Held::Cut(error),
            _ => Held::Over,
        };
        let body = content.take(next);
        drop(content);
        // What was held is free before anybody hears of it; and a panic on the way out keeps nobody from hearing.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
        if let Some(cut) = &self.ties.cut {
            cut.cut();
        }
        self.terms.reporter.report(&event);
        if let Err(panic) = dropped {
            resume_unwind(panic);
        }
    }

    fn say(&self, finding: Finding, taken: u64) {
        let seen = SeenBy::Body;
        self.terms.reporter.report(&match finding {
            Finding::Fine => return,
            Finding::Stalled { idle } => Event::ClientStalled { seen, idle, taken },
            Finding::Recovered { after } => Event::ClientRecovered { seen, after, taken },
            Finding::TooSlow(slow) | Finding::WouldBeTooSlow(slow) => too_slow(slow, Outcome::WouldHaveCut),
        });
    }

    fn note(&self, is_stalled: bool) {
        if let Some(stall) = &self.ties.stall {
            stall.set(is_stalled);
        }
    }
}

impl<B: Send> Watched for Slot<B> {
    fn look(&self, now: Instant) -> After {
        let mut content = match self.content.try_lock() {
            Ok(content) => content,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody polls it, and could do nothing better.
            Err(TryLockError::WouldBlock) => return After::Stay,
        };
        if !content.is_watched() {
            return After::Stay;
        }
        let limits = &self.terms.limits;
        let mut finding = content.look(limits, now);
        self.note(content.clock.is_slow());
        if let Finding::TooSlow(slow) = finding {
            let polls = content.polls;
            // Whoever decides has locks of its own.
            drop(content);
            let cut = self.ties.cut.as_ref();
            let turn = cut.map_or(Turn::Now, |cut| cut.turn(&slow, limits, now));
            content = self.content();
            if !content.is_here_since(polls) {
                return After::Stay;
            }
            finding = Finding::Fine;
            match turn {
                Turn::Now => {
                    self.cut(content, slow.into(), too_slow(slow, Outcome::Cut));
                    return After::Stay;
                }
                Turn::Later => {}
                Turn::Afresh => content.clock.begin_afresh(limits, now),
            }
        }
        let late = self.ties.due.and_then(|due| content.is_late(due, now));
        match late {
            Some(late) if !limits.is_report_only() => {
                self.cut(content, late.into(), expired(late, Outcome::Cut));
            }
            _ => {
                content.would_be_late |= late.is_some();
                let taken = content.taken;
                drop(content);
                self.say(finding, taken);
                if let Some(late) = late {
                    self.terms.reporter.report(&expired(late, Outcome::WouldHaveCut));
                }
            }
        }
        After::Stay
    }
}

impl<B> fmt::Debug for Slot<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("ties", &self.ties)
            .finish_non_exhaustive()
    }
}

// === impl Content ===

impl<B> Content<B> {
    fn look(&mut self, limits: &SlowClientLimits, now: Instant) -> Finding {
        let sight = Sight {
            is_waited_for: self.is_waited_for,
            progress: self.polls,
            taken: self.taken,
        };
        self.clock.look(limits, sight, now)
    }

    /// `Some`: the deadline has passed, and nobody polls. Whoever polls is told by what is inside.
    fn is_late(&self, due: Due, now: Instant) -> Option<PhaseExpired> {
        if now < due.at || self.would_be_late || self.clock.idle(now).is_zero() {
            return None;
        }
        Some(PhaseExpired::new(
            Phase::Total,
            Bound::Deadline,
            due.at.saturating_duration_since(due.since),
            now.saturating_duration_since(due.since),
        ))
    }

    const fn is_watched(&self) -> bool {
        matches!(self.body, Held::Body(_) | Held::Ended)
    }

    /// Whether it was neither polled nor taken away since it was polled so often.
    const fn is_here_since(&self, polls: u64) -> bool {
        self.polls == polls && self.is_watched()
    }

    #[cold]
    fn last_word<T>(&mut self) -> Option<Result<T, BoxError>> {
        match self.take(Held::Over) {
            Held::Cut(error) => Some(Err(error)),
            Held::Body(_) | Held::Ended | Held::Over => None,
        }
    }

    fn take(&mut self, next: Held<B>) -> Held<B> {
        std::mem::replace(&mut self.body, next)
    }
}

const fn too_slow(slow: SlowClient, outcome: Outcome) -> Event {
    Event::ClientTooSlow {
        seen: SeenBy::Body,
        slow,
        outcome,
    }
}

const fn expired(expired: PhaseExpired, outcome: Outcome) -> Event {
    Event::PhaseExpired {
        side: Side::Server,
        expired,
        outcome,
    }
}
