//! A body that plays a script: each frame is there from a given moment on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// One frame or the end, so many milliseconds after the one before it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(u64, Bytes),
    Trailers(u64, HeaderMap),
    Error(u64),
    End(u64),
    Hang,
}

/// Plays its steps from the moment in which it was made.
#[derive(Debug)]
pub(crate) struct Scripted {
    steps: VecDeque<Step>,
    at: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    size: SizeHint,
    has_ended: bool,
    /// Its count tells whether the body still lives.
    _held: Option<Arc<()>>,
}

/// The error of [`Step::Error`].
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the producer broke")
    }
}

impl std::error::Error for Broken {}

impl Scripted {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self {
            steps,
            at: Instant::now(),
            sleep: None,
            size: SizeHint::new(),
            has_ended: false,
            _held: None,
        }
    }

    pub(crate) fn sized(mut self, bytes: u64) -> Self {
        self.size = SizeHint::with_exact(bytes);
        self
    }

    pub(crate) fn holding(mut self, held: &Arc<()>) -> Self {
        self._held = Some(held.clone());
        self
    }
}

/// A frame of data, `after` milliseconds after the step before it.
pub(crate) fn data(after: u64, text: impl Into<Bytes>) -> Step {
    Step::Data(after, text.into())
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        assert!(!self.has_ended, "polled after its end");
        let after = match self.steps.front() {
            None => {
                self.has_ended = true;
                return Poll::Ready(None);
            }
            Some(Step::Hang) => return Poll::Pending,
            Some(Step::Data(after, _) | Step::Trailers(after, _) | Step::Error(after) | Step::End(after)) => {
                *after
            }
        };
        let at = self.at + Duration::from_millis(after);
        if Instant::now() < at {
            ready!(
                self.sleep
                    .get_or_insert_with(|| Box::pin(sleep_until(at)))
                    .as_mut()
                    .poll(cx)
            );
        }
        self.sleep = None;
        self.at = at;
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(_, bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Step::Trailers(_, trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error(_)) => {
                self.has_ended = true;
                Some(Err(Broken))
            }
            _ => {
                self.has_ended = true;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        // As bodies of known length do, it knows its end with its last frame.
        self.size.exact().is_some() && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

/// A service's answer, `after` milliseconds after it was asked for.
pub(crate) async fn after<T>(after: u64, make: impl FnOnce() -> T) -> Result<T, Infallible> {
    if after > 0 {
        tokio::time::sleep(Duration::from_millis(after)).await;
    }
    Ok(make())
}
