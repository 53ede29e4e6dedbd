//! Requests that end in every way, on the paused clock.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::super::{MetricsBody, MetricsLayer};
use super::page::Page;
use crate::admission_gate::{AdmissionGate, AdmissionGateLayer, GateLimits};
use crate::error::BoxError;
use crate::phase::PhaseLimits;
use crate::phase_timeout::PhaseTimeoutLayer;
use crate::request_body::{RequestBodyLayer, RequestBodyLimits};
use crate::sse_heartbeat::{EarlyCommit, HeartbeatSettings, SseHeartbeatLayer};

type Any = UnsyncBoxBody<Bytes, BoxError>;

const MS: Duration = Duration::from_millis(1);

fn full(text: &'static str) -> Any {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(Into::into)
        .boxed_unsync()
}

/// Frames, each so many milliseconds after the one before it. `Err`: the body breaks. It never knows its end.
fn stream(steps: impl IntoIterator<Item = (u64, Result<&'static str, ()>), IntoIter: Send + 'static>) -> Any {
    let frames = futures::stream::iter(steps).then(|(after, step)| async move {
        sleep(Duration::from_millis(after)).await;
        let broken = || BoxError::from(io::Error::other("broken"));
        step.map(|text| Frame::data(Bytes::from_static(text.as_bytes())))
            .map_err(|()| broken())
    });
    StreamBody::new(frames).boxed_unsync()
}

fn then_hangs(steps: Vec<(u64, Result<&'static str, ()>)>) -> Any {
    let hang = std::iter::once((u64::MAX >> 20, Ok("never")));
    stream(steps.into_iter().chain(hang))
}

async fn ask(
    layer: &MetricsLayer,
    request: Request<()>,
    answer: Response<Any>,
) -> Response<MetricsBody<Any>> {
    let mut answer = Some(answer);
    let handler = service_fn(move |_: Request<()>| {
        let answer = answer.take();
        async move {
            sleep(MS * 20).await;
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    layer.layer(handler).oneshot(request).await.unwrap()
}

/// Reads for a while, and vanishes.
async fn read<B: Body<Error: std::fmt::Debug>>(body: B, patience: Duration) {
    let mut body = std::pin::pin!(body);
    let reads = async {
        while !body.is_end_stream() {
            if body.frame().await.is_none_or(|frame| frame.is_err()) {
                break;
            }
        }
    };
    let _ = timeout(patience, reads).await;
}

/// A handler that answers an upload which breaks off with 400.
async fn upload_to<B: Body>(request: Request<B>) -> Result<Response<Any>, Infallible> {
    let mut response = Response::new(full("bad"));
    if request.into_body().collect().await.is_err() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// One request that is answered, and one whose peer vanishes.
pub(super) async fn answered_and_vanished(layer: &MetricsLayer) {
    read(
        ask(layer, Request::new(()), Response::new(full("x"))).await,
        MS * 50,
    )
    .await;
    let body = then_hangs(vec![(10, Ok("x"))]);
    read(ask(layer, Request::new(()), Response::new(body)).await, MS * 50).await;
}

fn ended(page: &Page, stage: &str, ending: &str) -> f64 {
    let labels = [("stage", stage), ("ending", ending)];
    page.sum("lifeline_requests_ended_total", &labels)
}

#[tokio::test(start_paused = true)]
async fn every_ending_is_counted_once_and_nobody_stays_in_flight() {
    let page = Page::open();
    let _local = page.install();
    let layer = MetricsLayer::new();
    let get = || Request::new(());
    let in_flight = || page.sum("lifeline_requests_in_flight", &[]);

    // Complete: known with the head, with a frame, by its end, or by its length.
    let empty = || Empty::new().map_err(|never| match never {}).boxed_unsync();
    read(ask(&layer, get(), Response::new(empty())).await, MS).await;
    read(ask(&layer, get(), Response::new(full("x"))).await, MS).await;
    read(
        ask(&layer, get(), Response::new(stream([(5, Ok("a")), (5, Ok("b"))]))).await,
        MS * 90,
    )
    .await;
    let mut sized = Response::new(then_hangs(vec![(5, Ok("a")), (5, Ok("bc"))]));
    sized.headers_mut().insert("content-length", 3.into());
    read(ask(&layer, get(), sized).await, MS * 90).await;
    assert_eq!((ended(&page, "body", "complete"), in_flight()), (4.0, 0.0));

    // Without a body to read, whatever the headers say.
    let head = Request::head("/").body(()).unwrap();
    drop(ask(&layer, head, Response::new(full("x"))).await);
    let connect = Request::builder().method(Method::CONNECT).body(()).unwrap();
    drop(ask(&layer, connect, Response::new(full("x"))).await);
    for status in [101, 204, 304] {
        let mut response = Response::new(full("x"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        drop(ask(&layer, get(), response).await);
    }
    assert_eq!((ended(&page, "body", "complete"), in_flight()), (9.0, 0.0));

    read(
        ask(&layer, get(), Response::new(stream([(5, Ok("a")), (5, Err(()))]))).await,
        MS * 90,
    )
    .await;
    assert_eq!((ended(&page, "body", "failed"), in_flight()), (1.0, 0.0));
    let fails = layer.layer(service_fn(|_: Request<()>| async {
        Err::<Response<Any>, _>("no")
    }));
    assert_eq!(fails.oneshot(get()).await.unwrap_err(), "no");
    assert_eq!((ended(&page, "head", "failed"), in_flight()), (1.0, 0.0));

    // Dropped: before it was polled, while a frame was there, while one was waited for.
    drop(
        layer
            .layer(service_fn(|_: Request<()>| async {
                Ok::<Response<Any>, ()>(Response::new(full("x")))
            }))
            .call(get()),
    );
    let unread = ask(&layer, get(), Response::new(full("x"))).await;
    assert_eq!(in_flight(), 1.0);
    drop(unread);
    assert_eq!(
        (ended(&page, "head", "dropped"), ended(&page, "body", "dropped")),
        (1.0, 1.0)
    );
    assert_eq!(
        (
            page.sum("lifeline_vanished_silence_seconds_count", &[]),
            in_flight()
        ),
        (0.0, 0.0)
    );
    let all = page.sum("lifeline_requests_ended_total", &[]);
    assert_eq!(page.sum("lifeline_request_duration_seconds_count", &[]), all);
}

#[tokio::test(start_paused = true)]
async fn a_proxys_limit_shows_in_the_silence_before_its_peer_vanishes() {
    let page = Page::open();
    let _local = page.install();
    let layer = MetricsLayer::new();
    let hop = |stage: &'static str| {
        let below = |le| {
            page.sum(
                "lifeline_vanished_silence_seconds_bucket",
                &[("stage", stage), ("le", le)],
            )
        };
        (below("59"), below("61"))
    };
    // Frames at 0.5, 1 and 31 s; the proxy waits for 60 s after the last.
    let body = then_hangs(vec![(500, Ok("a")), (500, Ok("b")), (30_000, Ok("c"))]);
    read(
        ask(&layer, Request::new(()), Response::new(body)).await,
        MS * 91_000,
    )
    .await;
    assert_eq!(hop("body"), (0.0, 1.0));
    let silence = page.sum("lifeline_vanished_silence_seconds_sum", &[]);
    assert!((silence - 60.0).abs() < 0.01, "{silence}");

    let hung = layer.layer(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Any>, ()>>()
    }));
    assert!(
        timeout(MS * 60_000, hung.oneshot(Request::new(())))
            .await
            .is_err()
    );
    assert_eq!(hop("head"), (0.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn times_are_those_of_head_first_byte_and_end() {
    let page = Page::open();
    let _local = page.install();
    let body = stream([(30, Ok("")), (30, Ok("a")), (100, Ok("b"))]);
    read(
        ask(&MetricsLayer::new(), Request::new(()), Response::new(body)).await,
        MS * 900,
    )
    .await;
    for (name, expected) in [
        ("lifeline_response_head_seconds_sum", 0.02),
        ("lifeline_response_first_byte_seconds_sum", 0.08),
        ("lifeline_request_duration_seconds_sum", 0.18),
    ] {
        let sum = page.sum(name, &[]);
        assert!((sum - expected).abs() < 0.004, "{name} {sum}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_ours_are_told_from_those_of_the_handler() {
    let page = Page::open();
    let _local = page.install();
    let count = |class: &str, origin: &str| {
        page.sum(
            "lifeline_responses_total",
            &[("status_class", class), ("origin", origin)],
        )
    };
    let gate = AdmissionGate::new(GateLimits::builder(1).max_queue(0).build().unwrap());
    let limits = PhaseLimits::builder()
        .head(MS * 100)
        .read(MS * 90)
        .build()
        .unwrap();
    let early = HeartbeatSettings::builder().interval(MS * 40).build().unwrap();
    let service = |layer: AdmissionGateLayer, wait: u64, status: u16| {
        ServiceBuilder::new()
            .layer(MetricsLayer::new())
            .layer(SseHeartbeatLayer::new(early))
            .layer(layer)
            .layer(PhaseTimeoutLayer::new(limits))
            .service(service_fn(move |_: Request<Any>| async move {
                sleep(Duration::from_millis(wait)).await;
                let mut response = Response::new(full("{}"));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, Infallible>(response)
            }))
    };
    let request = || Request::new(full(""));
    let gated = || AdmissionGateLayer::new(gate.clone());
    let seat = gate.try_enter().unwrap();
    let refused = service(gated(), 0, 200).oneshot(request()).await.unwrap();
    assert_eq!(
        (refused.status(), count("5xx", "lifeline")),
        (StatusCode::SERVICE_UNAVAILABLE, 1.0)
    );
    drop((refused, seat));
    let late = service(gated(), 500, 200).oneshot(request()).await.unwrap();
    assert_eq!(
        (late.status(), count("5xx", "lifeline")),
        (StatusCode::GATEWAY_TIMEOUT, 2.0)
    );
    drop(late);
    drop(service(gated(), 0, 500).oneshot(request()).await.unwrap());
    drop(service(gated(), 0, 404).oneshot(request()).await.unwrap());
    assert_eq!((count("5xx", "handler"), count("4xx", "handler")), (1.0, 1.0));
    assert_eq!((count("5xx", "lifeline"), count("2xx", "lifeline")), (2.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn uploads_that_drip_and_streams_that_are_committed_early_are_ours_too() {
    let page = Page::open();
    let _local = page.install();
    let count = |class: &str| {
        page.sum(
            "lifeline_responses_total",
            &[("status_class", class), ("origin", "lifeline")],
        )
    };
    let limits = RequestBodyLimits::builder().idle(MS * 50).build().unwrap();
    let upload = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .layer(RequestBodyLayer::new(limits))
        .service(service_fn(upload_to));
    let request = Request::post("/").body(then_hangs(vec![(0, Ok("x"))])).unwrap();
    assert_eq!(
        upload.oneshot(request).await.unwrap().status(),
        StatusCode::REQUEST_TIMEOUT
    );
    assert_eq!(count("4xx"), 1.0);

    let early = EarlyCommit::AnyRequest;
    let settings = HeartbeatSettings::builder()
        .interval(MS * 40)
        .commit(early, MS * 100)
        .build()
        .unwrap();
    let late = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .layer(SseHeartbeatLayer::new(settings))
        .service(service_fn(|_: Request<Any>| async {
            sleep(Duration::from_secs(30)).await;
            Ok::<_, Infallible>(Response::new(full("{}")))
        }));
    let request = Request::get("/")
        .header("accept", "text/event-stream")
        .body(full(""))
        .unwrap();
    let response = late.oneshot(request).await.unwrap();
    assert_eq!(count("2xx"), 1.0);
    // The first byte is a heartbeat, which is what proxies wait for.
    read(response.into_body(), Duration::from_secs(60)).await;
    assert_eq!(ended(&page, "body", "complete"), 1.0);
    let first = page.sum("lifeline_response_first_byte_seconds_sum", &[]);
    assert!(first < 0.2, "{first}");
}
