//! What the timer must not lose: a waker that changes, and a task without budget.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::task::coop::{cooperative, has_budget_remaining};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, service_fn};
use tower_lifeline::{Deadline, PhaseLimits, PhaseTimeoutLayer, Reporter};

use crate::scripted::{Scripted, Step, after};

const LIMIT: Duration = Duration::from_millis(50);

fn layer() -> PhaseTimeoutLayer {
    let limits = PhaseLimits::builder()
        .read(LIMIT)
        .total(20 * LIMIT)
        .build()
        .unwrap();
    PhaseTimeoutLayer::new(limits).with_reporter(Reporter::silent())
}

/// Polls once on behalf of a task that is not there any more.
fn poll_elsewhere<F: Future>(future: Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test(start_paused = true)]
async fn whoever_polled_last_is_woken() {
    let mut service = layer().layer(service_fn(|_: Request<()>| {
        after(1000, || Response::new(Full::new(Bytes::new())))
    }));
    let mut head = Box::pin(service.call(Request::new(())));
    poll_elsewhere(head.as_mut());
    let start = Instant::now();
    let moved = tokio::spawn(head);
    assert_eq!(
        timeout(20 * LIMIT, moved)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .status(),
        504
    );
    assert_eq!(start.elapsed(), LIMIT);

    let mut service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new([Step::Hang])))
    }));
    let mut body = service.call(Request::new(())).await.unwrap().into_body();
    poll_elsewhere(Box::pin(body.frame()).as_mut());
    let start = Instant::now();
    let moved = tokio::spawn(async move { body.frame().await.unwrap().is_err() });
    assert!(timeout(20 * LIMIT, moved).await.unwrap().unwrap());
    assert_eq!(start.elapsed(), LIMIT);

    let mut call = Box::pin(Deadline::unbounded().call("hung", LIMIT, std::future::pending::<()>()));
    poll_elsewhere(call.as_mut());
    let start = Instant::now();
    assert!(
        timeout(20 * LIMIT, tokio::spawn(call))
            .await
            .unwrap()
            .unwrap()
            .is_err()
    );
    assert_eq!(start.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_task_without_budget_is_woken_all_the_same() {
    let start = Instant::now();
    let mut hung = Box::pin(Deadline::unbounded().call("hung", LIMIT, std::future::pending::<()>()));
    let whole = poll_fn(|cx| {
        // Uses up what tokio lets a task do in one poll, so that every resource of tokio's is pending.
        while has_budget_remaining() {
            let _ = pin!(cooperative(std::future::ready(()))).poll(cx);
        }
        hung.as_mut().poll(cx)
    });
    assert!(timeout(20 * LIMIT, whole).await.unwrap().is_err());
    assert_eq!(start.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_ends_sooner_than_the_timer_brings_it_forward() {
    let limits = PhaseLimits::builder()
        .head(10 * LIMIT)
        .read(LIMIT)
        .total(20 * LIMIT)
        .build()
        .unwrap();
    let mut service = PhaseTimeoutLayer::new(limits)
        .with_reporter(Reporter::silent())
        .layer(service_fn(|_: Request<()>| {
            after(100, || Response::new(Scripted::new([Step::Hang])))
        }));
    let start = Instant::now();
    let body = service.call(Request::new(())).await.unwrap().into_body();
    assert!(body.collect().await.is_err());
    assert_eq!(start.elapsed(), Duration::from_millis(100) + LIMIT);
}
