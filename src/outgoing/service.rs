//! `OutgoingTimeout`.

use std::task::{Context, Poll};

use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::OutgoingBody;
use super::due::deadline_of;
use super::error::OutgoingError;
use super::future::OutgoingTimeoutFuture;
use crate::error::BoxError;
use crate::event::Reporter;
use crate::phase::PhaseLimits;

/// Limits of one outgoing request, in its extensions, which replace those of the layer but for `connect`.
///
/// A type of its own, so that a proxy which forwards the extensions of the request that it serves does not
/// forward that request's own [`PhaseLimits`] with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingLimits(PhaseLimits);

/// A client whose `head`, `read` and `total` phases are limited; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct OutgoingTimeout<S> {
    inner: S,
    limits: PhaseLimits,
    reporter: Reporter,
}

// === impl OutgoingLimits ===

impl From<PhaseLimits> for OutgoingLimits {
    fn from(limits: PhaseLimits) -> Self {
        Self(limits)
    }
}

// === impl OutgoingTimeout ===

impl<S> OutgoingTimeout<S> {
    pub(super) const fn new(inner: S, limits: PhaseLimits, reporter: Reporter) -> Self {
        Self {
            inner,
            limits,
            reporter,
        }
    }
}

impl<S, B, ResB> Service<Request<B>> for OutgoingTimeout<S>
where
    S: Service<Request<B>, Response = Response<ResB>>,
    S::Error: Into<BoxError>,
    ResB: Body,
{
    type Response = Response<OutgoingBody<ResB>>;
    type Error = OutgoingError;
    type Future = OutgoingTimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(OutgoingError::from_service)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = request.extensions().get::<OutgoingLimits>();
        let limits = own.map_or(self.limits, |own| own.0);
        let deadline = deadline_of(request.extensions());
        let is_connect = request.method() == Method::CONNECT;
        let reporter = self.reporter.clone();
        OutgoingTimeoutFuture::new(limits, deadline, reporter, is_connect, || {
            self.inner.call(request)
        })
    }
}
