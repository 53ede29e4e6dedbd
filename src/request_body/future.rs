//! The wait for an answer to a request whose body may be cut.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue};
use http::{HeaderMap, Response, Version};
use pin_project_lite::pin_project;

use super::fate::Fate;
use super::layer::Policy;
use crate::error::PhaseExpired;
use crate::event::{Outcome, Side};
use crate::refusal::{Caller, Reason, Refusal, RefusalStatus};
use crate::reply::ReplyBody;

pin_project! {
    /// The future of [`RequestBodyService`](super::RequestBodyService), see the [module docs](super).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct RequestBodyFuture<F> {
        #[pin]
        handler: F,
        answering: Option<Answering>,
    }
}

/// What it takes to answer in the handler's stead.
#[derive(Debug)]
pub(super) struct Answering {
    /// `None` once it is settled who reports.
    fate: Option<Fate>,
    caller: Caller,
    version: Version,
    policy: Arc<Policy>,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

// === impl RequestBodyFuture ===

impl<F> RequestBodyFuture<F> {
    pub(super) const fn new(handler: F, answering: Option<Answering>) -> Self {
        Self { handler, answering }
    }
}

impl<F, B, E> Future for RequestBodyFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ReplyBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.handler.poll(cx));
        let mut answering = this.answering.take();
        if let Some(answering) = &mut answering {
            if let Some(expired) = answering.settle() {
                return Poll::Ready(answering.answer(expired, result));
            }
        }
        Poll::Ready(result.map(|response| response.map(ReplyBody::inner)))
    }
}

/// Whether the handler says that it failed; gRPC says so in a header of its own.
fn is_error<B>(response: &Response<B>) -> bool {
    let failed = |headers: &HeaderMap| headers.get(GRPC_STATUS).is_some_and(|status| status != "0");
    let status = response.status();
    status.is_client_error() || status.is_server_error() || failed(response.headers())
}

// === impl Answering ===

impl Answering {
    pub(super) const fn new(fate: Fate, caller: Caller, version: Version, policy: Arc<Policy>) -> Self {
        Self {
            fate: Some(fate),
            caller,
            version,
            policy,
        }
    }

    fn settle(&mut self) -> Option<PhaseExpired> {
        self.fate.take()?.answer()
    }

    #[cold]
    fn answer<B, E>(
        &self,
        expired: PhaseExpired,
        result: Result<Response<B>, E>,
    ) -> Result<Response<ReplyBody<B>>, E> {
        match (result, self.policy.status) {
            (Ok(response), Some(status)) if is_error(&response) => {
                self.report(expired, Outcome::Refused(status.get().as_u16()));
                Ok(self.refusal(expired, status).map(ReplyBody::reply))
            }
            (result, _) => {
                self.report(expired, Outcome::Failed);
                result.map(|response| response.map(ReplyBody::inner))
            }
        }
    }

    fn refusal(&self, expired: PhaseExpired, status: RefusalStatus) -> Response<Bytes> {
        let mut response = self
            .caller
            .refuse(&Refusal::new(Reason::PhaseExpired(expired), status));
        if self.version <= Version::HTTP_11 {
            // The rest of the body is still to come: the connection is of no use to another request.
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn report(&self, expired: PhaseExpired, outcome: Outcome) {
        self.policy.reporter.phase_expired(Side::Server, expired, outcome);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(expired) = self.settle() {
            self.report(expired, Outcome::Failed);
        }
    }
}
