//! The wait for the response, whose body is to be watched.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::SlowClientGuardBody;
use super::slot::{Terms, Ties};
use crate::error::BoxError;
use crate::media;
use crate::watchdog::Watchdog;

pin_project! {
    /// The response future of [`SlowClientGuard`](super::SlowClientGuard).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct SlowClientGuardFuture<F> {
        #[pin]
        inner: F,
        asked: Option<Asked>,
    }
}

/// What is known of the request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) terms: Arc<Terms>,
    pub(super) watchdog: Watchdog,
    pub(super) ties: Ties,
    pub(super) is_connect: bool,
    /// An event stream may last longer than the deadline.
    pub(super) is_endless: bool,
}

// === impl SlowClientGuardFuture ===

impl<F> SlowClientGuardFuture<F> {
    pub(super) const fn new(inner: F, asked: Option<Asked>) -> Self {
        Self { inner, asked }
    }
}

impl<F, B, E> Future for SlowClientGuardFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<SlowClientGuardBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(match this.asked.take() {
            Some(asked) => asked.guard(response),
            None => response.map(SlowClientGuardBody::untouched),
        }))
    }
}

// === impl Asked ===

impl Asked {
    pub(super) fn guard<B>(mut self, response: Response<B>) -> Response<SlowClientGuardBody<B>>
    where
        B: Body + Send + 'static,
    {
        if response.body().is_end_stream() || self.is_upgrade(response.status()) {
            return response.map(SlowClientGuardBody::untouched);
        }
        if self.is_endless && media::is_event_stream(response.headers()) {
            self.ties.due = None;
        }
        response.map(|body| SlowClientGuardBody::guarded(body, self.terms, self.ties, self.watchdog))
    }

    fn is_upgrade(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success())
    }
}
