//! Scripted clients and what is asked of their answers.

use std::future::ready;

use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, Service, service_fn};
use tower_lifeline::PhaseExpired;
use tower_lifeline::outgoing::{OutgoingBody, OutgoingError, OutgoingTimeout, OutgoingTimeoutLayer};

use super::{Alive, Body, Never, Step, body, limits};

pub(super) fn request() -> Request<()> {
    Request::new(())
}

pub(super) fn layer() -> OutgoingTimeoutLayer {
    OutgoingTimeoutLayer::new(limits())
}

/// A client that answers at once with `steps`.
pub(super) fn answering(
    layer: &OutgoingTimeoutLayer,
    steps: Vec<Step>,
    alive: &Alive,
    wrap: fn(Body) -> Response<Body>,
) -> OutgoingTimeout<impl Service<Request<()>, Response = Response<Body>, Error = Never> + use<>> {
    let mut bodies = vec![wrap(body(steps, alive))];
    layer.layer(service_fn(move |_: Request<()>| ready(Ok(bodies.pop().unwrap()))))
}

pub(super) async fn read_all(mut body: OutgoingBody<Body>) -> Result<usize, (usize, OutgoingError)> {
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(_) => frames += 1,
            Err(error) => {
                assert!(body.is_end_stream());
                assert!(body.frame().await.is_none(), "one error, then the end");
                return Err((frames, error));
            }
        }
    }
    Ok(frames)
}

pub(super) fn expired(error: &OutgoingError) -> PhaseExpired {
    match error {
        OutgoingError::Expired(expired) => *expired,
        other => panic!("{other:?}"),
    }
}
