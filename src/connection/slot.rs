//! A connection in a place from which somebody else than its owner can take it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
#[cfg(feature = "serve")]
use std::time::Duration;
use std::time::Instant;

use super::flow::Flow;
use super::guard::{LeftBehind, Terms};
use super::socket::{Queue, View};
use crate::event::{Event, Outcome, SeenBy};
use crate::slow_client::{Finding, SlowClient, SlowClock};
use crate::waiter::Waiter;
use crate::watchdog::{After, Watched};

/// A connection, and what is known of its peer.
pub(super) struct Slot<IO> {
    terms: Arc<Terms>,
    view: View<IO>,
    content: Mutex<Content<IO>>,
}

struct Content<IO> {
    io: Held<IO>,
    flow: Flow,
    clock: SlowClock,
    reader: Waiter,
    writer: Waiter,
    /// Closing it must not look like the end of what was written.
    is_to_be_reset: bool,
}

enum Held<IO> {
    Owned(IO),
    /// Its owner has dropped it, and what was written is still on the way.
    Left {
        io: IO,
        _place: LeftBehind,
    },
    /// It was taken away.
    Cut(SlowClient),
    Over,
    /// It is over, and nobody but the watchdog knows its place.
    Forgotten,
}

// === impl Slot ===

impl<IO> Slot<IO> {
    pub(super) fn new(io: IO, terms: Arc<Terms>, view: View<IO>) -> Self {
        Self {
            content: Mutex::new(Content {
                io: Held::Owned(io),
                flow: Flow::default(),
                clock: SlowClock::new(&terms.limits),
                reader: Waiter::default(),
                writer: Waiter::default(),
                is_to_be_reset: false,
            }),
            terms,
            view,
        }
    }

    #[inline]
    pub(super) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>>
    where
        IO: Unpin,
    {
        let mut content = self.content();
        let Content {
            io: Held::Owned(io),
            reader,
            ..
        } = &mut *content
        else {
            return Poll::Ready(Err(content.last_word()));
        };
        let polled = read(Pin::new(io), cx);
        if polled.is_pending() {
            reader.wait(cx);
        }
        polled
    }

    /// Writes, flushes or shuts down, and notes what came of it.
    #[inline]
    pub(super) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
        note: impl FnOnce(&mut Flow, &Poll<io::Result<T>>),
    ) -> Poll<io::Result<T>>
    where
        IO: Unpin,
    {
        let mut content = self.content();
        let Content {
            io: Held::Owned(io),
            writer,
            flow,
            ..
        } = &mut *content
        else {
            return Poll::Ready(Err(content.last_word()));
        };
        let polled = write(Pin::new(io), cx);
        note(flow, &polled);
        if polled.is_pending() {
            writer.wait(cx);
        }
        polled
    }

    /// Asks the connection something, unless it was taken away.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&IO) -> T) -> Option<T> {
        match &self.content().io {
            Held::Owned(io) => Some(question(io)),
            Held::Left { .. } | Held::Cut(_) | Held::Over | Held::Forgotten => None,
        }
    }

    /// Closes the connection so that its peer sees a reset, whatever its owner does meanwhile.
    #[cfg(feature = "serve")]
    fn reset(&self) {
        let mut content = self.content();
        let held = content.end(Held::Over);
        let wakers = content.wakers();
        drop(content);
        self.close(held, wakers);
    }

    /// Tells the peer, then whoever waits. What it drops is other people's, and may panic.
    fn close(&self, held: Option<IO>, wakers: [Option<Waker>; 2]) {
        if let Some(io) = &held {
            self.view.reset(io);
        }
        wakers.into_iter().flatten().for_each(Waker::wake);
        drop(held);
    }

    /// Its owner is gone. Unless something that was written is still on the way, so that there is still something to
    /// watch, its place is released.
    pub(super) fn leave(&self, release: impl FnOnce()) {
        let mut content = self.content();
        let wakers = content.wakers();
        let rest = match std::mem::replace(&mut content.io, Held::Over) {
            Held::Owned(io) => match self.left_to_patrol(&content, &io) {
                Some(place) => {
                    content.flow.owner_left();
                    content.io = Held::Left { io, _place: place };
                    None
                }
                None => Some(Held::Owned(io)),
            },
            rest => Some(rest),
        };
        drop(content);
        if rest.is_some() {
            release();
        }
        // Other people's, who may ask this connection something or panic.
        drop((rest, wakers));
    }

    /// `Some`: something that was written is still on the way, and the watchdog sees to it.
    fn left_to_patrol(&self, content: &Content<IO>, io: &IO) -> Option<LeftBehind> {
        if content.is_to_be_reset {
            self.view.reset(io);
            return None;
        }
        let is_on_the_way = self.view.queue == Queue::Bytes
            && !self.terms.limits.is_report_only()
            && !content.flow.is_settled()
            && self.view.queued(io).is_some_and(|queued| queued > 0);
        if !is_on_the_way {
            return None;
        }
        let place = self.terms.leave_behind();
        if place.is_none() {
            self.view.reset(io);
        }
        place.filter(|_| self.view.end(io))
    }

    fn content(&self) -> MutexGuard<'_, Content<IO>> {
        // Poisoned by a connection that panicked while it was polled: its owner is about to drop it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, mut content: MutexGuard<'_, Content<IO>>, slow: SlowClient) -> After {
        let held = content.end(Held::Cut(slow));
        let (wakers, after) = (content.wakers(), content.after());
        drop(content);
        self.close(held, wakers);
        self.terms.reporter.report(&too_slow(slow, Outcome::Cut));
        after
    }

    /// Is done with a connection that was left, or with a look at it.
    fn let_go(mut content: MutexGuard<'_, Content<IO>>, is_done: bool) -> After {
        let io = if is_done { content.end(Held::Over) } else { None };
        let after = content.after();
        drop(content);
        drop(io);
        after
    }

    fn say(&self, finding: Finding, taken: u64) {
        let seen = SeenBy::Connection;
        self.terms.reporter.report(&match finding {
            Finding::Fine => return,
            Finding::Stalled { idle } => Event::ClientStalled { seen, idle, taken },
            Finding::Recovered { after } => Event::ClientRecovered { seen, after, taken },
            Finding::TooSlow(slow) | Finding::WouldBeTooSlow(slow) => too_slow(slow, Outcome::WouldHaveCut),
        });
    }
}

#[cfg(feature = "serve")]
impl<IO: Send> super::Resets for Slot<IO> {
    fn reset(&self) {
        self.reset();
    }

    fn reset_when_closed(&self) {
        self.content().is_to_be_reset = true;
    }

    fn peer_idle(&self, now: Instant) -> Option<Duration> {
        if self.view.queue == Queue::Bytes {
            let content = self.content();
            let caught_up = content.flow.is_caught_up().then_some(Duration::ZERO);
            content.clock.waited(now).or(caught_up)
        } else {
            None
        }
    }
}

impl<IO: Send> Watched for Slot<IO> {
    fn look(&self, now: Instant) -> After {
        let mut content = match self.content.try_lock() {
            Ok(content) => content,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody uses it at this moment; the next look will tell.
            Err(TryLockError::WouldBlock) => return After::Stay,
        };
        let Content { io, flow, clock, .. } = &mut *content;
        let (io, is_left) = match io {
            Held::Owned(io) => (io, false),
            Held::Left { io, .. } => (io, true),
            Held::Cut(_) | Held::Over | Held::Forgotten => return content.after(),
        };
        if flow.is_quiet() {
            return After::Stay;
        }
        let sight = flow.sight(self.view.queue, self.view.queued(io), now);
        if sight.is_waited_for && self.view.queue == Queue::Bytes && self.view.is_gone(io) {
            // Whoever owns it is about to be told by the system.
            return Self::let_go(content, is_left);
        }
        let finding = clock.look(&self.terms.limits, sight, now);
        if let Finding::TooSlow(slow) = finding {
            return self.cut(content, slow);
        }
        let is_done = is_left && flow.is_drained();
        let after = Self::let_go(content, is_done);
        self.say(finding, sight.taken);
        after
    }
}

impl<IO> fmt::Debug for Slot<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

// === impl Content ===

impl<IO> Content<IO> {
    /// Takes the connection away, for `reason`, if it is still there.
    fn end(&mut self, reason: Held<IO>) -> Option<IO> {
        match std::mem::replace(&mut self.io, reason) {
            Held::Owned(io) => Some(io),
            Held::Left { io, .. } => {
                self.io = Held::Forgotten;
                Some(io)
            }
            ended => {
                self.io = ended;
                None
            }
        }
    }

    const fn wakers(&mut self) -> [Option<Waker>; 2] {
        [self.reader.leave(), self.writer.leave()]
    }

    /// A look that panics is followed by another one, which says the same.
    const fn after(&self) -> After {
        match self.io {
            Held::Forgotten => After::Go,
            Held::Owned(_) | Held::Left { .. } | Held::Cut(_) | Held::Over => After::Stay,
        }
    }

    #[cold]
    fn last_word(&self) -> io::Error {
        match self.io {
            Held::Cut(slow) => io::Error::new(io::ErrorKind::TimedOut, slow),
            // Only an owner asks.
            Held::Owned(_) | Held::Left { .. } | Held::Over | Held::Forgotten => {
                io::ErrorKind::NotConnected.into()
            }
        }
    }
}

const fn too_slow(slow: SlowClient, outcome: Outcome) -> Event {
    Event::ClientTooSlow {
        seen: SeenBy::Connection,
        slow,
        outcome,
    }
}
