//! What the handle of a gate asks and changes.

use std::time::{Duration, Instant};

use super::core::{Core, Limits, Wake};
use super::entries::{EntryId, Listed, SeatPhase};
use super::rate::Backlog;
use super::room::{ClassSetup, Counts, STANDARD};
use super::sync::Ordering;
use super::word::Look;
use crate::refusal::Reason;

/// How a gate stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) look: Look,
    pub(crate) limits: Limits,
    pub(crate) waiting: u32,
    pub(crate) admitted: u64,
    pub(crate) counts: Counts,
}

// === impl Core ===

impl<W: Wake> Core<W> {
    /// Notes in the listing what the holder of a seat does now.
    pub(crate) fn set_phase(&self, entry: EntryId, phase: SeatPhase) {
        if !entry.is_none() {
            let mut queue = self.queue.lock();
            if let Some(listed) = queue
                .entries
                .get_mut(entry)
                .and_then(|entry| entry.listed.as_mut())
            {
                listed.phase = phase;
            }
        }
    }

    /// Lets nobody in any more, and sends away those who wait. False: it was closed before.
    pub(crate) fn close(&self) -> bool {
        self.locked(|queue| {
            let is_first = self.word.close();
            queue.turn_all_away();
            queue.settle(&self.word);
            is_first
        })
    }

    /// Whether everybody is out of a closed gate; if not, `waker` is woken when they are. `id` tells the
    /// askers apart.
    pub(crate) fn poll_drained(&self, id: u64, waker: W) -> bool {
        // Both outlive the lock: dropping a waker may run anything.
        let (mut waker, mut _before) = (Some(waker), None);
        self.locked(|queue| {
            if self.word.look().is_closed() && queue.is_empty(&self.word) {
                return true;
            }
            match queue.drains.iter_mut().find(|(asker, _)| *asker == id) {
                Some((_, known)) => _before = waker.take().map(|waker| std::mem::replace(known, waker)),
                None => queue.drains.extend(waker.take().map(|waker| (id, waker))),
            }
            false
        })
    }

    /// An asker of [`poll_drained`](Self::poll_drained) is gone.
    pub(crate) fn forget_drain(&self, id: u64) {
        let _before = self.locked(|queue| {
            let at = queue.drains.iter().position(|(asker, _)| *asker == id)?;
            Some(queue.drains.swap_remove(at))
        });
    }

    pub(crate) fn queue_timeout(&self) -> Duration {
        self.queue.lock().limits.queue_timeout
    }

    /// Counts somebody who is refused because what they waited for, with a seat, took too long.
    pub(crate) fn count_timed_out(&self) {
        self.queue.lock().counts.timed_out += 1;
    }

    pub(crate) fn set_limits(&self, change: impl FnOnce(&mut Limits)) {
        self.locked(|queue| {
            change(&mut queue.limits);
            self.word.set_limit(queue.limits.max_in_flight);
            queue.settle(&self.word);
        });
    }

    /// False: there is no such class, or it has no limits of its own.
    pub(crate) fn set_class(&self, class: u8, seats: u32, places: u32) -> bool {
        self.locked(|queue| {
            let Some(room) = queue
                .rooms
                .get_mut(usize::from(class))
                .filter(|room| room.setup.seats.is_some())
            else {
                return false;
            };
            (room.setup.seats, room.setup.places) = (Some(seats), places);
            queue.settle(&self.word);
            true
        })
    }

    pub(crate) fn set_dry_run(&self, dry: bool) {
        self.locked(|queue| {
            self.word.set_dry(dry);
            for class in 0..queue.rooms.len() {
                while dry && !queue.rooms[class].line.is_empty() {
                    if !queue.rooms[class].setup.apart && self.word.take_beyond().is_none() {
                        break;
                    }
                    queue.seat_first(class);
                }
            }
            queue.settle(&self.word);
        });
    }

    pub(crate) fn standing(&self) -> Standing {
        let wraps = self.word.wraps();
        let mut queue = self.queue.lock();
        let look = self.word.look();
        let mut total = wraps * Look::WRAP + look.taken();
        if total < queue.last_total {
            total += Look::WRAP;
        }
        queue.last_total = total;
        let mut counts = queue.counts;
        counts.full += self.full.load(Ordering::Relaxed);
        Standing {
            look,
            limits: queue.limits,
            waiting: queue.waiting(),
            admitted: total,
            counts,
        }
    }

    /// Setup, in flight and waiting of a class. What is in flight of the standard class is what is left.
    pub(crate) fn class(&self, class: u8) -> Option<(ClassSetup, u32, u32)> {
        let queue = self.queue.lock();
        let room = queue.rooms.get(usize::from(class))?;
        let inside = queue
            .rooms
            .iter()
            .filter(|room| !room.setup.apart)
            .map(|room| room.in_flight)
            .sum();
        let mut setup = room.setup;
        let mut in_flight = room.in_flight;
        setup.places = queue.places_of(class);
        if class == STANDARD {
            in_flight = self.word.look().in_flight().saturating_sub(inside);
        }
        Some((setup, in_flight, room.waiting))
    }

    /// The seats that are listed, with the names of their classes.
    pub(crate) fn listing(&self) -> Vec<(&'static str, Listed)> {
        let queue = self.queue.lock();
        let listed = queue.entries.iter().filter_map(|entry| {
            Some((
                queue.rooms.get(usize::from(entry.class))?.setup.name,
                entry.listed.clone()?,
            ))
        });
        listed.collect()
    }

    /// What stands before somebody of `class` who is refused now.
    pub(crate) fn backlog(&self, class: u8, reason: Reason, now: Instant) -> Backlog {
        let mut queue = self.queue.lock();
        let look = self.word.look();
        let freed = look.taken().wrapping_sub(u64::from(look.in_flight())) % Look::WRAP;
        let (waiting, share) = (queue.waiting(), queue.limits.key_share);
        let otherwise = queue.limits.queue_timeout;
        let per_second = queue.rooms[usize::from(STANDARD)]
            .rate
            .look(now, freed, Look::WRAP);
        if reason == Reason::KeyShare {
            // A key waits for one of its own seats: by Little's law each is held for in flight / rate.
            let own = per_second
                .map(|rate| rate * f64::from(share.unwrap_or(1)) / f64::from(look.in_flight().max(1)));
            return Backlog {
                ahead: 0,
                per_second: own,
                otherwise,
            };
        }
        match queue.rooms.get_mut(usize::from(class)) {
            Some(room) if class != STANDARD && !room.has_seat() => {
                let freed = room.freed;
                Backlog {
                    ahead: room.waiting,
                    per_second: room.rate.look(now, freed, u64::MAX),
                    otherwise,
                }
            }
            _ => Backlog {
                ahead: waiting,
                per_second,
                otherwise,
            },
        }
    }
}
