//! The `head`, `read` and `total` phases around scripted clients.

use std::future::{pending, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, service_fn};
use tower_lifeline::outgoing::{OutgoingLimits, OutgoingTimeoutLayer};
use tower_lifeline::{Bound, Deadline, Event, Outcome, Phase, PhaseLimits};

use super::scripted::{answering, expired, layer, read_all, request};
use super::{Alive, Body, Never, Seen, Step, body, elapsed, events, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come() {
    let (alive, seen) = (Alive::default(), Seen::default());
    let held = alive.clone();
    let mut client = layer()
        .with_reporter(seen.reporter())
        .layer(service_fn(move |_: Request<()>| {
            let held = held.clone();
            async move {
                let _held = held;
                pending::<Result<Response<Body>, Never>>().await
            }
        }));
    let (outcome, took) = elapsed(client.call(request())).await;
    let expired = expired(&outcome.unwrap_err());
    assert_eq!(
        (took, expired.elapsed(), expired.limit()),
        (secs(90), secs(90), secs(90))
    );
    assert_eq!((expired.phase(), expired.bound()), (Phase::Head, Bound::Limit));
    assert_eq!(alive.count(), 0, "dropped in the moment of expiry");
    seen.assert_failed_once(expired);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent() {
    let (alive, seen) = (Alive::default(), Seen::default());
    let steps = vec![Step::Data("a"), Step::Wait(secs(80)), Step::Data("b"), Step::Hang];
    let no_total = OutgoingTimeoutLayer::new(PhaseLimits::builder().without_total().build().unwrap());
    let mut client = answering(
        &no_total.with_reporter(seen.reporter()),
        steps,
        &alive,
        Response::new,
    );
    let mut body = client.call(request()).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_ok());
    assert!(alive.count() > 0);
    let (error, took) = elapsed(body.frame()).await;
    assert_eq!((took, alive.count()), (secs(90), 0));
    let expired = expired(&error.unwrap().unwrap_err());
    assert_eq!((expired.phase(), expired.limit()), (Phase::Read, secs(90)));
    assert!(body.frame().await.is_none());
    seen.assert_failed_once(expired);
}

#[tokio::test(start_paused = true)]
async fn comments_are_not_progress_but_events_are() {
    let keep_alive = || vec![Step::Wait(secs(15)), Step::Data(": keep-alive\n\n")];
    let hung: Vec<_> = std::iter::once(Step::Data("data: x\n\n"))
        .chain((0..9).flat_map(|_| keep_alive()))
        .collect();
    let mut client = answering(&layer(), hung.clone(), &Alive::default(), events);
    let body = client.call(request()).await.unwrap().into_body();
    let (outcome, took) = elapsed(read_all(body)).await;
    let (frames, error) = outcome.unwrap_err();
    assert_eq!((expired(&error).phase(), took), (Phase::Read, secs(90)));
    // The sixth comment arrives in the very moment in which the limit passes, and what is here goes first.
    assert_eq!(frames, 7);

    // The same bytes in a body of another kind are progress.
    let mut client = answering(&layer(), hung, &Alive::default(), Response::new);
    let body = client.call(request()).await.unwrap().into_body();
    assert_eq!(
        expired(&read_all(body).await.unwrap_err().1).phase(),
        Phase::Total
    );

    let alternating = (0..7)
        .flat_map(|_| [keep_alive(), vec![Step::Data("data: y\n\n")]].concat())
        .collect();
    let mut client = answering(&layer(), alternating, &Alive::default(), events);
    let body = client.call(request()).await.unwrap().into_body();
    assert_eq!(read_all(body).await.unwrap(), 14);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_pauses_is_not_charged_to_the_producer() {
    let steps = vec![
        Step::Data("a"),
        Step::Wait(secs(60)),
        Step::Data("b"),
        Step::Wait(secs(60)),
        Step::Data("c"),
    ];
    let no_total = PhaseLimits::builder().without_total().build().unwrap();
    let mut client = answering(
        &OutgoingTimeoutLayer::new(no_total),
        steps,
        &Alive::default(),
        Response::new,
    );
    let mut body = client.call(request()).await.unwrap().into_body();
    for _ in 0..3 {
        sleep(secs(1000)).await;
        assert!(body.frame().await.unwrap().is_ok());
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_total_ends_what_flows() {
    let steps: Vec<_> = (0..200)
        .flat_map(|_| [Step::Wait(secs(1)), Step::Data("data: x\n\n")])
        .collect();
    let alive = Alive::default();
    let mut client = answering(&layer(), steps, &alive, events);
    let body = client.call(request()).await.unwrap().into_body();
    let (outcome, took) = elapsed(read_all(body)).await;
    let (frames, error) = outcome.unwrap_err();
    assert_eq!(
        (took, frames, expired(&error).phase()),
        (secs(120), 120, Phase::Total)
    );
    assert_eq!(alive.count(), 0);
}

/// On the real clock: nothing ever waits, so a paused one would stand still.
#[tokio::test]
async fn the_total_ends_what_is_always_ready() {
    let limits = PhaseLimits::builder().read(ms(20)).total(ms(20)).build().unwrap();
    let frames =
        futures::stream::repeat_with(|| Ok::<_, Never>(Frame::data(Bytes::from_static(b"data: x\n\n"))));
    let mut bodies = vec![StreamBody::new(frames)];
    let mut client = OutgoingTimeoutLayer::new(limits).layer(service_fn(move |_: Request<()>| {
        ready(Ok::<_, Never>(Response::new(bodies.pop().unwrap())))
    }));
    let started = Instant::now();
    let body = client.call(request()).await.unwrap().into_body();
    let error = body.collect().await.unwrap_err();
    assert_eq!(expired(&error).phase(), Phase::Total);
    assert!(
        started.elapsed() >= ms(20) && started.elapsed() < secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_the_total() {
    let hung = || service_fn(|_: Request<()>| pending::<Result<Response<Body>, Never>>());
    let mut client = layer().layer(hung());
    let mut request = request();
    request.extensions_mut().insert(Deadline::after(secs(7)));
    let (outcome, took) = elapsed(client.call(request.clone())).await;
    let at_head = expired(&outcome.unwrap_err());
    assert_eq!(
        (took, at_head.phase(), at_head.bound()),
        (secs(7), Phase::Total, Bound::Deadline)
    );
    assert_eq!(at_head.limit(), secs(7));

    // Found in the task where the request does not carry one; its own goes first.
    let scoped = Deadline::after(secs(3)).scope(async { client.call(self::request()).await });
    let (outcome, took) = elapsed(scoped).await;
    assert_eq!(
        (took, expired(&outcome.unwrap_err()).bound()),
        (secs(3), Bound::Deadline)
    );
    request.extensions_mut().insert(Deadline::after(secs(9)));
    let scoped = Deadline::after(secs(3)).scope(async { client.call(request.clone()).await });
    assert_eq!(elapsed(scoped).await.1, secs(9));

    let steps = vec![
        Step::Data("a"),
        Step::Wait(secs(5)),
        Step::Data("b"),
        Step::Wait(secs(5)),
        Step::Data("c"),
    ];
    let mut client = answering(&layer(), steps, &Alive::default(), Response::new);
    request.extensions_mut().insert(Deadline::after(secs(7)));
    let body = client.call(request).await.unwrap().into_body();
    let (outcome, took) = elapsed(read_all(body)).await;
    let (frames, error) = outcome.unwrap_err();
    let in_body = expired(&error);
    assert_eq!(
        (took, frames, in_body.phase(), in_body.bound()),
        (secs(7), 2, Phase::Total, Bound::Deadline)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_late_is_not_sent() {
    let seen = Seen::default();
    let mut client = layer().with_reporter(seen.reporter()).layer(service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Response<Body>, Never>> { panic!("sent") },
    ));
    let mut request = request();
    request.extensions_mut().insert(Deadline::after(secs(0)));
    let expired = expired(&client.call(request).await.unwrap_err());
    assert_eq!(
        (expired.phase(), expired.bound()),
        (Phase::Total, Bound::Deadline)
    );
    seen.assert_failed_once(expired);
}

#[tokio::test(start_paused = true)]
async fn a_request_brings_its_own_limits() {
    let hung = service_fn(|_: Request<()>| pending::<Result<Response<Body>, Never>>());
    let mut client = layer().layer(hung);
    let mut request = request();
    request.extensions_mut().insert(OutgoingLimits::from(
        PhaseLimits::builder().read(ms(250)).build().unwrap(),
    ));
    // Those of the request that is being served, which a proxy forwards with its extensions.
    request
        .extensions_mut()
        .insert(PhaseLimits::builder().read(ms(1)).build().unwrap());
    let (outcome, took) = elapsed(client.call(request)).await;
    assert_eq!(
        (took, expired(&outcome.unwrap_err()).phase()),
        (ms(250), Phase::Head)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_only_reports() {
    let seen = Seen::default();
    let limits = PhaseLimits::builder()
        .head(secs(1))
        .read(secs(2))
        .total(secs(3))
        .report_only_all()
        .build()
        .unwrap();
    let layer = OutgoingTimeoutLayer::new(limits).with_reporter(seen.reporter());
    let mut bodies = vec![body(
        vec![Step::Wait(secs(5)), Step::Data("a"), Step::Wait(secs(1))],
        &Alive::default(),
    )];
    let mut client = layer.layer(service_fn(move |_: Request<()>| {
        let body = bodies.pop().unwrap();
        async {
            sleep(secs(2)).await;
            Ok::<_, Never>(Response::new(body))
        }
    }));
    let mut request = request();
    request.extensions_mut().insert(Deadline::after(secs(0)));
    let body = client.call(request).await.unwrap().into_body();
    assert_eq!(read_all(body).await.unwrap(), 1);
    let seen = seen.take();
    let phases: Vec<_> = seen
        .iter()
        .map(|event| match event {
            Event::PhaseExpired {
                expired,
                outcome: Outcome::WouldHaveCut,
                ..
            } => expired.phase(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(phases, [Phase::Total, Phase::Head, Phase::Read]);
}
