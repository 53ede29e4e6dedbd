//! Each piece can be left out, and the others still work; the gate can be one's own.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{get as on_get, post};
use http_body_util::BodyExt;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Class, ConfigError, GateLimits, Lifeline, RequestHead,
};

use super::{ask, get, quiet, secs, timed};
use crate::scripted::{Scripted, Step, data};

/// What of a stack is seen to work.
#[derive(Debug, PartialEq, Eq)]
struct Works {
    phases: bool,
    gate: bool,
    heartbeat: bool,
    slow_clients: bool,
    request_body: bool,
}

const ALL: Works = Works {
    phases: true,
    gate: true,
    heartbeat: true,
    slow_clients: true,
    request_body: true,
};

fn stream(body: Scripted) -> Response {
    ([("content-type", "text/event-stream")], Body::new(body)).into_response()
}

/// Tries each piece on a stack of its own.
async fn works(builder: impl Fn() -> LifelineBuilder) -> Works {
    let held = Arc::new(());
    let much = held.clone();
    let much = move || {
        let body = Scripted::new((0..100).map(|_| data(0, "data: 1\n\n"))).holding(&much);
        async { stream(body) }
    };
    let app = || {
        let routes = Router::new()
            .route("/hang", on_get(std::future::pending::<&'static str>))
            .route(
                "/silent",
                on_get(|| async { stream(Scripted::new([Step::Hang])) }),
            )
            .route("/upload", post(|_: Bytes| async { "all of it" }))
            .route("/much", on_get(much.clone()));
        routes.layer(builder().build().unwrap().layer())
    };

    let hung = app();
    let phases = timeout(secs(1000), timed(&hung, get("/hang"))).await;
    let phases = phases.is_ok_and(|(status, took)| status == 504 && took == secs(90));

    let full = app();
    let first = full.clone();
    let first = tokio::spawn(async move { timed(&first, get("/hang")).await });
    sleep(secs(1)).await;
    let gate = timeout(secs(1), timed(&full, get("/hang"))).await;
    let gate = gate.is_ok_and(|(status, _)| status == 503);
    first.abort();

    let mut silent = ask(&app(), get("/silent")).await.into_body();
    let heartbeat = timeout(secs(20), silent.frame()).await.is_ok();

    let mut unread = ask(&app(), get("/much")).await.into_body();
    unread.frame().await.unwrap().unwrap();
    let before = Arc::strong_count(&held);
    sleep(secs(70)).await;
    let slow_clients = Arc::strong_count(&held) < before;

    let dripping = http::Request::post("/upload").body(Body::new(Scripted::new([data(0, "a"), Step::Hang])));
    let upload = timeout(secs(1000), timed(&app(), dripping.unwrap())).await;
    let request_body = upload.is_ok_and(|(status, took)| status == 408 && took == secs(30));
    Works {
        phases,
        gate,
        heartbeat,
        slow_clients,
        request_body,
    }
}

fn one_seat() -> LifelineBuilder {
    quiet().max_in_flight(1).max_queue(0)
}

#[tokio::test(start_paused = true)]
async fn each_piece_can_be_left_out_and_the_others_still_work() {
    assert_eq!(works(one_seat).await, ALL);
    let without = Works { phases: false, ..ALL };
    assert_eq!(works(|| one_seat().without_phases()).await, without);
    let without = Works { gate: false, ..ALL };
    assert_eq!(works(|| one_seat().without_gate()).await, without);
    let without = Works {
        heartbeat: false,
        ..ALL
    };
    assert_eq!(works(|| one_seat().without_heartbeat()).await, without);
    let without = Works {
        slow_clients: false,
        ..ALL
    };
    assert_eq!(works(|| one_seat().without_slow_clients()).await, without);
    let without = Works {
        request_body: false,
        ..ALL
    };
    assert_eq!(works(|| one_seat().without_request_body()).await, without);
    let nothing = || {
        quiet()
            .without_phases()
            .without_gate()
            .without_heartbeat()
            .without_slow_clients()
            .without_request_body()
    };
    let without = Works {
        phases: false,
        gate: false,
        heartbeat: false,
        slow_clients: false,
        request_body: false,
    };
    assert_eq!(works(nothing).await, without);
}

#[tokio::test(start_paused = true)]
async fn the_gate_can_be_ones_own() {
    let limits = GateLimits::builder(1).max_queue(0).build().unwrap();
    let gate = AdmissionGate::builder(limits).name("ours").build().unwrap();
    let free = |head: &RequestHead<'_>| match head.uri().path() {
        "/free" => Class::EXEMPT,
        _ => Class::STANDARD,
    };
    let own = AdmissionGateLayer::new(gate.clone()).classify(free);
    let lifeline = quiet().max_in_flight(99).gate(own).build().unwrap();
    assert_eq!(lifeline.gate().name(), "ours");
    let app = Router::new().fallback(|| async { "in" }).layer(lifeline.layer());
    let _held = gate.try_enter().unwrap();
    assert_eq!(timed(&app, get("/")).await.0, 503);
    assert_eq!(timed(&app, get("/free")).await.0, 200);
}

#[test]
fn a_gate_of_ones_own_is_not_told_of_paths_that_it_would_not_know_of() {
    let own = || AdmissionGateLayer::new(AdmissionGate::new(GateLimits::builder(1).build().unwrap()));
    let refused: [Result<Lifeline, ConfigError>; 2] = [
        quiet().health("/healthz").gate(own()).build(),
        quiet().gate(own()).mcp("/mcp").build(),
    ];
    for refused in refused {
        let sentence = refused.unwrap_err().to_string();
        assert!(sentence.contains("McpClasses::health"), "{sentence}");
    }
}

#[tokio::test(start_paused = true)]
async fn probes_are_answered_while_everything_is_taken() {
    let lifeline = one_seat().health("/healthz").health("/readyz").build().unwrap();
    let app = Router::new().fallback(|| async { "in" }).layer(lifeline.layer());
    let _held = lifeline.gate().try_enter().unwrap();
    let mut seen = Vec::new();
    for path in ["/healthz", "/readyz", "/healthz/", "/"] {
        seen.push(timed(&app, get(path)).await.0);
    }
    assert_eq!(seen, [200, 200, 503, 503]);
}

/// Requests that MCP would not make wait for a seat, as far as nothing binds what they say.
fn claims(path: &str) -> [http::Request<Body>; 4] {
    let request = |method: &str| http::Request::builder().method(method).uri(path);
    let ping = request("POST")
        .header("mcp-method", "ping")
        .header("mcp-protocol-version", "2026-07-28");
    let stream = request("GET").header("accept", "text/event-stream");
    [ping, stream, request("DELETE"), request("OPTIONS")].map(|request| request.body(Body::empty()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_a_request_says_of_itself_opens_the_gate_only_where_mcp_is_served() {
    let lifeline = one_seat().mcp("/mcp").health("/healthz").build().unwrap();
    let app = Router::new().fallback(|| async { "in" }).layer(lifeline.layer());
    let nowhere = one_seat().build().unwrap();
    let elsewhere = Router::new().fallback(|| async { "in" }).layer(nowhere.layer());
    let _held = (
        lifeline.gate().try_enter().unwrap(),
        nowhere.gate().try_enter().unwrap(),
    );
    for request in claims("/mcp") {
        assert_eq!(timed(&app, request).await.0, 200);
    }
    for (app, path) in [(&app, "/ask"), (&elsewhere, "/mcp")] {
        for request in claims(path) {
            let said = format!("{request:?}");
            assert_eq!(timed(app, request).await.0, 503, "{said}");
        }
    }
    assert_eq!(timed(&app, get("/healthz")).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn all_that_the_layer_is_applied_to_shares_one_gate() {
    let lifeline = one_seat().build().unwrap();
    let one = Router::new()
        .route("/a", on_get(|| async { "a" }))
        .layer(lifeline.layer());
    let other = lifeline.clone();
    let two = Router::new()
        .route("/b", on_get(|| async { "b" }))
        .route_layer(other.layer());
    let plain = lifeline.layer().layer(service_fn(|_: http::Request<_>| async {
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    }));
    let held = other.gate().try_enter().unwrap();
    assert_eq!(timed(&one, get("/a")).await.0, 503);
    assert_eq!(timed(&two, get("/b")).await.0, 503);
    assert_eq!(plain.clone().oneshot(get("/c")).await.unwrap().status(), 503);
    drop(held);
    assert_eq!(timed(&one, get("/a")).await.0, 200);
    assert_eq!(timed(&two, get("/b")).await.0, 200);
    assert_eq!(plain.oneshot(get("/c")).await.unwrap().status(), 200);
}
