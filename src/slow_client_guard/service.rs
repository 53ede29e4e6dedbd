//! The service: what hangs on a request, before it is handed on.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::future::Asked;
use super::slot::{Due, Terms, Ties};
use super::{SlowClientGuardBody, SlowClientGuardFuture};
use crate::client_stall::ClientStall;
use crate::clock::now;
use crate::current::earliest;
use crate::cut::CutHandle;
use crate::error::BoxError;
use crate::phase::Endless;
use crate::request_head::RequestHead;
use crate::watchdog::Watchdog;

/// Takes the answers of `S` away from clients that do not read them. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct SlowClientGuard<S> {
    inner: S,
    /// `None`: it is off.
    terms: Option<Arc<Terms>>,
    watchdog: Watchdog,
    tells_inside: bool,
}

impl<S> SlowClientGuard<S> {
    pub(super) const fn new(
        inner: S,
        terms: Option<Arc<Terms>>,
        watchdog: Watchdog,
        tells_inside: bool,
    ) -> Self {
        Self {
            inner,
            terms,
            watchdog,
            tells_inside,
        }
    }

    /// What is inside, for a stack that leaves this layer out of a request's way.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn asked<B>(&self, request: &mut Request<B>) -> Option<Asked> {
        let terms = self.terms.clone()?;
        let stall = self.tells_inside.then(|| {
            let extensions = request.extensions_mut();
            extensions.get_or_insert_with(ClientStall::new).clone()
        });
        let head = RequestHead::of(request);
        let deadline = earliest(head.extensions());
        Some(Asked {
            terms,
            watchdog: self.watchdog.clone(),
            is_connect: head.method() == Method::CONNECT,
            is_endless: deadline.is_some() && Endless::asked_for_by(&head) != Endless::No,
            ties: Ties {
                due: deadline.map(|at| Due { at, since: now() }),
                cut: head.extensions().get::<CutHandle>().cloned(),
                stall,
            },
        })
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SlowClientGuard<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<SlowClientGuardBody<ResBody>>;
    type Error = S::Error;
    type Future = SlowClientGuardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let asked = self.asked(&mut request);
        SlowClientGuardFuture::new(self.inner.call(request), asked)
    }
}
