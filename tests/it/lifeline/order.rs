//! What follows from the order of the layers, on the paused clock.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::{get as on_get, post};
use futures::FutureExt;
use http_body_util::BodyExt;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::time::{Instant, sleep};
use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings, Progress};
use tower_lifeline::{Bound, Deadline, Lifeline, Phase, PhaseExpired, PhaseLimits};

use super::{EITHER, JSON, ask, call, events, get, json, quiet, secs, text, timed};
use crate::scripted::{Scripted, Step, data};

/// Reads the call, and never answers it.
async fn hang(_: Bytes) -> &'static str {
    std::future::pending().await
}

fn stream(steps: impl IntoIterator<Item = Step>) -> axum::response::Response {
    let body = Body::new(Scripted::new(steps));
    ([("content-type", "text/event-stream")], body).into_response()
}

fn app(lifeline: &Lifeline) -> Router {
    let slow = |_: Bytes| async {
        sleep(secs(25)).await;
        (
            [("content-type", JSON)],
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        )
    };
    Router::new()
        .route("/hang", post(hang).get(hang))
        .route("/slow", post(slow))
        .route(
            "/stuck",
            on_get(|| async { stream([data(0, "data: 1\n\n"), Step::Hang]) }),
        )
        .route(
            "/much",
            on_get(|| async { stream((0..100).map(|_| data(0, "data: 1\n\n"))) }),
        )
        .layer(lifeline.layer())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_a_504_in_the_callers_own_form() {
    let lifeline = quiet().build().unwrap();
    let app = app(&lifeline);
    let began = Instant::now();
    let response = ask(&app, call("/hang", JSON, "{}")).await;
    assert_eq!((response.status().as_u16(), began.elapsed()), (504, secs(90)));
    let error = json(response).await;
    assert_eq!(
        (&error["id"], &error["error"]["code"]),
        (&7.into(), &(-32001).into())
    );
    assert_eq!(error["error"]["data"]["phase"], "head");

    let mut request = get("/hang");
    let accept = http::HeaderValue::from_static(JSON);
    request.headers_mut().insert("accept", accept);
    let response = ask(&app, request).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(json(response).await["status"], 504);

    let response = ask(&app, get("/hang")).await;
    assert!(text(response).await.contains("head"));
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_becomes_a_stream_in_time_and_is_answered_in_it() {
    let lifeline = quiet().build().unwrap();
    let began = Instant::now();
    let response = ask(&app(&lifeline), call("/slow", EITHER, "{}")).await;
    assert_eq!(began.elapsed(), secs(10));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(lifeline.gate().figures().in_flight, 1);
    let (events, comments) = events(&text(response).await);
    assert_eq!(began.elapsed(), secs(25));
    assert!(comments >= 1 && events.len() == 1, "{events:?}");
    assert_eq!(
        (&events[0]["id"], events[0]["result"].is_object()),
        (&7.into(), true)
    );
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_behind_beats_is_still_cut() {
    // Committed early: the beats are the stack's own, and the phases inside do not hear them.
    let lifeline = quiet().build().unwrap();
    let began = Instant::now();
    let response = ask(&app(&lifeline), call("/hang", EITHER, "{}")).await;
    assert_eq!((response.status().as_u16(), began.elapsed()), (200, secs(10)));
    let (events, comments) = events(&text(response).await);
    assert_eq!(began.elapsed(), secs(90));
    assert!(comments >= 5, "{comments}");
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["id"], &events[0]["error"]["code"]),
        (&7.into(), &(-32001).into())
    );
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_behind_beats_is_cut_and_does_not_look_whole() {
    let lifeline = quiet().build().unwrap();
    let mut body = ask(&app(&lifeline), get("/stuck")).await.into_body();
    let began = Instant::now();
    let mut beats = 0;
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => beats += usize::from(frame.into_data().unwrap().starts_with(b":")),
            Err(error) => break error,
        }
    };
    let cut = began.elapsed();
    assert!(cut >= secs(90) && cut < secs(91), "{cut:?}");
    assert!(beats >= 5, "{beats}");
    let expired = PhaseExpired::find(&error).unwrap();
    assert_eq!((expired.phase(), expired.bound()), (Phase::Read, Bound::Limit));
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_neither_body_nor_seat() {
    let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
    let app = app(&lifeline);
    let mut body = ask(&app, get("/much")).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(timed(&app, get("/much")).await.0, 503);
    sleep(secs(61)).await;
    assert_eq!(lifeline.gate().figures().in_flight, 0);
    assert_eq!(timed(&app, get("/much")).await.0, 200);
    let broken = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "it must not look whole");
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_hears_its_own_id() {
    let lifeline = quiet()
        .max_in_flight(1)
        .max_queue(1)
        .queue_timeout(secs(4))
        .build()
        .unwrap();
    let app = app(&lifeline);
    let held = lifeline.gate().try_enter().unwrap();
    let waits = ask(&app, call("/hang", EITHER, "{}"));
    let mut waits = pin!(waits);
    assert!(waits.as_mut().now_or_never().is_none());
    let began = Instant::now();
    let full = ask(&app, call("/hang", EITHER, "{}")).await;
    assert_eq!((full.status().as_u16(), began.elapsed()), (503, Duration::ZERO));
    assert!(full.headers().contains_key("retry-after"));
    let full = json(full).await;
    assert_eq!(
        (&full["id"], &full["error"]["code"]),
        (&7.into(), &(-32010).into())
    );
    let late = waits.await;
    assert_eq!((late.status().as_u16(), began.elapsed()), (504, secs(4)));
    let late = json(late).await;
    assert_eq!(
        (&late["id"], &late["error"]["code"]),
        (&7.into(), &(-32011).into())
    );
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_outside_of_the_gate_so_that_a_wait_can_be_committed() {
    // Longer than the commit point, which nobody does by default: what is derived gives no more than a warning. Only
    // a class without JSON-RPC is committed before its body was read, so any request it is.
    let settings = HeartbeatSettings::builder().commit(EarlyCommit::AnyRequest, secs(10));
    let lifeline = quiet()
        .max_in_flight(1)
        .heartbeat(settings.build().unwrap())
        .queue_timeout(secs(9))
        .build()
        .unwrap();
    lifeline.gate().set_queue_timeout(secs(20)).unwrap();
    let app = app(&lifeline);
    let _held = lifeline.gate().try_enter().unwrap();
    let began = Instant::now();
    let mut request = get("/hang");
    request
        .headers_mut()
        .insert("accept", http::HeaderValue::from_static("text/event-stream"));
    let response = ask(&app, request).await;
    assert_eq!((response.status().as_u16(), began.elapsed()), (200, secs(10)));
    let stream = text(response).await;
    assert_eq!(began.elapsed(), secs(20));
    assert!(stream.contains("event: error"), "{stream}");
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_seat_is_no_part_of_the_handlers_time_but_of_the_deadline() {
    let limits = PhaseLimits::builder()
        .head(secs(30))
        .read(secs(30))
        .total(secs(60))
        .build()
        .unwrap();
    let lifeline = quiet()
        .max_in_flight(1)
        .phases(limits)
        .without_heartbeat()
        .queue_timeout(secs(50))
        .build()
        .unwrap();
    let left = Arc::new(Mutex::new(Vec::new()));
    let seen = left.clone();
    let work = move || {
        let seen = seen.clone();
        async move {
            seen.lock().unwrap().push(Deadline::current().left().unwrap());
            sleep(secs(29)).await;
            "done"
        }
    };
    let app = Router::new().route("/", on_get(work)).layer(lifeline.layer());
    let ask_after = |wait| {
        let (gate, app) = (lifeline.gate(), app.clone());
        async move {
            let held = gate.try_enter().unwrap();
            let request = tokio::spawn(async move { timed(&app, get("/")).await });
            sleep(secs(wait)).await;
            drop(held);
            request.await.unwrap()
        }
    };
    // 20 s of waiting and 29 s of work: longer than the head may take, and in time.
    assert_eq!(ask_after(20).await, (200, secs(49)));
    // 40 s of waiting leave 20.
    assert_eq!(ask_after(40).await, (504, secs(60)));
    assert_eq!(*left.lock().unwrap(), [secs(40), secs(20)]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_the_phases_cuts_nothing_by_the_deadline_either() {
    let lifeline = quiet()
        .phases(PhaseLimits::builder().report_only_all().build().unwrap())
        .build()
        .unwrap();
    let work = || async {
        sleep(secs(100)).await;
        Body::new(Scripted::new([data(300_000, "late"), Step::End(0)]))
    };
    let app = Router::new().route("/", on_get(work)).layer(lifeline.layer());
    assert_eq!(text(ask(&app, get("/")).await).await, "late");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_outlives_the_deadline_and_no_other_stream_does() {
    let lifeline = quiet().max_in_flight(1).mcp("/mcp").build().unwrap();
    let hourly = || async { stream((0..20).map(|_| data(60_000, "data: 1\n\n")).chain([Step::End(0)])) };
    let app = Router::new().fallback(hourly).layer(lifeline.layer());
    let mut request = get("/mcp");
    request
        .headers_mut()
        .insert("accept", http::HeaderValue::from_static("text/event-stream"));
    request.headers_mut().insert(
        "mcp-protocol-version",
        http::HeaderValue::from_static("2025-11-25"),
    );
    request
        .headers_mut()
        .insert("mcp-session-id", http::HeaderValue::from_static("1"));
    let began = Instant::now();
    let body = ask(&app, request).await.into_body();
    assert_eq!(lifeline.gate().figures().in_flight, 0, "it has a seat of its own");
    assert!(body.collect().await.is_ok());
    assert_eq!(began.elapsed(), secs(1200));
    let began = Instant::now();
    assert!(ask(&app, get("/else")).await.into_body().collect().await.is_err());
    let cut = began.elapsed();
    assert!(cut >= secs(120) && cut < secs(121), "{cut:?}");
}

#[tokio::test(start_paused = true)]
async fn beats_of_a_chosen_tool_are_progress() {
    let progress = Progress::for_tools(["research"]);
    // Two beats before the answer, wherever the jitter puts them.
    let often = HeartbeatSettings::builder().interval(secs(6)).build().unwrap();
    let lifeline = quiet().heartbeat(often).progress(progress).build().unwrap();
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"research","_meta":{"progressToken":"t"}}}"#;
    let request = http::Request::post("/slow")
        .header("content-type", JSON)
        .header("accept", EITHER);
    let response = ask(&app(&lifeline), request.body(Body::from(body)).unwrap()).await;
    let (events, _) = events(&text(response).await);
    let (answer, beats) = events.split_last().unwrap();
    assert!(answer["result"].is_object() && !beats.is_empty(), "{events:?}");
    assert!(
        beats
            .iter()
            .all(|beat| beat["method"] == "notifications/progress"),
        "{events:?}"
    );
}

#[test]
fn whenever_a_handler_answers_the_head_comes_by_the_first_limit_and_the_seat_is_back() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut runner = TestRunner::deterministic();
    let given = (0_u64..200, 0_u64..200, any::<bool>());
    runner
        .run(&given, |(work, then, wants_stream)| {
            runtime.block_on(async {
                let lifeline = quiet().max_in_flight(1).build().unwrap();
                let answer = move |_: Bytes| async move {
                    sleep(secs(work)).await;
                    Body::new(Scripted::new([data(then * 1000, "{}"), Step::End(0)]))
                };
                let app = Router::new().route("/", post(answer)).layer(lifeline.layer());
                let began = Instant::now();
                let accept = if wants_stream { EITHER } else { JSON };
                let response = ask(&app, call("/", accept, "{}")).await;
                let head = began.elapsed();
                let by = if wants_stream { 10 } else { 90 };
                prop_assert_eq!(head, secs(work.min(by)));
                let _ = response.into_body().collect().await;
                let whole = began.elapsed();
                prop_assert!(whole <= secs(121), "{:?}", whole);
                prop_assert_eq!(lifeline.gate().figures().in_flight, 0);
                prop_assert_eq!(lifeline.gate().figures().admitted, 1);
                Ok(())
            })
        })
        .unwrap();
}
