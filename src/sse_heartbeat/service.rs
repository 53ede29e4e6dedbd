//! The service: what a request is treated by, before it is handed on.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::candidate::{Asker, Candidate};
use super::future::Answering;
use super::plan::Plan;
use super::settings::HeartbeatSettings;
use super::{HeartbeatPolicy, SseHeartbeatBody, SseHeartbeatFuture};
use crate::error::BoxError;
use crate::request_head::RequestHead;

/// Keeps the event streams of `S` alive. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct SseHeartbeat<S, P = HeartbeatSettings> {
    inner: S,
    policy: P,
    plan: Arc<Plan>,
}

impl<S, P> SseHeartbeat<S, P> {
    pub(super) const fn new(inner: S, policy: P, plan: Arc<Plan>) -> Self {
        Self { inner, policy, plan }
    }

    /// What is inside, for a stack that leaves this layer out of a request's way.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn plan<B>(&self, request: &Request<B>) -> Arc<Plan>
    where
        P: HeartbeatPolicy,
    {
        let plan = self.plan.clone();
        if let Some(own) = request.extensions().get::<HeartbeatSettings>() {
            return plan.with(own);
        }
        match self.policy.fixed() {
            Some(_) => plan,
            None => plan.with(&self.policy.settings(&RequestHead::of(request))),
        }
    }
}

impl<S, P, ReqBody, ResBody> Service<Request<ReqBody>> for SseHeartbeat<S, P>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    P: HeartbeatPolicy,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Response = Response<SseHeartbeatBody<ResBody, S::Future>>;
    type Error = S::Error;
    type Future = SseHeartbeatFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let plan = self.plan(&request);
        if let Some(candidate) = Candidate::of(&request, &plan.settings) {
            let asker = Asker::of(&request);
            return SseHeartbeatFuture::candidate(self.inner.call(request), candidate, plan, asker);
        }
        let asker = if plan.watches_calls() {
            Asker::of(&request)
        } else {
            Asker::default()
        };
        let is_bodiless =
            plan.settings.is_off() || matches!(*request.method(), Method::HEAD | Method::CONNECT);
        let answering = Answering {
            plan,
            asker,
            is_bodiless,
        };
        SseHeartbeatFuture::direct(self.inner.call(request), answering)
    }
}
