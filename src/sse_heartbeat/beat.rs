//! The beat of one stream: its silence, its place, its timer.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::Frame;

use super::plan::Plan;
use super::position::{Mark, Position};
use super::silence::{Jitter, Look, Silence};
use crate::clock::now;
use crate::event::Event;
use crate::sse::Sink;
use crate::timer::Timer;

/// Everything that a stream holds on behalf of its beats.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) plan: Arc<Plan>,
    timer: Timer,
    silence: Silence,
    position: Position,
    mark: Mark,
    jitter: Jitter,
    /// Whether something has gone out.
    has_begun: bool,
    has_reported: bool,
}

/// What is to go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) bytes: &'static [u8],
    /// Whether a notification may go out in its stead.
    pub(super) may_be_event: bool,
}

// === impl Beat ===

impl Beat {
    pub(super) fn new(plan: Arc<Plan>, timer: Timer) -> Self {
        let jitter = if plan.settings.jitter {
            Jitter::next()
        } else {
            Jitter::NONE
        };
        Self {
            plan,
            timer,
            silence: Silence::NONE,
            position: Position::new(),
            mark: Mark::Stays,
            jitter,
            has_begun: false,
            has_reported: false,
        }
    }

    /// Takes notice of a frame of the producer's, which goes out as it is. False: it may have a part of the mark in
    /// it, see [`front`](Self::front).
    #[inline]
    pub(super) fn lets_pass<D: Buf>(&mut self, frame: &Frame<D>) -> bool {
        if self.mark != Mark::Stays {
            return false;
        }
        if let Some(data) = frame.data_ref() {
            self.noticed(data);
            self.position.follow(data);
        } else {
            // Behind trailers nothing more may come.
            self.position.lose();
        }
        true
    }

    /// Takes notice of a frame at the front of a stream, and the mark from it. `None`: it was nothing else.
    #[cold]
    #[inline(never)]
    pub(super) fn front<D: Buf + From<Bytes>>(&mut self, mut frame: Frame<D>) -> Option<Frame<D>> {
        self.reads(&mut frame, &mut ())?;
        Some(frame)
    }

    /// Takes notice of a frame of the producer's and reads all of it. `Some(false)`: some of it could not be seen.
    /// `None`: it is held back for good.
    pub(super) fn reads<D: Buf + From<Bytes>>(
        &mut self,
        frame: &mut Frame<D>,
        sink: &mut impl Sink,
    ) -> Option<bool> {
        let Some(data) = frame.data_mut() else {
            self.position.lose();
            return Some(true);
        };
        if !self.mark.take_off(data) {
            return None;
        }
        self.noticed(data);
        Some(self.position.read(data, sink))
    }

    /// A frame without bytes moves nothing on the connection, so it ends no silence.
    #[inline]
    fn noticed(&mut self, data: &impl Buf) {
        if data.has_remaining() {
            self.silence.end();
            self.has_begun = true;
        }
    }

    /// The producer has nothing. Ready: this goes out in the meantime.
    #[inline]
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if self.silence.lasts() && self.timer.is_set(cx) {
            return Poll::Pending;
        }
        self.look(cx)
    }

    #[inline(never)]
    fn look(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let settings = &self.plan.settings;
        // Nowhere to beat: only the producer can change that, and it will wake us.
        let Some(bytes) = self.position.beat(settings.framing()) else {
            return Poll::Pending;
        };
        let is_first = settings.first_beat && !self.has_begun;
        let may_be_event = !is_first && self.position.is_between_events();
        if !is_first {
            let interval = self.jitter.shorten(settings.interval());
            let silence = match self.poll_silence(interval, cx) {
                Poll::Ready(silence) => silence,
                Poll::Pending => return Poll::Pending,
            };
            self.report(silence);
        } else {
            self.plan.report(&Event::Heartbeat);
        }
        self.insert();
        Poll::Ready(Due { bytes, may_be_event })
    }

    fn report(&mut self, silence: Duration) {
        let event = match std::mem::replace(&mut self.has_reported, true) {
            false => Event::FirstHeartbeat { silence },
            true => Event::Heartbeat,
        };
        self.plan.report(&event);
    }

    /// Ready once nothing has come for `limit`, with the time for which nothing has.
    pub(super) fn poll_silence(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<Duration> {
        if self.silence.lasts() && self.timer.is_set(cx) {
            return Poll::Pending;
        }
        let mut instant = now();
        loop {
            match self.silence.look(instant, limit) {
                Look::Over(silence) => return Poll::Ready(silence),
                Look::Wait(None) => return Poll::Pending,
                Look::Wait(Some(until)) => {
                    if self.timer.poll_until(until, cx).is_pending() {
                        return Poll::Pending;
                    }
                    instant = now();
                }
            }
        }
    }

    /// Something of ours goes out.
    pub(super) fn insert(&mut self) {
        self.position.insert(&mut self.mark);
        self.silence.end();
        self.has_begun = true;
    }

    /// What the beat waited for has come, and the next wait is another one.
    pub(super) fn end_silence(&mut self) {
        self.silence.end();
    }

    pub(super) const fn position(&self) -> &Position {
        &self.position
    }

    /// The timer that was waited with, for the next wait.
    pub(super) fn take_timer(&mut self) -> Timer {
        std::mem::take(&mut self.timer)
    }
}

// === impl Due ===

impl Due {
    pub(super) fn frame<D: From<Bytes>>(self) -> Frame<D> {
        Frame::data(Bytes::from_static(self.bytes).into())
    }
}
