//! The gate without HTTP, on the paused clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::task::noop_waker;
use tokio::time::{Instant, sleep};
use tower_lifeline::admission_gate::{Enter, Key, SeatPhase};
use tower_lifeline::refusal::Reason;
use tower_lifeline::{
    AdmissionGate, Bound, ClassLimits, Deadline, Event, GateLimits, Outcome, Reporter, Seat,
};

fn limits(seats: u32, places: u32) -> GateLimits {
    GateLimits::builder(seats).max_queue(places).build().unwrap()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(&noop_waker()))
}

fn seat_of(enter: &mut Enter) -> Seat {
    match poll(enter) {
        Poll::Ready(Ok(seat)) => seat,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn seats_are_handed_on_in_order() {
    let gate = AdmissionGate::new(limits(1, 2));
    let first = gate.enter().await.unwrap();
    let (mut second, mut third) = (gate.enter(), gate.enter());
    assert!(poll(&mut second).is_pending() && poll(&mut third).is_pending());
    assert_eq!(gate.enter().await.unwrap_err().reason(), Reason::QueueFull);
    assert_eq!(gate.try_enter().unwrap_err().reason(), Reason::QueueFull);
    drop(first);
    assert!(
        gate.try_enter().is_err(),
        "nobody overtakes, even before the second has come for the seat"
    );
    assert!(poll(&mut third).is_pending());
    drop(seat_of(&mut second));
    drop(seat_of(&mut third));
    let figures = gate.figures();
    assert_eq!(
        (
            figures.in_flight,
            figures.waiting,
            figures.admitted,
            figures.waited
        ),
        (0, 0, 3, 2)
    );
    assert_eq!(figures.refused_full, 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_queue_timeout_or_the_deadline() {
    let gate = AdmissionGate::new(limits(1, 9));
    let _held = gate.enter().await.unwrap();
    let start = Instant::now();
    let refused = gate.enter().await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let is_limit = |reason, by| matches!(reason, Reason::QueueTimeout { bound, .. } if bound == by);
    assert!(is_limit(refused.reason(), Bound::Limit));

    let start = Instant::now();
    let deadline = Deadline::after(Duration::from_secs(2));
    let refused = gate.enter().deadline(&deadline).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert!(is_limit(refused.reason(), Bound::Deadline));

    let start = Instant::now();
    let refused = Deadline::after(Duration::from_secs(1))
        .scope(gate.enter().into_future())
        .await
        .unwrap_err();
    assert_eq!(
        (start.elapsed(), is_limit(refused.reason(), Bound::Deadline)),
        (Duration::from_secs(1), true)
    );
    assert_eq!(gate.figures().waiting, 0);
    assert_eq!(gate.figures().refused_timeout, 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_dropped_leaves_in_that_moment_and_passes_a_seat_on() {
    let gate = AdmissionGate::new(limits(1, 9));
    let held = gate.enter().await.unwrap();
    let mut waiters: Vec<_> = (0..5).map(|_| gate.enter()).collect();
    waiters
        .iter_mut()
        .for_each(|waiter| assert!(poll(waiter).is_pending()));
    drop(waiters.remove(2));
    assert_eq!(gate.figures().waiting, 4);
    drop(held);
    // The seat is the first one's now, who goes without having come for it; then so does the next.
    drop(waiters.remove(0));
    drop(waiters.remove(0));
    assert_eq!((gate.figures().in_flight, gate.figures().waiting), (1, 1));
    assert!(poll(&mut waiters[1]).is_pending());
    drop(seat_of(&mut waiters[0]));
    drop(seat_of(&mut waiters[1]));
    assert_eq!(gate.figures().in_flight, 0);
    assert_eq!(gate.figures().abandoned, 3);
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_came_with_the_end_of_the_wait_counts() {
    let gate = AdmissionGate::new(limits(1, 9));
    let held = gate.enter().await.unwrap();
    let mut waiter = gate.enter();
    assert!(poll(&mut waiter).is_pending());
    sleep(Duration::from_secs(5)).await;
    drop(held);
    drop(seat_of(&mut waiter));
}

#[tokio::test(start_paused = true)]
async fn limits_change_while_running() {
    let gate = AdmissionGate::new(limits(3, 5));
    let mut seats: Vec<_> = (0..3).map(|_| gate.try_enter().unwrap()).collect();
    gate.set_max_in_flight(1).unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| gate.enter()).collect();
    waiters
        .iter_mut()
        .for_each(|waiter| assert!(poll(waiter).is_pending()));
    seats.truncate(1);
    assert!(
        poll(&mut waiters[0]).is_pending(),
        "running work stays, and nobody comes in above the limit"
    );
    seats.clear();
    let first = seat_of(&mut waiters[0]);
    assert!(poll(&mut waiters[1]).is_pending());
    gate.set_max_in_flight(3).unwrap();
    let others = (seat_of(&mut waiters[1]), seat_of(&mut waiters[2]));
    assert_eq!((gate.figures().in_flight, gate.figures().max_in_flight), (3, 3));
    gate.set_max_queue(0).unwrap();
    assert_eq!(gate.enter().await.unwrap_err().reason(), Reason::QueueFull);
    drop((first, others));
    gate.set_queue_timeout(Duration::from_millis(10)).unwrap();
    assert!(gate.set_max_in_flight(0).is_err() && gate.set_queue_timeout(Duration::ZERO).is_err());
    assert!(gate.set_key_share(Some(0)).is_err() && gate.set_max_in_flight(1 << 20).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_turns_those_away_who_wait_and_tells_when_all_are_out() {
    let gate = AdmissionGate::new(limits(2, 5));
    let (first, second) = (gate.enter().await.unwrap(), gate.enter().await.unwrap());
    let waiter = tokio::spawn(gate.enter());
    tokio::task::yield_now().await;
    let mut before = gate.drained();
    assert!(poll(&mut before).is_pending());
    let mut drained = pin!(gate.close());
    assert_eq!(waiter.await.unwrap().unwrap_err().reason(), Reason::Draining);
    assert_eq!(gate.enter().await.unwrap_err().reason(), Reason::Draining);
    assert!(poll(&mut drained).is_pending() && gate.is_closed());
    drop(first);
    let last = tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        drop(second);
    });
    let start = Instant::now();
    drained.await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    before.await;
    gate.drained().await;
    last.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_lets_everybody_in_and_tells() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let gate = AdmissionGate::builder(limits(1, 1)).name("model").dry_run();
    let gate = gate
        .reporter(Reporter::to(move |event: &Event| {
            seen.lock().unwrap().push(*event)
        }))
        .build()
        .unwrap();
    let seats: Vec<_> = (0..4)
        .map(|_| gate.enter().now_or_never().unwrap().unwrap())
        .collect();
    assert_eq!(
        (gate.figures().in_flight, gate.figures().would_have_refused),
        (4, 2)
    );
    let would = |event: &Event| {
        matches!(
            event,
            Event::GateRefused {
                gate: "model",
                reason: Reason::QueueFull,
                outcome: Outcome::WouldHaveRefused,
                ..
            }
        )
    };
    let seen = std::mem::take(&mut *events.lock().unwrap());
    assert!(seen.len() == 2 && seen.iter().all(would), "{seen:?}");
    gate.set_dry_run(false);
    assert!(gate.try_enter().is_err());
    let mut waiter = gate.enter();
    assert!(poll(&mut waiter).is_pending());
    gate.set_dry_run(true);
    drop(seat_of(&mut waiter));
    drop(seats);
    assert_eq!(gate.figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_has_no_more_than_its_share_in_and_waiting() {
    let gate = AdmissionGate::new(GateLimits::builder(3).key_share(2).build().unwrap());
    let (one, two) = (Key::of("one"), Key::of("two"));
    let held = gate.enter().key(one).await.unwrap();
    let _second = gate.enter().key(one).await.unwrap();
    assert_eq!(
        gate.enter().key(one).await.unwrap_err().reason(),
        Reason::KeyShare
    );
    let _third = gate.enter().key(two).await.unwrap();
    let mut waiter = gate.enter().key(two);
    assert!(poll(&mut waiter).is_pending());
    assert_eq!(
        gate.enter().key(two).await.unwrap_err().reason(),
        Reason::KeyShare
    );
    drop(held);
    drop(seat_of(&mut waiter));
    drop(gate.enter().key(one).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn events_tell_of_waits_refusals_and_the_end() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let gate = AdmissionGate::builder(limits(1, 1)).name("pool");
    let gate = gate
        .reporter(Reporter::to(move |event: &Event| {
            seen.lock().unwrap().push(*event)
        }))
        .build()
        .unwrap();
    let held = gate.enter().await.unwrap();
    let waiter = tokio::spawn(gate.enter());
    sleep(Duration::from_secs(1)).await;
    assert!(gate.enter().await.is_err());
    drop(held);
    drop(waiter.await.unwrap().unwrap());
    let held = gate.enter().await.unwrap();
    let waiter = tokio::spawn(gate.enter());
    sleep(Duration::from_secs(2)).await;
    waiter.abort();
    sleep(Duration::from_secs(1)).await;
    // Refused by the end, which nobody tells it: it has not gone away.
    let mut unheard = gate.enter();
    assert!(poll(&mut unheard).is_pending());
    let closed = gate.close();
    drop((unheard, held));
    closed.await;
    gate.close().await;
    let figures = gate.figures();
    assert_eq!((figures.abandoned, figures.refused_draining), (1, 1));
    let said: Vec<_> = events
        .lock()
        .unwrap()
        .iter()
        .map(|event| format!("{event:?}"))
        .collect();
    let expected = [
        r#"GateRefused { gate: "pool", class: "standard", reason: QueueFull, outcome: Failed }"#,
        r#"GateWaited { gate: "pool", class: "standard", waited: 1s }"#,
        r#"GateAbandoned { gate: "pool", class: "standard", waited: 2s }"#,
        r#"GateClosed { gate: "pool" }"#,
    ];
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn the_listing_names_who_holds_the_seats() {
    let mut builder = AdmissionGate::builder(limits(3, 1)).list_seats();
    let slow = builder.class("slow", ClassLimits::inside(1));
    let gate = builder.build_static().unwrap();
    let oldest = gate.enter().class(slow).label("openai").await.unwrap();
    sleep(Duration::from_secs(7)).await;
    let shared = gate.try_enter().unwrap().share();
    let clone = shared.clone();
    drop(shared);
    let seats = gate.seats();
    let shown: Vec<_> = seats
        .iter()
        .map(|seat| (seat.age().as_secs(), seat.class(), seat.tool()))
        .collect();
    assert_eq!(shown, [(7, "slow", Some("openai")), (0, "standard", None)]);
    assert!(
        seats
            .iter()
            .all(|seat| seat.phase() == SeatPhase::Work && !seat.client_stalled())
    );
    drop((oldest, clone));
    assert!(gate.seats().is_empty());
}

#[test]
fn contradictory_limits_are_refused_in_a_sentence() {
    let sentence = |result: Result<GateLimits, tower_lifeline::ConfigError>| result.unwrap_err().to_string();
    assert!(sentence(GateLimits::builder(0).build()).contains("`max_in_flight` is zero"));
    assert!(sentence(GateLimits::builder(1 << 20).build()).contains("1048575"));
    assert!(
        sentence(GateLimits::builder(1).queue_timeout(Duration::ZERO).build()).contains("`queue_timeout`")
    );
    assert!(sentence(GateLimits::builder(1).key_share(4).build()).contains("could never"));
    assert_eq!(GateLimits::builder(4).build().unwrap().max_queue(), 8);

    let with = |class| {
        let mut builder = AdmissionGate::builder(limits(2, 4));
        builder.class("one", class);
        builder.build().map_err(|error| error.to_string())
    };
    assert!(with(ClassLimits::inside(0)).unwrap_err().contains("zero"));
    assert!(with(ClassLimits::inside(3)).unwrap_err().contains("inside of"));
    assert!(
        with(ClassLimits::inside(1).with_max_queue(5))
            .unwrap_err()
            .contains("max_queue")
    );
    assert!(with(ClassLimits::apart(3)).is_ok() && with(ClassLimits::inside(2)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn newcomers_never_make_more_wait_than_max_queue() {
    let mut builder = AdmissionGate::builder(limits(2, 6));
    let few = builder.class("few", ClassLimits::inside(1).with_max_queue(3));
    let gate = builder.build().unwrap();
    let _held = (gate.try_enter().unwrap(), gate.enter().class(few).await.unwrap());
    let waiter = |enter: Enter| {
        let mut enter = enter;
        poll(&mut enter).is_pending().then_some(enter)
    };
    let waiters: Vec<_> = (0..4).map_while(|_| waiter(gate.enter())).collect();
    assert_eq!(waiters.len(), 3, "three of the places are the class's own");
    gate.set_max_queue(4).unwrap();
    let one = waiter(gate.enter().class(few));
    assert!(one.is_some() && waiter(gate.enter().class(few)).is_none());
    gate.set_class(few, 1, 0).unwrap();
    assert!(
        waiter(gate.enter()).is_none(),
        "four wait, whoever's places they are"
    );
    drop(one);
    assert!(waiter(gate.enter()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_class_that_is_only_a_name_waits_with_the_standard_class() {
    let mut builder = AdmissionGate::builder(limits(1, 5));
    let named = builder.class("named", ClassLimits::none());
    builder.class("few", ClassLimits::inside(1).with_max_queue(3));
    let gate = builder.build().unwrap();
    let held = gate.try_enter().unwrap();
    let (mut first, mut second) = (gate.enter().class(named), gate.enter());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert!(gate.enter().await.is_err() && gate.enter().class(named).await.is_err());
    let figures = gate.class_figures(named).unwrap();
    assert_eq!((figures.max_queue, figures.waiting), (2, 1));
    drop(held);
    drop(seat_of(&mut first));
    drop(seat_of(&mut second));
}
