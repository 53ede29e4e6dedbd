//! Limits that are changed while requests are served.

use axum::Router;
use axum::routing::get as on_get;
use tower_lifeline::PhaseLimits;

use super::{get, quiet, secs, timed};

fn limits(read: u64, total: u64) -> PhaseLimits {
    PhaseLimits::builder()
        .read(secs(read))
        .total(secs(total))
        .build()
        .unwrap()
}

fn hangs(lifeline: &tower_lifeline::Lifeline) -> Router {
    let hang = std::future::pending::<&'static str>;
    Router::new().fallback(hang).layer(lifeline.layer())
}

#[tokio::test(start_paused = true)]
async fn new_phases_hold_from_the_next_request_on() {
    let lifeline = quiet().build().unwrap();
    let app = hangs(&lifeline);
    let before = app.clone();
    let before = tokio::spawn(async move { timed(&before, get("/")).await });
    tokio::time::sleep(secs(1)).await;
    lifeline.set_phases(limits(20, 60)).unwrap();
    assert_eq!(lifeline.phases(), limits(20, 60));
    // A clone, and an app that was made before.
    assert_eq!(lifeline.clone().phases(), limits(20, 60));
    assert_eq!(timed(&app, get("/")).await, (504, secs(20)));
    assert_eq!(before.await.unwrap(), (504, secs(90)));
}

#[test]
fn a_total_that_could_never_run_out_is_refused() {
    let lifeline = quiet().phases(limits(30, 100)).build().unwrap();
    let endless = PhaseLimits::builder().without_total().build().unwrap();
    for limits in [limits(30, 101), endless] {
        let sentence = lifeline.set_phases(limits).unwrap_err().to_string();
        assert!(
            sentence.contains("100s") && sentence.contains("never run out"),
            "{sentence}"
        );
    }
    assert_eq!(lifeline.phases(), limits(30, 100));
    lifeline.set_phases(limits(30, 100)).unwrap();
    // Where there is no deadline, anything goes.
    let lifeline = quiet().without_phases().build().unwrap();
    lifeline.set_phases(limits(30, 10_000)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_request_are_derived_from_those_of_the_moment() {
    let lifeline = quiet()
        .phases_per_request(|head, now| match head.uri().path() {
            "/half" => {
                let read = now.read().unwrap() / 2;
                now.to_builder().read(read).head(read).build().unwrap()
            }
            // Longer than the deadline, which comes first.
            "/long" => limits(500, 1000),
            _ => now,
        })
        .build()
        .unwrap();
    let app = hangs(&lifeline);
    assert_eq!(timed(&app, get("/half")).await, (504, secs(45)));
    assert_eq!(timed(&app, get("/long")).await, (504, secs(120)));
    lifeline.set_phases(limits(20, 60)).unwrap();
    assert_eq!(timed(&app, get("/half")).await, (504, secs(10)));
    assert_eq!(timed(&app, get("/")).await, (504, secs(20)));
}

#[tokio::test(start_paused = true)]
async fn the_gate_changes_at_once() {
    let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
    let app = Router::new()
        .route("/", on_get(|| async { "in" }))
        .layer(lifeline.layer());
    let _held = lifeline.gate().try_enter().unwrap();
    assert_eq!(timed(&app, get("/")).await.0, 503);
    lifeline.gate().set_max_in_flight(2).unwrap();
    assert_eq!(timed(&app, get("/")).await.0, 200);
    lifeline.gate().set_max_in_flight(1).unwrap();
    lifeline.gate().set_max_queue(1).unwrap();
    lifeline.gate().set_queue_timeout(secs(2)).unwrap();
    assert_eq!(timed(&app, get("/")).await, (504, secs(2)));
}
