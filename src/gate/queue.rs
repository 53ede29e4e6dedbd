//! What the lock of a gate guards, and the decisions that are made under it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as KeyEntry;

use super::core::{Ask, Entered, Limits};
use super::entries::{Entries, Entry, EntryId, Listed};
use super::place::{PlaceId, PlaceState, Places};
use super::room::{Counts, Room, STANDARD};
use super::word::{Take, Word};
use crate::refusal::Reason;

#[derive(Debug)]
pub(super) struct Queue<W> {
    pub(super) limits: Limits,
    pub(super) rooms: Vec<Room>,
    pub(super) places: Places<W>,
    pub(super) entries: Entries,
    /// Only keys of which somebody is in or waits, so there are never more than seats and places.
    pub(super) keys: HashMap<u64, u32>,
    pub(super) counts: Counts,
    pub(super) next_ticket: u64,
    /// Who waits for the last one to go out.
    pub(super) drains: Vec<(u64, W)>,
    /// Whom to wake once the lock is free: waking and dropping somebody runs code that is not ours.
    pub(super) woken: Vec<W>,
    pub(super) last_total: u64,
}

impl<W> Queue<W> {
    /// Places that a class has: its own, or for the standard class, and those that share with it, what the
    /// others leave.
    pub(super) fn places_of(&self, class: u8) -> u32 {
        let setup = self.rooms[usize::from(class)].setup;
        if !setup.shares_places() {
            return setup.places;
        }
        let inside = self.rooms.iter().filter(|room| !room.setup.apart);
        let owned = inside.fold(0u32, |sum, room| sum.saturating_add(room.setup.places));
        self.limits.max_queue.saturating_sub(owned)
    }

    /// How many more of a class may wait. Limits that were changed may leave more places than `max_queue`, or
    /// more waiting in them; nobody adds to those.
    pub(super) fn free_places(&self, class: u8) -> u32 {
        let room = &self.rooms[usize::from(class)];
        let waiting = if room.setup.shares_places() {
            let sharing = self.rooms.iter().filter(|room| room.setup.shares_places());
            sharing.map(|room| room.waiting).sum()
        } else {
            room.waiting
        };
        let own = self.places_of(class).saturating_sub(waiting);
        if room.setup.apart {
            return own;
        }
        own.min(self.limits.max_queue.saturating_sub(self.waiting()))
    }

    /// All who wait for the whole, whatever their class.
    pub(super) fn waiting(&self) -> u32 {
        self.rooms
            .iter()
            .filter(|room| !room.setup.apart)
            .map(|room| room.waiting)
            .sum()
    }

    pub(super) fn enter(&mut self, word: &Word, mut ask: Ask, may_wait: bool) -> Entered {
        let look = word.look();
        if usize::from(ask.class) >= self.rooms.len() {
            ask.class = STANDARD;
        }
        if look.is_closed() {
            self.counts.draining += 1;
            return Entered::Refused(Reason::Draining);
        }
        if look.is_dry() {
            return self.enter_dry(word, ask);
        }
        if self.has_its_share(ask.key) {
            self.counts.key_share += 1;
            return Entered::Refused(Reason::KeyShare);
        }
        self.settle(word);
        let room = &self.rooms[usize::from(ask.class)];
        let apart = room.setup.apart;
        if room.line.is_empty() && room.has_seat() && (apart || word.take() == Take::Seat) {
            self.count_key(ask.key);
            return Entered::Seat(self.seat(ask.class, ask.key, ask.listed));
        }
        if !may_wait || self.free_places(ask.class) == 0 {
            self.counts.full += 1;
            return Entered::Refused(Reason::QueueFull);
        }
        let place = self.line_up(ask.class, ask.key);
        self.settle(word);
        Entered::Waiting(place)
    }

    /// Lets everybody in, and says who would have been refused. Those who would have waited just go in.
    fn enter_dry(&mut self, word: &Word, ask: Ask) -> Entered {
        let room = &self.rooms[usize::from(ask.class)];
        let (apart, setup, in_flight) = (room.setup.apart, room.setup, room.in_flight);
        let limit = word.look().limit();
        let before = if apart { Some(0) } else { word.take_beyond() };
        let Some(before) = before else {
            self.counts.full += 1;
            return Entered::Refused(Reason::QueueFull);
        };
        let class_is_full = setup
            .seats
            .is_some_and(|seats| in_flight >= seats.saturating_add(setup.places));
        let verdict = if self.has_its_share(ask.key) {
            Some(Reason::KeyShare)
        } else if class_is_full || before >= limit.saturating_add(self.limits.max_queue) {
            Some(Reason::QueueFull)
        } else {
            None
        };
        self.count_key(ask.key);
        let entry = self.seat(ask.class, ask.key, ask.listed);
        self.counts.would_refuse += u64::from(verdict.is_some());
        verdict.map_or(Entered::Seat(entry), |reason| Entered::WouldRefuse(entry, reason))
    }

    fn has_its_share(&self, key: Option<u64>) -> bool {
        let held = key.and_then(|key| self.keys.get(&key));
        held.is_some_and(|held| self.limits.key_share.is_some_and(|share| *held >= share))
    }

    fn line_up(&mut self, class: u8, key: Option<u64>) -> PlaceId {
        self.count_key(key);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let room = &mut self.rooms[usize::from(class)];
        room.waiting += 1;
        self.places.push(&mut room.line, class, key, ticket)
    }

    /// Notes a seat that was taken in the word, or apart from it.
    fn seat(&mut self, class: u8, key: Option<u64>, listed: Option<Listed>) -> EntryId {
        if class != STANDARD {
            self.rooms[usize::from(class)].in_flight += 1;
        }
        self.note(class, key, listed)
    }

    fn note(&mut self, class: u8, key: Option<u64>, listed: Option<Listed>) -> EntryId {
        if class == STANDARD && key.is_none() && listed.is_none() {
            return EntryId::NONE;
        }
        self.entries.insert(Entry { class, key, listed })
    }

    /// Gives each free seat to whoever has waited longest among those who may have it, and leaves the mark in
    /// the word if somebody is left for the next one.
    pub(super) fn settle(&mut self, word: &Word) {
        while let Some(class) = self.next_for_the_whole() {
            if !word.take_or_mark() {
                break;
            }
            self.seat_first(class);
        }
        if self.next_for_the_whole().is_none() {
            word.nobody_waits();
        }
        for class in 0..self.rooms.len() {
            while self.rooms[class].setup.apart
                && self.rooms[class].has_seat()
                && !self.rooms[class].line.is_empty()
            {
                self.seat_first(class);
            }
        }
        if word.look().is_closed() && self.is_empty(word) {
            self.woken.extend(self.drains.drain(..).map(|(_, waker)| waker));
        }
    }

    pub(super) fn is_empty(&self, word: &Word) -> bool {
        word.look().in_flight() == 0
            && !self
                .rooms
                .iter()
                .any(|room| room.setup.apart && room.in_flight > 0)
    }

    fn next_for_the_whole(&self) -> Option<usize> {
        let may = self
            .rooms
            .iter()
            .enumerate()
            .filter(|(_, room)| !room.setup.apart && room.has_seat());
        let firsts = may.filter_map(|(class, room)| Some((self.places.first(room.line)?, class)));
        firsts.min().map(|(_, class)| class)
    }

    pub(super) fn seat_first(&mut self, class: usize) {
        let room = &mut self.rooms[class];
        room.waiting -= 1;
        if class != usize::from(STANDARD) {
            room.in_flight += 1;
        }
        self.woken
            .extend(self.places.settle_first(&mut room.line, PlaceState::Seated));
    }

    /// Tells everybody who waits that the gate is closed.
    pub(super) fn turn_all_away(&mut self) {
        for room in &mut self.rooms {
            while !room.line.is_empty() {
                room.waiting -= 1;
                self.counts.draining += 1;
                let refused = PlaceState::Refused(Reason::Draining);
                self.woken
                    .extend(self.places.settle_first(&mut room.line, refused));
            }
        }
    }

    /// A seat that had been given to somebody in the queue becomes one that is held.
    pub(super) fn sit_down(&mut self, class: u8, key: Option<u64>, listed: Option<Listed>) -> EntryId {
        self.counts.waited += 1;
        self.note(class, key, listed)
    }

    /// Takes a place out of the queue, and the key that waited there out of the count unless it has a seat.
    pub(super) fn leave(&mut self, place: &PlaceId) -> (u8, Option<u64>, PlaceState<W>) {
        let (class, key) = (self.places.class(place), self.places.key(place));
        let room = &mut self.rooms[usize::from(class)];
        let state = self.places.remove(&mut room.line, place);
        if matches!(state, PlaceState::Waiting(_)) {
            room.waiting -= 1;
        }
        if !matches!(state, PlaceState::Seated) {
            self.uncount_key(key);
        }
        (class, key, state)
    }

    /// A seat comes free.
    pub(super) fn free(&mut self, word: &Word, class: u8, key: Option<u64>) {
        self.uncount_key(key);
        let room = &mut self.rooms[usize::from(class)];
        if class != STANDARD {
            room.in_flight -= 1;
            room.freed += 1;
        }
        if !room.setup.apart {
            word.give_back();
        }
        self.settle(word);
    }

    fn count_key(&mut self, key: Option<u64>) {
        if let Some(key) = key {
            *self.keys.entry(key).or_insert(0) += 1;
        }
    }

    fn uncount_key(&mut self, key: Option<u64>) {
        let Some(key) = key else { return };
        if let KeyEntry::Occupied(mut held) = self.keys.entry(key) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}
