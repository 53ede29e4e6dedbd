//! Proves that the counters count: work whose costs are known, counted as every row is.
#![expect(clippy::expect_used, reason = "without a runtime there is nothing to measure")]

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

use crate::callgrind::Profile;
use crate::rows::driver::Measure;
use crate::{Costs, atomics};

/// The name under which the program is asked for it.
pub(crate) const NAME: &str = "calibrate";

/// What is done, `n` times each.
pub(crate) const WORK: [fn(usize, &mut Measure<'_>); 2] = [
    |n, measure| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let _entered = runtime.enter();
        time_and_memory();
        measure(&mut || (0..n).for_each(|_| time_and_memory()));
    },
    |n, measure| measure(&mut || (0..n).for_each(|_| read_modify_writes())),
];

/// Two allocations, three looks at the clock, and one timer in a runtime without an earlier one, which wakes the
/// driver by a system call.
fn time_and_memory() {
    black_box((Box::new(1), Box::new(2)));
    let now = black_box([Instant::now(), Instant::now(), Instant::now()])[0];
    let mut timer = pin!(sleep_until(now + Duration::from_secs(60)));
    let polled = timer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    black_box(polled.is_pending());
}

/// Five read-modify-writes, one of which stores what is there already, and a read and a write, which are none.
fn read_modify_writes() {
    let word = black_box(AtomicU32::new(0));
    black_box(word.fetch_add(1, Relaxed) + word.swap(2, Relaxed) + word.fetch_or(4, Relaxed));
    black_box(word.compare_exchange(6, 6, Relaxed, Relaxed).is_ok());
    black_box(word.compare_exchange(0, 1, Relaxed, Relaxed).is_ok());
    word.store(black_box(word.load(Relaxed)), Relaxed);
}

/// Whether that is what was counted.
pub(crate) fn check(profiles: &[Profile]) -> Result<(), Box<dyn Error>> {
    let counted = crate::costs(profiles);
    let [work, locked] = *counted else {
        return Err("the calibration was not profiled".into());
    };
    let known = Costs {
        allocations: 2.0,
        clock_reads: 3.0,
        timer_registrations: 1.0,
        syscalls: 1.0,
        instructions: work.instructions,
        atomics: work.atomics,
    };
    let known_atomics = if atomics::ARE_SEEN { 5.0 } else { 0.0 };
    if work != known || locked.atomics != known_atomics {
        return Err(format!(
            "the counters miscount: known are {known:?} and {known_atomics} atomics, counted were {counted:?}"
        )
        .into());
    }
    Ok(())
}
