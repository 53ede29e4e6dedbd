//! Deadlines: where they come from, where they are found, and what they do to calls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::{Bound, CallOutcome, Deadline, DeadlineHeader, DeadlineLayer, Event, Reporter};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What is left of the deadline that a handler finds in its request.
async fn left(layer: DeadlineLayer, headers: &[(&'static str, &str)]) -> Option<Duration> {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let deadline = request.extensions().get::<Deadline>().unwrap().clone();
        assert_eq!(deadline.left(), Deadline::current().left());
        let spawned = tokio::spawn(async move { (deadline.left(), Deadline::current().left()) });
        let (left, current) = spawned.await.unwrap();
        assert_eq!(current, None, "a spawned task has no current deadline");
        Ok::<_, std::convert::Infallible>(Response::new(left))
    }));
    let mut request = Request::new(());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    service.oneshot(request).await.unwrap().into_body()
}

#[tokio::test(start_paused = true)]
async fn callers_bring_the_deadline_forward_only_where_they_are_trusted() {
    let layer = DeadlineLayer::new(secs(60)).unwrap();
    let (grpc, envoy) = (("grpc-timeout", "5S"), ("x-envoy-expected-rq-timeout-ms", "7000"));
    assert_eq!(left(layer.clone(), &[grpc, envoy]).await, Some(secs(60)));
    let trusting = layer.trusting(DeadlineHeader::GrpcTimeout);
    assert_eq!(left(trusting.clone(), &[grpc, envoy]).await, Some(secs(5)));
    assert_eq!(left(trusting.clone(), &[envoy]).await, Some(secs(60)));
    let both = trusting.trusting(DeadlineHeader::EnvoyExpectedTimeout);
    assert_eq!(left(both.clone(), &[envoy]).await, Some(secs(7)));
    assert_eq!(left(both.clone(), &[grpc, envoy]).await, Some(secs(5)));
    assert_eq!(
        left(both, &[("grpc-timeout", "9H")]).await,
        Some(secs(60)),
        "never pushed back"
    );
}

#[tokio::test(start_paused = true)]
async fn garbage_from_callers_is_ignored_and_reported() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let layer = DeadlineLayer::new(secs(60))
        .unwrap()
        .trusting(DeadlineHeader::GrpcTimeout)
        .with_reporter(Reporter::to(move |event: &Event| {
            seen.lock().unwrap().push(*event)
        }));
    assert_eq!(left(layer, &[("grpc-timeout", "soon")]).await, Some(secs(60)));
    let events = events.lock().unwrap();
    let is_it = |event: &Event| {
        matches!(
            event,
            Event::DeadlineHeaderIgnored {
                header: DeadlineHeader::GrpcTimeout,
                ..
            }
        )
    };
    assert!(events.len() == 1 && is_it(&events[0]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn an_inner_layer_never_pushes_an_earlier_deadline_back() {
    let inner = DeadlineLayer::new(secs(60)).unwrap();
    let outer = DeadlineLayer::new(secs(10)).unwrap();
    let service = outer.layer(inner.layer(service_fn(async |request: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(
            request.extensions().get::<Deadline>().unwrap().left(),
        ))
    })));
    assert_eq!(
        service.oneshot(Request::new(())).await.unwrap().into_body(),
        Some(secs(10))
    );
}

#[test]
fn a_deadline_of_zero_is_refused() {
    let error = DeadlineLayer::new(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("too late"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_by_whichever_limit_comes_first() {
    let start = Instant::now();
    let deadline = Deadline::after(secs(20));
    let own = deadline
        .call("db", secs(5), std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(
        (own.bound(), own.limit(), own.elapsed()),
        (Bound::Limit, secs(5), secs(5))
    );
    sleep(secs(3)).await;
    let late = deadline
        .call("llm", secs(90), std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(
        (late.bound(), late.limit(), late.elapsed()),
        (Bound::Deadline, secs(12), secs(12))
    );
    assert_eq!(start.elapsed(), secs(20));
    assert!(deadline.has_passed());
}

#[tokio::test(start_paused = true)]
async fn work_is_not_started_when_nothing_is_left() {
    let deadline = Deadline::after(secs(1));
    sleep(secs(2)).await;
    let expired = deadline
        .call("db", secs(5), async { panic!("started") })
        .await
        .unwrap_err();
    assert_eq!(
        (expired.bound(), expired.limit()),
        (Bound::Deadline, Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_there_beats_the_limit() {
    let deadline = Deadline::unbounded();
    let work = async {
        sleep(secs(5)).await;
        7
    };
    assert_eq!(deadline.call("db", secs(5), work).await, Ok(7));
    // Without a deadline the call's own limit alone counts, and the largest one never comes.
    assert_eq!(
        deadline.call("db", Duration::MAX, sleep(secs(1_000_000))).await,
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn each_call_is_reported_once_and_its_work_is_dropped_first() {
    let held = Arc::new(());
    let events = Arc::new(Mutex::new(Vec::new()));
    let (seen, watched) = (events.clone(), held.clone());
    let reporter = Reporter::to(move |event: &Event| {
        let Event::CallEnded { outcome, elapsed, .. } = *event else {
            panic!("{event:?}")
        };
        seen.lock()
            .unwrap()
            .push((outcome, elapsed.as_secs(), Arc::strong_count(&watched)));
    });
    let deadline = Deadline::after(secs(60)).with_reporter(reporter);
    let hold = |held: &Arc<()>, time: Duration| {
        let held = held.clone();
        async move {
            sleep(time).await;
            drop(held);
        }
    };
    deadline.call("a", secs(5), hold(&held, secs(1))).await.unwrap();
    deadline
        .call("b", secs(5), hold(&held, secs(9)))
        .await
        .unwrap_err();
    let dropped = deadline.call("c", secs(5), hold(&held, secs(9)));
    assert!(tokio::time::timeout(secs(2), dropped).await.is_err());
    drop(deadline.call("never polled", secs(5), hold(&held, secs(9))));
    // The test and the observer hold one each.
    let expected = [
        (CallOutcome::Completed, 1, 2),
        (CallOutcome::Expired(Bound::Limit), 5, 2),
        (CallOutcome::Dropped, 2, 2),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
    assert_eq!(Arc::strong_count(&held), 2);
}

#[tokio::test(start_paused = true)]
async fn a_scope_lends_its_deadline_to_the_code_in_it() {
    assert_eq!(Deadline::current().left(), None);
    let left = Deadline::after(secs(4))
        .scope(async { Deadline::current().left() })
        .await;
    assert_eq!(left, Some(secs(4)));
}
