//! Peers at the other end of ways of any length, judged look by look.

use proptest::prelude::*;

use super::*;
use crate::clock::now;
use crate::slow_client::{Finding, SlowClient, SlowClientLimits, SlowClock, Slowness};

const MS: Duration = Duration::from_millis(1);
const STALL: Duration = Duration::from_secs(60);
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// Looks at a peer for half an hour, or until it is cut: when that is. `written` and `taken` say how much it is by
/// then, and whether a write waits.
fn cut(
    limits: &SlowClientLimits,
    written: impl Fn(Duration) -> (u64, bool),
    taken: impl Fn(Duration) -> u64,
) -> Option<(Duration, SlowClient)> {
    let (start, mut flow, mut clock) = (now(), Flow::default(), SlowClock::new(limits));
    let mut time = Duration::ZERO;
    while time < HALF_AN_HOUR {
        time += limits.between_looks();
        (flow.written, flow.is_write_pending) = written(time);
        let queued = flow.written - taken(time).min(flow.written);
        let sight = flow.sight(Queue::Bytes, Some(queued), start + time);
        if let Finding::TooSlow(slow) = clock.look(limits, sight, start + time) {
            return Some((time, slow));
        }
    }
    None
}

/// So many bytes in each interval.
fn events(bytes: u64, each: Duration) -> impl Fn(Duration) -> u64 {
    move |time| (time.as_nanos() / each.as_nanos() + 1) as u64 * bytes
}

#[test]
fn a_stream_that_is_only_on_the_way_is_kept_up_with() {
    let (limits, produced) = (SlowClientLimits::new(), events(15, 100 * MS));
    let far = |time: Duration| time.checked_sub(100 * MS).map_or(0, &produced);
    assert!((1..600).all(|looks| produced(250 * MS * looks) > far(250 * MS * looks)));
    assert_eq!(cut(&limits, |time| (produced(time), false), far), None);
}

#[test]
fn a_drip_reader_is_below_the_rate_and_is_not_kept_up_with() {
    let limits = SlowClientLimits::new();
    let dripped = |time: Duration| time.as_millis() as u64 / 10;
    // A bulk answer, of which the system holds 40 KB; one of which it holds a few bytes; one that is all written.
    for held in [40_000, 50] {
        let (_, slow) = cut(&limits, |time| (dripped(time) + held, true), dripped).unwrap();
        assert_eq!(slow.slowness(), Slowness::BelowMinRate);
    }
    let (_, slow) = cut(&limits, |_| (30_000, false), dripped).unwrap();
    assert_eq!(slow.slowness(), Slowness::BelowMinRate);
    // And a stream whose events are taken later and later.
    let produced = events(15, 100 * MS);
    let (_, slow) = cut(&limits, |time| (produced(time), false), dripped).unwrap();
    assert_eq!(slow.slowness(), Slowness::BelowMinRate);
}

/// A Unix socket takes some 700 bytes of memory for a piece of ten.
#[test]
fn no_more_is_taken_than_was_written_though_it_leaves_more_memory() {
    let (mut flow, now) = (Flow::default(), now());
    let mut sight = |written, queued| {
        (flow.written, flow.is_write_pending) = (written, true);
        let sight = flow.sight(Queue::Memory, Some(queued), now);
        (sight.progress, sight.taken)
    };
    assert_eq!(sight(40, 2800), (0, 0));
    assert_eq!(sight(40, 2100), (700, 40));
    // There is still something to be seen of who reads on.
    assert_eq!(sight(40, 1400), (1400, 40));
    assert_eq!(sight(50, 2100), (1400, 40));
    assert_eq!(sight(50, 0), (3500, 50));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: prop::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn however_long_the_way_whoever_takes_all_is_kept_and_the_dead_are_cut_in_time(
        bytes in 1_u64..200,
        each in 20_u32..3000,
        way in 0_u32..1700,
        dead_at in 0_u32..200_000,
    ) {
        let (limits, produced) = (SlowClientLimits::new(), events(bytes, each * MS));
        let taken = |time: Duration| time.checked_sub(way * MS).map_or(0, &produced);
        prop_assert_eq!(cut(&limits, |time| (produced(time), false), taken), None);
        let dead_at = dead_at * MS;
        let (at, slow) = cut(&limits, |time| (produced(time), false), |time| taken(time.min(dead_at))).unwrap();
        prop_assert_eq!(slow.slowness(), Slowness::Stalled);
        // What was on the way when it died begins to wait at the next look after it.
        let silent_since = dead_at + each.max(way) * MS;
        prop_assert!(at >= STALL && at <= silent_since + STALL + Duration::from_secs(1), "{at:?} {dead_at:?}");
    }
}
