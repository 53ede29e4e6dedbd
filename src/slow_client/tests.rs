//! Scripts of looks, and what must hold for all of them.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::clock::now;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> SlowClientLimitsBuilder {
    SlowClientLimits::builder().stall(SECOND * 10)
}

/// Looks once a second at a client that takes these bytes each second, while something waits for it or not.
fn watch(limits: SlowClientLimits, seconds: impl IntoIterator<Item = (bool, u64)>) -> Vec<(u32, Finding)> {
    let start = now();
    let mut clock = SlowClock::new(&limits);
    let mut sight = Sight {
        is_waited_for: false,
        progress: 0,
        taken: 0,
    };
    let mut found = Vec::new();
    for (second, (is_waited_for, bytes)) in (0..).zip(seconds) {
        sight.is_waited_for = is_waited_for;
        sight.progress += u64::from(bytes > 0);
        sight.taken += bytes;
        let finding = clock.look(&limits, sight, start + SECOND * second);
        if finding != Finding::Fine {
            found.push((second, finding));
        }
        if matches!(finding, Finding::TooSlow(_)) {
            break;
        }
    }
    found
}

fn waiting(bytes: u64, seconds: usize) -> impl Iterator<Item = (bool, u64)> {
    std::iter::repeat_n((true, bytes), seconds)
}

#[test]
fn a_client_that_takes_nothing_is_stalled_at_half_and_cut_at_the_end() {
    let slow = SlowClient::new(Slowness::Stalled, SECOND * 10, 7);
    let seconds = [(true, 7)].into_iter().chain(waiting(0, 30));
    assert_eq!(
        watch(limits().build().unwrap(), seconds),
        [
            (5, Finding::Stalled { idle: SECOND * 5 }),
            (10, Finding::TooSlow(slow))
        ]
    );
}

#[test]
fn progress_or_the_end_of_the_wait_is_a_recovery() {
    let limits = limits().without_min_rate().build().unwrap();
    let stall = Finding::Stalled { idle: SECOND * 5 };
    let after = |seconds| Finding::Recovered {
        after: SECOND * seconds,
    };
    let seconds = waiting(0, 8)
        .chain(waiting(1, 1))
        .chain(waiting(0, 6))
        .chain([(false, 0)])
        .chain(waiting(0, 3));
    assert_eq!(
        watch(limits, seconds),
        [(5, stall), (8, after(8)), (13, stall), (15, after(7))]
    );
}

#[test]
fn nothing_that_waits_for_nobody_is_slow() {
    assert_eq!(
        watch(SlowClientLimits::new(), std::iter::repeat_n((false, 0), 100_000)),
        []
    );
}

#[test]
fn a_drip_is_below_the_rate_and_the_rate_itself_is_not() {
    let limits = limits().min_rate(100).build().unwrap();
    assert_eq!(watch(limits, waiting(100, 10_000)), []);
    // 10 s of grace, of which each second spends nine tenths.
    let found = watch(limits, waiting(10, 10_000));
    let [(12, Finding::TooSlow(slow))] = *found else {
        panic!("{found:?}");
    };
    assert_eq!((slow.slowness(), slow.taken()), (Slowness::BelowMinRate, 130));
    assert_eq!(
        watch(
            self::limits().without_min_rate().build().unwrap(),
            waiting(1, 10_000)
        ),
        []
    );
}

#[test]
fn a_burst_does_not_forgive_for_ever() {
    let limits = limits().min_rate(100).build().unwrap();
    let seconds = [(true, 1 << 30)].into_iter().chain(waiting(1, 10_000));
    let found = watch(limits, seconds);
    assert!(
        matches!(*found, [(20..=21, Finding::TooSlow(_))]),
        "twice the grace: {found:?}"
    );
}

#[test]
fn whoever_has_caught_up_owes_nothing() {
    let limits = limits().min_rate(100).build().unwrap();
    let pause = || waiting(0, 4).chain([(true, 1), (false, 0), (false, 0)]);
    assert_eq!(
        watch(limits, std::iter::repeat_with(pause).take(100).flatten()),
        []
    );
}

#[test]
fn nobody_is_charged_with_the_absence_of_who_looks() {
    let limits = limits().build().unwrap();
    let start = now();
    let mut clock = SlowClock::new(&limits);
    let sight = Sight {
        is_waited_for: true,
        progress: 1,
        taken: 10,
    };
    let mut look = |second: u32| clock.look(&limits, sight, start + SECOND * second);
    assert_eq!((look(0), look(1)), (Finding::Fine, Finding::Fine));
    // The process was stopped for ten minutes: five seconds of them count.
    assert_eq!(look(601), Finding::Stalled { idle: SECOND * 6 });
    assert_eq!(look(604), Finding::Fine);
    let Finding::TooSlow(slow) = look(605) else {
        panic!("it is counted on from there");
    };
    assert_eq!(slow.idle(), SECOND * 10);
}

#[test]
fn who_waits_afresh_has_lost_nothing_but_the_time() {
    let limits = limits().build().unwrap();
    let start = now();
    let mut clock = SlowClock::new(&limits);
    let mut sight = Sight {
        is_waited_for: true,
        progress: 1,
        taken: 1 << 20,
    };
    clock.look(&limits, sight, start);
    for second in 1..10 {
        clock.look(&limits, sight, start + SECOND * second);
    }
    assert!(matches!(
        clock.look(&limits, sight, start + SECOND * 10),
        Finding::TooSlow(_)
    ));
    assert!(clock.is_slow());
    clock.begin_afresh(&limits, start + SECOND * 10);
    assert_eq!(clock.look(&limits, sight, start + SECOND * 11), Finding::Fine);
    assert!(clock.is_slow(), "nobody has said that it recovered");
    (sight.progress, sight.taken) = (2, sight.taken + 1);
    let recovered = Finding::Recovered { after: SECOND * 2 };
    assert_eq!(clock.look(&limits, sight, start + SECOND * 12), recovered);
    assert!(!clock.is_slow());
}

#[test]
fn a_dry_run_says_once_what_it_would_have_done_and_goes_on() {
    let limits = limits().report_only().build().unwrap();
    let found = watch(limits, waiting(0, 100).chain(waiting(1, 1)).chain([(false, 0)]));
    let [
        stalled,
        (10, Finding::WouldBeTooSlow(_)),
        (101, Finding::Recovered { .. }),
    ] = *found
    else {
        panic!("{found:?}");
    };
    assert_eq!(stalled, (5, Finding::Stalled { idle: SECOND * 5 }));
}

#[test]
fn limits_that_cannot_work_are_refused() {
    let refused = [
        (SlowClientLimits::builder().stall(Duration::ZERO), "`stall`"),
        (SlowClientLimits::builder().min_rate(0), "`min_rate` of zero"),
        (
            SlowClientLimits::builder().grace(Duration::ZERO),
            "`grace` of zero",
        ),
        (
            SlowClientLimits::builder().without_min_rate().grace(SECOND),
            "`grace` belongs to `min_rate`",
        ),
    ];
    for (builder, says) in refused {
        let sentence = builder.build().unwrap_err().to_string();
        assert!(sentence.contains(says), "{sentence}");
    }
    assert_eq!(
        SlowClientLimits::builder().build().unwrap(),
        SlowClientLimits::new()
    );
    let limits = SlowClientLimits::builder().stall(SECOND * 2).build().unwrap();
    assert_eq!((limits.grace(), limits.min_rate()), (Some(SECOND * 2), Some(240)));
    assert_eq!(limits.between_looks(), Duration::from_millis(250));
    assert_eq!(
        SlowClientLimits::new().between_looks(),
        Duration::from_millis(250)
    );
}

proptest! {
    /// Whenever the looks come: who is cut as stalled has taken nothing at all for at least the stall, and who
    /// takes nothing is cut at the first look after it.
    #[test]
    fn a_stall_is_never_declared_early_or_late(
        gaps in prop::collection::vec((1u64..3_000, 0u64..3, prop::bool::weighted(0.9)), 1..200),
    ) {
        let limits = limits().without_min_rate().build().unwrap();
        let mut at = now();
        let mut clock = SlowClock::new(&limits);
        let mut sight = Sight { is_waited_for: false, progress: 0, taken: 0 };
        // The last moment before which the client is known to have been served, and the one after it.
        let (mut before, mut seen): (Instant, Option<Instant>) = (at, None);
        for (gap, bytes, is_waited_for) in gaps {
            let last = at;
            at += Duration::from_millis(gap);
            let progress = bytes / 2;
            sight.progress += progress;
            sight.taken += progress;
            sight.is_waited_for = is_waited_for;
            if progress > 0 || seen.is_none() || !is_waited_for {
                before = last;
                seen = is_waited_for.then_some(at);
            }
            match clock.look(&limits, sight, at) {
                Finding::TooSlow(slow) => {
                    prop_assert!(at.duration_since(before) >= limits.stall());
                    prop_assert_eq!(Some(slow.idle()), seen.map(|seen| at.duration_since(seen)));
                    break;
                }
                _ => prop_assert!(seen.is_none_or(|seen| at.duration_since(seen) < limits.stall())),
            }
        }
    }
}
