//! Overload with streaming answers at 1, 2, 5 and 10 times of the capacity: the example, with its promises checked.

use std::time::Duration;

#[path = "../../examples/overload.rs"]
mod overload;

use overload::{Before, CAPACITY, Pace, Tally, capacity, capacity_over_sockets, in_process, over_sockets};

fn holds(tally: &Tally, load: u32, queue_timeout: Duration, slack: Duration) {
    assert!(
        tally.most <= CAPACITY,
        "{load}×: {} were worked on at once",
        tally.most
    );
    let waited = Tally::slowest(&tally.heads);
    assert!(
        waited <= queue_timeout + slack,
        "{load}×: accepted after {waited:?}"
    );
    let refused = Tally::slowest(&tally.refusals);
    assert!(refused <= slack, "{load}×: refused after {refused:?}");
    assert_eq!(tally.gave_up, 0, "{load}×: nobody is left to wait");
    assert_eq!(tally.served + tally.refused, tally.sent);
}

#[tokio::test(start_paused = true)]
async fn goodput_stays_at_the_capacity_on_the_paused_clock() {
    let ms = Duration::from_millis;
    let pace = Pace {
        answer: ms(1000),
        patience: ms(10_000),
        span: ms(60_000),
    };
    for load in [1, 2, 5, 10] {
        let tally = in_process(&Before::gate(ms(5000)), load, pace).await;
        // The head itself takes a tenth of an answer.
        holds(&tally, load, ms(5000), ms(100));
        assert!(
            tally.goodput(capacity(pace)) >= 0.95,
            "{load}×: {}",
            tally.goodput(capacity(pace))
        );
        assert_eq!(
            Tally::slowest(&tally.refusals),
            Duration::ZERO,
            "a refusal comes in the moment"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_gate_the_same_load_serves_nobody() {
    let ms = Duration::from_millis;
    let pace = Pace {
        answer: ms(1000),
        patience: ms(10_000),
        span: ms(30_000),
    };
    for before in [Before::Nothing, Before::Limit] {
        let tally = in_process(&before, 5, pace).await;
        assert!(
            tally.goodput(capacity(pace)) < 0.5,
            "{before:?}: {}",
            tally.goodput(capacity(pace))
        );
    }
    let shed = in_process(&Before::ShedAndLimit, 5, pace).await;
    assert!(
        shed.most > CAPACITY,
        "its permit is free at the head: {} at once",
        shed.most
    );
}

/// In real time, so the capacity is measured in the same run, and the loss may be three times of what the paused
/// clock allows (without a gate it is more than half); and once of three times has to do, since a machine with other
/// things to do changes its capacity in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goodput_stays_at_the_capacity_over_sockets() {
    let ms = Duration::from_millis;
    let pace = Pace {
        answer: ms(200),
        patience: ms(20_000),
        span: ms(1500),
    };
    for load in [2, 5, 10] {
        let mut seen = Vec::new();
        while seen.len() < 3 && seen.last().is_none_or(|goodput| *goodput < 0.85) {
            let possible = capacity_over_sockets(Pace {
                span: ms(600),
                ..pace
            })
            .await;
            let tally = over_sockets(&Before::gate(ms(2000)), load, pace).await;
            holds(&tally, load, ms(2000), ms(1000));
            seen.push(tally.goodput(possible));
        }
        assert!(
            seen.last().is_some_and(|goodput| *goodput >= 0.85),
            "{load}×: {seen:?}"
        );
    }
}
