//! What could go wrong on the short way and not on the long one: each answer and each ending on both.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::admission_gate::Class;
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Deadline, DeadlineLayer, GateLimits, HeartbeatSettings, Lifeline,
    PhaseLimits, Report, RequestHead, SlowClientLimits,
};

use super::{ask, get, quiet, secs, text, timed};
use crate::scripted::{Scripted, Step, data};

fn both() -> [LifelineBuilder; 2] {
    [quiet(), quiet().deadline_in_every_request()]
}

fn limits(total: u64) -> PhaseLimits {
    let all = PhaseLimits::builder().total(secs(total));
    all.head(secs(total)).read(secs(total)).build().unwrap()
}

/// A body of one answer that must not be polled again, and does not know its end beforehand.
struct Once(Option<Option<Result<Frame<Bytes>, std::io::Error>>>, u64);

impl HttpBody for Once {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.take().expect("polled after its end"))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_ended_is_not_polled_again_and_holds_nothing() {
    let error = || Some(Err(std::io::Error::other("broken")));
    for (frame, size) in [
        (None as Option<fn() -> _>, 0),
        (None, 3),
        (Some(error as fn() -> _), 3),
    ] {
        for stack in both() {
            let lifeline = stack.build().unwrap();
            let once = move || Once(Some(frame.and_then(|frame| frame())), size);
            let service =
                service_fn(move |_: Request<_>| async move { Ok::<_, Infallible>(Response::new(once())) });
            let mut service = lifeline.layer().layer(service);
            let answer = service.ready().await.unwrap().call(get("/")).await.unwrap();
            let mut body = answer.into_body();
            assert_eq!(body.size_hint().exact(), Some(size));
            assert_eq!(
                body.frame().await.is_some_and(|frame| frame.is_err()),
                frame.is_some()
            );
            assert_eq!(lifeline.gate().figures().in_flight, 0);
            assert!(frame.is_none() || body.frame().await.is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_wins_among_nested_ones() {
    for outer in both() {
        let current = || async { format!("{:?}", Deadline::current().left()) };
        let stamped = |deadline: axum::Extension<Deadline>| async move { format!("{:?}", deadline.left()) };
        let inner = quiet().phases(limits(60)).build().unwrap();
        let layer = DeadlineLayer::new(secs(60)).unwrap();
        let stamping = Router::new()
            .route("/stamped", on_get(stamped))
            .layer(layer.clone());
        let app = Router::new()
            .route("/", on_get(current))
            .layer(inner.layer())
            .merge(stamping)
            .layer(outer.phases(limits(5)).build().unwrap().layer());
        for path in ["/", "/stamped"] {
            assert_eq!(text(ask(&app, get(path)).await).await, "Some(5s)", "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_inside_waits_no_longer_than_the_request_may() {
    for outer in both() {
        let queue = GateLimits::builder(1)
            .max_queue(1)
            .queue_timeout(secs(60))
            .build()
            .unwrap();
        let gate = AdmissionGate::new(queue);
        let _taken = gate.enter().await.unwrap();
        let app = Router::new()
            .route("/", on_get(|| async {}))
            .layer(AdmissionGateLayer::new(gate))
            .layer(outer.phases(limits(5)).build().unwrap().layer());
        assert_eq!(timed(&app, get("/")).await, (504, secs(5)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_cannot_be_resumed_never_looks_complete() {
    for stack in both() {
        let heartbeat = HeartbeatSettings::builder().with_goodbye().build().unwrap();
        let lifeline = stack.heartbeat(heartbeat).build().unwrap();
        let stream = || async {
            let body = Body::new(Scripted::new([data(0, "id: 1\ndata: a\n\n"), Step::Hang]));
            ([("content-type", "text/event-stream")], body)
        };
        let app = Router::new().route("/", on_get(stream)).layer(lifeline.layer());
        let request = Request::get("/").header("mcp-protocol-version", "2026-07-28");
        let answer = ask(&app, request.body(Body::empty()).unwrap()).await;
        lifeline.farewells().say_goodbye();
        assert!(answer.into_body().collect().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_frees_what_nobody_polls() {
    for stack in both() {
        let slow = SlowClientLimits::builder().stall(secs(300)).build().unwrap();
        let lifeline = stack.phases(limits(20)).slow_clients(slow).build().unwrap();
        let pieces = || async { Body::new(Scripted::new((0..1000).map(|_| data(0, "0123456789")))) };
        let app = Router::new().route("/", on_get(pieces)).layer(lifeline.layer());
        let mut body = ask(&app, get("/")).await.into_body();
        body.frame().await.unwrap().unwrap();
        sleep(secs(15)).await;
        assert_eq!(lifeline.gate().figures().in_flight, 1);
        sleep(secs(25)).await;
        assert_eq!(lifeline.gate().figures().in_flight, 0);
    }
}

/// Notes something when it is dropped.
struct AtDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_in_the_end_still_knows_its_deadline() {
    for stack in both() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let seen = seen.clone();
            move || async move {
                let note = move || seen.lock().unwrap().push(Deadline::current().instant().is_some());
                let _note = AtDrop(note);
                pending::<()>().await;
            }
        };
        let app = Router::new().route("/", on_get(handler));
        let app = app.layer(stack.phases(limits(5)).build().unwrap().layer());
        assert_eq!(timed(&app, get("/")).await, (504, secs(5)));
        assert_eq!(*seen.lock().unwrap(), [true]);
    }
}

/// A future whose output is there, and which holds something until it is dropped.
struct Holding<T, H>(Option<T>, H);

impl<T: Unpin, H: Unpin> Future for Holding<T, H> {
    type Output = Result<T, Infallible>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(self.0.take().expect("polled after its end")))
    }
}

#[tokio::test(start_paused = true)]
async fn the_work_is_over_before_its_seat_is_free() {
    for stack in both() {
        let lifeline = Arc::new(OnceLock::<Lifeline>::new());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (inside, notes) = (lifeline.clone(), seen.clone());
        let service = service_fn(move |_: Request<_>| {
            let (inside, notes) = (inside.clone(), notes.clone());
            let note = move || {
                let figures = inside.get().unwrap().gate().figures();
                notes.lock().unwrap().push(figures.in_flight);
            };
            Holding(Some(Response::new(Body::from("small"))), AtDrop(note))
        });
        let stack = lifeline.get_or_init(|| stack.build().unwrap());
        let mut service = stack.layer().layer(service);
        let answer = service.ready().await.unwrap().call(get("/")).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(*seen.lock().unwrap(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_classifies_is_asked_once_for_each_request() {
    for stack in both() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let limits = GateLimits::builder(1).max_queue(0).build().unwrap();
        let gate =
            AdmissionGateLayer::new(AdmissionGate::new(limits)).classify(move |_: &RequestHead<'_>| {
                count.fetch_add(1, Ordering::SeqCst);
                Class::STANDARD
            });
        let hangs = || async { Body::new(Scripted::new([Step::Hang])) };
        let app = Router::new()
            .route("/", on_get(hangs))
            .layer(stack.gate(gate).build().unwrap().layer());
        let held = ask(&app, get("/")).await;
        assert_eq!(timed(&app, get("/")).await.0, 503);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        drop(held);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_knows_of_the_deadline() {
    for stack in both() {
        let report = |request: Request<Body>| async move { Report::of_request(&request).to_string() };
        let app = Router::new().route("/", on_get(report));
        let report = text(ask(&app.layer(stack.build().unwrap().layer()), get("/")).await).await;
        assert!(report.contains("the request came with a deadline"), "{report}");
    }
}
