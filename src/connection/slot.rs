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
use super::guard::Terms;
use super::socket::{Queue, View};
use crate::event::{Event, Outcome, SeenBy};
use crate::slow_client::{Finding, SlowClient, SlowClock};
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
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Closing it must not look like the end of what was written.
    is_to_be_reset: bool,
}

enum Held<IO> {
    Owned(IO),
    /// Its owner has dropped it, and what was written is still on the way.
    Left(IO),
    /// It was taken away.
    Cut(SlowClient),
    Over,
}

// === impl Slot ===

impl<IO> Slot<IO> {
    pub(super) fn new(io: IO, terms: Arc<Terms>, view: View<IO>) -> Self {
        Self {
            content: Mutex::new(Content {
                io: Held::Owned(io),
                flow: Flow::default(),
                clock: SlowClock::new(&terms.limits),
                reader: None,
                writer: None,
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
            remember(reader, cx);
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
            remember(writer, cx);
        }
        polled
    }

    /// Asks the connection something, unless it was taken away.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&IO) -> T) -> Option<T> {
        match &self.content().io {
            Held::Owned(io) => Some(question(io)),
            Held::Left(_) | Held::Cut(_) | Held::Over => None,
        }
    }

    /// Closes the connection so that its peer sees a reset, whatever its owner does meanwhile.
    #[cfg(feature = "serve")]
    fn reset(&self) {
        let mut content = self.content();
        let held = std::mem::replace(&mut content.io, Held::Over);
        let wakers = [content.reader.take(), content.writer.take()];
        drop(content);
        if let Held::Owned(io) | Held::Left(io) = &held {
            self.view.reset(io);
        }
        drop(held);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Its owner is gone. True: something that was written is still on the way, so that there is still something
    /// to watch.
    pub(super) fn leave(&self) -> bool {
        let mut content = self.content();
        let wakers = (content.reader.take(), content.writer.take());
        let is_left = match std::mem::replace(&mut content.io, Held::Over) {
            Held::Owned(io) => self.leave_to_patrol(content, io),
            Held::Left(_) | Held::Cut(_) | Held::Over => false,
        };
        drop(wakers);
        is_left
    }

    fn leave_to_patrol(&self, mut content: MutexGuard<'_, Content<IO>>, io: IO) -> bool {
        if content.is_to_be_reset {
            self.view.reset(&io);
            return false;
        }
        let is_left = self.view.queue == Queue::Bytes
            && !self.terms.limits.is_report_only()
            && !content.flow.is_settled()
            && self.view.queued(&io).is_some_and(|queued| queued > 0)
            && self.view.end(&io);
        if is_left {
            content.flow.owner_left();
            content.io = Held::Left(io);
        } else {
            drop(content);
            drop(io);
        }
        is_left
    }

    fn content(&self) -> MutexGuard<'_, Content<IO>> {
        // Poisoned by a connection that panicked while it was polled: its owner is about to drop it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, mut content: MutexGuard<'_, Content<IO>>, slow: SlowClient) -> After {
        let held = std::mem::replace(&mut content.io, Held::Cut(slow));
        let wakers = [content.reader.take(), content.writer.take()];
        drop(content);
        let after = match held {
            Held::Owned(io) => {
                self.view.reset(&io);
                After::Stay
            }
            Held::Left(io) => {
                self.view.reset(&io);
                After::Go
            }
            Held::Cut(_) | Held::Over => After::Stay,
        };
        self.terms.reporter.report(&too_slow(slow, Outcome::Cut));
        wakers.into_iter().flatten().for_each(Waker::wake);
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
            Held::Left(io) => (io, true),
            Held::Cut(_) | Held::Over => return After::Stay,
        };
        if flow.is_quiet() {
            return After::Stay;
        }
        let sight = flow.sight(self.view.queue, self.view.queued(io), now);
        if sight.is_waited_for && self.view.queue == Queue::Bytes && self.view.is_gone(io) {
            // Whoever owns it is about to be told by the system.
            let done = is_left.then(|| std::mem::replace(&mut content.io, Held::Over));
            drop(content);
            return if done.is_some() { After::Go } else { After::Stay };
        }
        let finding = clock.look(&self.terms.limits, sight, now);
        if let Finding::TooSlow(slow) = finding {
            return self.cut(content, slow);
        }
        let is_done = is_left && flow.is_drained();
        let done = is_done.then(|| std::mem::replace(&mut content.io, Held::Over));
        drop(content);
        self.say(finding, sight.taken);
        if done.is_some() { After::Go } else { After::Stay }
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
    #[cold]
    fn last_word(&self) -> io::Error {
        match self.io {
            Held::Cut(slow) => io::Error::new(io::ErrorKind::TimedOut, slow),
            // Only an owner asks.
            Held::Owned(_) | Held::Left(_) | Held::Over => io::ErrorKind::NotConnected.into(),
        }
    }
}

fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

const fn too_slow(slow: SlowClient, outcome: Outcome) -> Event {
    Event::ClientTooSlow {
        seen: SeenBy::Connection,
        slow,
        outcome,
    }
}
