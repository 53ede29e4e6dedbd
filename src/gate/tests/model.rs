//! A plain model of the gate, and millions of random steps on both.
#![cfg(not(loom))]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::gate::place::PlaceId;
use crate::gate::sync::{AtomicU64, Ordering};
use crate::gate::{Ask, ClassSetup, Core, Entered, EntryId, Limits, Turn};
use crate::refusal::Reason;

/// Somebody who waits, as a number that is noted when they are woken.
#[derive(Debug)]
struct Waiter {
    number: u64,
    woken: Arc<AtomicU64>,
}

impl crate::gate::Wake for Waiter {
    fn wake(self) {
        // One waiter per step at most is woken by most steps; the sum tells which.
        self.woken.fetch_add(self.number, Ordering::Relaxed);
    }
}

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// The gate as one would write it down: vectors and searches.
struct Model {
    limit: u32,
    max_queue: u32,
    share: Option<u32>,
    dry: bool,
    closed: bool,
    /// Seats (none: no limit), places, apart.
    classes: Vec<(Option<u32>, u32, bool)>,
    seats: Vec<(u64, u8, Option<u64>)>,
    /// Given a seat, but have not come for it.
    called: Vec<(u64, u8, Option<u64>)>,
    turned_away: Vec<u64>,
    queue: VecDeque<(u64, u8, Option<u64>)>,
}

impl Model {
    fn in_class(&self, class: u8) -> u32 {
        self.seats
            .iter()
            .chain(&self.called)
            .filter(|(_, c, _)| *c == class)
            .count() as u32
    }

    fn in_whole(&self) -> u32 {
        let inside = |class: &u8| !self.classes[usize::from(*class)].2;
        self.seats
            .iter()
            .chain(&self.called)
            .filter(|(_, class, _)| inside(class))
            .count() as u32
    }

    fn waiting(&self, class: u8) -> u32 {
        self.queue.iter().filter(|(_, c, _)| *c == class).count() as u32
    }

    fn places(&self, class: u8) -> u32 {
        if !self.shares(class) {
            return self.classes[usize::from(class)].1;
        }
        let owned: u32 = self.classes[1..]
            .iter()
            .filter(|class| !class.2)
            .map(|class| class.1)
            .sum();
        self.max_queue.saturating_sub(owned)
    }

    /// Neither seats nor places of its own.
    fn shares(&self, class: u8) -> bool {
        let (seats, places, _) = self.classes[usize::from(class)];
        seats.is_none() && places == 0
    }

    fn has_place(&self, class: u8) -> bool {
        let all = 0..self.classes.len() as u8;
        let with = all.clone().filter(|other| match self.shares(class) {
            true => self.shares(*other),
            false => *other == class,
        });
        let whole = all.filter(|other| !self.classes[usize::from(*other)].2);
        let waiting = |of: u8| self.waiting(of);
        with.map(waiting).sum::<u32>() < self.places(class)
            && (self.classes[usize::from(class)].2 || whole.map(waiting).sum::<u32>() < self.max_queue)
    }

    fn of_key(&self, key: u64) -> u32 {
        let all = self.seats.iter().chain(&self.called).chain(&self.queue);
        all.filter(|(_, _, k)| *k == Some(key)).count() as u32
    }

    fn class_has_seat(&self, class: u8) -> bool {
        self.classes[usize::from(class)]
            .0
            .is_none_or(|seats| self.in_class(class) < seats)
    }

    fn may_go_in(&self, class: u8) -> bool {
        self.class_has_seat(class) && (self.classes[usize::from(class)].2 || self.in_whole() < self.limit)
    }

    fn settle(&mut self) {
        while let Some(at) = self.queue.iter().position(|(_, class, _)| self.may_go_in(*class)) {
            let waiter = self.queue.remove(at).unwrap();
            self.called.push(waiter);
        }
    }

    fn enter(&mut self, number: u64, class: u8, key: Option<u64>) -> &'static str {
        if self.closed {
            return "draining";
        }
        if self.dry {
            self.seats.push((number, class, key));
            return "seat";
        }
        if key.is_some_and(|key| self.share.is_some_and(|share| self.of_key(key) >= share)) {
            return "key";
        }
        if self.may_go_in(class) {
            self.seats.push((number, class, key));
            return "seat";
        }
        if !self.has_place(class) {
            return "full";
        }
        self.queue.push_back((number, class, key));
        "waits"
    }
}

struct Run {
    random: Random,
    core: Core<Waiter>,
    model: Model,
    seats: HashMap<u64, EntryId>,
    places: HashMap<u64, PlaceId>,
    woken: Arc<AtomicU64>,
    /// Waiters that have looked, so that they can be woken.
    looked: HashMap<u64, bool>,
    next: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limit = 1 + random.below(6) as u32;
        let max_queue = random.below(10) as u32;
        let share = (random.below(2) == 0).then(|| 1 + random.below(3) as u32);
        let mut classes = vec![(None, 0, false)];
        for _ in 0..random.below(4) {
            let seats = (random.below(5) > 0).then(|| 1 + random.below(3) as u32);
            classes.push((
                seats,
                random.below(4) as u32,
                seats.is_some() && random.below(3) == 0,
            ));
        }
        let limits = Limits {
            max_in_flight: limit,
            max_queue,
            queue_timeout: Duration::MAX,
            key_share: share,
        };
        let setups = classes[1..].iter().map(|(seats, places, apart)| ClassSetup {
            name: "one",
            seats: *seats,
            places: *places,
            apart: *apart,
        });
        Self {
            core: Core::new(limits, setups),
            model: Model {
                limit,
                max_queue,
                share,
                dry: false,
                closed: false,
                classes,
                seats: Vec::new(),
                called: Vec::new(),
                turned_away: Vec::new(),
                queue: VecDeque::new(),
            },
            random,
            seats: HashMap::new(),
            places: HashMap::new(),
            woken: Arc::default(),
            looked: HashMap::new(),
            next: 1,
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.random.below(from.len() as u64) as usize])
    }

    fn waiter(&self, number: u64) -> Waiter {
        Waiter {
            number,
            woken: self.woken.clone(),
        }
    }

    fn step(&mut self) {
        let called_before = self.model.called.len();
        match self.random.below(100) {
            0..36 => self.enter(),
            36..62 => self.release(),
            62..82 => self.look(),
            82..88 => self.abandon(),
            88..93 => self.time_out(),
            93..98 => self.change(),
            98 if self.random.below(20) == 0 => {
                self.core.set_dry_run(!self.model.dry);
                self.model.dry = !self.model.dry;
                if self.model.dry {
                    let all = self.model.queue.drain(..);
                    self.model.called.extend(all);
                }
            }
            99 if self.random.below(100) == 0 => {
                self.core.close();
                self.model.closed = true;
                let all: Vec<_> = self.model.queue.drain(..).map(|(number, ..)| number).collect();
                self.model.turned_away.extend(all);
            }
            _ => {}
        }
        if !self.model.closed {
            // Exactly those are woken who were called in this step and have left a waker.
            let called = self.model.called.get(called_before..).unwrap_or_default();
            let expected: u64 = called
                .iter()
                .map(|(number, ..)| *number)
                .filter(|n| self.looked[n])
                .sum();
            assert_eq!(
                self.woken.swap(0, Ordering::Relaxed),
                expected,
                "exactly one waiter is woken for a seat"
            );
        }
        self.compare();
    }

    fn enter(&mut self) {
        let number = self.next;
        self.next += 1;
        let class = self.random.below(self.model.classes.len() as u64) as u8;
        let key = (self.random.below(3) == 0).then(|| self.random.below(4));
        let is = match self.core.enter(
            Ask {
                class,
                key,
                listed: None,
            },
            true,
        ) {
            Entered::Seat(entry) | Entered::WouldRefuse(entry, _) => {
                self.seats.insert(number, entry);
                "seat"
            }
            Entered::Waiting(place) => {
                self.places.insert(number, place);
                self.looked.insert(number, false);
                "waits"
            }
            Entered::Refused(Reason::QueueFull) => "full",
            Entered::Refused(Reason::KeyShare) => "key",
            Entered::Refused(Reason::Draining) => "draining",
            Entered::Refused(other) => panic!("{other:?}"),
        };
        assert_eq!(is, self.model.enter(number, class, key));
        if is == "waits" && !self.model.classes[usize::from(class)].2 {
            let waiting = self.core.inspect(|_, queue| queue.waiting());
            assert!(
                waiting <= self.model.max_queue,
                "newcomers never make more than `max_queue` wait"
            );
        }
    }

    fn release(&mut self) {
        let seats: Vec<_> = self.model.seats.iter().map(|(number, ..)| *number).collect();
        let Some(number) = self.pick(&seats) else { return };
        self.core.release(self.seats.remove(&number).unwrap());
        self.model.seats.retain(|(other, ..)| *other != number);
        self.model.settle();
    }

    fn waiter_numbers(&self) -> Vec<u64> {
        let waits = self
            .model
            .queue
            .iter()
            .chain(&self.model.called)
            .map(|(number, ..)| *number);
        waits.chain(self.model.turned_away.iter().copied()).collect()
    }

    fn is_called(&mut self, number: u64) -> bool {
        let at = self.model.called.iter().position(|(other, ..)| *other == number);
        let called = at.map(|at| self.model.called.remove(at));
        self.model.seats.extend(called);
        called.is_some()
    }

    fn look(&mut self) {
        let Some(number) = self.pick(&self.waiter_numbers()) else {
            return;
        };
        let waiter = self.waiter(number);
        let mut place = self.places.remove(&number);
        match self.core.poll(&mut place, waiter, || None) {
            Turn::Wait => {
                assert!(self.model.queue.iter().any(|(other, ..)| *other == number));
                self.looked.insert(number, true);
                self.places.insert(number, place.unwrap());
            }
            Turn::Seat(entry) => {
                assert!(self.is_called(number));
                self.seats.insert(number, entry);
            }
            Turn::Refused(reason) => {
                assert_eq!(reason, Reason::Draining);
                assert!(self.model.turned_away.contains(&number));
                self.model.turned_away.retain(|other| *other != number);
            }
        }
    }

    fn abandon(&mut self) {
        let Some(number) = self.pick(&self.waiter_numbers()) else {
            return;
        };
        let place = self.places.remove(&number).unwrap();
        self.core.abandon(&place);
        self.model.queue.retain(|(other, ..)| *other != number);
        self.model.called.retain(|(other, ..)| *other != number);
        self.model.turned_away.retain(|other| *other != number);
        let called_before = self.model.called.len();
        self.model.settle();
        // Counted from before the step: whoever was called stands where the one who left stood.
        self.settle_woken(called_before);
    }

    fn time_out(&mut self) {
        let Some(number) = self.pick(&self.waiter_numbers()) else {
            return;
        };
        let place = self.places.remove(&number).unwrap();
        match self.core.time_out(place, || None) {
            Turn::Wait => {
                let before = self.model.queue.len();
                self.model.queue.retain(|(other, ..)| *other != number);
                assert_eq!(self.model.queue.len() + 1, before);
            }
            Turn::Seat(entry) => {
                assert!(
                    self.is_called(number),
                    "a seat that is there beats a time that is up"
                );
                self.seats.insert(number, entry);
            }
            Turn::Refused(_) => self.model.turned_away.retain(|other| *other != number),
        }
    }

    fn settle_woken(&mut self, called_before: usize) {
        let called = self.model.called.get(called_before..).unwrap_or_default();
        let expected: u64 = called
            .iter()
            .map(|(number, ..)| *number)
            .filter(|n| self.looked[n])
            .sum();
        if !self.model.closed {
            assert_eq!(
                self.woken.swap(0, Ordering::Relaxed),
                expected,
                "a seat nobody came for is passed on"
            );
        }
        // So that the step's own check finds nobody else.
        for (number, ..) in called {
            self.looked.insert(*number, false);
        }
    }

    fn change(&mut self) {
        let called_before = self.model.called.len();
        if self.model.classes.len() > 1 && self.random.below(2) == 0 {
            let class = 1 + self.random.below(self.model.classes.len() as u64 - 1) as u8;
            let (seats, places) = (1 + self.random.below(4) as u32, self.random.below(4) as u32);
            let had_limit = self.model.classes[usize::from(class)].0.is_some();
            assert_eq!(self.core.set_class(class, seats, places), had_limit);
            if had_limit {
                let class = &mut self.model.classes[usize::from(class)];
                (class.0, class.1) = (Some(seats), places);
            }
        } else {
            let limit = 1 + self.random.below(7) as u32;
            let max_queue = self.random.below(10) as u32;
            self.core
                .set_limits(|limits| (limits.max_in_flight, limits.max_queue) = (limit, max_queue));
            (self.model.limit, self.model.max_queue) = (limit, max_queue);
        }
        self.model.settle();
        self.settle_woken(called_before);
    }

    fn compare(&self) {
        let model = &self.model;
        let standing = self.core.standing();
        assert_eq!(standing.look.in_flight(), model.in_whole());
        assert_eq!(standing.look.limit(), model.limit);
        assert_eq!(standing.look.is_closed(), model.closed);
        let mut numbers = HashMap::new();
        for (number, place) in &self.places {
            numbers.insert(format!("{place:?}"), *number);
        }
        self.core.inspect(|word, queue| {
            let mut eligible = false;
            for (class, room) in queue.rooms.iter().enumerate() {
                let line = queue.places.line(room.line);
                assert_eq!(line.len() as u32, room.waiting);
                let order = line.iter().map(|index| numbers[&format!("PlaceId({index})")]);
                let expected = model
                    .queue
                    .iter()
                    .filter(|(_, c, _)| usize::from(*c) == class)
                    .map(|(n, ..)| *n);
                assert!(order.eq(expected), "first come, first served within a class");
                if class > 0 {
                    assert_eq!(room.in_flight, model.in_class(class as u8));
                }
                eligible |= !line.is_empty() && !room.setup.apart && room.has_seat();
            }
            assert_eq!(
                word.look().is_waited(),
                eligible,
                "the mark is there while it is needed, and only then"
            );
            assert!(queue.keys.values().all(|held| *held > 0));
            for (key, held) in &queue.keys {
                // Those who were turned away count until they have heard of it.
                assert!(*held == model.of_key(*key) || model.closed);
            }
        });
    }
}

/// `PROPTEST`-like depth: a hundred thousand steps in a debug build, millions in a release build.
const RUNS: u64 = if cfg!(debug_assertions) { 100 } else { 4000 };

#[test]
fn random_steps_agree_with_the_model() {
    for seed in 0..RUNS {
        let mut run = Run::new(seed);
        for _ in 0..700 {
            run.step();
        }
        // Everybody goes: nothing may be left.
        let places: Vec<_> = run.places.drain().map(|(_, place)| place).collect();
        for place in places {
            run.core.abandon(&place);
        }
        for (_, entry) in run.seats.drain() {
            run.core.release(entry);
        }
        let standing = run.core.standing();
        assert_eq!(
            (standing.look.in_flight(), standing.waiting),
            (0, 0),
            "seed {seed}"
        );
        run.core.inspect(|_, queue| {
            assert!(queue.keys.is_empty() && queue.entries.iter().next().is_none());
            assert!(queue.rooms.iter().all(|room| room.in_flight == 0));
        });
    }
}

#[test]
fn limits_hold_whatever_happens() {
    // The model is compared in every step above; this one has no model, only the promises.
    let limits = Limits {
        max_in_flight: 3,
        max_queue: 5,
        queue_timeout: Duration::MAX,
        key_share: None,
    };
    let core: Core<Waiter> = Core::new(limits, []);
    let (mut random, mut seats, mut places) = (Random(7), Vec::new(), Vec::new());
    for _ in 0..RUNS * 1000 {
        match random.below(4) {
            0 | 1 => match core.enter(Ask::default(), true) {
                Entered::Seat(entry) => seats.push(entry),
                Entered::Waiting(place) => places.push(place),
                _ => {}
            },
            2 if !seats.is_empty() => {
                core.release(seats.swap_remove(random.below(seats.len() as u64) as usize))
            }
            _ if !places.is_empty() => {
                let place = places.swap_remove(random.below(places.len() as u64) as usize);
                if let Turn::Seat(entry) = core.time_out(place, || None) {
                    seats.push(entry);
                }
            }
            _ => {}
        }
        let look = core.inspect(|word, queue| (word.look().in_flight(), queue.waiting()));
        assert!(look.0 <= 3 && look.1 <= 5 && seats.len() <= 3 && places.len() <= 5 + 3);
    }
}
