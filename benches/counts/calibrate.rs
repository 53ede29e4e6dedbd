//! Proves that the counters count: work whose costs are known, counted as every row is.
#![expect(clippy::expect_used, reason = "without a runtime there is nothing to measure")]

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

use crate::callgrind::Profile;
use crate::rows::driver::Measure;
use crate::{Costs, Lengths};

/// The name under which the program is asked for it.
pub(crate) const NAME: &str = "calibrate";

/// `n` times: two allocations, three looks at the clock, and one timer in a runtime without an earlier one,
/// which wakes the driver.
pub(crate) fn run(n: usize, measure: &mut Measure<'_>) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    once();
    measure(&mut || (0..n).for_each(|_| once()));
}

fn once() {
    black_box((Box::new(1), Box::new(2)));
    let now = black_box([Instant::now(), Instant::now(), Instant::now()])[0];
    let mut timer = pin!(sleep_until(now + Duration::from_secs(60)));
    let polled = timer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    black_box(polled.is_pending());
}

/// Whether that is what was counted.
pub(crate) fn check(profiles: &[Profile], lengths: Lengths) -> Result<(), Box<dyn Error>> {
    let known = Costs {
        instructions: 0.0,
        allocations: 2.0,
        clock_reads: 3.0,
        timer_registrations: 1.0,
        driver_wakes: 1.0,
    };
    let counted = crate::costs(profiles, lengths);
    match *counted {
        [counted]
            if Costs {
                instructions: 0.0,
                ..counted
            } == known =>
        {
            Ok(())
        }
        _ => Err(format!("the counters miscount: known is {known:?}, counted was {counted:?}").into()),
    }
}
