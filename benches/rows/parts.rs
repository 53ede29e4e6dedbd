//! The handler and the body below every row.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
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

/// Reads the request's body, if there is one, and answers as its script says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler(pub(crate) Script);

pin_project! {
    /// The handler's future.
    #[derive(Debug)]
    pub(crate) struct Answer<B> {
        #[pin]
        asked: Option<B>,
        content_type: Option<HeaderValue>,
        script: Script,
        waits: bool,
    }
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
impl<B: Body> Service<Request<B>> for Handler {
    type Response = Response<Frames>;
    type Error = Infallible;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: Request<B>) -> Answer<B> {
        let (mut head, body) = black_box(request).into_parts();
        let has_body = !body.is_end_stream();
        // An answer is of the type of its question, unless it is an event stream.
        let content_type = match self.0.is_event_stream {
            true => Some(HeaderValue::from_static("text/event-stream")),
            false if has_body => head.headers.remove(CONTENT_TYPE),
            false => None,
        };
        Answer {
            asked: has_body.then_some(body),
            content_type,
            script: self.0,
            waits: self.0.head_waits,
        }
    }
}

// === impl Answer ===

impl<B: Body> Future for Answer<B> {
    type Output = Result<Response<Frames>, Infallible>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while let Some(body) = this.asked.as_mut().as_pin_mut() {
            if ready!(body.poll_frame(cx)).is_none() {
                this.asked.set(None);
            }
        }
        if std::mem::take(this.waits) {
            return Poll::Pending;
        }
        let mut response = Response::new(Frames {
            left: this.script.frames,
            chunk: this.script.chunk,
            waits: this.script.frame_waits,
            waited: false,
            is_sized: this.script.is_sized,
        });
        if let Some(content_type) = this.content_type.take() {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
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
