//! Every interleaving of few threads at a small gate. These tests are built by `tests/loom`, see there.

use std::sync::atomic::{AtomicU32, Ordering as StdOrdering};
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use super::{Ask, Core, Entered, EntryId, Limits, PlaceId, Turn, Wake};

/// Whoever is woken, as a flag that loom does not need to know of: it is only read when all threads are done.
#[derive(Clone, Debug, Default)]
struct Bell(std::sync::Arc<AtomicU32>);

impl Wake for Bell {
    fn wake(self) {
        self.0.fetch_add(1, StdOrdering::SeqCst);
    }
}

fn gate(seats: u32, places: u32) -> Arc<Core<Bell>> {
    let limits = Limits {
        max_in_flight: seats,
        max_queue: places,
        queue_timeout: Duration::MAX,
        key_share: None,
    };
    Arc::new(Core::new(limits, []))
}

fn seat(core: &Core<Bell>) -> EntryId {
    match core.enter(Ask::default(), true) {
        Entered::Seat(seat) => seat,
        other => panic!("{other:?}"),
    }
}

fn place(core: &Core<Bell>) -> PlaceId {
    match core.enter(Ask::default(), true) {
        Entered::Waiting(place) => place,
        other => panic!("{other:?}"),
    }
}

fn is_empty(core: &Core<Bell>) {
    let standing = core.standing();
    assert_eq!(
        (
            standing.look.in_flight(),
            standing.waiting,
            standing.look.is_waited()
        ),
        (0, 0, false)
    );
}

/// A release that races somebody who lines up: the seat is found, or its finder is woken.
#[test]
fn a_release_never_misses_who_lines_up() {
    loom::model(|| {
        let core = gate(1, 1);
        let held = seat(&core);
        let other = core.clone();
        let release = thread::spawn(move || other.release(held));
        let bell = Bell::default();
        let mut mine = None;
        match core.enter(Ask::default(), true) {
            Entered::Seat(seat) => core.release(seat),
            Entered::Waiting(place) => {
                mine = Some(place);
                if let Turn::Seat(seat) = core.poll(&mut mine, bell.clone(), || None) {
                    core.release(seat);
                }
            }
            other => panic!("{other:?}"),
        }
        release.join().unwrap();
        if mine.is_some() {
            assert_eq!(
                bell.0.load(StdOrdering::SeqCst),
                1,
                "whoever waits is woken, once"
            );
            match core.poll(&mut mine, bell, || None) {
                Turn::Seat(seat) => core.release(seat),
                other => panic!("{other:?}"),
            }
        }
        is_empty(&core);
    });
}

/// The one who is handed the seat is dropped in that moment; the next one gets it.
#[test]
fn a_seat_that_is_handed_to_somebody_who_leaves_is_passed_on() {
    loom::model(|| {
        let core = gate(1, 2);
        let held = seat(&core);
        let (leaver, mut stays) = (place(&core), Some(place(&core)));
        let bell = Bell::default();
        assert_eq!(core.poll(&mut stays, bell.clone(), || None), Turn::Wait);
        let (releasing, leaving) = (core.clone(), core.clone());
        let release = thread::spawn(move || releasing.release(held));
        let leave = thread::spawn(move || leaving.abandon(&leaver));
        release.join().unwrap();
        leave.join().unwrap();
        assert_eq!(bell.0.load(StdOrdering::SeqCst), 1);
        match core.poll(&mut stays, bell, || None) {
            Turn::Seat(seat) => core.release(seat),
            other => panic!("{other:?}"),
        }
        is_empty(&core);
    });
}

/// Nobody who comes in by the fast path overtakes, or exceeds the limit.
#[test]
fn the_limit_holds_and_nobody_overtakes() {
    loom::model(|| {
        let core = gate(1, 1);
        let held = seat(&core);
        let mut first = Some(place(&core));
        let (releasing, coming) = (core.clone(), core.clone());
        let release = thread::spawn(move || releasing.release(held));
        let come = thread::spawn(move || assert!(coming.take().is_none(), "the seat is the first one's"));
        release.join().unwrap();
        come.join().unwrap();
        match core.poll(&mut first, Bell::default(), || None) {
            Turn::Seat(seat) => core.release(seat),
            other => panic!("{other:?}"),
        }
        is_empty(&core);
    });
}

/// Two take and give back while the limit falls: never more than one of them is in afterwards.
#[test]
fn a_lowered_limit_is_never_exceeded_by_newcomers() {
    loom::model(|| {
        let core = gate(2, 0);
        let lowering = core.clone();
        let lower = thread::spawn(move || lowering.set_limits(|limits| limits.max_in_flight = 1));
        let coming = core.clone();
        let come = thread::spawn(move || coming.take());
        let mine = core.take();
        lower.join().unwrap();
        let others = come.join().unwrap();
        let taken = u32::from(mine.is_some()) + u32::from(others.is_some());
        assert_eq!(core.standing().look.in_flight(), taken);
        if taken >= 1 {
            assert!(core.take().is_none(), "one is in, and one may be");
        }
        mine.into_iter().chain(others).for_each(|seat| core.release(seat));
        assert_eq!(core.take().map(|seat| core.release(seat)), Some(()));
        is_empty(&core);
    });
}

/// The last one out tells whoever waits for that, however closing and leaving interleave.
#[test]
fn whoever_waits_for_the_end_is_told() {
    loom::model(|| {
        let core = gate(1, 0);
        let held = seat(&core);
        let releasing = core.clone();
        let release = thread::spawn(move || releasing.release(held));
        core.close();
        let bell = Bell::default();
        let at_once = core.poll_drained(1, bell.clone());
        release.join().unwrap();
        assert!(at_once || bell.0.load(StdOrdering::SeqCst) == 1);
        assert!(core.poll_drained(1, bell));
        assert!(core.take().is_none());
    });
}
