//! One connection, as those see it who may have to end it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::{Duration, Instant};

use super::phase::{PhaseCell, Sighting};
use super::settings::ServeSettings;
use super::stream::lock;
use super::turns::{Turns, Verdict};
use crate::connection::Resets;
use crate::cut::Turn;
use crate::event::{ConnectionPhase, Event, Reporter};
use crate::spread::spread;
use crate::waiter::Waiter;
use crate::watchdog::{After, Watched};

/// What the connections of a server have in common.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) settings: ServeSettings,
    pub(super) reporter: Reporter,
}

/// What is known of a connection, and what it has been told.
pub(super) struct Connection {
    phase: PhaseCell,
    /// Over HTTP/2: whether a request's head is coming, whatever other requests do meanwhile.
    head: PhaseCell,
    /// Requests whose answers are not over.
    requests: AtomicU32,
    /// Those, and whatever else needs the connection.
    uses: AtomicU32,
    /// How many requests there were.
    begun: AtomicU32,
    /// Frames that were taken of all answers.
    frames: AtomicU64,
    /// How often it was looked at, the first time included that is to come.
    looks: AtomicU32,
    /// Nothing but the end of the connection will tell the end of the answer.
    is_close_delimited: AtomicBool,
    /// What was written last has to wait for the peer.
    is_blocked: AtomicBool,
    terms: Arc<Terms>,
    socket: Arc<dyn Resets>,
    orders: Mutex<Orders>,
    seen: Mutex<Seen>,
    turns: Mutex<Turns>,
}

/// The connection is in use for as long as this lives, and not idle.
#[derive(Debug)]
pub(super) struct InUse(Arc<Connection>);

/// What the connection's task is to do.
#[derive(Debug, Default)]
struct Orders {
    order: Order,
    task: Waiter,
}

/// In rising order: one is never taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub(super) enum Order {
    #[default]
    GoOn,
    /// Take no new requests, and end with those that are there.
    Finish,
    /// End.
    Stop,
}

/// What was to be seen at the last look.
#[derive(Debug)]
struct Seen {
    sighting: Sighting,
    head: Sighting,
    ages_at: Option<Instant>,
    /// When it was told to finish.
    told_to_finish: Option<Instant>,
    /// When it is to be told so in a drain.
    drains_at: Option<Instant>,
}

/// An idle connection that was told to finish has that long for it: nothing but a GOAWAY has to be written and
/// answered.
const TO_SAY_GOODBYE: Duration = Duration::from_secs(5);

// === impl Connection ===

impl Connection {
    pub(super) fn new(terms: Arc<Terms>, socket: Arc<dyn Resets>, now: Instant, number: u64) -> Self {
        let phase = PhaseCell::new(ConnectionPhase::Handshake);
        let head = PhaseCell::new(ConnectionPhase::Busy);
        let age = terms.settings.0.max_connection_age;
        let seen = Seen {
            sighting: phase.sight(now),
            head: head.sight(now),
            // A tenth less or nothing, so that those who came together do not go together.
            ages_at: age.and_then(|age| now.checked_add(age - spread(age / 10, number))),
            told_to_finish: None,
            drains_at: None,
        };
        Self {
            phase,
            head,
            requests: AtomicU32::new(0),
            uses: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            frames: AtomicU64::new(0),
            looks: AtomicU32::new(1),
            is_close_delimited: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            turns: Mutex::new(Turns::new(terms.settings.0.slow_clients.stall())),
            terms,
            socket,
            orders: Mutex::default(),
            seen: Mutex::new(seen),
        }
    }

    pub(super) const fn phase(&self) -> &PhaseCell {
        &self.phase
    }

    /// Over HTTP/2: a head has begun to come, or its last byte has.
    pub(super) fn head_is_open(&self, is_open: bool) {
        self.head.set(if is_open {
            ConnectionPhase::RequestHead
        } else {
            ConnectionPhase::Busy
        });
    }

    /// A request begins. Yields its number among those of this connection.
    pub(super) fn request_begins(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Its answer has ended, or was given up.
    pub(super) fn request_ends(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// An answer begins whose end may be told by that of the connection.
    pub(super) fn may_be_close_delimited(&self) {
        self.is_close_delimited.store(true, Ordering::Relaxed);
    }

    /// The answer in progress will not be whole.
    pub(super) fn answer_failed(&self) {
        if self.is_close_delimited.load(Ordering::Relaxed) {
            self.socket.reset_when_closed();
        }
    }

    /// Something of an answer was taken.
    pub(super) fn frame_taken(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// A count that goes up with each look: a clock that nobody has to ask for the time, and that stands still while
    /// nobody looks.
    pub(super) fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Whether what happened when there had been so many `looks` is less than `stall` ago.
    pub(super) fn has_moved(&self, looks: u32, stall: Duration) -> bool {
        let since = self.looks().wrapping_sub(looks).saturating_sub(1);
        looks > 0 && self.terms.settings.between_looks().saturating_mul(since) < stall
    }

    /// Whether writing has to wait for the peer.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        if self.is_blocked.load(Ordering::Relaxed) != is_blocked {
            self.is_blocked.store(is_blocked, Ordering::Relaxed);
        }
    }

    /// Whether there is something to wait for that is no business of this connection's limits: requests in progress,
    /// and answers that are over but not yet written.
    fn is_busy(&self) -> bool {
        // With what was written before a use ended, which is the phase.
        self.uses.load(Ordering::Acquire) > 0 || self.is_blocked.load(Ordering::Relaxed)
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// What the task of the connection is to do. It is woken when that changes.
    pub(super) fn order(&self, cx: &Context<'_>) -> Order {
        let mut orders = lock(&self.orders);
        orders.task.wait(cx);
        orders.order
    }

    pub(super) fn tell(&self, order: Order) {
        let mut orders = lock(&self.orders);
        if orders.order < order {
            orders.order = order;
            let waker = orders.task.leave();
            drop(orders);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Ends it now, so that the peer sees a reset and no answer looks complete. An upgraded connection has no task
    /// of ours any more, but it has its socket.
    pub(super) fn reset(&self) {
        self.socket.reset();
        self.tell(Order::Stop);
    }

    /// Ends the request of that number by ending the connection, unless it is over and others have come.
    pub(super) fn reset_request(&self, number: u32) {
        if self.begun.load(Ordering::Relaxed) == number && self.requests() > 0 {
            self.reset();
        }
    }

    /// For how long the peer has been seen to take nothing of what waits for it, where that is to be seen.
    pub(super) fn peer_idle(&self, now: Instant) -> Option<Duration> {
        self.socket.peer_idle(now)
    }

    /// Is told to finish at some moment within `within`.
    pub(super) fn drain(&self, now: Instant, within: Duration, number: u64) {
        lock(&self.seen).drains_at = now.checked_add(spread(within, number));
    }

    /// Whether this stream of the connection, too slow, is the one to be cut.
    pub(super) fn turn(&self, stream: u64, taken: u64, now: Instant) -> Turn {
        let others = u64::from(self.requests()).saturating_sub(1);
        let verdict = lock(&self.turns).ask(stream, taken, others, self.frames.load(Ordering::Relaxed), now);
        match verdict {
            Verdict::Stream(turn) => turn,
            Verdict::Connection => {
                self.reset();
                Turn::Now
            }
        }
    }

    fn times_out(&self, order: Order, phase: ConnectionPhase, after: Duration) {
        if lock(&self.orders).order < order {
            self.terms
                .reporter
                .report(&Event::ConnectionTimedOut { phase, after });
        }
        self.tell(order);
    }

    fn is_due(seen: &mut Seen, now: Instant) -> bool {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        due(&mut seen.drains_at) | due(&mut seen.ages_at)
    }
}

impl Watched for Connection {
    fn look(&self, now: Instant) -> After {
        self.looks.fetch_add(1, Ordering::Relaxed);
        lock(&self.turns).note(self.frames.load(Ordering::Relaxed), now);
        let mut seen = lock(&self.seen);
        if Self::is_due(&mut seen, now) {
            seen.told_to_finish.get_or_insert(now);
            self.tell(Order::Finish);
        }
        if self.is_blocked.load(Ordering::Relaxed) {
            // Over HTTP/2 nothing is read while answers to what was read cannot be written: the rest may be here.
            seen.head = self.head.sight(now);
        }
        let (phase, after) = seen.head.update(&self.head, now);
        let limit = self.terms.settings.limit(phase);
        if limit.is_some_and(|limit| after >= limit) {
            drop(seen);
            self.times_out(Order::Stop, phase, after);
            return After::Stay;
        }
        if self.is_busy() {
            // Whatever comes next begins when this is over.
            seen.sighting = self.phase.sight(now);
            return After::Stay;
        }
        let (phase, after) = seen.sighting.update(&self.phase, now);
        let limit = self.terms.settings.limit(phase);
        if phase == ConnectionPhase::Idle && seen.told_to_finish.is_some() {
            if after >= limit.map_or(TO_SAY_GOODBYE, |limit| limit.min(TO_SAY_GOODBYE)) {
                self.tell(Order::Stop);
            }
            return After::Stay;
        }
        if limit.is_none_or(|limit| after < limit) {
            return After::Stay;
        }
        let order = if phase == ConnectionPhase::Idle {
            seen.told_to_finish = Some(now);
            // The time for the goodbye begins now.
            seen.sighting = self.phase.sight(now);
            Order::Finish
        } else {
            Order::Stop
        };
        drop(seen);
        self.times_out(order, phase, after);
        After::Stay
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("phase", &self.phase.get())
            .field("requests", &self.requests())
            .field("uses", &self.uses)
            .field("is_blocked", &self.is_blocked)
            .field("looks", &self.looks)
            .field("orders", &self.orders)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

// === impl InUse ===

impl InUse {
    pub(super) fn of(connection: Arc<Connection>) -> Self {
        connection.uses.fetch_add(1, Ordering::Relaxed);
        Self(connection)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        // In this order, so that nobody sees an old phase without a use.
        self.0.phase.set(ConnectionPhase::Idle);
        self.0.uses.fetch_sub(1, Ordering::Release);
    }
}
