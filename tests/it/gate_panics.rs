//! Code of others that panics where the gate calls it: no seat and no waiter is lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
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

#[derive(Debug, Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic_quietly();
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_loses_neither_the_others_nor_a_seat() {
    let gate = AdmissionGate::new(limits(1, 3));
    let held = gate.try_enter().unwrap();
    let bell = Arc::new(Bell::default());
    let waker = bell.clone().into();
    let mut waiters = [gate.enter(), gate.enter(), gate.enter()];
    for waiter in &mut waiters {
        assert!(waiter.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    }
    gate.set_max_in_flight(3).unwrap();
    assert_eq!(bell.0.load(Ordering::SeqCst), 2);
    drop(held);
    assert_eq!(bell.0.load(Ordering::SeqCst), 3);
    let seats = waiters.map(|mut waiter| match poll(&mut waiter) {
        Poll::Ready(Ok(seat)) => seat,
        other => panic!("{other:?}"),
    });
    assert_eq!(gate.figures().in_flight, 3);
    let mut drained = gate.close();
    assert!(drained.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    drop(seats);
    assert_eq!(bell.0.load(Ordering::SeqCst), 4);
    timeout(Duration::from_secs(1), drained).await.unwrap();
}
