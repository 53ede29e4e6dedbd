//! What went into a connection, and what came out at the other end.

#[cfg(test)]
mod tests;

use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::socket::Queue;
use crate::slow_client::Sight;

/// What was written, and what a queue tells of what became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    written: u64,
    /// What `written` was when the queue was last seen empty.
    settled: u64,
    is_write_pending: bool,
    is_flush_pending: bool,
    /// The peer was waited for at the last look.
    was_waited_for: bool,
    /// Something was on the way at the last look, and no more than that.
    is_caught_up: bool,
    /// What `written` was beyond the queue at the last look. Below zero where the queue counts its memory.
    beyond_queue: i64,
    /// All that has left the queue, as it counts.
    left: u64,
    /// The bytes among it.
    taken: u64,
    mark: Option<Mark>,
}

/// What had been written at a look. When the peer has it, the next one is set.
#[derive(Clone, Copy, Debug)]
struct Mark {
    written: u64,
    set_at: Instant,
}

/// Whoever has all that was written so long ago keeps up: a second for a mobile network, and a second for looks that
/// are a quarter of it apart and come late on a busy machine.
const PROMPT: Duration = Duration::from_secs(2);

// === impl Flow ===

impl Flow {
    pub(super) fn wrote(&mut self, polled: &Poll<io::Result<usize>>) {
        self.is_write_pending = polled.is_pending();
        if let Poll::Ready(Ok(bytes)) = polled {
            self.written += *bytes as u64;
        }
    }

    pub(super) const fn flushed(&mut self, polled: &Poll<io::Result<()>>) {
        // A flush has nothing to do on most sockets, and its end says nothing of a write that has to wait.
        self.is_flush_pending = polled.is_pending();
    }

    pub(super) const fn shut_down(&mut self, polled: &Poll<io::Result<()>>) {
        self.is_flush_pending = polled.is_pending();
        if matches!(polled, Poll::Ready(Ok(()))) {
            // Whatever waited to be written was given up.
            self.is_write_pending = false;
        }
    }

    const fn is_blocked(&self) -> bool {
        self.is_write_pending || self.is_flush_pending
    }

    /// All that was accepted has been taken, and nothing waits to be accepted.
    pub(super) const fn is_settled(&self) -> bool {
        self.settled == self.written && !self.is_blocked()
    }

    /// Nothing has happened that a look could find.
    pub(super) const fn is_quiet(&self) -> bool {
        self.is_settled() && !self.was_waited_for
    }

    /// All that was accepted has been taken.
    pub(super) const fn is_drained(&self) -> bool {
        self.settled == self.written
    }

    /// Nobody will write any more.
    pub(super) const fn owner_left(&mut self) {
        (self.is_write_pending, self.is_flush_pending) = (false, false);
    }

    #[cfg(feature = "serve")]
    pub(super) const fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    pub(super) fn sight(&mut self, queue: Queue, queued: Option<u64>, now: Instant) -> Sight {
        self.is_caught_up = false;
        self.was_waited_for = match queued {
            Some(queued) => {
                // A byte takes at least its own room in the queue: what the difference gains has left it.
                let beyond = self.written.wrapping_sub(queued) as i64;
                let gain = u64::try_from(beyond.saturating_sub(self.beyond_queue)).unwrap_or_default();
                self.beyond_queue = beyond;
                self.left += gain;
                self.taken = (self.taken + gain).min(self.written);
                if queued == 0 {
                    (self.taken, self.settled) = (self.written, self.written);
                }
                let is_past_mark = self.passes_mark(now);
                // Whoever is written to as fast as it takes has not caught up, however small the queue is.
                self.is_caught_up =
                    queue == Queue::Bytes && queued > 0 && gain > 0 && is_past_mark && !self.is_blocked();
                // Where memory is counted, small pieces that were taken hide behind others that were added, until
                // nothing can be added.
                queued > 0 && !self.is_caught_up && (queue == Queue::Bytes || self.is_blocked())
            }
            None => {
                (self.left, self.taken, self.settled) = (self.written, self.written, self.written);
                self.is_blocked()
            }
        };
        Sight {
            is_waited_for: self.was_waited_for,
            progress: self.left,
            taken: self.taken,
        }
    }

    /// Whether the peer has reached the mark, in good time.
    fn passes_mark(&mut self, now: Instant) -> bool {
        let next = Some(Mark {
            written: self.written,
            set_at: now,
        });
        let Some(mark) = self.mark else {
            self.mark = next;
            return false;
        };
        if self.beyond_queue < mark.written as i64 {
            return false;
        }
        self.mark = next;
        now.saturating_duration_since(mark.set_at) <= PROMPT
    }
}
