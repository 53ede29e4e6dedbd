//! The end of a server, in order.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::registry::Registry;
use super::stream::lock;
use crate::clock::now;
use crate::timer::Timer;
use crate::waiter::Waiter;

/// Whoever holds one can see a server's state and begin its drain. Clones are handles of the same server.
#[derive(Clone, Debug)]
pub struct ServeHandle {
    pub(super) state: Arc<State>,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were there when the server stopped to accept.
    pub connections: usize,
    /// Those of them that had not ended in time, and were cut.
    pub cut: usize,
    /// Requests that were in progress on those.
    pub requests_cut: usize,
    /// From the beginning of the drain to its end.
    pub took: Duration,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registry: Arc<Registry>,
    is_draining: AtomicBool,
    signal: Mutex<Waiter>,
}

// === impl ServeHandle ===

impl ServeHandle {
    /// Begins the drain. It goes on while the server's future is polled, and that future ends with it.
    pub fn drain(&self) {
        self.state.is_draining.store(true, Ordering::SeqCst);
        let waker = lock(&self.state.signal).leave();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether new requests are welcome: the answer to a readiness probe. Not from the beginning of a drain on.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.state.is_draining.load(Ordering::SeqCst)
    }

    /// How many connections there are, upgraded ones included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.registry.count()
    }

    /// How many requests are in progress, from their call to the end of their answer.
    #[must_use]
    pub fn requests(&self) -> usize {
        let all = self.state.registry.all();
        all.iter()
            .map(|(_, connection)| connection.requests() as usize)
            .sum()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.registry.accepted()
    }
}

// === impl State ===

impl State {
    /// Ready once a drain has begun.
    pub(super) fn poll_draining(&self, cx: &Context<'_>) -> Poll<()> {
        let mut signal = lock(&self.signal);
        if self.is_draining.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        signal.wait(cx);
        Poll::Pending
    }
}

// === impl Registry ===

impl Registry {
    /// Over when there is no connection left, and at `until` at the latest.
    pub(super) async fn until_empty(&self, until: Option<Instant>) {
        let mut timer = Timer::new();
        poll_fn(|cx| {
            if self.count_and_wait(cx) == 0 {
                return Poll::Ready(());
            }
            poll_until(&mut timer, until, cx)
        })
        .await;
    }
}

/// Ready at `until`, and not before; without one, never.
pub(super) fn poll_until(timer: &mut Timer, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(until) = until else {
        return Poll::Pending;
    };
    while now() < until {
        if timer.poll_until(until, cx).is_pending() {
            return Poll::Pending;
        }
    }
    Poll::Ready(())
}
