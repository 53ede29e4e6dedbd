//! `Limit`: how long one call on the database may take, in the client and in the server.

use std::time::Duration;

use tokio::time::Instant;
use tower_lifeline::Deadline;

use crate::store::StoreError;

/// The limit of one call: its own, or what is left of the deadline.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) what: &'static str,
    pub(super) deadline: Deadline,
    started: Instant,
    own: Duration,
}

/// The most by which the server's limit is shorter than the client's: time for its answer to arrive.
const HEAD_START: Duration = Duration::from_millis(100);

// === impl Limit ===

impl Limit {
    pub(super) fn new(what: &'static str, own: Duration, deadline: Deadline) -> Self {
        Self {
            what,
            deadline,
            started: Instant::now(),
            own,
        }
    }

    /// For work that belongs to no request.
    pub(super) fn own(what: &'static str, own: Duration) -> Self {
        Self::new(what, own, Deadline::unbounded())
    }

    /// Runs `work` for no longer than this.
    pub(super) async fn hold<T>(
        self,
        work: impl AsyncFnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let held = self.deadline.call(self.what, self.own, work(&self)).await;
        held.unwrap_or_else(|_| Err(self.expired()))
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        let own = self.own.saturating_sub(self.started.elapsed());
        self.deadline.left().map_or(own, |left| left.min(own))
    }

    /// What is left for a statement in the server.
    pub(super) fn in_server(&self) -> Duration {
        let left = self.left();
        let limit = left.saturating_sub(HEAD_START.min(left / 10));
        // Zero would mean "no limit".
        limit.max(Duration::from_millis(1))
    }

    /// Whether a statement that was cancelled may have been so by its limit.
    pub(super) fn is_up_in_server(&self) -> bool {
        // The server counts in whole milliseconds.
        self.left() <= HEAD_START + Duration::from_millis(1)
    }

    pub(super) fn expired(&self) -> StoreError {
        StoreError::Expired {
            what: self.what,
            after: self.started.elapsed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_statement_that_is_cancelled_early_was_cancelled_by_somebody_else() {
        for own in [Duration::from_millis(200), Duration::from_secs(15)] {
            let limit = Limit::own("db.search", own);
            let in_server = limit.in_server();
            assert!(!limit.is_up_in_server(), "{own:?}");
            tokio::time::advance(in_server).await;
            assert!(limit.is_up_in_server(), "{own:?}");
        }
    }
}
