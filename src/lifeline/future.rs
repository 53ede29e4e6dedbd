//! The wait for a response, on either way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::LifelineBody;
use super::layer::Stack;
use super::short::Short;
use crate::error::BoxError;
use crate::request_body::RequestBody;

pin_project! {
    /// The response future of [`LifelineService`](super::LifelineService).
    #[must_use = "futures do nothing unless they are polled"]
    pub struct LifelineFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
        Stack<S>: Service<Request<B>>,
    {
        #[pin]
        pub(super) way: Way<S, B>,
    }
}

pin_project! {
    #[project = WayProj]
    pub(super) enum Way<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
        Stack<S>: Service<Request<B>>,
    {
        Short { #[pin] short: Short<S::Future> },
        // In a box, so that the short way moves little.
        Long { inner: Pin<Box<<Stack<S> as Service<Request<B>>>::Future>> },
    }
}

// === impl LifelineFuture ===

impl<S, B, ResBody> Future for LifelineFuture<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Error: Into<BoxError>> + Send + 'static,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Output = Result<Response<LifelineBody<S, B, ResBody>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Short { short } => short.poll(cx),
            WayProj::Long { inner } => inner
                .as_mut()
                .poll(cx)
                .map_ok(|response| response.map(|body| LifelineBody::long(None, body))),
        }
    }
}

impl<S, B> fmt::Debug for LifelineFuture<S, B>
where
    S: Service<Request<RequestBody<B>>>,
    Stack<S>: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Short { .. } => "LifelineFuture(short)",
            Way::Long { .. } => "LifelineFuture(long)",
        })
    }
}
