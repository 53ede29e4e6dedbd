//! The short way of plain requests: what comes out of it is what comes out of the long one.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower_lifeline::{Deadline, Lifeline, SlowClientLimits};

use super::{ask, get, quiet, secs, text, timed};
use crate::scripted::{Scripted, Step, data};

/// Answers of every kind to a GET.
fn answers() -> Router {
    let stream = || async {
        let steps = [data(0, "data: a\n\n"), data(40_000, "data: b\n\n"), Step::End(0)];
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(Body::new(Scripted::new(steps))).unwrap()
    };
    let pieces = || async { Body::new(Scripted::new((0..100).map(|_| data(1, "0123456789")))) };
    let breaks = || async { Body::new(Scripted::new([data(0, "a"), Step::Error(10)])) };
    let upgrade = || async { (StatusCode::SWITCHING_PROTOCOLS, [("upgrade", "echo")], ()) };
    Router::new()
        .route("/small", on_get(|| async { "small" }))
        .route("/empty", on_get(|| async { StatusCode::NO_CONTENT }))
        .route("/large", on_get(|| async { vec![b'x'; 100_000] }))
        .route("/late", on_get(|| async { sleep(secs(20)).await }))
        .route("/hangs", on_get(std::future::pending::<()>))
        .route("/stream", on_get(stream))
        .route("/pieces", on_get(pieces))
        .route("/breaks", on_get(breaks))
        .route("/upgrade", on_get(upgrade))
}

/// What a client sees: status, headers, body or how it failed, and when.
async fn seen(app: &Router, request: Request<Body>) -> String {
    let began = Instant::now();
    let response = ask(app, request).await;
    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(whole) => format!("{:?}", whole.to_bytes()),
        Err(error) => format!("broken: {error}"),
    };
    let mut headers = Vec::from_iter(
        head.headers
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}")),
    );
    headers.sort();
    format!("{} {headers:?} {body} after {:?}", head.status, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn both_ways_end_alike() {
    let heartbeat = tower_lifeline::HeartbeatSettings::builder()
        .without_jitter()
        .build()
        .unwrap();
    let long = answers().layer(quiet().heartbeat(heartbeat).build().unwrap().layer());
    let short = answers().layer(quiet().heartbeat(heartbeat).lean().build().unwrap().layer());
    let paths = [
        "/small", "/empty", "/large", "/late", "/hangs", "/stream", "/pieces", "/breaks", "/upgrade",
        "/nowhere",
    ];
    for path in paths {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let request = || {
                let request = Request::builder().method(&method).uri(path);
                request.body(Body::empty()).unwrap()
            };
            let expected = seen(&long, request()).await;
            assert_eq!(seen(&short, request()).await, expected, "{method} {path}");
        }
    }
    // Without being asked for a stream: it beats all the same.
    assert!(text(ask(&short, get("/stream")).await).await.contains(":\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_seat_is_held_to_the_end_of_the_body_and_a_full_gate_refuses() {
    let lifeline = quiet().lean().max_in_flight(1).max_queue(0).build().unwrap();
    let app = answers().layer(lifeline.layer());
    for path in ["/small", "/pieces"] {
        let held = ask(&app, get(path)).await;
        assert_eq!(lifeline.gate().figures().in_flight, 1, "{path}");
        assert_eq!(timed(&app, get("/small")).await.0, 503);
        drop(held);
        assert_eq!(lifeline.gate().figures().in_flight, 0, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_is_taken_away_on_the_short_way_too() {
    let held = Arc::new(());
    let inside = held.clone();
    let limits = SlowClientLimits::builder().stall(secs(10)).build().unwrap();
    let lifeline = quiet().lean().slow_clients(limits).build().unwrap();
    let endless = move || {
        let body = Scripted::new((0..100_000).map(|_| data(0, Bytes::from_static(b"0123456789"))));
        let body = Body::new(body.holding(&inside));
        async move { Ok::<_, Infallible>(Response::new(body)) }
    };
    let app = Router::new().route("/", on_get(endless)).layer(lifeline.layer());
    let mut body = ask(&app, get("/")).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(
        (Arc::strong_count(&held), lifeline.gate().figures().in_flight),
        (3, 1)
    );
    sleep(secs(11)).await;
    assert_eq!(lifeline.gate().figures().in_flight, 0);
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_more_goes_the_long_way() {
    let stamped = |lifeline: &Lifeline| {
        let handler = |request: Request<Body>| async move {
            request.extensions().get::<Deadline>().is_some().to_string()
        };
        Router::new()
            .route("/", on_get(handler).post(handler))
            .layer(lifeline.layer())
    };
    let lean = stamped(&quiet().lean().build().unwrap());
    assert_eq!(text(ask(&lean, get("/")).await).await, "false");
    let accepts = Request::get("/").header("accept", "text/event-stream");
    let newer = Request::get("/").version(http::Version::HTTP_2);
    let own = Request::get("/").extension(tower_lifeline::HeartbeatSettings::off());
    for request in [accepts, newer, own, Request::post("/")] {
        assert_eq!(
            text(ask(&lean, request.body(Body::empty()).unwrap()).await).await,
            "true"
        );
    }
    // It is a choice, and none where each request has limits of its own.
    let usual = stamped(&quiet().build().unwrap());
    let derived = stamped(
        &quiet()
            .lean()
            .phases_per_request(|_, limits| limits)
            .build()
            .unwrap(),
    );
    for app in [usual, derived] {
        assert_eq!(text(ask(&app, get("/")).await).await, "true");
    }
}
