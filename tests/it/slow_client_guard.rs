//! `SlowClientGuard` on the paused clock: whoever does not poll loses the body, and nobody else does.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::slow_client_guard::{SlowClientGuardBody, SlowClientLimitsBuilder};
use tower_lifeline::{
    Bound, ClientStall, CutHandle, Deadline, Event, PhaseExpired, Reporter, SlowClient, SlowClientGuardLayer,
    SlowClientLimits, Slowness,
};

use crate::scripted::{Scripted, Step, data};

const STALL: Duration = Duration::from_secs(8);
/// A stall is noticed up to two looks late, and a look comes each 0.25 s.
const LATE: Duration = Duration::from_millis(600);

fn limits() -> SlowClientLimitsBuilder {
    SlowClientLimits::builder().stall(STALL)
}

fn guard() -> SlowClientGuardLayer {
    SlowClientGuardLayer::new(limits().build().unwrap()).with_reporter(Reporter::silent())
}

fn many(count: usize) -> Scripted {
    Scripted::new((0..count).map(|_| data(0, "0123456789")))
}

async fn answer<B>(
    layer: &SlowClientGuardLayer,
    request: Request<()>,
    body: B,
) -> Response<SlowClientGuardBody<B>>
where
    B: Body<Error: Into<tower_lifeline::BoxError>> + Send + 'static,
{
    let mut body = Some(body);
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let body = body.take().unwrap();
        async move { Ok::<_, Infallible>(Response::new(body)) }
    }));
    service.ready().await.unwrap().call(request).await.unwrap()
}

async fn body<B>(layer: &SlowClientGuardLayer, inner: B) -> SlowClientGuardBody<B>
where
    B: Body<Error: Into<tower_lifeline::BoxError>> + Send + 'static,
{
    answer(layer, Request::new(()), inner).await.into_body()
}

/// Waits until nobody but the test holds it.
async fn freed(held: &Arc<()>) -> Duration {
    let start = Instant::now();
    while Arc::strong_count(held) > 1 {
        assert!(start.elapsed() < STALL * 100, "it is never freed");
        sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_polls_is_taken_away_and_then_fails() {
    let held = Arc::new(());
    let layer = guard();
    let mut body = body(&layer, many(10).holding(&held)).await;
    body.frame().await.unwrap().unwrap();
    let freed = freed(&held).await;
    assert!(freed >= STALL && freed < STALL + LATE, "{freed:?}");
    assert!(!body.is_end_stream(), "it must not look complete");
    assert_eq!(body.size_hint().exact(), None);
    let error = body.frame().await.unwrap().unwrap_err();
    let slow = SlowClient::find(&*error).unwrap();
    assert_eq!((slow.slowness(), slow.taken()), (Slowness::Stalled, 10));
    assert!(slow.idle() >= STALL);
    assert!(body.frame().await.is_none());
    assert_eq!(layer.watched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_never_polled_is_taken_away_too() {
    let held = Arc::new(());
    let layer = guard();
    let _body = body(&layer, many(1).sized(10).holding(&held)).await;
    let freed = freed(&held).await;
    assert!(freed >= STALL && freed < STALL + LATE, "{freed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_producer_is_not_its_clients_fault() {
    let held = Arc::new(());
    let layer = guard();
    let steps = [data(0, "a"), data(500_000, "b"), Step::End(500_000)];
    let body = body(&layer, Scripted::new(steps).holding(&held)).await;
    assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
    assert_eq!((layer.watched(), Arc::strong_count(&held)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn pauses_of_less_than_the_stall_are_nobodys_business() {
    let layer = SlowClientGuardLayer::new(limits().without_min_rate().build().unwrap());
    let mut body = body(&layer, many(20)).await;
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        frames += 1;
        sleep(STALL - Duration::from_millis(1)).await;
    }
    assert_eq!(frames, 20);
}

#[tokio::test(start_paused = true)]
async fn a_drip_is_below_the_least_rate() {
    let held = Arc::new(());
    let limits = limits().min_rate(100).grace(STALL).build().unwrap();
    let layer = SlowClientGuardLayer::new(limits).with_reporter(Reporter::silent());
    let mut body = body(&layer, many(1000).holding(&held)).await;
    let start = Instant::now();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(_) => sleep(Duration::from_secs(1)).await,
            Err(error) => break error,
        }
    };
    assert_eq!(
        SlowClient::find(&*error).unwrap().slowness(),
        Slowness::BelowMinRate
    );
    // Ten bytes a second pay for a tenth of it: 8 s last for about nine.
    assert!(start.elapsed() < STALL * 2, "{:?}", start.elapsed());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_a_body_that_nobody_polls() {
    let held = Arc::new(());
    let deadline = Deadline::at((Instant::now() + STALL / 2).into_std());
    let request = |method: Method| {
        let request = Request::builder().method(method).extension(deadline.clone());
        request.body(()).unwrap()
    };
    let layer = guard();
    let mut body = answer(&layer, request(Method::POST), many(10).holding(&held))
        .await
        .into_body();
    body.frame().await.unwrap().unwrap();
    let freed = freed(&held).await;
    assert!(freed >= STALL / 2 && freed < STALL / 2 + LATE, "{freed:?}");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(
        PhaseExpired::find(&*error).map(PhaseExpired::bound),
        Some(Bound::Deadline)
    );

    // Whoever waits for the producer is told by the layers inside, and an endless stream has no deadline.
    let steps = [data(0, "a"), data(60_000, "b")];
    let body = answer(&layer, request(Method::POST), Scripted::new(steps)).await;
    assert_eq!(body.into_body().collect().await.unwrap().to_bytes(), "ab");
    let mut service = layer.layer(service_fn(|_: Request<()>| async {
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(many(2)).unwrap())
    }));
    let mut endless = service.call(request(Method::GET)).await.unwrap().into_body();
    endless.frame().await.unwrap().unwrap();
    sleep(STALL - Duration::from_secs(1)).await;
    endless.frame().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_to_know_is_told() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let reporter = Reporter::to(move |event: &Event| sink.lock().unwrap().push(format!("{event:?}")));
    let layer = SlowClientGuardLayer::new(limits().without_min_rate().build().unwrap())
        .with_reporter(reporter)
        .telling_inside();
    let cuts = Arc::new(Mutex::new(0));
    let counted = cuts.clone();
    let handle = CutHandle::new(move || *counted.lock().unwrap() += 1);
    let stall = Arc::new(Mutex::new(None));
    let inside = stall.clone();
    let mut service = layer.layer(service_fn(move |request: Request<()>| {
        *inside.lock().unwrap() = request.extensions().get::<ClientStall>().cloned();
        async { Ok::<_, Infallible>(Response::new(many(3))) }
    }));
    let request = Request::builder().extension(handle).body(()).unwrap();
    let mut body = service.call(request).await.unwrap().into_body();
    let stall = stall.lock().unwrap().take().unwrap();
    let words = |count: usize| {
        let events = events.lock().unwrap();
        assert_eq!(events.len(), count, "{events:?}");
        events.last().cloned().unwrap_or_default()
    };

    body.frame().await.unwrap().unwrap();
    assert!(!stall.is_stalled());
    sleep(STALL * 3 / 4).await;
    assert!(words(1).starts_with("ClientStalled { seen: Body"));
    assert!(words(1).ends_with("taken: 10 }"));
    assert!(stall.is_stalled());
    body.frame().await.unwrap().unwrap();
    sleep(STALL / 4).await;
    assert!(words(2).starts_with("ClientRecovered"), "{}", words(2));
    assert!(!stall.is_stalled());
    assert_eq!(*cuts.lock().unwrap(), 0);
    sleep(STALL * 2).await;
    assert!(words(4).contains("Stalled, idle: 8") && words(4).ends_with("outcome: Cut }"));
    assert!(stall.is_stalled());
    assert_eq!(*cuts.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_reports_and_lets_them_go_on() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let layer = SlowClientGuardLayer::new(limits().report_only().build().unwrap()).with_reporter(
        Reporter::to(move |event: &Event| {
            sink.lock().unwrap().push(format!("{event:?}"));
        }),
    );
    let deadline = Deadline::at((Instant::now() + STALL / 2).into_std());
    let request = Request::builder().method(Method::POST).extension(deadline);
    let response = answer(&layer, request.body(()).unwrap(), many(3)).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    sleep(STALL * 10).await;
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 20);
    let events = events.lock().unwrap();
    let would = events.iter().filter(|event| event.contains("WouldHaveCut"));
    assert_eq!(would.count(), 2, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_end_streams_is_told_of_a_last_frame_that_nobody_takes() {
    let layer = guard();
    let cuts = Arc::new(Mutex::new(0));
    let request = |count: &Arc<Mutex<i32>>| {
        let counted = count.clone();
        let handle = CutHandle::new(move || *counted.lock().unwrap() += 1);
        Request::builder().extension(handle).body(()).unwrap()
    };
    let held = Arc::new(());
    let response = answer(&layer, request(&cuts), many(1).sized(10).holding(&held)).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    // What it held is free at once, and it looks complete, since it is.
    assert!(body.is_end_stream());
    assert_eq!((Arc::strong_count(&held), layer.watched()), (1, 1));
    sleep(STALL + LATE).await;
    assert_eq!(*cuts.lock().unwrap(), 1);
    assert!(body.frame().await.is_none());
    drop(body);
    assert_eq!(layer.watched(), 0);

    // Who drops it has sent it.
    let response = answer(&layer, request(&cuts), many(1).sized(10)).await;
    response.into_body().collect().await.unwrap();
    sleep(STALL * 2).await;
    assert_eq!((*cuts.lock().unwrap(), layer.watched()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn trailers_pass_and_answers_without_a_body_are_left_alone() {
    let layer = guard();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let steps = [data(0, "a"), Step::Trailers(10, trailers.clone())];
    let collected = body(&layer, Scripted::new(steps)).await.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), "a");

    let connect = Request::builder().method(Method::CONNECT).body(()).unwrap();
    let _tunnel = answer(&layer, connect, many(1)).await;
    assert_eq!(layer.watched(), 0);
}

/// Asks the watchdog when it is dropped, which would never answer if it held its lock.
struct Asks(SlowClientGuardLayer);

impl Body for Asks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick")))))
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        assert_eq!(self.0.watched(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_dropped_outside_of_every_lock() {
    let layer = guard();
    let mut asks = body(&layer, Asks(layer.clone())).await;
    asks.frame().await.unwrap().unwrap();
    sleep(STALL + LATE).await;
    assert!(SlowClient::find(&*asks.frame().await.unwrap().unwrap_err()).is_some());
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Body for Bomb {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick")))))
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a body panicked when it was dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_when_dropped_takes_nobody_with_it() {
    let held = Arc::new(());
    let layer = guard();
    let mut bad = body(&layer, Bomb).await;
    let mut good = body(&layer, many(9).holding(&held)).await;
    bad.frame().await.unwrap().unwrap();
    good.frame().await.unwrap().unwrap();
    freed(&held).await;
    for error in [bad.frame().await, good.frame().await] {
        let error = error.unwrap().unwrap_err();
        assert!(SlowClient::find(&*error).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_is_gone_at_once() {
    let layer = guard();
    let held = Arc::new(());
    for polls in 0..3 {
        let mut body = body(&layer, many(5).holding(&held)).await;
        for _ in 0..polls {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!((layer.watched(), Arc::strong_count(&held)), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_nothing_to_take_is_left_alone() {
    let layer = guard();
    let empty = body(&layer, Empty::<Bytes>::new()).await;
    assert!(empty.is_end_stream());
    assert_eq!(empty.size_hint().exact(), Some(0));
    let mut service = layer.layer(service_fn(|_: Request<()>| async {
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        Ok::<_, Infallible>(response.body(many(1)).unwrap())
    }));
    let _upgrade = service.call(Request::new(())).await.unwrap();
    assert_eq!(layer.watched(), 0);
    let full = body(&layer, Full::new(Bytes::from_static(b"abc"))).await;
    assert_eq!((full.size_hint().exact(), full.is_end_stream()), (Some(3), false));
    assert_eq!(layer.watched(), 1);
    assert_eq!(full.collect().await.unwrap().to_bytes(), "abc");
    assert_eq!(layer.watched(), 0);
}

/// Whatever a producer and a client do: what arrives is what was sent, whole or with an error behind it, and who
/// is cut did stay away for as long as the stall.
#[test]
fn nothing_is_corrupted_and_nobody_is_cut_who_was_there() {
    let script = prop::collection::vec((0u64..12_000, 1usize..40), 0..12);
    let reader = prop::collection::vec(0u64..12_000, 1..12);
    TestRunner::new(proptest::test_runner::Config::with_cases(300))
        .run(&(script, reader, any::<bool>()), |(script, reader, fails)| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let layer = SlowClientGuardLayer::new(limits().without_min_rate().build().unwrap())
                    .with_reporter(Reporter::silent());
                let bytes = Vec::from_iter(script.iter().map(|(_, size)| vec![b'x'; *size]));
                let mut steps = Vec::from_iter(
                    script
                        .iter()
                        .zip(&bytes)
                        .map(|((after, _), bytes)| data(*after, bytes.clone())),
                );
                if fails {
                    steps.push(Step::Error(1));
                }
                let held = Arc::new(());
                let mut body = body(&layer, Scripted::new(steps).holding(&held)).await;
                let mut got = Vec::new();
                let mut longest = Duration::ZERO;
                let mut pauses = reader.into_iter().cycle();
                let error = loop {
                    let pause = Duration::from_millis(pauses.next().unwrap());
                    sleep(pause).await;
                    longest = longest.max(pause);
                    match body.frame().await {
                        Some(Ok(frame)) => got.extend(frame.into_data().unwrap()),
                        Some(Err(error)) => break Some(error),
                        None => break None,
                    }
                };
                let all = bytes.concat();
                prop_assert!(all.starts_with(&got));
                let was_cut = error
                    .as_ref()
                    .is_some_and(|error| SlowClient::find(&**error).is_some());
                prop_assert!(was_cut || all.len() == got.len());
                prop_assert!(!was_cut || longest >= STALL);
                prop_assert!(was_cut || error.is_some() == fails);
                prop_assert!(was_cut || longest < STALL + LATE);
                prop_assert_eq!((layer.watched(), Arc::strong_count(&held)), (0, 1));
                Ok(())
            })
        })
        .unwrap();
}
