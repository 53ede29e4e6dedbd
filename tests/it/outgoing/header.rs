//! What is left of a deadline, as the callee reads it.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tower::{Layer, Service, service_fn};
use tower_lifeline::outgoing::{DeadlineHeaderLayer, OutgoingError, OutgoingTimeoutLayer};
use tower_lifeline::{Bound, Deadline, DeadlineHeader, Event, Outcome, Phase};

use super::{Never, Seen, limits, ms, secs};

/// Sends `request` and gives back the headers that arrived.
async fn sent(
    layer: &DeadlineHeaderLayer,
    request: Request<()>,
) -> Result<HeaderMap, (OutgoingError, Option<HeaderMap>)> {
    let arrived = Arc::new(Mutex::new(None));
    let saw = arrived.clone();
    let mut client = layer.layer(service_fn(move |request: Request<()>| {
        *saw.lock().unwrap() = Some(request.headers().clone());
        ready(Ok::<_, Never>(Response::new(())))
    }));
    let outcome = client.call(request).await;
    let arrived = arrived.lock().unwrap().take();
    outcome
        .map(|_| arrived.clone().unwrap())
        .map_err(|error| (error, arrived))
}

fn under(deadline: Deadline) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(deadline);
    request
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_written() {
    let grpc = DeadlineHeaderLayer::new(DeadlineHeader::GrpcTimeout);
    let envoy = DeadlineHeaderLayer::new(DeadlineHeader::EnvoyExpectedTimeout);
    let deadline = Deadline::after(secs(30));
    tokio::time::advance(ms(12_345)).await;
    assert_eq!(
        sent(&grpc, under(deadline.clone())).await.unwrap()["grpc-timeout"],
        "17655000u"
    );
    assert_eq!(
        sent(&envoy, under(deadline.clone())).await.unwrap()["x-envoy-expected-rq-timeout-ms"],
        "17655"
    );
    let scoped = deadline.scope(async { sent(&envoy, Request::new(())).await });
    assert_eq!(scoped.await.unwrap()["x-envoy-expected-rq-timeout-ms"], "17655");
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_nothing_is_written() {
    let grpc = DeadlineHeaderLayer::new(DeadlineHeader::GrpcTimeout);
    assert!(sent(&grpc, Request::new(())).await.unwrap().is_empty());
    assert!(
        sent(&grpc, under(Deadline::unbounded()))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn the_shorter_one_stays() {
    let grpc = DeadlineHeaderLayer::new(DeadlineHeader::GrpcTimeout);
    for (own, then) in [
        ("3S", "3S"),
        ("60S", "5000000u"),
        ("soon", "5000000u"),
        ("5000m", "5000m"),
    ] {
        let mut request = under(Deadline::after(secs(5)));
        request.headers_mut().insert("grpc-timeout", own.parse().unwrap());
        let headers = sent(&grpc, request).await.unwrap();
        let values: Vec<_> = headers.get_all("grpc-timeout").iter().collect();
        assert_eq!(values, [then], "{own}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_late_is_typed_and_not_sent() {
    let seen = Seen::default();
    let layer = DeadlineHeaderLayer::new(DeadlineHeader::GrpcTimeout).with_reporter(seen.reporter());
    let deadline = Deadline::after(secs(1));
    tokio::time::advance(secs(2)).await;
    let (error, arrived) = sent(&layer, under(deadline)).await.unwrap_err();
    assert!(arrived.is_none());
    let OutgoingError::Expired(expired) = error else {
        panic!("{error:?}")
    };
    assert_eq!(expired.bound(), Bound::Deadline);
    seen.assert_failed_once(expired);
}

#[tokio::test(start_paused = true)]
async fn in_a_dry_run_it_is_sent_although_it_is_too_late() {
    let seen = Seen::default();
    let layer = DeadlineHeaderLayer::new(DeadlineHeader::GrpcTimeout)
        .report_only()
        .with_reporter(seen.reporter());
    let headers = sent(&layer, under(Deadline::after(Duration::ZERO)))
        .await
        .unwrap();
    assert!(headers.is_empty(), "{headers:?}");
    let events = seen.take();
    let would_have = |event: &Event| {
        matches!(event, Event::PhaseExpired { expired, outcome: Outcome::WouldHaveCut, .. }
            if expired.phase() == Phase::Total)
    };
    assert!(events.len() == 1 && would_have(&events[0]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn it_composes_with_the_phases_either_way() {
    let header = DeadlineHeaderLayer::new(DeadlineHeader::EnvoyExpectedTimeout);
    let phases = OutgoingTimeoutLayer::new(limits());
    let echo = || {
        service_fn(|request: Request<()>| {
            let left = request.headers()["x-envoy-expected-rq-timeout-ms"]
                .to_str()
                .unwrap()
                .to_owned();
            ready(Ok::<_, Never>(Response::new(left)))
        })
    };
    let request = || under(Deadline::after(secs(4)));
    let inside = phases.layer(header.layer(echo())).call(request()).await.unwrap();
    let outside = header.layer(phases.layer(echo())).call(request()).await.unwrap();
    for body in [inside, outside] {
        let body = http_body_util::BodyExt::collect(body.into_body())
            .await
            .unwrap()
            .to_bytes();
        assert_eq!(body, "4000");
    }
}
