//! The handler and the body below every row.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::Service;

/// What the handler answers, and how long it makes its caller wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) head_waits: bool,
    pub(crate) frames: usize,
    pub(crate) frame_waits: bool,
    pub(crate) chunk: &'static [u8],
    pub(crate) is_event_stream: bool,
    /// Whether the body knows its size, as the answer of a JSON handler does.
    pub(crate) is_sized: bool,
}

/// Answers as its script says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler(pub(crate) Script);

/// The handler's future.
#[derive(Debug)]
pub(crate) struct Answer {
    script: Script,
    waits: bool,
}

/// A body of equal frames. One that waits is pending once before each of them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    left: usize,
    chunk: &'static [u8],
    waits: bool,
    waited: bool,
    is_sized: bool,
}

// === impl Handler ===

// `inline(never)` here and below keeps the optimizer from treating one row's handler otherwise than another's.
impl<B> Service<Request<B>> for Handler {
    type Response = Response<Frames>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: Request<B>) -> Answer {
        black_box(&request);
        Answer {
            script: self.0,
            waits: self.0.head_waits,
        }
    }
}

// === impl Answer ===

impl Future for Answer {
    type Output = Result<Response<Frames>, Infallible>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.waits) {
            return Poll::Pending;
        }
        let Script {
            frames,
            frame_waits,
            chunk,
            is_event_stream,
            is_sized,
            ..
        } = self.script;
        let mut response = Response::new(Frames {
            left: frames,
            chunk,
            waits: frame_waits,
            waited: false,
            is_sized,
        });
        if is_event_stream {
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        }
        Poll::Ready(Ok(response))
    }
}

// === impl Frames ===

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    #[inline(never)]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.waits && !self.waited {
            self.waited = true;
            return Poll::Pending;
        }
        self.waited = false;
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.chunk)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_sized {
            true => SizeHint::with_exact((self.left * self.chunk.len()) as u64),
            false => SizeHint::new(),
        }
    }
}
