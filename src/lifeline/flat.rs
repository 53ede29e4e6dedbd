//! Bodies without the layers that have nothing to do for them.
//!
//! A frame that goes through a layer is moved once more. Once the head is there it is known whether heartbeats and the
//! request body's layer have anything to do for an answer; for most they have not.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::error::BoxError;
use crate::reply::ReplyBody;
use crate::sse_heartbeat::SseHeartbeatBody;

/// What layers made of a body.
pub(super) type Layered<B, F> = ReplyBody<SseHeartbeatBody<B, F>>;

pin_project! {
    /// A body, in as few layers as it needs.
    #[project = FlatBodyProj]
    pub(super) enum FlatBody<B, F> {
        Flat { #[pin] body: B },
        Layered { #[pin] body: Layered<B, F> },
    }
}

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// Takes layers off the answers of `S`.
#[derive(Clone, Debug)]
pub(super) struct Flat<S>(S);

pin_project! {
    /// The future of [`Flat`].
    pub(super) struct FlatFuture<F> {
        #[pin]
        inner: F,
    }
}

// === impl FlatBody ===

impl<B, F> FlatBody<B, F> {
    pub(super) fn of(body: Layered<B, F>) -> Self {
        match body.into_inner().map(SseHeartbeatBody::into_untouched) {
            Ok(Ok(body)) => Self::Flat { body },
            Ok(Err(body)) => Self::Layered {
                body: ReplyBody::inner(body),
            },
            Err(body) => Self::Layered { body },
        }
    }
}

impl<B, F> Body for FlatBody<B, F>
where
    SseHeartbeatBody<B, F>: Body<Data = B::Data, Error = BoxError>,
    B: Body<Data: From<Bytes>, Error = BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    #[inline(always)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        match self.project() {
            FlatBodyProj::Flat { body } => body.poll_frame(cx),
            FlatBodyProj::Layered { body } => poll_layered(body, cx),
        }
    }

    #[inline(always)]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Flat { body } => body.is_end_stream(),
            Self::Layered { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Flat { body } => body.size_hint(),
            Self::Layered { body } => body.size_hint(),
        }
    }
}

/// Apart, so that what is flat stays small.
#[inline(never)]
fn poll_layered<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled<B> {
    body.poll_frame(cx)
}

// === impl Flat ===

impl<S> Flat<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self(inner)
    }

    pub(super) const fn inner_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S, R, B, F> Service<R> for Flat<S>
where
    S: Service<R, Response = Response<Layered<B, F>>>,
{
    type Response = Response<FlatBody<B, F>>;
    type Error = S::Error;
    type Future = FlatFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        FlatFuture {
            inner: self.0.call(request),
        }
    }
}

impl<Inner, B, F, E> Future for FlatFuture<Inner>
where
    Inner: Future<Output = Result<Response<Layered<B, F>>, E>>,
{
    type Output = Result<Response<FlatBody<B, F>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(FlatBody::of)))
    }
}
