//! The short way of plain requests: what comes out of it is what comes out of the long one.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, get as on_get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
#[cfg(feature = "axum")]
use tower_lifeline::DeadlineLayer;
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::{CutHandle, Deadline, HeartbeatSettings, PhaseLimits, SlowClientLimits};

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
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("x"), HeaderValue::from_static("y"))]);
    Router::new()
        .route("/small", on_get(|| async { "small" }))
        .route("/empty", on_get(|| async { StatusCode::NO_CONTENT }))
        .route("/large", on_get(|| async { vec![b'x'; 100_000] }))
        .route("/late", on_get(|| async { sleep(secs(20)).await }))
        .route("/hangs", on_get(pending::<()>))
        .route("/stream", on_get(stream))
        .route("/pieces", on_get(pieces))
        .route("/breaks", on_get(breaks))
        .route("/upgrade", on_get(upgrade))
        .route("/trails", sized(&[Step::Trailers(0, trailers), Step::End(0)], 3))
        .route(
            "/trailed",
            sized(
                &[data(0, "abc"), Step::Trailers(0, HeaderMap::new()), Step::End(0)],
                3,
            ),
        )
        .route("/lies", sized(&[data(0, "abc"), Step::End(0)], 5))
        .route("/fails", sized(&[Step::Error(0)], 5))
        .route("/held", sized(&[data(30, "abc")], 3))
        .route("/halves", sized(&[data(0, "abc"), data(30, "de")], 5))
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

/// A body that says beforehand what size it has, whether or not that is so.
fn sized(steps: &[Step], size: u64) -> MethodRouter {
    let steps = steps.to_vec();
    on_get(move || async move { Body::new(Scripted::new(steps).sized(size)) })
}

/// A stack that sends no request the short way.
fn long() -> LifelineBuilder {
    quiet().deadline_in_every_request()
}

#[tokio::test(start_paused = true)]
async fn both_ways_end_alike() {
    let heartbeat = HeartbeatSettings::builder().without_jitter().build().unwrap();
    let [long, short] =
        [long(), quiet()].map(|stack| answers().layer(stack.heartbeat(heartbeat).build().unwrap().layer()));
    let paths = [
        "/small", "/empty", "/large", "/late", "/hangs", "/stream", "/pieces", "/breaks", "/upgrade",
        "/trails", "/trailed", "/lies", "/fails", "/held", "/halves", "/nowhere",
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
    let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
    let app = answers().layer(lifeline.layer());
    let held = ask(&app, get("/pieces")).await;
    assert_eq!(lifeline.gate().figures().in_flight, 1);
    assert_eq!(timed(&app, get("/small")).await.0, 503);
    drop(held);
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_whole_holds_nothing_whoever_reads_it() {
    let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
    let app = answers().layer(lifeline.layer());
    let answers = [ask(&app, get("/small")).await, ask(&app, get("/empty")).await];
    assert_eq!(lifeline.gate().figures().in_flight, 0);
    for (answer, size) in answers.into_iter().zip([5, 0]) {
        assert_eq!(answer.body().size_hint().exact(), Some(size));
        assert_eq!(answer.body().is_end_stream(), size == 0);
        assert_eq!(text(answer).await.len() as u64, size);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_to_wait_for_a_seat_waits_as_on_the_long_way() {
    for stack in [quiet(), long()] {
        let lifeline = stack.max_in_flight(1).max_queue(1).build().unwrap();
        let app = answers().layer(lifeline.layer());
        let first = tokio::spawn(timed_of(app.clone(), "/late"));
        tokio::task::yield_now().await;
        let second = timed_of(app.clone(), "/small").await;
        assert_eq!((first.await.unwrap(), second), ((200, secs(20)), (504, secs(5))));
    }
}

async fn timed_of(app: Router, path: &'static str) -> (u16, std::time::Duration) {
    timed(&app, get(path)).await
}

#[tokio::test(start_paused = true)]
async fn the_current_deadline_is_the_same_on_both_ways() {
    let left = |stack: LifelineBuilder| async {
        let handler = || async {
            let asked_first = Deadline::current().left();
            sleep(secs(7)).await;
            let call = Deadline::current().call("x", secs(10), pending::<()>());
            call.await.unwrap_err();
            format!("{asked_first:?} {:?}", Deadline::current().left())
        };
        let late = || async {
            sleep(secs(7)).await;
            format!("{:?}", Deadline::current().left())
        };
        // Whoever calls its work before the future is polled.
        let eager = service_fn(|_: Request<_>| {
            let left = Deadline::current().left();
            async move { Ok::<_, Infallible>(Response::new(Body::from(format!("{left:?}")))) }
        });
        let phases = PhaseLimits::builder()
            .total(secs(30))
            .head(secs(30))
            .read(secs(30));
        let app = Router::new()
            .route("/", on_get(handler))
            .route("/late", on_get(late));
        let layer = stack.phases(phases.build().unwrap()).build().unwrap().layer();
        let (app, mut eager) = (app.layer(layer.clone()), layer.layer(eager));
        let eager = eager.ready().await.unwrap().call(get("/")).await.unwrap();
        [
            text(ask(&app, get("/")).await).await,
            text(ask(&app, get("/late")).await).await,
            text(eager.map(Body::new)).await,
        ]
    };
    let seen = left(quiet()).await;
    assert_eq!(seen, left(long()).await);
    assert_eq!(seen, ["Some(30s) Some(13s)", "Some(23s)", "Some(30s)"]);
    assert_eq!(Deadline::current().instant(), None);
}

#[cfg(feature = "axum")]
#[tokio::test(start_paused = true)]
async fn handlers_find_the_deadline_as_an_argument() {
    let handler = |deadline: Deadline| async move { format!("{:?}", deadline.left()) };
    let routes = || Router::new().route("/", on_get(handler).post(handler));
    let own = DeadlineLayer::new(secs(9)).unwrap();
    let apps = [
        (routes().layer(quiet().build().unwrap().layer()), "Some(120s)"),
        (routes().layer(long().build().unwrap().layer()), "Some(120s)"),
        (routes().layer(own), "Some(9s)"),
        (routes(), "None"),
    ];
    for (app, left) in apps {
        for request in [Request::get("/"), Request::post("/")] {
            assert_eq!(
                text(ask(&app, request.body(Body::empty()).unwrap()).await).await,
                left
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_is_taken_away_on_the_short_way_too() {
    let held = Arc::new(());
    let inside = held.clone();
    let limits = SlowClientLimits::builder().stall(secs(10)).build().unwrap();
    let lifeline = quiet().slow_clients(limits).build().unwrap();
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
    let stamped = |stack: LifelineBuilder| {
        let handler = |request: Request<Body>| async move {
            request.extensions().get::<Deadline>().is_some().to_string()
        };
        Router::new()
            .route("/", on_get(handler).post(handler))
            .layer(stack.build().unwrap().layer())
    };
    let usual = stamped(quiet());
    let newer = || Request::get("/").version(http::Version::HTTP_2);
    for request in [Request::get("/"), newer()] {
        assert_eq!(
            text(ask(&usual, request.body(Body::empty()).unwrap()).await).await,
            "false"
        );
    }
    let accepts = Request::get("/").header("accept", "text/event-stream");
    let own = Request::get("/").extension(HeartbeatSettings::off());
    // Its stream can be kept back, and there is a way to end it.
    let can_be_cut = newer().extension(CutHandle::new(|| ()));
    for request in [accepts, own, can_be_cut, Request::post("/")] {
        assert_eq!(
            text(ask(&usual, request.body(Body::empty()).unwrap()).await).await,
            "true"
        );
    }
    for app in [
        stamped(long()),
        stamped(quiet().phases_per_request(|_, limits| limits)),
    ] {
        assert_eq!(text(ask(&app, get("/")).await).await, "true");
    }
}
