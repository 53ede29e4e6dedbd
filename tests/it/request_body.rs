//! The request-body layer: its clocks against a model, what it leaves alone, and what goes over the wire.

mod calls;
mod clocks;
mod http2;
mod passive;
mod wire;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_lifeline::{Event, Reporter};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A client that sends each frame at its time, whether or not anybody reads, and then ends or falls silent.
pub(crate) struct Script {
    frames: VecDeque<(Instant, Frame<Bytes>)>,
    ends: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
    pub(crate) dropped: Option<Arc<()>>,
}

impl Script {
    pub(crate) fn new(
        frames: impl IntoIterator<Item = (Duration, Frame<Bytes>)>,
        ends: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        Self {
            frames: frames.into_iter().map(|(at, frame)| (now + at, frame)).collect(),
            ends: ends.map(|at| now + at),
            sleep: Box::pin(sleep_until(now)),
            dropped: None,
        }
    }

    /// Bytes at these times, and the end with the last of them.
    pub(crate) fn of_bytes(frames: impl IntoIterator<Item = (Duration, usize)>) -> Self {
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(at, bytes)| (at, Frame::data(vec![b'x'; bytes].into())))
            .collect();
        let ends = frames.last().map_or(Duration::ZERO, |(at, _)| *at);
        Self::new(frames, Some(ends))
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(at) = self.frames.front().map(|(at, _)| *at).or(self.ends) else {
            return Poll::Pending;
        };
        if Instant::now() < at {
            self.sleep.as_mut().reset(at);
            std::task::ready!(self.sleep.as_mut().poll(cx));
        }
        Poll::Ready(self.frames.pop_front().map(|(_, frame)| Ok(frame)))
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = |frame: &Frame<Bytes>| frame.data_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(self.frames.iter().map(|(_, frame)| bytes(frame)).sum())
    }
}

/// Everything that was reported.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn reporter(&self) -> Reporter {
        let log = self.clone();
        Reporter::to(move |event: &Event| log.0.lock().unwrap().push(*event))
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}
