//! Classes, keys, the listing and the dry run before an MCP server, on the paused clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::admission_gate::{Key, SeatPhase};
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Class, ClassLimits, ClientStall, Event, GateLimits, McpClasses,
    Outcome, Reporter,
};

use crate::scripted::{Scripted, Step, data};

struct Mcp {
    gate: AdmissionGate,
    app: Router,
    slow: Class,
    streams: Class,
}

fn mcp(change: impl FnOnce(AdmissionGateLayer) -> AdmissionGateLayer) -> Mcp {
    let limits = GateLimits::builder(3).max_queue(4).key_share(2).build().unwrap();
    let mut builder = AdmissionGate::builder(limits);
    let slow = builder.class("slow", ClassLimits::inside(1));
    let streams = builder.class("streams-here", ClassLimits::apart(2));
    let classes: McpClasses = builder
        .mcp()
        .health("/healthz")
        .tool("research", slow)
        .streams(streams);
    let gate = builder.list_seats().build().unwrap();
    let layer = change(AdmissionGateLayer::new(gate.clone()).classify(classes));
    let handler = || async {
        let steps = [data(0, "a"), data(1000, "b"), Step::End(0)];
        Body::new(Scripted::new(steps))
    };
    let app = Router::new()
        .route("/mcp", any(handler))
        .route("/healthz", any(handler))
        .layer(layer);
    Mcp {
        gate,
        app,
        slow,
        streams,
    }
}

fn call(method: &str, name: &str) -> Request<Body> {
    let request = Request::post("/mcp")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    let request = if name.is_empty() {
        request
    } else {
        request.header("mcp-name", name)
    };
    request.body(Body::empty()).unwrap()
}

fn listen() -> Request<Body> {
    Request::get("/mcp")
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .unwrap()
}

impl Mcp {
    /// Starts a request, and runs it up to where it waits.
    async fn start(&self, request: Request<Body>) -> tokio::task::JoinHandle<StatusCode> {
        let response = self.app.clone().oneshot(request);
        let task = tokio::spawn(async move {
            let response = response.await.unwrap();
            let status = response.status();
            response.into_body().collect().await.unwrap();
            status
        });
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        task
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_class_blocks_nobody_and_streams_are_apart() {
    let mcp = mcp(|layer| layer);
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(mcp.start(call("tools/call", "research")).await);
    }
    let class = mcp.gate.class_figures(mcp.slow).unwrap();
    assert_eq!((class.in_flight, class.waiting, class.max_queue), (1, 2, 2));
    assert_eq!(
        mcp.start(call("tools/call", "research")).await.await.unwrap(),
        StatusCode::SERVICE_UNAVAILABLE
    );

    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(mcp.start(listen()).await);
    }
    assert_eq!(
        mcp.start(listen()).await.await.unwrap(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(mcp.gate.class_figures(mcp.streams).unwrap().in_flight, 2);
    assert_eq!(
        mcp.gate.figures().in_flight,
        1,
        "streams are no part of the whole"
    );

    let mut standard = Vec::new();
    for _ in 0..4 {
        standard.push(mcp.start(call("tools/call", "search")).await);
    }
    let figures = mcp.gate.figures();
    assert_eq!((figures.in_flight, figures.waiting), (3, 4));
    assert_eq!(
        mcp.gate.class_figures(Class::STANDARD).unwrap().waiting,
        2,
        "its places are its own"
    );
    for exempt in ["ping", "tools/list", "initialize", "notifications/cancelled"] {
        drop(mcp.start(call(exempt, "")).await);
    }
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(mcp.start(health).await.await.unwrap(), StatusCode::OK);
    for task in slow.into_iter().chain(streams).chain(standard) {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(
        (
            mcp.gate.figures().in_flight,
            mcp.gate.class_figures(mcp.streams).unwrap().in_flight
        ),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn exempt_requests_pass_a_closed_gate() {
    let mcp = mcp(|layer| layer);
    mcp.gate.close().await;
    assert_eq!(mcp.start(call("ping", "")).await.await.unwrap(), StatusCode::OK);
    assert_eq!(
        mcp.start(call("tools/call", "search")).await.await.unwrap(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test(start_paused = true)]
async fn a_keys_excess_is_429_and_unbounded_keys_are_forgotten() {
    let mcp = mcp(|layer| layer.key(Key::mcp_session));
    let of = |session: &str| {
        let mut request = call("tools/call", "search");
        request
            .headers_mut()
            .insert("mcp-session-id", session.parse().unwrap());
        request
    };
    let (first, second) = (mcp.start(of("one")).await, mcp.start(of("one")).await);
    assert_eq!(
        mcp.start(of("one")).await.await.unwrap(),
        StatusCode::TOO_MANY_REQUESTS
    );
    let other = mcp.start(of("two")).await;
    for task in [first, second, other] {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    for n in 0..1000 {
        drop(
            mcp.app
                .clone()
                .oneshot(of(&format!("session {n}")))
                .await
                .unwrap(),
        );
    }
    assert_eq!(mcp.start(of("one")).await.await.unwrap(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_listing_answers_at_three_in_the_morning() {
    let mcp = mcp(|layer| layer.share_seats());
    let stall = ClientStall::new();
    let mut request = call("tools/call", &"research".repeat(20));
    request.extensions_mut().insert(stall.clone());
    let task = mcp.start(request).await;
    let second = mcp.start(call("tools/call", "research")).await;
    sleep(Duration::from_millis(500)).await;
    stall.set(true);
    let seats = mcp.gate.seats();
    assert_eq!(
        (seats[0].age(), seats[0].class(), seats[0].phase()),
        (Duration::from_millis(500), "standard", SeatPhase::Body)
    );
    assert_eq!(
        (seats[0].tool().map(str::len), seats[0].client_stalled()),
        (Some(64), true)
    );
    assert_eq!(
        (seats[1].class(), seats[1].tool(), seats[1].client_stalled()),
        ("slow", Some("research"), false)
    );
    task.await.unwrap();
    second.await.unwrap();
    assert!(mcp.gate.seats().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_phases_of_a_seat_are_told_apart() {
    let gate = AdmissionGate::builder(GateLimits::builder(1).build().unwrap())
        .list_seats()
        .build()
        .unwrap();
    let kept = Arc::new(Mutex::new(None));
    let keeps = kept.clone();
    let inner = service_fn(move |request: Request<Full<Bytes>>| {
        *keeps.lock().unwrap() = request.extensions().get::<tower_lifeline::SharedSeat>().cloned();
        async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"x"))))
        }
    });
    let service = AdmissionGateLayer::new(gate.clone()).share_seats().layer(inner);
    let task = tokio::spawn(service.oneshot(Request::new(Full::default())));
    tokio::task::yield_now().await;
    let phase = || gate.seats()[0].phase();
    assert_eq!(phase(), SeatPhase::Head);
    let body = task.await.unwrap().unwrap().into_body();
    assert_eq!(phase(), SeatPhase::Body);
    drop(body);
    assert_eq!(phase(), SeatPhase::Outliving);
    kept.lock().unwrap().take();
    assert!(gate.seats().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_refuses_nobody_over_http() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let gate = AdmissionGate::builder(GateLimits::builder(1).max_queue(0).build().unwrap())
        .reporter(Reporter::to(move |event: &Event| {
            seen.lock().unwrap().push(*event)
        }))
        .dry_run()
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", any(|| async { sleep(Duration::from_secs(1)).await }))
        .layer(AdmissionGateLayer::new(gate.clone()));
    let request = || {
        Request::builder()
            .method(Method::GET)
            .uri("/")
            .body(Body::empty())
            .unwrap()
    };
    let (a, b) = tokio::join!(app.clone().oneshot(request()), app.clone().oneshot(request()));
    assert_eq!(
        (a.unwrap().status(), b.unwrap().status()),
        (StatusCode::OK, StatusCode::OK)
    );
    let events = events.lock().unwrap();
    assert!(
        matches!(
            events[..],
            [Event::GateRefused {
                outcome: Outcome::WouldHaveRefused,
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(gate.figures().in_flight, 0);
}
