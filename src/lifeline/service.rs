//! The service: which requests need every layer, and which go the short way.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, Method, Request, Response, Version};
use http_body::Body;
use tower_service::Service;

use super::body::LifelineBody;
use super::future::{LifelineFuture, Way};
use super::layer::{Layers, Stack};
use super::short::{Plain, Short};
use crate::current::{self, Current};
use crate::cut::CutHandle;
use crate::deadline::Deadline;
use crate::error::BoxError;
use crate::phase::PhaseLimits;
use crate::refusal::Caller;
use crate::request_body::RequestBody;
use crate::request_head::RequestHead;
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

    /// `Some`: nothing but a small answer is to be expected, and nobody has said anything to the layers that the short
    /// way leaves out.
    #[inline]
    fn plain<B: Body>(&self, request: &Request<B>) -> Option<Plain> {
        let layers = &self.layers;
        if !layers.has_short_way || *request.method() != Method::GET || !request.body().is_end_stream() {
            return None;
        }
        // One deadline within another is no longer as far off as this stack allows.
        if current::is_any() || !rpc::can_resume(request.headers()) {
            return None;
        }
        let extensions = request.extensions();
        let cut = if extensions.is_empty() {
            None
        } else if has_wishes(extensions) {
            return None;
        } else {
            extensions.get::<CutHandle>().cloned()
        };
        // Of a connection that others share, a client can keep back even what is small: there is a way to end that.
        if cut.is_some() && request.version() > Version::HTTP_11 {
            return None;
        }
        let caller = Caller::of(&RequestHead::of(request));
        (!caller.accepts_event_stream()).then(|| Plain {
            layers: layers.clone(),
            caller,
            cut,
            current: Current::on_demand(layers.on_demand.clone()),
        })
    }
}

/// Whether a layer further out has something to say to those that the short way leaves out.
fn has_wishes(extensions: &Extensions) -> bool {
    extensions.get::<Deadline>().is_some()
        || extensions.get::<PhaseLimits>().is_some()
        || extensions.get::<HeartbeatSettings>().is_some()
}

impl<S, B, ResBody> Service<Request<B>> for LifelineService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Error: Into<BoxError>> + Send + 'static,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + Unpin + 'static,
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
        if let Some(mut plain) = self.plain(&request) {
            let gate = self
                .stack
                .inner_mut()
                .inner_mut()
                .inner_mut()
                .inner_mut()
                .inner_mut();
            if let Some(calling) = gate.let_in(&request) {
                let handler = gate.inner_mut().inner_mut();
                let request = request.map(RequestBody::unwatched);
                let inner = plain.current.while_current(|| handler.call(request));
                let short = Short::new(inner, calling, plain);
                return LifelineFuture {
                    way: Way::Short { short },
                };
            }
        }
        let inner = Box::pin(self.stack.call(request));
        LifelineFuture {
            way: Way::Long { inner },
        }
    }
}
