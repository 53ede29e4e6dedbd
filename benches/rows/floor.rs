//! The least that a layer which wraps the body can cost: it only forwards.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Wraps service, future and body, and does nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForwardLayer;

/// The service of [`ForwardLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Forward<S>(S);

pin_project! {
    /// The future of [`Forward`].
    #[derive(Debug)]
    pub(crate) struct ForwardFuture<F> {
        #[pin]
        inner: F,
    }
}

pin_project! {
    /// The body of [`Forward`].
    #[derive(Debug)]
    pub(crate) struct ForwardBody<B> {
        #[pin]
        inner: B,
    }
}

// === impl Forward ===

impl<S> Layer<S> for ForwardLayer {
    type Service = Forward<S>;

    fn layer(&self, inner: S) -> Forward<S> {
        Forward(inner)
    }
}

impl<S, R, B> Service<R> for Forward<S>
where
    S: Service<R, Response = Response<B>>,
{
    type Response = Response<ForwardBody<B>>;
    type Error = S::Error;
    type Future = ForwardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        ForwardFuture {
            inner: self.0.call(request),
        }
    }
}

impl<F, B, E> Future for ForwardFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ForwardBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.project().inner.poll(cx);
        answer.map_ok(|response| response.map(|inner| ForwardBody { inner }))
    }
}

impl<B: Body> Body for ForwardBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
