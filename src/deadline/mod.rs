//! The one deadline of a request, which everything that works for it shares.

mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::wire::{format_grpc_timeout, format_millis, parse_grpc_timeout, parse_millis};

use crate::event::Reporter;

/// The instant by which the whole of a request must be over: its wait in a queue, its head, its body, and
/// every call that is made on its behalf.
///
/// [`DeadlineLayer`](crate::DeadlineLayer) stamps it into the request's extensions, where handlers find it
/// (`axum::Extension<Deadline>`, or `parts.extensions.get::<Deadline>()`, which is what rmcp hands to its tools,
/// spawned tasks included); a [`Lifeline`](crate::Lifeline) leaves it out of those of
/// [plain](crate::lifeline#the-short-way) requests, where it is the [current](Self::current) one. With the feature
/// `axum` it is an extractor, which finds either. Then [`call`](Self::call) holds each piece of outgoing work to it.
///
/// It is cheap to clone. An unbounded deadline never passes.
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    /// `None`: nobody is told of anything.
    terms: Option<Arc<Terms>>,
}

/// What the deadlines of one layer have in common, so that each of them is small.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) reporter: Reporter,
    /// For a deadline that is not fixed yet: how far off it is once somebody asks.
    pub(crate) allowed: Option<Duration>,
}

static NOBODY: Reporter = Reporter::silent();

impl Deadline {
    /// A deadline that never passes.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            at: None,
            terms: None,
        }
    }

    /// A deadline at an instant of tokio's clock (`tokio::time::Instant::into_std`).
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self {
            at: Some(instant),
            terms: None,
        }
    }

    /// Tells `reporter` of the calls that are made under this deadline.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        let terms = Terms {
            reporter,
            allowed: None,
        };
        self.terms = Some(Arc::new(terms));
        self
    }

    pub(crate) fn with_terms(mut self, terms: Arc<Terms>) -> Self {
        self.terms = Some(terms);
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

    pub(crate) fn reporter(&self) -> &Reporter {
        self.terms.as_ref().map_or(&NOBODY, |terms| &terms.reporter)
    }

    /// Whether it has yet to be fixed, and how far off it will be then.
    pub(crate) fn allowed(&self) -> Option<Duration> {
        match (self.at, &self.terms) {
            (None, Some(terms)) => terms.allowed,
            _ => None,
        }
    }
}
