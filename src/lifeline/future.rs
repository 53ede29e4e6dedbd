//! The wait for a response, on either way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{LifelineBody, ShortBody};
use super::layer::{Core, Layers, Stack};
use crate::cut::CutHandle;
use crate::error::BoxError;
use crate::phase::BYTES_BETWEEN_LOOKS;
use crate::reply::ReplyBody;
use crate::request_body::RequestBody;

pin_project! {
    /// The response future of [`LifelineService`](super::LifelineService).
    #[must_use = "futures do nothing unless they are polled"]
    pub struct LifelineFuture<S, B>
    where
        Core<S>: Service<Request<RequestBody<B>>>,
        Stack<S>: Service<Request<B>>,
    {
        #[pin]
        way: Way<S, B>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<S, B>
    where
        Core<S>: Service<Request<RequestBody<B>>>,
        Stack<S>: Service<Request<B>>,
    {
        Short {
            #[pin]
            inner: <Core<S> as Service<Request<RequestBody<B>>>>::Future,
            dress: Dress,
        },
        // In a box, so that the short way moves little.
        Long { inner: Pin<Box<<Stack<S> as Service<Request<B>>>::Future>> },
    }
}

/// What an answer gets that is more than small.
pub(super) struct Dress {
    pub(super) layers: Arc<Layers>,
    pub(super) cut: Option<CutHandle>,
    pub(super) is_head: bool,
    pub(super) can_resume: bool,
}

// === impl LifelineFuture ===

impl<S, B> LifelineFuture<S, B>
where
    Core<S>: Service<Request<RequestBody<B>>>,
    Stack<S>: Service<Request<B>>,
{
    pub(super) const fn short(
        inner: <Core<S> as Service<Request<RequestBody<B>>>>::Future,
        dress: Dress,
    ) -> Self {
        Self {
            way: Way::Short { inner, dress },
        }
    }

    pub(super) fn long(inner: <Stack<S> as Service<Request<B>>>::Future) -> Self {
        Self {
            way: Way::Long {
                inner: Box::pin(inner),
            },
        }
    }
}

impl<S, B, ResBody> Future for LifelineFuture<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Error: Into<BoxError>> + Send + 'static,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<LifelineBody<S, B, ResBody>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Short { inner, dress } => {
                let response = ready!(inner.poll(cx))?;
                Poll::Ready(Ok(if is_small(response.body()) {
                    response.map(LifelineBody::short)
                } else {
                    dress.put_on(response)
                }))
            }
            WayProj::Long { inner } => inner
                .as_mut()
                .poll(cx)
                .map_ok(|response| response.map(LifelineBody::long)),
        }
    }
}

/// Whether a body is so small that it goes out in one piece, whoever reads it.
fn is_small(body: &impl Body) -> bool {
    body.is_end_stream()
        || body
            .size_hint()
            .exact()
            .is_some_and(|size| size <= u64::from(BYTES_BETWEEN_LOOKS))
}

// === impl Dress ===

impl Dress {
    #[cold]
    fn put_on<S, B, ResBody>(
        &mut self,
        response: Response<ShortBody<ResBody>>,
    ) -> Response<LifelineBody<S, B, ResBody>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Error: Into<BoxError>> + Send + 'static,
        ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + 'static,
    {
        let beating = self
            .layers
            .heartbeat
            .dress(response, self.is_head, self.can_resume);
        let answer = beating.map(ReplyBody::inner);
        let guarded = self.layers.guard.guard(answer, self.cut.take());
        guarded.map(LifelineBody::long)
    }
}
