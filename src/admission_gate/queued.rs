//! A place in the queue, and how long the wait there may last.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Seat;
use super::seat::Root;
use crate::clock::now;
use crate::error::Bound;
use crate::event::Event;
use crate::gate::{Listed, PlaceId, SeatPhase, Turn};
use crate::refusal::Reason;
use crate::timer::Timer;

/// A place in the queue, with its timer.
#[derive(Debug)]
pub(super) struct Queued {
    root: Root,
    class: u8,
    place: Option<PlaceId>,
    listed: Option<Listed>,
    wait: Wait,
}

/// A wait with an end.
#[derive(Debug)]
pub(super) struct Wait {
    started: Instant,
    limit: Duration,
    bound: Bound,
    timer: Timer,
}

// === impl Queued ===

impl Queued {
    pub(super) fn new(
        root: Root,
        class: u8,
        place: PlaceId,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Self {
        let wait = Wait::new(root.core.queue_timeout(), deadline, now);
        Self {
            root,
            class,
            place: Some(place),
            listed: None,
            wait,
        }
    }

    /// What the listing will show, once there is a seat.
    pub(super) fn listed_as(
        mut self,
        phase: SeatPhase,
        tool: Option<Box<str>>,
        stall: Option<crate::client_stall::ClientStall>,
    ) -> Self {
        let since = self.wait.started;
        self.listed = self.root.lists.then_some(Listed {
            since,
            tool,
            stall,
            phase,
        });
        self
    }

    /// Ready: a seat, or why there is none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Seat, Reason>> {
        let Self {
            root,
            place,
            listed,
            wait,
            ..
        } = self;
        let mut listed = || {
            listed.take().map(|listed| Listed {
                since: now(),
                ..listed
            })
        };
        let mut turn = root.core.poll(place, cx.waker().clone(), &mut listed);
        if turn == Turn::Wait {
            let reason = std::task::ready!(wait.poll(cx));
            let Some(place) = place.take() else {
                return Poll::Pending;
            };
            turn = root.core.time_out(place, listed);
            if turn == Turn::Wait {
                return Poll::Ready(Err(reason));
            }
        }
        Poll::Ready(match turn {
            Turn::Seat(entry) => {
                let seat = Seat::new(root.clone(), entry);
                self.report(|gate, class, waited| Event::GateWaited { gate, class, waited });
                Ok(seat)
            }
            Turn::Refused(reason) => Err(reason),
            Turn::Wait => return Poll::Pending,
        })
    }

    pub(super) const fn root(&self) -> &Root {
        &self.root
    }

    pub(super) const fn class(&self) -> u8 {
        self.class
    }

    /// What is left of the time, for whatever else has to be waited for.
    pub(super) fn take_wait(&mut self) -> Wait {
        let over = Wait::new(Duration::ZERO, None, self.wait.started);
        std::mem::replace(&mut self.wait, over)
    }

    fn report(&self, event: impl FnOnce(&'static str, &'static str, Duration) -> Event) {
        let reporter = &self.root.reporter;
        if !reporter.is_silent() {
            let waited = now().saturating_duration_since(self.wait.started);
            reporter.report(&event(self.root.name, self.root.class_name(self.class), waited));
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            if self.root.core.abandon(&place) {
                self.report(|gate, class, waited| Event::GateAbandoned { gate, class, waited });
            }
        }
    }
}

// === impl Wait ===

impl Wait {
    pub(super) fn new(limit: Duration, deadline: Option<Instant>, now: Instant) -> Self {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let (limit, bound) = match left {
            Some(left) if left < limit => (left, Bound::Deadline),
            _ => (limit, Bound::Limit),
        };
        Self {
            started: now,
            limit,
            bound,
            timer: Timer::new(),
        }
    }

    /// Ready: the wait has taken too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let Some(ends) = self.started.checked_add(self.limit) else {
            return Poll::Pending;
        };
        if self.timer.is_set(cx) {
            return Poll::Pending;
        }
        loop {
            let now = now();
            if ends <= now {
                let waited = now - self.started;
                return Poll::Ready(Reason::QueueTimeout {
                    bound: self.bound,
                    limit: self.limit,
                    waited,
                });
            }
            std::task::ready!(self.timer.poll_until(ends, cx));
        }
    }
}
