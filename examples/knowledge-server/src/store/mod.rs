//! Where papers and their vectors are kept and searched.

pub mod embedded;
pub mod pg;

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use tower_lifeline::Deadline;

use crate::paper::Paper;

/// A paper that was found.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every store writes it out field by field"
)]
pub struct Hit {
    /// What was found.
    pub paper: Paper,
    /// How close it is to the query: their cosine similarity, 1 for the same direction.
    pub score: f32,
}

/// Papers and their vectors.
pub trait Store: Send + Sync {
    /// What it is and where, for logs. Without secrets.
    fn describe(&self) -> String;

    /// The `limit` papers that are closest to `query`, best first.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn search<'a>(
        &'a self,
        query: &'a [f32],
        limit: usize,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Hit>, StoreError>>;

    /// The paper with this id.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn get<'a>(&'a self, id: &'a str, deadline: Deadline)
    -> BoxFuture<'a, Result<Option<Paper>, StoreError>>;

    /// The [content hash](Paper::content_hash) of every paper, by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn known_hashes<'a>(&'a self) -> BoxFuture<'a, Result<HashMap<String, String>, StoreError>>;

    /// Puts papers in, or in the place of what has their id, and takes those out whose ids are `gone`: all of it or
    /// nothing.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn exchange<'a>(
        &'a self,
        batch: Vec<(Paper, Vec<f32>)>,
        gone: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Puts papers in, or in the place of what has their id: all of the batch or none of it.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn put<'a>(&'a self, batch: Vec<(Paper, Vec<f32>)>) -> BoxFuture<'a, Result<(), StoreError>> {
        self.exchange(batch, Vec::new())
    }

    /// Whether it can serve, found out by asking it.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The time was up.
    #[error("{what} was given up after {after:?}")]
    Expired {
        /// The call: a fixed word such as `db.search`.
        what: &'static str,
        /// How long it had taken by then.
        after: Duration,
    },
    /// It cannot be reached, or has no connection to spare. Later it may.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It holds the vectors of another model or with other dimensions. The text names the remedy.
    #[error("{0}")]
    Mismatch(String),
    /// It refused what it was asked for.
    #[error("the store failed: {0}")]
    Failed(String),
}
