//! Code of others that panics where the gate calls it: no seat and no waiter is lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::task::noop_waker;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, Event, GateLimits, Outcome, Reporter};

fn limits(seats: u32, places: u32) -> GateLimits {
    GateLimits::builder(seats).max_queue(places).build().unwrap()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(&noop_waker()))
}

/// As a panic, but for the message on the console.
fn panic_quietly() {
    std::panic::resume_unwind(Box::new("somebody else's panic"));
}

fn panics<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_in_a_dry_run_takes_no_seat_with_it() {
    let reporter = Reporter::to(|event: &Event| {
        if let Event::GateRefused {
            outcome: Outcome::WouldHaveRefused,
            ..
        } = event
        {
            panic_quietly();
        }
    });
    // Listed, so that a seat is more than a count.
    let builder = AdmissionGate::builder(limits(1, 0)).reporter(reporter);
    let gate = builder.list_seats().dry_run().build().unwrap();
    let held = gate.try_enter().unwrap();
    assert!(panics(|| gate.try_enter()));
    assert!(panics(|| poll(&mut gate.enter())));
    let answer = service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let mut service = AdmissionGateLayer::new(gate.clone()).layer(answer);
    service.ready().await.unwrap();
    assert!(panics(|| service.call(Request::new(Empty::new()))));
    assert_eq!((gate.figures().in_flight, gate.seats().len()), (1, 1));
    drop(held);
    assert_eq!((gate.figures().in_flight, gate.seats().len()), (0, 0));
    timeout(Duration::from_secs(1), gate.close()).await.unwrap();
}
