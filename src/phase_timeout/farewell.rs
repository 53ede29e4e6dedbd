//! The short wait between a goodbye and the error that ends the body.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::policy::Grace;
use crate::clock::now;
use crate::error::PhaseExpired;
use crate::timer::Timer;

/// What is left of a body whose producer is gone.
#[derive(Debug)]
pub(super) struct Farewell {
    expired: PhaseExpired,
    grace: Grace,
    until: Option<Instant>,
    timer: Timer,
}

// === impl Farewell ===

impl Farewell {
    pub(super) const fn new(expired: PhaseExpired, grace: Grace) -> Self {
        Self {
            expired,
            grace,
            until: None,
            timer: Timer::new(),
        }
    }

    /// Ready with the error once the grace, which begins with the first poll, has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        let mut instant = now();
        let until = *self
            .until
            .get_or_insert_with(|| instant + Duration::from(self.grace));
        while instant < until {
            if self.timer.poll_until(until, cx).is_pending() {
                return Poll::Pending;
            }
            instant = now();
        }
        Poll::Ready(self.expired)
    }
}
