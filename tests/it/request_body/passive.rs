//! What the layer leaves alone, what comes of a cut, and who is told of it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::request_body::{RequestBody, RequestBodyLayer, RequestBodyLimits};
use tower_lifeline::{Event, Outcome, Phase, PhaseExpired};

use super::{BoxError, Log, Script, ms, secs};

fn outcomes(log: &Log) -> Vec<(Phase, Outcome)> {
    let of = |event| match event {
        Event::PhaseExpired { expired, outcome, .. } => (expired.phase(), outcome),
        event => panic!("{event:?}"),
    };
    log.events().into_iter().map(of).collect()
}

fn silent_client() -> Request<Script> {
    Request::new(Script::new(
        [(ms(0), Frame::data(Bytes::from_static(b"x")))],
        None,
    ))
}

fn short() -> RequestBodyLimits {
    RequestBodyLimits::builder()
        .idle(secs(1))
        .without_min_rate()
        .build()
        .unwrap()
}

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .body(Full::new("handler's".into()))
        .unwrap()
}

/// No runtime is here: a timer would panic.
#[test]
fn a_body_that_is_ready_at_once_takes_no_timer() {
    let handler = service_fn(async |request: Request<RequestBody<Full<Bytes>>>| {
        assert_eq!(request.body().size_hint().exact(), Some(3));
        assert!(!request.body().is_end_stream());
        let mut body = request.into_body();
        let frame = body.frame().await.unwrap().unwrap();
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        Ok::<_, Infallible>(Response::new(Full::new(frame.into_data().unwrap())))
    });
    let service = RequestBodyLayer::default().layer(handler);
    let response = futures::executor::block_on(service.oneshot(Request::new(Full::from("abc")))).unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(3));
    assert_eq!(
        futures::executor::block_on(response.into_body().collect())
            .unwrap()
            .to_bytes(),
        "abc"
    );
}

#[tokio::test(start_paused = true)]
async fn trailers_pass_and_count_as_progress() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let frames = [
        (ms(0), Frame::data(Bytes::from_static(b"a"))),
        (ms(900), Frame::trailers(trailers.clone())),
    ];
    let handler = service_fn(async |request: Request<RequestBody<Script>>| {
        let collected = request.into_body().collect().await?;
        Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(format!(
            "{:?}",
            collected.trailers().unwrap()
        )))))
    });
    let request = Request::new(Script::new(frames, Some(ms(1800))));
    let response = RequestBodyLayer::new(short())
        .layer(handler)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        format!("{trailers:?}")
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_may_bring_limits_of_its_own() {
    let handler = service_fn(async |request: Request<RequestBody<Script>>| {
        Ok::<_, BoxError>(match request.into_body().collect().await {
            Ok(_) => answer(StatusCode::OK),
            Err(_) => answer(StatusCode::BAD_REQUEST),
        })
    });
    let service = RequestBodyLayer::new(short()).layer(handler);
    let slow = || Request::new(Script::of_bytes([(secs(2), 1)]));
    assert_eq!(
        service.clone().oneshot(slow()).await.unwrap().status(),
        StatusCode::REQUEST_TIMEOUT
    );
    let mut request = slow();
    request
        .extensions_mut()
        .insert(short().to_builder().without_idle().build().unwrap());
    assert_eq!(service.oneshot(request).await.unwrap().status(), StatusCode::OK);
}

/// What a handler makes of the cut, and what comes of that.
async fn after_the_cut(
    layer: RequestBodyLayer,
    result: Result<Response<Full<Bytes>>, BoxError>,
) -> (Result<(StatusCode, Bytes), BoxError>, Vec<(Phase, Outcome)>) {
    let log = Log::default();
    let result = Mutex::new(Some(result));
    let handler = service_fn(|request: Request<RequestBody<Script>>| {
        let result = result.lock().unwrap().take().unwrap();
        async move {
            // Read elsewhere, as a proxy's connection to its upstream does.
            let read = tokio::spawn(request.into_body().collect()).await.unwrap();
            assert_eq!(
                PhaseExpired::find(&*read.err().unwrap()).unwrap().phase(),
                Phase::RequestIdle
            );
            result
        }
    });
    let answer = layer
        .with_reporter(log.reporter())
        .layer(handler)
        .oneshot(silent_client())
        .await;
    let answer = match answer {
        Ok(response) => {
            let status = response.status();
            Ok((status, response.into_body().collect().await.unwrap().to_bytes()))
        }
        Err(error) => Err(error),
    };
    (answer, outcomes(&log))
}

#[tokio::test(start_paused = true)]
async fn only_a_failed_answer_is_replaced_and_the_cut_is_reported_once() {
    let idle = |outcome| vec![(Phase::RequestIdle, outcome)];
    let layer = || RequestBodyLayer::new(short());
    let kept = |status| Ok::<_, Infallible>((status, Bytes::from("handler's")));
    let sentence = "the request_idle phase took 1s, its limit is 1s\n";

    for status in [StatusCode::BAD_REQUEST, StatusCode::BAD_GATEWAY] {
        let (replaced, events) = after_the_cut(layer(), Ok(answer(status))).await;
        assert_eq!(replaced.unwrap(), (StatusCode::REQUEST_TIMEOUT, sentence.into()));
        assert_eq!(events, idle(Outcome::Refused(408)));
    }
    let other = layer().with_status(StatusCode::BAD_GATEWAY).unwrap();
    let (replaced, events) = after_the_cut(other, Ok(answer(StatusCode::BAD_REQUEST))).await;
    assert_eq!(replaced.unwrap().0, StatusCode::BAD_GATEWAY);
    assert_eq!(events, idle(Outcome::Refused(502)));
    assert!(layer().with_status(StatusCode::OK).is_err());

    for status in [StatusCode::OK, StatusCode::FOUND] {
        let (stands, events) = after_the_cut(layer(), Ok(answer(status))).await;
        assert_eq!(stands.unwrap(), kept(status).unwrap());
        assert_eq!(events, idle(Outcome::Failed));
    }
    let (stands, events) = after_the_cut(
        layer().keep_handlers_answer(),
        Ok(answer(StatusCode::BAD_REQUEST)),
    )
    .await;
    assert_eq!(stands.unwrap(), kept(StatusCode::BAD_REQUEST).unwrap());
    assert_eq!(events, idle(Outcome::Failed));

    let (stands, events) = after_the_cut(layer(), Err("the service's own".into())).await;
    assert_eq!(stands.unwrap_err().to_string(), "the service's own");
    assert_eq!(events, idle(Outcome::Failed));

    let mut grpc = answer(StatusCode::OK);
    grpc.headers_mut()
        .insert("grpc-status", HeaderValue::from_static("13"));
    let (replaced, events) = after_the_cut(layer(), Ok(grpc)).await;
    assert_eq!(replaced.unwrap().0, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(events, idle(Outcome::Refused(408)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outlives_its_answer_is_cut_and_reported() {
    let (sender, receiver) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let handler = service_fn(|request: Request<RequestBody<Script>>| {
        let read = tokio::spawn(request.into_body().collect());
        let _ = sender.lock().unwrap().take().unwrap().send(read);
        async { Ok::<_, Infallible>(answer(StatusCode::BAD_REQUEST)) }
    });
    let log = Log::default();
    let layer = RequestBodyLayer::new(short()).with_reporter(log.reporter());
    let response = layer.layer(handler).oneshot(silent_client()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(outcomes(&log), []);
    assert!(receiver.await.unwrap().await.unwrap().is_err());
    assert_eq!(outcomes(&log), [(Phase::RequestIdle, Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_after_a_drop_or_a_cut() {
    let handler = service_fn(async |request: Request<RequestBody<Script>>| {
        let mut body = request.into_body();
        while body.frame().await.is_some() {}
        // It keeps the body that was cut and never answers.
        std::future::pending::<()>().await;
        drop(body);
        Ok::<_, Infallible>(answer(StatusCode::OK))
    });
    let log = Log::default();
    let layer = RequestBodyLayer::new(short()).with_reporter(log.reporter());
    for (dropped_after, held, expected) in [
        (ms(0), 2, vec![]),
        (ms(500), 2, vec![]),
        (ms(2000), 1, vec![(Phase::RequestIdle, Outcome::Failed)]),
    ] {
        let token = Arc::new(());
        let mut request = silent_client();
        request.body_mut().dropped = Some(Arc::clone(&token));
        let mut answer = Box::pin(layer.layer(handler).oneshot(request));
        assert!(tokio::time::timeout(dropped_after, &mut answer).await.is_err());
        assert_eq!(Arc::strong_count(&token), held);
        assert_eq!(outcomes(&log), []);
        drop(answer);
        assert_eq!(Arc::strong_count(&token), 1);
        assert_eq!(outcomes(&log), expected);
    }
}
