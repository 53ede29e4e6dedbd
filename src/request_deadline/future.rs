//! The future, which makes the deadline the current one while it is polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::current::Current;

pin_project! {
    /// The response future of [`DeadlineService`](super::DeadlineService).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: F,
        current: Current,
    }
}

impl<F> DeadlineFuture<F> {
    pub(super) const fn new(inner: F, current: Current) -> Self {
        Self { inner, current }
    }
}

impl<F: Future> Future for DeadlineFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.current.while_current(|| this.inner.poll(cx))
    }
}
