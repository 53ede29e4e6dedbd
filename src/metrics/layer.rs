//! The layer, and the service that it makes.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::MetricsBody;
use super::exchange::{Exchange, Meters};
use super::future::{Asked, MetricsFuture};

/// Applies [`MetricsService`]. See the [module docs](super).
///
/// It keeps the handles that the recorder of its own thread gives out when it is made, so the recorder comes
/// first.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    meters: Arc<Meters>,
}

/// Measures requests, from their coming to the end of their answers. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct MetricsService<S> {
    inner: S,
    meters: Arc<Meters>,
}

// === impl MetricsLayer ===

impl MetricsLayer {
    /// Measures with the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        let meters = Arc::new(Meters::new());
        Self { meters }
    }
}

impl Default for MetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let meters = self.meters.clone();
        MetricsService { inner, meters }
    }
}

// === impl MetricsService ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for MetricsService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<MetricsBody<ResBody>>;
    type Error = S::Error;
    type Future = MetricsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let asked = match *request.method() {
            Method::HEAD => Asked::Head,
            Method::CONNECT => Asked::Tunnel,
            _ => Asked::Body,
        };
        let exchange = Exchange::begin(self.meters.clone());
        MetricsFuture::new(self.inner.call(request), exchange, asked)
    }
}
