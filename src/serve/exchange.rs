//! One request and its answer, from the call of the service to the end of the body.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::{Connection, InUse};
use super::stream::Stream;
use crate::cut::{Cutter, Turn};
use crate::slow_client::{SlowClient, SlowClientLimits, Slowness};

/// Ends one exchange: a stream, or the connection that has no streams.
#[derive(Debug)]
pub(super) enum Exchange {
    Http1 {
        connection: Arc<Connection>,
        /// Which of its requests.
        number: u32,
    },
    Http2 {
        connection: Arc<Connection>,
        stream: Arc<Stream>,
    },
}

/// A request is in progress for as long as this lives.
#[derive(Debug)]
pub(super) struct InProgress(InUse);

pin_project! {
    /// The response future of the server's own wrapping.
    #[derive(Debug)]
    pub(super) struct Answer<F> {
        #[pin]
        inner: F,
        progress: Option<InProgress>,
    }
}

pin_project! {
    /// The response body of the server's own wrapping.
    #[derive(Debug)]
    pub(super) struct AnswerBody<B> {
        #[pin]
        inner: B,
        progress: Option<InProgress>,
    }
}

// === impl Exchange ===

impl Cutter for Exchange {
    fn turn(&self, slow: &SlowClient, limits: &SlowClientLimits, now: Instant) -> Turn {
        match self {
            // Buffers hide from the body what the peer takes of them.
            Self::Http1 { connection, .. }
                if slow.slowness() == Slowness::Stalled
                    && connection
                        .peer_idle(now)
                        .is_some_and(|idle| idle < limits.stall()) =>
            {
                Turn::Later
            }
            Self::Http1 { .. } => Turn::Now,
            Self::Http2 { connection, stream } => {
                connection.turn(Arc::as_ptr(stream) as usize as u64, slow.taken(), now)
            }
        }
    }

    fn cut(&self) {
        match self {
            Self::Http1 { connection, number } => connection.reset_request(*number),
            Self::Http2 { stream, .. } => stream.cut(),
        }
    }
}

// === impl InProgress ===

impl InProgress {
    pub(super) const fn new(in_use: InUse) -> Self {
        Self(in_use)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.connection().request_ends();
    }
}

// === impl Answer ===

impl<F> Answer<F> {
    pub(super) const fn new(inner: F, progress: InProgress) -> Self {
        Self {
            inner,
            progress: Some(progress),
        }
    }
}

impl<F, B, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<AnswerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        let progress = this.progress.take();
        Poll::Ready(answer.map(|response| response.map(|inner| AnswerBody { inner, progress })))
    }
}

// === impl AnswerBody ===

impl<B: Body> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let Some(progress) = this.progress {
            match &polled {
                Poll::Ready(Some(Ok(_))) => progress.0.connection().frame_taken(),
                Poll::Ready(Some(Err(_))) => progress.0.connection().answer_failed(),
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
