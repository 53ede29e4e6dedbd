//! The service: reads what the caller allows, and stamps the earliest of all deadlines.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request};
use tower_service::Service;

use super::DeadlineFuture;
use super::layer::Stamp;
use crate::clock::now;
use crate::current::{Current, earliest};
use crate::deadline::{Deadline, Terms, parse_grpc_timeout, parse_millis};
use crate::event::{DeadlineHeader, Event};

/// Stamps a [`Deadline`] into each request's extensions. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    stamp: Stamp,
    terms: Arc<Terms>,
}

// === impl DeadlineService ===

impl<S> DeadlineService<S> {
    pub(super) fn new(inner: S, stamp: Stamp) -> Self {
        let terms = Arc::new(Terms {
            reporter: stamp.reporter.clone(),
            allowed: None,
        });
        Self { inner, stamp, terms }
    }

    /// What is inside, for a stack that leaves this layer out of a request's way.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let deadline = self.stamp.deadline(&request).with_terms(self.terms.clone());
        request.extensions_mut().insert(deadline.clone());
        let mut current = Current::from(deadline);
        let inner = current.while_current(|| self.inner.call(request));
        DeadlineFuture::new(inner, current)
    }
}

// === impl Stamp ===

impl Stamp {
    fn deadline<B>(&self, request: &Request<B>) -> Deadline {
        let now = now();
        let earlier = earliest(request.extensions());
        let mut deadline = earlier.map_or_else(Deadline::unbounded, Deadline::at);
        for allowed in self.limit.into_iter().chain(self.allowed(request.headers())) {
            deadline = deadline.capped_at(now, allowed);
        }
        deadline
    }

    fn allowed(&self, headers: &HeaderMap) -> impl Iterator<Item = Duration> {
        let grpc = self
            .trusts_grpc
            .then(|| self.read(headers, DeadlineHeader::GrpcTimeout, parse_grpc_timeout));
        let envoy = self
            .trusts_envoy
            .then(|| self.read(headers, DeadlineHeader::EnvoyExpectedTimeout, parse_millis));
        [grpc, envoy].into_iter().flatten().flatten()
    }

    fn read(
        &self,
        headers: &HeaderMap,
        header: DeadlineHeader,
        parse: fn(&[u8]) -> Option<Duration>,
    ) -> Option<Duration> {
        let allowed = parse(headers.get(header.name())?.as_bytes());
        if allowed.is_none() {
            self.reporter.report(&Event::DeadlineHeaderIgnored { header });
        }
        allowed
    }
}
