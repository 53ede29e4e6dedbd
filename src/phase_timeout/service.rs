//! The service: what a request asks for, before it is handed on.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::future::Waiting;
use super::policy::Settings;
use super::{PhasePolicy, PhaseTimeoutBody, PhaseTimeoutFuture};
use crate::current::earliest;
use crate::event::{Reporter, Side};
use crate::phase::{Endless, PhaseLimits};
use crate::refusal::Caller;
use crate::request_head::RequestHead;
use crate::rpc;
use crate::watch::HeadWatch;

/// Limits each phase of the answers of `S`. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct PhaseTimeout<S, P = PhaseLimits> {
    inner: S,
    policy: P,
    settings: Settings,
    reporter: Reporter,
}

impl<S, P> PhaseTimeout<S, P> {
    pub(super) const fn new(inner: S, policy: P, settings: Settings, reporter: Reporter) -> Self {
        Self {
            inner,
            policy,
            settings,
            reporter,
        }
    }

    /// What is inside, for a stack that leaves this layer out of a request's way.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn waiting<B>(&self, request: &Request<B>) -> Waiting
    where
        P: PhasePolicy,
    {
        let head = RequestHead::of(request);
        let extensions = head.extensions();
        let limits = extensions
            .get()
            .copied()
            .unwrap_or_else(|| self.policy.limits(&head));
        let deadline = earliest(extensions);
        let caller = Caller::of(&head);
        Waiting {
            watch: HeadWatch::new(&limits, deadline, self.reporter.clone(), Side::Server),
            settings: self.settings,
            is_connect: head.method() == Method::CONNECT,
            endless: if caller.accepts_event_stream() {
                Endless::asked_for_by(&head)
            } else {
                Endless::No
            },
            can_resume: !caller.accepts_event_stream() || rpc::can_resume(head.headers()),
            caller,
        }
    }
}

impl<S, P, ReqBody, ResBody> Service<Request<ReqBody>> for PhaseTimeout<S, P>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    P: PhasePolicy,
    ResBody: Body<Data: From<Bytes>, Error: Into<crate::error::BoxError>>,
{
    type Response = Response<PhaseTimeoutBody<ResBody>>;
    type Error = S::Error;
    type Future = PhaseTimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let waiting = self.waiting(&request);
        PhaseTimeoutFuture::new(self.inner.call(request), waiting)
    }
}
