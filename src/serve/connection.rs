//! One connection, as those see it who may have to end it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::phase::{PhaseCell, Sighting};
use super::settings::ServeSettings;
use super::turns::Turns;
use crate::connection::Resets;
use crate::cut::Turn;
use crate::event::{ConnectionPhase, Event, Reporter};
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
    requests: AtomicU32,
    terms: Arc<Terms>,
    socket: Arc<dyn Resets>,
    orders: Mutex<Orders>,
    seen: Mutex<Seen>,
    turns: Mutex<Turns>,
}

/// What the connection's task is to do.
#[derive(Debug, Default)]
struct Orders {
    order: Order,
    waker: Option<Waker>,
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
    ages_at: Option<Instant>,
    /// When it was told to finish for its age or its idleness.
    told_to_finish: Option<Instant>,
    /// When it is to be told so in a drain.
    drains_at: Option<Instant>,
}

/// An idle connection that was told to finish has that long for it: nothing but a GOAWAY has to be written.
const TO_SAY_GOODBYE: Duration = Duration::from_secs(5);

// === impl Connection ===

impl Connection {
    pub(super) fn new(terms: Arc<Terms>, socket: Arc<dyn Resets>, now: Instant, number: u64) -> Self {
        let phase = PhaseCell::new(ConnectionPhase::Handshake);
        let age = terms.settings.0.max_connection_age;
        let seen = Seen {
            sighting: phase.sight(now),
            // A tenth less or nothing, so that those who came together do not go together.
            ages_at: age.and_then(|age| now.checked_add(age - spread(age / 10, number))),
            told_to_finish: None,
            drains_at: None,
        };
        Self {
            phase,
            requests: AtomicU32::new(0),
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

    /// A request begins.
    pub(super) fn request_begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.phase.set(ConnectionPhase::Busy);
    }

    /// Its answer has ended, or was given up.
    pub(super) fn request_ends(&self) {
        if self.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.phase.set(ConnectionPhase::Idle);
        }
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// What the task of the connection is to do. It is woken when that changes.
    pub(super) fn order(&self, cx: &Context<'_>) -> Order {
        let mut orders = lock(&self.orders);
        match &mut orders.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        orders.order
    }

    pub(super) fn tell(&self, order: Order) {
        let mut orders = lock(&self.orders);
        if orders.order < order {
            orders.order = order;
            let waker = orders.waker.take();
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

    /// Has the socket reset when it is closed.
    pub(super) fn reset_when_closed(&self) {
        self.socket.reset_when_closed();
    }

    /// Is told to finish at some moment within `within`.
    pub(super) fn drain(&self, now: Instant, within: Duration, number: u64) {
        lock(&self.seen).drains_at = now.checked_add(spread(within, number));
    }

    /// Whether this stream of the connection, too slow, is the one to be cut.
    pub(super) fn turn(&self, stream: u64, taken: u64, now: Instant) -> Turn {
        lock(&self.turns).ask(stream, taken, now)
    }

    fn is_due(seen: &mut Seen, now: Instant) -> bool {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        due(&mut seen.drains_at) | due(&mut seen.ages_at)
    }
}

impl Watched for Connection {
    fn look(&self, now: Instant) -> After {
        let mut seen = lock(&self.seen);
        let (phase, after) = seen.sighting.update(&self.phase, now);
        if Self::is_due(&mut seen, now) {
            self.tell(Order::Finish);
        }
        let is_over = self
            .terms
            .settings
            .limit(phase)
            .is_some_and(|limit| after >= limit);
        if !is_over {
            return After::Stay;
        }
        let (told, order) = match (phase, seen.told_to_finish) {
            (ConnectionPhase::Idle, None) => (true, Order::Finish),
            (ConnectionPhase::Idle, Some(since)) if now.duration_since(since) < TO_SAY_GOODBYE => {
                return After::Stay;
            }
            (ConnectionPhase::Idle, Some(_)) => (false, Order::Stop),
            _ => (lock(&self.orders).order < Order::Stop, Order::Stop),
        };
        seen.told_to_finish.get_or_insert(now);
        drop(seen);
        if told {
            self.terms
                .reporter
                .report(&Event::ConnectionTimedOut { phase, after });
        }
        self.tell(order);
        After::Stay
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("phase", &self.phase.get())
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

/// A part of `time` that differs from one number to the next and is even over many: no more is needed to keep
/// connections apart.
fn spread(time: Duration, number: u64) -> Duration {
    let part = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    time.mul_f64(part as f64 / f64::from(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
