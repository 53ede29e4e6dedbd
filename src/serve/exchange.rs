//! One request and its answer, from the call of the service to the end of the body.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::Connection;
use super::stream::Stream;
use crate::cut::{Cutter, Turn};

/// Ends one exchange: a stream, or the connection that has no streams.
#[derive(Debug)]
pub(super) enum Exchange {
    Http1(Arc<Connection>),
    Http2 {
        connection: Arc<Connection>,
        stream: Arc<Stream>,
    },
}

/// A request is in progress for as long as this lives.
#[derive(Debug)]
pub(super) struct InProgress {
    connection: Arc<Connection>,
    /// The end of the connection is the end of the answer, wherever it comes.
    may_be_close_delimited: bool,
}

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
    fn turn(&self, taken: u64, now: Instant) -> Turn {
        match self {
            Self::Http1(_) => Turn::Now,
            Self::Http2 { connection, stream } => {
                connection.turn(Arc::as_ptr(stream) as usize as u64, taken, now)
            }
        }
    }

    fn cut(&self) {
        match self {
            Self::Http1(connection) => connection.reset(),
            Self::Http2 { stream, .. } => stream.cut(),
        }
    }
}

// === impl InProgress ===

impl InProgress {
    pub(super) fn begin(connection: Arc<Connection>, may_be_close_delimited: bool) -> Self {
        connection.request_begins();
        Self {
            connection,
            may_be_close_delimited,
        }
    }

    fn failed(&self) {
        if self.may_be_close_delimited {
            self.connection.reset_when_closed();
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.connection.request_ends();
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
        if let Poll::Ready(Some(Err(_))) = &polled {
            if let Some(progress) = this.progress {
                progress.failed();
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
