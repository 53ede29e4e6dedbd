//! Hands each request on with a body that is watched.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::RequestBody;
use super::fate::Fate;
use super::future::{Answering, RequestBodyFuture};
use super::layer::Policy;
use super::limits::RequestBodyLimits;
use super::scan::Scan;
use crate::refusal::Caller;
use crate::reply::ReplyBody;
use crate::request_head::RequestHead;

/// Made by [`RequestBodyLayer`](super::RequestBodyLayer), see the [module docs](super).
#[derive(Clone, Debug)]
pub struct RequestBodyService<S> {
    handler: S,
    policy: Arc<Policy>,
}

// === impl RequestBodyService ===

impl<S> RequestBodyService<S> {
    pub(super) const fn new(handler: S, policy: Arc<Policy>) -> Self {
        Self { handler, policy }
    }

    /// What is inside, for a stack that leaves this layer out of a request's way.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.handler
    }

    fn policy_for<B>(&self, request: &Request<B>) -> Arc<Policy> {
        match request.extensions().get::<RequestBodyLimits>() {
            Some(limits) => Arc::new(Policy {
                limits: *limits,
                ..Policy::clone(&self.policy)
            }),
            None => Arc::clone(&self.policy),
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for RequestBodyService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>>,
    B: Body,
{
    type Response = Response<ReplyBody<ResBody>>;
    type Error = S::Error;
    type Future = RequestBodyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.handler.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // Where there is no body nothing can be waited for or learnt.
        if request.body().is_end_stream() {
            let request = request.map(RequestBody::unwatched);
            return RequestBodyFuture::new(self.handler.call(request), None);
        }
        let scan = Scan::of(&mut request);
        let policy = self.policy_for(&request);
        let fate = policy.answers().then(Fate::new);
        let answering = fate.clone().map(|fate| {
            let caller = Caller::of(&RequestHead::of(&request));
            Answering::new(fate, caller, request.version(), Arc::clone(&policy))
        });
        let request = request.map(|body| RequestBody::new(body, policy, fate, scan));
        RequestBodyFuture::new(self.handler.call(request), answering)
    }
}
