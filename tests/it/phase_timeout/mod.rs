//! PhaseTimeout on the paused clock, and over real sockets.

mod answers;
mod model;
mod streams;
mod wire;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tower_lifeline::{PhaseExpired, PhaseLimits, PhaseTimeoutLayer, Reporter};

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// head 30, read 20, total 100 milliseconds.
pub(super) fn limits() -> PhaseLimits {
    PhaseLimits::builder()
        .head(ms(30))
        .read(ms(20))
        .total(ms(100))
        .build()
        .unwrap()
}

pub(super) fn layer() -> PhaseTimeoutLayer {
    PhaseTimeoutLayer::new(limits()).with_reporter(Reporter::silent())
}

pub(super) fn event_stream<B>(body: B) -> Response<B> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap()
}

/// What the body said, how it ended, and after how long.
pub(super) async fn drain<B: Body<Data = Bytes, Error = tower_lifeline::BoxError>>(
    body: B,
) -> (String, Result<(), Option<PhaseExpired>>, u64) {
    let start = Instant::now();
    let mut body = Box::pin(body);
    let mut said = Vec::new();
    let ending = loop {
        match body.frame().await {
            None => break Ok(()),
            Some(Err(error)) => break Err(PhaseExpired::find(error.as_ref()).copied()),
            Some(Ok(frame)) => said.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
        }
    };
    (
        String::from_utf8(said).unwrap(),
        ending,
        u64::try_from(start.elapsed().as_millis()).unwrap(),
    )
}

pub(super) async fn answer<S, B>(service: S, request: Request<()>) -> Response<B>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    service.oneshot(request).await.unwrap()
}
