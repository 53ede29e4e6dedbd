//! The one deadline of a request, which everything that works for it shares.

mod wire;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub(crate) use self::wire::{format_grpc_timeout, format_millis, parse_grpc_timeout, parse_millis};

use crate::event::Reporter;

/// The instant by which the whole of a request must be over: its wait in a queue, its head, its body, and
/// every call that is made on its behalf.
///
/// [`DeadlineLayer`](crate::DeadlineLayer) stamps it into the request's extensions, where handlers find it
/// (`axum::Extension<Deadline>`, or `parts.extensions.get::<Deadline>()`, which is what rmcp hands to its tools,
/// spawned tasks included). Then [`call`](Self::call) holds each piece of outgoing work to it.
///
/// It is cheap to clone. An unbounded deadline never passes.
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    reporter: Reporter,
}

impl Deadline {
    /// A deadline that never passes.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            at: None,
            reporter: Reporter::silent(),
        }
    }

    /// A deadline at an instant of tokio's clock (`tokio::time::Instant::into_std`).
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self {
            at: Some(instant),
            reporter: Reporter::silent(),
        }
    }

    /// Tells `reporter` of the calls that are made under this deadline.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// The instant at which it passes. `None`: never.
    #[must_use]
    pub const fn instant(&self) -> Option<Instant> {
        self.at
    }

    /// What is left of it at `now`. `None`: it never passes.
    #[must_use]
    pub fn left_at(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }

    /// Brings the deadline forward to `limit` after `now`, should it be later than that.
    #[must_use]
    pub fn capped_at(mut self, now: Instant, limit: Duration) -> Self {
        if let Some(cap) = now.checked_add(limit) {
            self.at = Some(self.at.map_or(cap, |at| at.min(cap)));
        }
        self
    }

    pub(crate) const fn reporter(&self) -> &Reporter {
        &self.reporter
    }
}
