//! Who is looked at, when, and by whom.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Builder;
use tokio::time::{advance, sleep};

use super::*;

const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Counted {
    looks: AtomicU32,
    panics: bool,
    /// It outlives its owner, for so many looks.
    lasts: Option<u32>,
}

impl Counted {
    fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }
}

impl Watched for Counted {
    fn look(&self, _: Instant) -> After {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a body panicked when it was dropped");
        if self.lasts.is_some_and(|lasts| looks + 1 >= lasts) {
            After::Go
        } else {
            After::Stay
        }
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn everything_is_looked_at_each_round_and_nothing_after_its_release() {
    let watchdog = Watchdog::new(EVERY);
    let all = Vec::from_iter((0..3000).map(|_| Arc::new(Counted::default())));
    let places = Vec::from_iter(all.iter().map(|one| watchdog.watch(one.clone())));
    assert_eq!((watchdog.count(), tasks()), (3000, 1));
    sleep(EVERY * 3 + EVERY / 2).await;
    assert!(all.iter().all(|one| one.looks() == 3));
    places
        .into_iter()
        .skip(1)
        .for_each(|place| watchdog.release(place));
    sleep(EVERY * 2).await;
    assert_eq!((all[0].looks(), all[1].looks()), (5, 3));
    assert_eq!(Arc::strong_count(&all[1]), 1);
    assert_eq!((watchdog.count(), tasks()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_patrol_ends_with_the_last_and_begins_with_the_next() {
    let watchdog = Watchdog::new(EVERY);
    for _ in 0..3 {
        assert_eq!(tasks(), 0);
        let one = Arc::new(Counted::default());
        let place = watchdog.watch(one.clone());
        sleep(EVERY * 2).await;
        watchdog.release(place);
        sleep(EVERY * 2).await;
        assert!(one.looks() >= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn places_are_used_again() {
    let watchdog = Watchdog::new(EVERY);
    let one = Arc::new(Counted::default());
    let mut places = Vec::from_iter((0..5).map(|_| watchdog.watch(one.clone())));
    for index in [3, 0, 1] {
        watchdog.release(places.remove(index));
    }
    places.extend((0..4).map(|_| watchdog.watch(one.clone())));
    places.sort_by_key(|place| place.0);
    assert_eq!(places, Vec::from_iter((0..6).map(Place)));
    assert_eq!((watchdog.count(), Arc::strong_count(&one)), (6, 7));
    places.into_iter().for_each(|place| watchdog.release(place));
    assert_eq!((watchdog.count(), Arc::strong_count(&one)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_stops_nobody_else_from_being_looked_at() {
    let watchdog = Watchdog::new(EVERY);
    let bad = Arc::new(Counted {
        panics: true,
        ..Counted::default()
    });
    let good = Arc::new(Counted::default());
    watchdog.watch(bad.clone());
    watchdog.watch(good.clone());
    advance(EVERY).await;
    sleep(EVERY * 2).await;
    assert!(bad.looks() >= 2);
    assert!(good.looks() >= 2);
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_owner_goes_by_itself() {
    let watchdog = Watchdog::new(EVERY);
    let one = Arc::new(Counted {
        lasts: Some(3),
        ..Counted::default()
    });
    let _place = watchdog.watch(one.clone());
    sleep(EVERY * 10).await;
    assert_eq!((one.looks(), Arc::strong_count(&one)), (3, 1));
    assert_eq!((watchdog.count(), tasks()), (0, 0));
}

#[test]
fn the_next_one_starts_it_again_when_its_runtime_is_gone() {
    let watchdog = Watchdog::new(Duration::from_millis(1));
    let (old, new) = (Arc::new(Counted::default()), Arc::new(Counted::default()));
    let runtime = || Builder::new_current_thread().enable_time().build().unwrap();
    runtime().block_on(async {
        watchdog.watch(old.clone());
    });
    let looks = old.looks();
    runtime().block_on(async {
        watchdog.watch(new.clone());
        while new.looks() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(old.looks() > looks, "those of before are looked at as well");
}

#[test]
fn without_a_runtime_nobody_is_lost() {
    let watchdog = Watchdog::new(Duration::from_millis(1));
    let one = Arc::new(Counted::default());
    watchdog.watch(one.clone());
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        watchdog.watch(Arc::new(Counted::default()));
        while one.looks() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    });
}
