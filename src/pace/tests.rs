//! The account against a naive one, and the three promises of the module docs.

use proptest::prelude::*;

use super::*;

/// One thing that happens to a transfer.
#[derive(Clone, Copy, Debug)]
enum Step {
    Moved(usize),
    Waited(Duration),
    Asked,
}

/// The account as one would write it down: exact, in bytes times nanoseconds, settled at each step.
struct Naive {
    rate: u128,
    most: u128,
    balance: u128,
}

impl Naive {
    fn new(rate: u32, grace: Duration, most: Duration) -> Self {
        let rate = u128::from(rate);
        let worth = |time: Duration| time.as_nanos().min(u64::MAX.into()) * rate;
        Self {
            rate,
            most: worth(most).max(worth(grace)),
            balance: worth(grace),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Moved(bytes) => {
                self.balance = (self.balance + bytes as u128 * NANOS_PER_SECOND).min(self.most);
            }
            Step::Waited(time) => {
                let cost = time.as_nanos().min(u64::MAX.into()) * self.rate;
                self.balance = self.balance.saturating_sub(cost);
            }
            Step::Asked => {}
        }
    }

    fn left(&self) -> Duration {
        Duration::from_nanos((self.balance / self.rate) as u64)
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..5000).prop_map(Step::Moved),
        any::<usize>().prop_map(Step::Moved),
        (0u64..20_000_000_000).prop_map(|nanos| Step::Waited(Duration::from_nanos(nanos))),
        any::<Duration>().prop_map(Step::Waited),
        Just(Step::Asked),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![(0u64..60_000).prop_map(Duration::from_millis), any::<Duration>()]
}

fn pace(rate: u32, grace: Duration, most: Duration) -> Pace {
    Pace::new(MinRate::new(NonZeroU32::new(rate).unwrap(), grace, most))
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

proptest! {
    #[test]
    fn the_account_is_the_naive_one_to_the_nanosecond(
        rate in prop_oneof![1u32..5000, 1u32..],
        grace in duration(),
        most in duration(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut pace = pace(rate, grace, most);
        let mut naive = Naive::new(rate, grace, most);
        for step in steps {
            naive.step(step);
            match step {
                Step::Moved(bytes) => pace.moved(bytes),
                Step::Waited(time) => pace.waited(time),
                Step::Asked => prop_assert_eq!(pace.left(), naive.left()),
            }
        }
        prop_assert_eq!(pace.left(), naive.left());
    }

    #[test]
    fn pieces_count_as_much_as_the_whole(rate in 1u32.., pieces in proptest::collection::vec(0usize..3, 0..60)) {
        let mut whole = pace(rate, secs(1), secs(1000));
        let mut drops = whole;
        whole.moved(pieces.iter().sum());
        for piece in pieces {
            drops.moved(piece);
            drops.left();
        }
        prop_assert_eq!(whole.left(), drops.left());
    }
}

#[test]
fn at_the_rate_there_is_no_end_and_below_it_there_is() {
    let mut steady = pace(240, secs(5), secs(5));
    let mut slow = steady;
    for _ in 0..100_000 {
        steady.moved(240);
        steady.waited(secs(1));
    }
    assert_eq!(steady.left(), secs(4));
    let survived = (1..).find(|_| {
        slow.moved(120);
        slow.waited(secs(1));
        slow.left().is_zero()
    });
    assert_eq!(survived, Some(9));
}

#[test]
fn a_burst_buys_no_more_than_the_most() {
    let mut pace = pace(240, secs(5), secs(30));
    assert_eq!(pace.left(), secs(5));
    pace.moved(100_000_000);
    assert_eq!(pace.left(), secs(30));
    pace.waited(secs(31));
    assert_eq!(pace.left(), Duration::ZERO);
    pace.moved(240);
    assert_eq!(pace.left(), secs(1));
}

#[test]
fn bytes_too_small_to_buy_a_nanosecond_add_up() {
    let mut pace = pace(4_000_000_000, Duration::from_nanos(1), secs(1));
    for _ in 0..8 {
        pace.moved(1);
        pace.left();
    }
    assert_eq!(pace.left(), Duration::from_nanos(3));
}
