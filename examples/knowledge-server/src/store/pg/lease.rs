//! `Lease`: a connection out of the pool that never goes back with a statement, or a cancel request, under way.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Object;
use futures::join;
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::connect::in_millis;
use super::limit::Limit;
use super::outcome;
use super::tls::Tls;
use crate::store::StoreError;

/// A connection out of the pool. Dropped while a statement runs, it cancels that in the server and is closed; its
/// place in the pool is free only once the server has said so.
pub(super) struct Lease<'a> {
    connection: Option<Object>,
    limit: &'a Limit,
    cancel_limit: Duration,
    tls: Tls,
    runtime: Handle,
    is_busy: bool,
}

// === impl Lease ===

impl<'a> Lease<'a> {
    pub(super) const fn new(
        connection: Object,
        limit: &'a Limit,
        cancel_limit: Duration,
        tls: Tls,
        runtime: Handle,
    ) -> Self {
        Self {
            connection: Some(connection),
            limit,
            cancel_limit,
            tls,
            runtime,
            is_busy: false,
        }
    }

    /// The rows of one statement, in a transaction with a limit of its own. `local` is set for it as well:
    /// `SET LOCAL name = value;` or nothing.
    pub(super) async fn rows(
        &mut self,
        local: &str,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let Some(connection) = &self.connection else {
            return Err(StoreError::Unavailable("the connection is gone".into()));
        };
        self.is_busy = true;
        let rows = in_transaction(connection, self.limit, local, sql, values).await;
        // From here on the server has answered everything, be it with an error.
        self.is_busy = false;
        rows.map_err(|error| outcome::of_statement(self.limit, &error))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.is_busy {
            let (what, limit) = (self.limit.what, self.cancel_limit);
            self.runtime
                .spawn(cancel(connection, self.tls.clone(), what, limit));
        }
    }
}

impl fmt::Debug for Lease<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("limit", &self.limit)
            .field("is_busy", &self.is_busy)
            .finish_non_exhaustive()
    }
}

/// One round trip, once the statement is prepared: all three are sent before the first is answered.
async fn in_transaction(
    connection: &Object,
    limit: &Limit,
    local: &str,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = connection.prepare_cached(sql).await?;
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = {}; {local}",
        in_millis(limit.in_server())
    );
    let (begun, rows, ended) = join!(
        connection.batch_execute(&begin),
        connection.query(&statement, values),
        connection.batch_execute("COMMIT"),
    );
    begun?;
    let rows = rows?;
    ended?;
    Ok(rows)
}

/// How long the first cancel request is given; each further one has twice as long.
const FIRST_REQUEST: Duration = Duration::from_millis(20);

/// Cancels what runs, and closes the connection: a request that arrives late would end the statement of whoever has
/// the connection next. Until the server has ended the statement, or the time is up, it counts as one of the pool's.
async fn cancel(connection: Object, tls: Tls, what: &'static str, limit: Duration) {
    match tokio::time::timeout(limit, until_idle(&connection, &tls)).await {
        Ok(Ok(())) => tracing::debug!(what, "cancelled in the database"),
        Ok(Err(error)) => tracing::warn!(what, %error, "cancelling failed"),
        Err(_) => tracing::warn!(what, ?limit, "the database does not react to a cancel request"),
    }
    drop(Object::take(connection));
}

/// Asks the server to cancel until it has. Once is not enough: a request that arrives before the statement does
/// cancels nothing.
async fn until_idle(connection: &Object, tls: &Tls) -> Result<(), Error> {
    // Answers come in order, so with this one all others are here, be it an error, since a request that arrives late
    // cancels the check itself.
    let mut idle = pin!(connection.check_connection());
    let mut patience = FIRST_REQUEST;
    loop {
        connection.cancel_token().cancel_query(tls.clone()).await?;
        match tokio::time::timeout(patience, &mut idle).await {
            Ok(Err(error)) if error.code() != Some(&SqlState::QUERY_CANCELED) => return Err(error),
            Ok(_) => return Ok(()),
            Err(_) => patience *= 2,
        }
    }
}
