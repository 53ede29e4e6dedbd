//! Papers and their vectors in PostgreSQL with pgvector.
//!
//! # Failure it stops
//! A search without its index reads the whole table, a database that hangs says nothing at all, and a client
//! that leaves has left its query running: each holds one of the few connections until nobody gets one.
//!
//! # What it does
//! Every statement has two limits, both of them the smaller of its own limit and what is left of the deadline:
//! - *in the server*, as `statement_timeout` of that one transaction, a little before the client's, so that
//!   in the usual case the server ends it, says so, and the connection is fit for use;
//! - *in the client*, which also ends what a server that is frozen or unreachable never would.
//!
//! Whatever ends a call in the client, be it the limit or a caller that drops the future, a cancel request goes
//! to the server, and once that has answered the connection is closed, since a request that comes late must not end
//! what somebody else asks. Until then it counts as one of the pool's, so that no more than those are at work. Should even the cancel request
//! be lost, `client_connection_check_interval` lets the server notice by itself that nobody is there.
//!
//! The wait for a connection has a limit of its own: a pool that is exhausted is an error within that time. Whether the
//! database is [ready](Store::ready) is asked on a connection beside the pool.
//!
//! TLS is asked for where the URL says `sslmode=require`, if the server was built with it, and never else.

#[cfg_attr(
    not(feature = "tls"),
    expect(clippy::clone_on_copy, reason = "what speaks TLS is no `Copy`")
)]
mod connect;
mod fault;
mod index;
#[cfg_attr(
    not(feature = "tls"),
    expect(clippy::clone_on_copy, reason = "what speaks TLS is no `Copy`")
)]
mod lease;
mod limit;
mod migrate;
mod outcome;
mod probe;
mod search;
mod session;
mod settings;
mod space;
mod tls;
mod write;

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use tower_lifeline::Deadline;

pub use self::fault::Fault;
pub use self::index::IndexState;
pub use self::settings::PgSettings;

use self::connect::Database;
use self::fault::Hook;
use self::limit::Limit;
use self::probe::Probe;
use super::{Hit, Store, StoreError};
use crate::embed::Embedder;
use crate::paper::Paper;

/// The store; see the [module docs](self).
#[derive(Debug)]
pub struct PgStore {
    database: Database,
    probe: Probe,
    dimensions: usize,
    hook: Hook,
}

// === impl PgStore ===

impl PgStore {
    /// Connects, brings the tables up to date, and makes sure that their vectors are those of `embedder`.
    ///
    /// Any number of servers may do so at once: one of them migrates, the others wait for it. An index that is
    /// missing or invalid is logged as a warning; [`ensure_index`](Self::ensure_index) makes it.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] where the tables hold vectors of another model, [`StoreError::Unavailable`] where
    /// the database cannot be reached, and [`StoreError::Failed`] where it lacks pgvector.
    pub async fn open(settings: PgSettings, embedder: &dyn Embedder) -> Result<Self, StoreError> {
        let dimensions = embedder.dimensions();
        space::check_dimensions(dimensions)?;
        let database = Database::new(settings)?;
        let store = Self {
            database,
            probe: Probe::default(),
            dimensions,
            hook: Hook::default(),
        };
        let (settings, model) = (store.database.settings(), embedder.model());
        Limit::own("db.migrate", settings.migrate)
            .hold(async |_: &Limit| {
                let session = store.database.session().await?;
                migrate::run(&session).await?;
                space::settle(&session, model, dimensions).await
            })
            .await?;
        if let state @ (IndexState::Missing | IndexState::Invalid) = store.index_state().await? {
            tracing::warn!(
                index = index::NAME,
                ?state,
                "searches read the whole table until the index is made"
            );
        }
        Ok(store)
    }

    /// Whether searches can use an index.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn index_state(&self) -> Result<IndexState, StoreError> {
        let settings = self.database.settings();
        Limit::own("db.index_state", settings.query)
            .hold(async |limit: &Limit| index::state(&mut self.database.lease(limit).await?).await)
            .await
    }

    /// Makes the index without keeping anybody from reading or writing; what is left of an attempt that failed
    /// is dropped first. Takes minutes for millions of vectors, on a connection of its own. Dropped, it ends.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn ensure_index(&self) -> Result<(), StoreError> {
        let settings = self.database.settings();
        Limit::own("db.index", settings.index)
            .hold(async |_: &Limit| index::ensure(&self.database.session().await?, settings).await)
            .await
    }

    /// The plan of a search as the server carried it out, for a person to read.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn explain(&self, query: &[f32], limit: usize) -> Result<String, StoreError> {
        space::check_vector(query, self.dimensions)?;
        Limit::own("db.explain", self.database.settings().query)
            .hold(async |bound: &Limit| {
                search::explain(&mut self.database.lease(bound).await?, query, limit).await
            })
            .await
    }

    /// Lets searches go wrong, or right again, to show what the limits are for.
    pub fn inject(&self, fault: Option<Fault>) {
        self.hook.set(fault);
    }
}

impl Store for PgStore {
    fn describe(&self) -> String {
        self.database.describe()
    }

    fn search<'a>(
        &'a self,
        query: &'a [f32],
        limit: usize,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Hit>, StoreError>> {
        async move {
            space::check_vector(query, self.dimensions)?;
            Limit::new("db.search", self.database.settings().query, deadline)
                .hold(async |bound: &Limit| {
                    let mut lease = self.database.lease(bound).await?;
                    search::nearest(&mut lease, query, limit, self.hook.get()).await
                })
                .await
        }
        .boxed()
    }

    fn get<'a>(
        &'a self,
        id: &'a str,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Option<Paper>, StoreError>> {
        async move {
            Limit::new("db.get", self.database.settings().query, deadline)
                .hold(async |limit: &Limit| search::one(&mut self.database.lease(limit).await?, id).await)
                .await
        }
        .boxed()
    }

    fn known_hashes<'a>(&'a self) -> BoxFuture<'a, Result<HashMap<String, String>, StoreError>> {
        async move {
            Limit::own("db.known_hashes", self.database.settings().write)
                .hold(async |limit: &Limit| search::hashes(&mut self.database.lease(limit).await?).await)
                .await
        }
        .boxed()
    }

    fn exchange<'a>(
        &'a self,
        batch: Vec<(Paper, Vec<f32>)>,
        gone: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let rows = write::Rows::new(batch, gone, self.dimensions)?;
            Limit::own("db.put", self.database.settings().write)
                .hold(async |limit: &Limit| rows.put(&mut self.database.lease(limit).await?).await)
                .await
        }
        .boxed()
    }

    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            Limit::own("db.ready", self.database.settings().ready)
                .hold(async |_: &Limit| self.probe.ask(&self.database).await)
                .await
        }
        .boxed()
    }
}
