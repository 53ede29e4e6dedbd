//! The gate's core as others see it: each method is one step, after which whoever has to be woken was woken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::entries::{Entry, EntryId, Listed};
use super::place::{PlaceId, PlaceState, Places};
use super::queue::Queue;
use super::room::{ClassSetup, Counts, Room, STANDARD};
use super::sync::{AtomicU64, Mutex, Ordering};
use super::word::{Take, Word};
use crate::refusal::Reason;

/// Somebody who waits and can be told to look again.
pub(crate) trait Wake {
    fn wake(self);
}

/// A gate without time and tasks. `W` is who waits.
#[derive(Debug)]
#[repr(C)] // The word stays next to the count of references before it, so that one cache line moves per request.
pub(crate) struct Core<W> {
    pub(super) word: Word,
    /// How many more of the standard class may wait, for refusals without the lock.
    free_places: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) queue: Mutex<Queue<W>>,
    /// The classes' names, which never change: whoever is refused needs no lock to tell of it.
    names: Box<[&'static str]>,
}

/// What can be changed while a gate is in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_in_flight: u32,
    pub(crate) max_queue: u32,
    pub(crate) queue_timeout: Duration,
    pub(crate) key_share: Option<u32>,
}

/// Who wishes to go in.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) class: u8,
    pub(crate) key: Option<u64>,
    pub(crate) listed: Option<Listed>,
}

/// What became of the wish to go in.
#[derive(Debug)]
pub(crate) enum Entered {
    Seat(EntryId),
    /// A seat in a dry run, which would have been refused.
    WouldRefuse(EntryId, Reason),
    Waiting(PlaceId),
    Refused(Reason),
}

/// What has become of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Wait,
    Seat(EntryId),
    Refused(Reason),
}

const STANDARD_NAME: &str = "standard";

// === impl Ask ===

impl Ask {
    const fn is_plain(&self) -> bool {
        self.class == STANDARD && self.key.is_none() && self.listed.is_none()
    }
}

// === impl Core ===

impl<W: Wake> Core<W> {
    /// `classes`: those after the standard class.
    pub(crate) fn new(limits: Limits, classes: impl IntoIterator<Item = ClassSetup>) -> Self {
        let standard = ClassSetup {
            name: STANDARD_NAME,
            seats: None,
            places: 0,
            apart: false,
        };
        let rooms: Vec<_> = [standard].into_iter().chain(classes).map(Room::new).collect();
        let names = rooms.iter().map(|room| room.setup.name).collect();
        let queue = Queue {
            limits,
            rooms,
            places: Places::new(),
            entries: super::entries::Entries::new(),
            keys: std::collections::HashMap::new(),
            counts: Counts::default(),
            next_ticket: 0,
            drains: Vec::new(),
            woken: Vec::new(),
            last_total: 0,
        };
        let free_places = AtomicU64::new(queue.standard_places(false));
        let word = Word::new(limits.max_in_flight);
        Self {
            word,
            free_places,
            full: AtomicU64::new(0),
            queue: Mutex::new(queue),
            names,
        }
    }

    /// The name of a class; of one that there is not, the standard class's, which it is taken for.
    pub(crate) fn class_name(&self, class: u8) -> &'static str {
        let name = self.names.get(usize::from(class));
        name.copied().unwrap_or(STANDARD_NAME)
    }

    /// Whether a seat of the standard class is free, and nobody waits for it.
    pub(crate) fn has_room(&self) -> bool {
        self.word.look().has_room()
    }

    /// A seat in the standard class, if there is one at once.
    #[inline]
    pub(crate) fn take(&self) -> Option<EntryId> {
        (self.word.take() == Take::Seat).then_some(EntryId::NONE)
    }

    /// Goes in, lines up (where `may_wait`), or is refused.
    pub(crate) fn enter(&self, ask: Ask, may_wait: bool) -> Entered {
        if ask.is_plain() {
            match self.word.take() {
                Take::Seat => return Entered::Seat(EntryId::NONE),
                Take::Full | Take::Behind if self.is_crowded() => {
                    self.full.fetch_add(1, Ordering::Relaxed);
                    return Entered::Refused(Reason::QueueFull);
                }
                _ => {}
            }
        }
        self.locked(|queue| queue.enter(&self.word, ask, may_wait))
    }

    /// Whether a wait is over; if not, `waker` is woken when it is. Once it is, the place is gone.
    pub(crate) fn poll(
        &self,
        place: &mut Option<PlaceId>,
        waker: W,
        listed: impl FnOnce() -> Option<Listed>,
    ) -> Turn {
        // Both outlive the lock: dropping a waker may run anything.
        let (mut waker, mut _before) = (Some(waker), None);
        self.locked(|queue| {
            let Some(at) = place else { return Turn::Wait };
            if let PlaceState::Waiting(known) = queue.places.state(at) {
                _before = std::mem::replace(known, waker.take());
                return Turn::Wait;
            }
            let turn = queue.collect(at, listed);
            *place = None;
            turn
        })
    }

    /// The time is up: leaves the queue, unless the wait is over just now. [`Turn::Wait`]: it has left.
    pub(crate) fn time_out(&self, place: PlaceId, listed: impl FnOnce() -> Option<Listed>) -> Turn {
        let mut _before = None;
        self.locked(|queue| {
            if let PlaceState::Waiting(known) = queue.places.state(&place) {
                _before = known.take();
                queue.counts.timed_out += 1;
            }
            let turn = queue.collect(&place, listed);
            queue.settle(&self.word);
            turn
        })
    }

    /// Whoever waited is gone. A seat that they had been given in this moment goes to the next. False: they had
    /// been refused before, and are counted there.
    pub(crate) fn abandon(&self, place: &PlaceId) -> bool {
        let before = self.locked(|queue| {
            let (class, key, state) = queue.leave(place);
            match state {
                PlaceState::Seated => queue.free(&self.word, class, key),
                // Who stands behind may be of a class that the mark in the word should no longer speak for.
                _ => queue.settle(&self.word),
            }
            queue.counts.abandoned += u64::from(!matches!(state, PlaceState::Refused(_)));
            state
        });
        !matches!(before, PlaceState::Refused(_))
    }

    /// Gives a seat back.
    #[inline(always)] // Called where a seat is dropped, which is once per request.
    pub(crate) fn release(&self, entry: EntryId) {
        if !entry.is_none() {
            return self.release_entry(entry);
        }
        if self.word.give_back() {
            self.pass_on();
        }
    }

    #[cold]
    fn pass_on(&self) {
        self.locked(|queue| queue.settle(&self.word));
    }

    #[cold]
    fn release_entry(&self, entry: EntryId) {
        let _entry: Option<Entry> = self.locked(|queue| {
            let entry = queue.entries.remove(entry)?;
            queue.free(&self.word, entry.class, entry.key);
            Some(entry)
        });
    }

    /// Whether the standard class has no place left in the queue, as far as a load tells. In a dry run there
    /// always is one.
    fn is_crowded(&self) -> bool {
        self.free_places.load(Ordering::Relaxed) == 0
    }

    /// One step under the lock; after it, and without it, whoever has to be woken is woken.
    pub(super) fn locked<T>(&self, step: impl FnOnce(&mut Queue<W>) -> T) -> T {
        let (result, woken) = {
            let mut queue = self.queue.lock();
            let result = step(&mut queue);
            let free = queue.standard_places(self.word.look().is_dry());
            if self.free_places.load(Ordering::Relaxed) != free {
                self.free_places.store(free, Ordering::Relaxed);
            }
            (result, std::mem::take(&mut queue.woken))
        };
        for waiter in woken {
            // A panic there is not ours: it must lose neither the others, nor a seat in `result`. The panic hook
            // has told of it.
            drop(catch_unwind(AssertUnwindSafe(|| waiter.wake())));
        }
        result
    }

    #[cfg(test)]
    pub(super) fn inspect<T>(&self, look: impl FnOnce(&Word, &Queue<W>) -> T) -> T {
        look(&self.word, &self.queue.lock())
    }
}

impl<W> Queue<W> {
    fn standard_places(&self, dry: bool) -> u64 {
        if dry {
            u64::MAX
        } else {
            self.free_places(STANDARD).into()
        }
    }

    /// Comes for what became of the wait; nothing did: [`Turn::Wait`]. The place is gone in any case.
    fn collect(&mut self, place: &PlaceId, listed: impl FnOnce() -> Option<Listed>) -> Turn {
        match self.leave(place) {
            (class, key, PlaceState::Seated) => Turn::Seat(self.sit_down(class, key, listed())),
            (_, _, PlaceState::Refused(reason)) => Turn::Refused(reason),
            _ => Turn::Wait,
        }
    }
}
