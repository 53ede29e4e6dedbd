//! Of the core: the word's arithmetic, the rate, and cases worth a name.
#![cfg(not(loom))]

mod model;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::rate::{Rate, spread};
use super::word::{Look, MAX_SEATS, Take, Word};
use super::{Ask, ClassSetup, Core, Entered, EntryId, Limits, Turn};
use crate::refusal::Reason;

#[derive(Debug)]
struct Nobody;

impl super::Wake for Nobody {
    fn wake(self) {}
}

fn limits(max_in_flight: u32, max_queue: u32) -> Limits {
    Limits {
        max_in_flight,
        max_queue,
        queue_timeout: Duration::MAX,
        key_share: None,
    }
}

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[test]
fn the_word_keeps_its_fields_apart() {
    let word = Word::new(u32::MAX);
    assert_eq!(word.look().limit(), MAX_SEATS);
    word.set_limit(2);
    assert_eq!(
        [word.take(), word.take(), word.take()],
        [Take::Seat, Take::Seat, Take::Full]
    );
    assert!(!word.give_back());
    assert!(
        word.take_or_mark(),
        "a free seat goes to whoever waits, marked or not"
    );
    assert!(!word.take_or_mark() && word.look().is_waited());
    assert!(word.give_back(), "whoever frees a seat is told of the mark");
    assert_eq!(word.take(), Take::Behind, "nobody overtakes");
    word.nobody_waits();
    word.set_limit(0);
    assert_eq!((word.take(), word.look().in_flight()), (Take::Full, 1));
    word.set_dry(true);
    assert_eq!(word.take_beyond(), Some(1));
    word.close();
    assert_eq!(word.take(), Take::Closed);
    assert_eq!(
        (word.look().taken(), word.look().in_flight(), word.look().limit()),
        (4, 2, 0)
    );
}

#[test]
fn the_count_of_all_seats_survives_its_wrap() {
    let core: Core<Nobody> = Core::new(limits(1, 0), []);
    for _ in 0..Look::WRAP + 5 {
        let seat = core.take().unwrap();
        core.release(seat);
    }
    let standing = core.standing();
    assert_eq!(standing.admitted, Look::WRAP + 5);
    assert_eq!(
        (
            standing.look.in_flight(),
            standing.look.limit(),
            standing.look.is_waited()
        ),
        (0, 1, false)
    );
}

#[test]
fn a_full_class_blocks_nobody_else() {
    let class = ClassSetup {
        name: "slow",
        seats: Some(1),
        places: 2,
        apart: false,
    };
    let core: Core<Nobody> = Core::new(limits(3, 4), [class]);
    let slow = || {
        core.enter(
            Ask {
                class: 1,
                ..Ask::default()
            },
            true,
        )
    };
    let Entered::Seat(held) = slow() else { panic!() };
    let (Entered::Waiting(mut first), Entered::Waiting(second)) = (slow(), slow()) else {
        panic!()
    };
    assert!(matches!(slow(), Entered::Refused(Reason::QueueFull)));
    assert!(
        core.take().is_some(),
        "the fast path is open: nobody waits for the whole"
    );
    let Some(whole) = core.take() else { panic!() };
    // The whole is full now, and a freed class seat alone lets the next of the class in.
    core.release(held);
    assert!(matches!(
        core.poll(&mut Some(second), Nobody, || None),
        Turn::Wait
    ));
    let mut other = None;
    if let Entered::Waiting(place) = core.enter(Ask::default(), true) {
        other = Some(place);
    }
    assert!(matches!(
        core.poll(&mut first_of(&mut first), Nobody, || None),
        Turn::Seat(_)
    ));
    assert_eq!(core.poll(&mut other, Nobody, || None), Turn::Wait);
    core.release(whole);
    assert_eq!(core.poll(&mut other, Nobody, || None), Turn::Seat(EntryId::NONE));
}

fn first_of(place: &mut super::PlaceId) -> Option<super::PlaceId> {
    Some(std::mem::replace(place, super::PlaceId::gone()))
}

#[test]
fn many_threads_never_exceed_the_limit_and_lose_nothing() {
    let core: Arc<Core<Nobody>> = Arc::new(Core::new(limits(3, 2), []));
    let threads: Vec<_> = (0..4u64)
        .map(|seed| {
            let core = core.clone();
            std::thread::spawn(move || {
                let mut random = model::Random(seed);
                for _ in 0..20_000 {
                    match core.enter(Ask::default(), true) {
                        Entered::Seat(seat) => core.release(seat),
                        Entered::Waiting(place) if random.below(2) == 0 => assert!(core.abandon(&place)),
                        Entered::Waiting(place) => {
                            if let Turn::Seat(seat) = core.time_out(place, || None) {
                                core.release(seat);
                            }
                        }
                        _ => {}
                    }
                    assert!(core.inspect(|word, queue| word.look().in_flight() <= 3 && queue.waiting() <= 2));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
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

#[test]
fn a_rate_is_known_once_enough_seats_came_free() {
    let (mut rate, at) = (Rate::default(), start());
    let secs = Duration::from_secs;
    assert_eq!(rate.look(at, 0, Look::WRAP), None);
    assert_eq!(
        rate.look(at + secs(2), 7, Look::WRAP),
        None,
        "seven are not enough"
    );
    assert_eq!(rate.look(at + secs(4), 8, Look::WRAP), Some(2.0));
    // A quiet spell tells nothing: nobody knows how much of it was idle.
    assert_eq!(rate.look(at + secs(400), 800, Look::WRAP), None);
    assert_eq!(rate.look(at + secs(402), 840, Look::WRAP), Some(20.0));
    assert_eq!(
        rate.look(at + secs(404), 860, Look::WRAP),
        Some(15.0),
        "half of what was known stays"
    );
    // Nothing comes free any more: the old rate would call everybody back at once, for ever.
    let soon = at + secs(404) + Duration::from_millis(500);
    assert_eq!(rate.look(soon, 860, Look::WRAP), Some(15.0));
    assert_eq!(rate.look(at + secs(406), 860, Look::WRAP), Some(0.5));
    assert_eq!(rate.look(at + secs(414), 861, Look::WRAP), Some(0.2));
    let mut rate = Rate::default();
    rate.look(at, Look::WRAP - 4, Look::WRAP);
    assert_eq!(
        rate.look(at + secs(1), 6, Look::WRAP),
        Some(10.0),
        "the count wraps"
    );
}

#[test]
fn retry_after_is_spread_and_stays_within_its_limits() {
    let secs = Duration::from_secs;
    let range = |wait| {
        let all: Vec<_> = (0..1000)
            .map(|random| spread(wait, secs(1), secs(60), random))
            .collect();
        (*all.iter().min().unwrap(), *all.iter().max().unwrap())
    };
    assert_eq!(range(Duration::ZERO), (1, 2));
    assert_eq!(range(Duration::from_millis(1500)), (2, 3));
    assert_eq!(range(secs(10)), (10, 15));
    assert_eq!(range(secs(3600)), (40, 60));
    assert_eq!(spread(secs(9), secs(3), secs(3), 17), 3);
    assert_eq!(spread(Duration::MAX, Duration::MAX, Duration::MAX, 3), u64::MAX);
}
