//! The gate before HTTP services, on the paused clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Class, Deadline, GateLimits, RequestHead, SharedSeat,
};

use crate::scripted::{Scripted, Step, data};

type Req = Request<Empty<Bytes>>;

fn gate(seats: u32, places: u32) -> AdmissionGate {
    AdmissionGate::new(GateLimits::builder(seats).max_queue(places).build().unwrap())
}

fn request(method: Method) -> Req {
    Request::builder()
        .method(method)
        .uri("/")
        .body(Empty::new())
        .unwrap()
}

fn taken(gate: &AdmissionGate) -> (u32, u32) {
    let figures = gate.figures();
    (figures.in_flight, figures.waiting)
}

/// What a service answers, and how many seats are taken once its head is there.
async fn seats_at_head(method: Method, answer: impl FnOnce() -> Response<Scripted>) -> u32 {
    let gate = gate(1, 0);
    let answer = Mutex::new(Some(answer));
    let inner = Arc::new(move || answer.lock().unwrap().take().unwrap()());
    let service = AdmissionGateLayer::new(gate.clone()).layer(service_fn(move |_: Req| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(inner()) }
    }));
    let response = service.oneshot(request(method)).await.unwrap();
    let at_head = gate.figures().in_flight;
    drop(response);
    assert_eq!(gate.figures().in_flight, 0, "it comes back in every case");
    at_head
}

fn answer(status: u16, steps: impl IntoIterator<Item = Step>) -> Response<Scripted> {
    Response::builder()
        .status(status)
        .body(Scripted::new(steps))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_seat_comes_back_at_the_head_where_nothing_follows() {
    assert_eq!(
        seats_at_head(Method::GET, || answer(200, [data(1, "x")])).await,
        1
    );
    assert_eq!(
        seats_at_head(Method::GET, || answer(500, [data(1, "x")])).await,
        1
    );
    assert_eq!(
        seats_at_head(Method::HEAD, || answer(200, [data(1, "x")])).await,
        0
    );
    assert_eq!(seats_at_head(Method::GET, || answer(204, [])).await, 0);
    assert_eq!(seats_at_head(Method::GET, || answer(304, [])).await, 0);
    assert_eq!(seats_at_head(Method::GET, || answer(101, [Step::Hang])).await, 0);
    assert_eq!(
        seats_at_head(Method::CONNECT, || answer(200, [Step::Hang])).await,
        0
    );
    assert_eq!(
        seats_at_head(Method::CONNECT, || answer(403, [data(1, "no")])).await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_holds_the_seat_until_it_ends_fails_or_is_dropped() {
    let scripts: [(Vec<Step>, usize); 5] = [
        (vec![data(0, "a"), data(5, "b"), Step::End(5)], 3),
        (vec![data(0, "a"), Step::Error(5)], 2),
        (
            vec![data(0, "a"), Step::Trailers(5, HeaderMap::new()), Step::End(1)],
            3,
        ),
        (vec![data(0, "a"), Step::Hang], 9),
        (vec![Step::End(5)], 1),
    ];
    for (script, frames) in scripts {
        let gate = gate(1, 0);
        let service = AdmissionGateLayer::new(gate.clone()).layer(service_fn({
            let script = script.clone();
            move |_: Req| ready(Ok::<_, Infallible>(answer(200, script.clone())))
        }));
        let mut body = service.oneshot(request(Method::GET)).await.unwrap().into_body();
        for _ in 1..frames {
            let frame = tokio::time::timeout(Duration::from_secs(1), body.frame()).await;
            assert_eq!(gate.figures().in_flight, 1, "{script:?}");
            if frame.is_err() {
                break;
            }
        }
        if matches!(script.last(), Some(Step::Hang)) {
            drop(body);
        } else {
            let _ = body.frame().await;
        }
        assert_eq!(gate.figures().in_flight, 0, "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_ended_with_its_last_frame_frees_the_seat_with_it() {
    let gate = gate(1, 0);
    let service = AdmissionGateLayer::new(gate.clone()).layer(service_fn(|_: Req| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
            b"abc",
        )))))
    }));
    let mut body = service.oneshot(request(Method::GET)).await.unwrap().into_body();
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream(), taken(&gate).0),
        (Some(3), false, 1)
    );
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(
        (frame.into_data().unwrap(), body.is_end_stream(), taken(&gate).0),
        ("abc".into(), true, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_give_the_seat_back() {
    let gate = gate(1, 0);
    let layer = AdmissionGateLayer::new(gate.clone());
    let fails = layer.layer(service_fn(|_: Req| {
        ready(Err::<Response<Full<Bytes>>, _>("broken"))
    }));
    assert_eq!(fails.oneshot(request(Method::GET)).await.unwrap_err(), "broken");
    assert_eq!(taken(&gate), (0, 0));

    let in_future = layer.layer(service_fn(|_: Req| async {
        sleep(Duration::from_secs(1)).await;
        if true {
            panic!("in the handler");
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    assert!(
        tokio::spawn(in_future.oneshot(request(Method::GET)))
            .await
            .unwrap_err()
            .is_panic()
    );
    assert_eq!(taken(&gate), (0, 0));

    let in_call = layer.layer(service_fn(|_: Req| {
        if true {
            panic!("in call");
        }
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    assert!(
        tokio::spawn(in_call.oneshot(request(Method::GET)))
            .await
            .unwrap_err()
            .is_panic()
    );
    assert_eq!(taken(&gate), (0, 0));
}

fn app(layer: AdmissionGateLayer) -> Router {
    let slow = || async {
        sleep(Duration::from_secs(1)).await;
        "slow"
    };
    Router::new()
        .route("/a", get(slow))
        .route("/b", post(slow))
        .layer(layer)
}

fn ask(app: &Router, method: Method, path: &str) -> impl Future<Output = (StatusCode, String)> + use<> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let response = app.clone().oneshot(request);
    async move {
        let response = response.await.unwrap();
        let status = response.status();
        (
            status,
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap(),
        )
    }
}

#[tokio::test(start_paused = true)]
async fn two_routes_share_one_gate() {
    let gate = gate(1, 1);
    let app = app(AdmissionGateLayer::new(gate.clone()));
    let (start, a) = (Instant::now(), tokio::spawn(ask(&app, Method::GET, "/a")));
    tokio::task::yield_now().await;
    let b = tokio::spawn(ask(&app, Method::POST, "/b"));
    tokio::task::yield_now().await;
    assert_eq!(taken(&gate), (1, 1));
    assert_eq!(
        ask(&app, Method::GET, "/a").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(start.elapsed(), Duration::ZERO, "a refusal comes in the moment");
    assert_eq!(a.await.unwrap(), (StatusCode::OK, "slow".into()));
    assert_eq!(b.await.unwrap(), (StatusCode::OK, "slow".into()));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(taken(&gate), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_504_after_the_queue_timeout_or_the_deadline() {
    let gate = AdmissionGate::new(
        GateLimits::builder(1)
            .queue_timeout(Duration::from_millis(300))
            .build()
            .unwrap(),
    );
    let app = app(AdmissionGateLayer::new(gate.clone()));
    let a = tokio::spawn(ask(&app, Method::GET, "/a"));
    tokio::task::yield_now().await;
    let start = Instant::now();
    assert_eq!(ask(&app, Method::GET, "/a").await.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(start.elapsed(), Duration::from_millis(300));
    let mut request = Request::get("/a").body(Body::empty()).unwrap();
    request
        .extensions_mut()
        .insert(Deadline::after(Duration::from_millis(50)));
    let start = Instant::now();
    assert_eq!(
        app.clone().oneshot(request).await.unwrap().status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(start.elapsed(), Duration::from_millis(50));
    assert_eq!(a.await.unwrap().0, StatusCode::OK);
    assert_eq!(taken(&gate), (0, 0));
}

/// Polls `future` `polls` times, a second apart, and drops it wherever it is then. True: it had ended.
async fn dropped_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut now = true;
        let ended = poll_fn(|cx| match now {
            true => {
                now = false;
                match future.as_mut().poll(cx) {
                    Poll::Ready(_) => Poll::Ready(true),
                    Poll::Pending => Poll::Ready(false),
                }
            }
            false => Poll::Pending,
        });
        if ended.await {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_client_may_go_away_at_every_await() {
    for busy in [false, true] {
        for polls in 0..40 {
            let gate = gate(1, 1);
            let held = busy.then(|| gate.try_enter().unwrap());
            let steps = || [data(300, "a"), data(300, "b"), Step::End(300)];
            let service = AdmissionGateLayer::new(gate.clone()).layer(service_fn(move |_: Req| async move {
                sleep(Duration::from_millis(300)).await;
                Ok::<_, Infallible>(answer(200, steps()))
            }));
            let release = tokio::spawn(async move {
                sleep(Duration::from_millis(250)).await;
                drop(held);
            });
            let whole = async move {
                let response = service.oneshot(request(Method::GET)).await.unwrap();
                response.into_body().collect().await.unwrap()
            };
            let ended = dropped_after(polls, whole).await;
            assert_eq!(ended, polls > if busy { 15 } else { 12 }, "{polls}");
            release.await.unwrap();
            assert_eq!(taken(&gate), (0, 0), "dropped after {polls} polls");
            drop(gate.try_enter().unwrap());
        }
    }
}

/// Ready only once `allowed`, and never to be called otherwise.
#[derive(Debug)]
struct Moody {
    allowed: Arc<AtomicU32>,
    reserved: bool,
}

impl Clone for Moody {
    fn clone(&self) -> Self {
        Self {
            allowed: self.allowed.clone(),
            reserved: false,
        }
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        if self.reserved {
            self.allowed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Service<Req> for Moody {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        cx.waker().wake_by_ref();
        let take = |left: u32| left.checked_sub(1);
        if !self.reserved
            && self
                .allowed
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_err()
        {
            return Poll::Pending;
        }
        self.reserved = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        assert!(std::mem::take(&mut self.reserved), "called without being ready");
        ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_is_called_only_when_it_is_ready() {
    let (gate, allowed) = (gate(2, 1), Arc::new(AtomicU32::new(0)));
    let mut service = AdmissionGateLayer::new(gate.clone()).layer(Moody {
        allowed: allowed.clone(),
        reserved: false,
    });
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    assert!(service.poll_ready(&mut cx).is_ready());
    assert_eq!(taken(&gate), (0, 0), "no seat is held in poll_ready");
    let mut first = Box::pin(service.call(request(Method::GET)));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert_eq!(
        taken(&gate),
        (1, 0),
        "whoever waits for the inner service is counted"
    );
    allowed.store(1, Ordering::SeqCst);
    assert!(first.as_mut().poll(&mut cx).is_ready());
    assert_eq!((taken(&gate), allowed.load(Ordering::SeqCst)), ((0, 0), 0));

    // Called without `poll_ready`, which is an error of the caller: still nothing unready is called.
    let second = service.call(request(Method::GET));
    let start = Instant::now();
    let moody = tokio::time::timeout(Duration::from_secs(9), second);
    // `Moody` wakes its task at once, so the clock would never advance by itself.
    let end = tokio::spawn(moody);
    for _ in 0..60 {
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert_eq!(
        end.await.unwrap().unwrap().unwrap().status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    assert!(
        start.elapsed() < Duration::from_secs(7),
        "the wait for the inner service ends as one for a seat"
    );
    assert_eq!((taken(&gate), gate.figures().refused_timeout), ((0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_inside_is_reserved_for_whoever_has_no_seat() {
    let (gate, allowed) = (gate(1, 1), Arc::new(AtomicU32::new(2)));
    let mut service = AdmissionGateLayer::new(gate.clone()).layer(Moody {
        allowed: allowed.clone(),
        reserved: false,
    });
    let held = gate.try_enter().unwrap();
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    assert!(service.poll_ready(&mut cx).is_ready());
    assert_eq!(allowed.load(Ordering::SeqCst), 1);
    let mut waits = Box::pin(service.call(request(Method::GET)));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    assert_eq!(allowed.load(Ordering::SeqCst), 2, "while it waits for a seat");
    assert!(service.poll_ready(&mut cx).is_ready());
    let refused = service.call(request(Method::GET));
    assert_eq!(allowed.load(Ordering::SeqCst), 2, "once it is refused");
    assert_eq!(refused.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(held);
    assert!(waits.as_mut().poll(&mut cx).is_ready());
    assert_eq!(allowed.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_idle_do_not_starve_an_inner_limit() {
    let gate = gate(1, 0);
    let inner = ConcurrencyLimit::new(
        service_fn(|_: Req| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }),
        2,
    );
    let service = AdmissionGateLayer::new(gate.clone()).layer(inner);
    let held = gate.try_enter().unwrap();
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut connection = service.clone();
        let refused = connection
            .ready()
            .await
            .unwrap()
            .call(request(Method::GET))
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        idle.push(connection);
    }
    drop(held);
    assert_eq!(
        service.oneshot(request(Method::GET)).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test(start_paused = true)]
async fn work_that_outlives_its_response_keeps_a_shared_seat() {
    let gate = gate(1, 0);
    let layer = AdmissionGateLayer::new(gate.clone()).share_seats();
    let service = layer.layer(service_fn(|request: Req| {
        let seat = request.extensions().get::<SharedSeat>().unwrap().clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(4)).await;
            drop(seat);
        });
        ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
            b"accepted",
        )))))
    }));
    let response = service.oneshot(request(Method::POST)).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(taken(&gate), (1, 0));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(taken(&gate), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_never_polled_gives_back_what_it_took() {
    let gate = gate(1, 1);
    let mut service = AdmissionGateLayer::new(gate.clone()).layer(service_fn(|_: Req| {
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let first = service.ready().await.unwrap().call(request(Method::GET));
    let second = service.ready().await.unwrap().call(request(Method::GET));
    assert_eq!(taken(&gate), (1, 1));
    drop(first);
    assert_eq!(second.now_or_never().unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(taken(&gate), (0, 0));
}

/// Says what it is told to when it is asked whether it is ready.
#[derive(Clone)]
struct Told(Arc<Mutex<Vec<Said>>>);

type Said = Poll<Result<(), &'static str>>;

impl Service<Req> for Told {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.lock().unwrap().remove(0)
    }

    fn call(&mut self, _: Req) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_has_failed_is_no_longer_ready() {
    let said = vec![Poll::Ready(Ok(())), Poll::Ready(Err("broken")), Poll::Pending];
    let inner = Told(Arc::new(Mutex::new(said)));
    let gate = gate(1, 0);
    let mut service = AdmissionGateLayer::new(gate.clone()).layer(inner);
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Err("broken"))));
    let mut waits = Box::pin(service.call(request(Method::GET)));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    drop(waits);
    assert_eq!(taken(&gate), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_exempt_wait_for_the_inner_service_as_long_as_it_takes() {
    let said = vec![Poll::Pending, Poll::Pending, Poll::Pending, Poll::Ready(Ok(()))];
    let inner = Told(Arc::new(Mutex::new(said)));
    let layer = AdmissionGateLayer::new(gate(1, 0)).classify(|_: &RequestHead<'_>| Class::EXEMPT);
    let mut service = layer.layer(inner);
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut waits = Box::pin(service.call(request(Method::GET)));
    for _ in 0..2 {
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        sleep(Duration::from_secs(60)).await;
    }
    let Poll::Ready(Ok(answer)) = waits.as_mut().poll(&mut cx) else {
        panic!("the inner service was ready")
    };
    assert_eq!(answer.status(), StatusCode::OK);
}
