//! The service: which requests need every layer, and which get by with two.
//!
//! Most requests to most servers are plain: a GET without a body, by a client that expects no stream, answered at once
//! with something small. What they need most of a stack is a seat and limits for a handler that hangs. Where that is
//! wanted, such a request goes the *short way*, through the gate and the phases only; should its answer turn out to be
//! more than small after all, it gets what the other layers would have given to it.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, Method, Request, Response, Version};
use http_body::Body;
use tower_service::Service;

use super::body::LifelineBody;
use super::future::{Dress, LifelineFuture};
use super::layer::{Layers, Stack};
use crate::cut::CutHandle;
use crate::deadline::Deadline;
use crate::error::BoxError;
use crate::media;
use crate::phase::PhaseLimits;
use crate::request_body::RequestBody;
use crate::rpc;
use crate::sse_heartbeat::HeartbeatSettings;

/// A service inside every layer of a [`Lifeline`](super::Lifeline).
#[derive(Clone, Debug)]
pub struct LifelineService<S> {
    stack: Stack<S>,
    layers: Arc<Layers>,
}

// === impl LifelineService ===

impl<S> LifelineService<S> {
    pub(super) const fn new(stack: Stack<S>, layers: Arc<Layers>) -> Self {
        Self { stack, layers }
    }

    /// Whether a small answer is all that is to be expected. Over HTTP/2 a client can keep even that from being taken,
    /// and there may be no connection-wide limit to end it.
    fn goes_the_short_way<B: Body>(&self, request: &Request<B>) -> bool {
        self.layers.is_lean
            && matches!(*request.method(), Method::GET | Method::HEAD)
            && request.version() <= Version::HTTP_11
            && request.body().is_end_stream()
            && !media::accepts(request.headers(), media::EVENT_STREAM)
            && !has_wishes(request.extensions())
    }
}

/// Whether a layer further out has something to say to those that the short way leaves out.
fn has_wishes(extensions: &Extensions) -> bool {
    !extensions.is_empty()
        && (extensions.get::<Deadline>().is_some()
            || extensions.get::<PhaseLimits>().is_some()
            || extensions.get::<HeartbeatSettings>().is_some())
}

impl<S, B, ResBody> Service<Request<B>> for LifelineService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Error: Into<BoxError>> + Send + 'static,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<LifelineBody<S, B, ResBody>>;
    type Error = S::Error;
    type Future = LifelineFuture<S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.stack.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.layers.surroundings.look(&request);
        if !self.goes_the_short_way(&request) {
            return LifelineFuture::long(self.stack.call(request));
        }
        let dress = Dress {
            layers: self.layers.clone(),
            cut: request.extensions().get::<CutHandle>().cloned(),
            is_head: request.method() == Method::HEAD,
            can_resume: rpc::can_resume(request.headers()),
        };
        let core = self.stack.inner_mut().inner_mut().inner_mut().inner_mut();
        LifelineFuture::short(core.call(request.map(RequestBody::unwatched)), dress)
    }
}
