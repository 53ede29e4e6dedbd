//! Connections: the pool's, a session's, and those for cancel requests.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio::runtime::Handle;

use super::lease::Lease;
use super::limit::Limit;
use super::outcome;
use super::session::Session;
use super::settings::PgSettings;
use super::tls::{self, Tls};
use crate::store::StoreError;

/// What every connection begins with:
/// - the server looks for a client that has gone every second, even while it computes;
/// - nothing waits for another's lock, or sits in an open transaction, for long;
/// - an approximate search goes on until it has as many rows as were asked for, in their order;
/// - the plan of a search always knows how many rows are asked for, since with many the index does not pay.
const EVERY_CONNECTION: &str = "SET client_connection_check_interval = '1s'; \
     SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '30s'; \
     SET hnsw.iterative_scan = 'strict_order'; \
     SET hnsw.ef_search = 100; \
     SET plan_cache_mode = 'force_custom_plan'";

/// The database: how to connect to it, and a pool of connections.
pub(super) struct Database {
    pool: Pool,
    settings: PgSettings,
    tls: Tls,
    runtime: Handle,
}

// === impl Database ===

impl Database {
    /// Connects to nothing yet.
    pub(super) fn new(settings: PgSettings) -> Result<Self, StoreError> {
        let runtime = Handle::try_current()
            .map_err(|_| StoreError::Failed("a store is opened inside of a tokio runtime".into()))?;
        let recycling_method = RecyclingMethod::Fast;
        let tls = tls::of(&settings.config)?;
        let config = ManagerConfig { recycling_method };
        let manager = Manager::from_config(settings.config.clone(), tls.clone(), config);
        let timeouts = Timeouts {
            wait: Some(settings.acquire),
            create: Some(settings.connect),
            recycle: Some(settings.connect),
        };
        let statement_timeout = in_millis(settings.query);
        let pool = Pool::builder(manager)
            .max_size(settings.pool_size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                // A limit for whatever has no transaction with one of its own.
                let first = format!("{EVERY_CONNECTION}; SET statement_timeout = {statement_timeout}");
                Box::pin(async move { client.batch_execute(&first).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self {
            pool,
            settings,
            tls,
            runtime,
        })
    }

    pub(super) const fn settings(&self) -> &PgSettings {
        &self.settings
    }

    pub(super) fn describe(&self) -> String {
        format!("PostgreSQL with pgvector at {}", self.settings.place())
    }

    /// A connection out of the pool for what `limit` is the limit of.
    pub(super) async fn lease<'a>(&self, limit: &'a Limit) -> Result<Lease<'a>, StoreError> {
        match self.pool.get().await {
            Ok(connection) => Ok(Lease::new(
                connection,
                limit,
                self.settings.connect,
                self.tls.clone(),
                self.runtime.clone(),
            )),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: PoolError) -> StoreError {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                outcome::of_session(&error)
            }
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => StoreError::Unavailable(format!(
                "no connection came free within {:?}, all {} are busy",
                self.settings.acquire, self.settings.pool_size
            )),
            PoolError::Timeout(_) => StoreError::Unavailable(format!(
                "no connection was made within {:?}",
                self.settings.connect
            )),
            other => StoreError::Unavailable(other.to_string()),
        }
    }

    /// A connection of its own, on which statements have no limit but the caller's.
    pub(super) async fn session(&self) -> Result<Session, StoreError> {
        let connecting = self.settings.config.connect(self.tls.clone());
        let connected = tokio::time::timeout(self.settings.connect, connecting).await;
        let Ok(connected) = connected else {
            return Err(StoreError::Unavailable(format!(
                "no connection was made within {:?}",
                self.settings.connect
            )));
        };
        let (client, connection) = connected.map_err(|error| outcome::of_session(&error))?;
        let connection = self.runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a session with the database broke off");
            }
        });
        let session = Session::new(client, connection);
        let begun = session.batch_execute(EVERY_CONNECTION).await;
        begun.map_err(|error| outcome::of_session(&error))?;
        Ok(session)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("pool", &self.pool)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// As PostgreSQL takes it.
pub(super) fn in_millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i32::MAX as u64)
}
