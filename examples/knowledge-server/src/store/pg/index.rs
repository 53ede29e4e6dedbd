//! The HNSW index: whether it is there, and how it is made while the server serves.

use super::lease::Lease;
use super::migrate::{self, Alone};
use super::outcome;
use super::session::Session;
use super::settings::PgSettings;
use crate::store::StoreError;

/// Whether searches can use the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexState {
    /// They can.
    Ready,
    /// It is being made, or what made it was interrupted. It costs every write, and no search uses it.
    Invalid,
    /// There is none.
    Missing,
}

pub(super) const NAME: &str = "papers_embedding_hnsw";

const STATE: &str = "SELECT i.indisvalid FROM pg_index i
    WHERE i.indexrelid = to_regclass('papers_embedding_hnsw')";

/// Both of them wait for every transaction that is older, for as long as that takes: giving up leaves an index that
/// is invalid. Whoever makes the index has a limit for all of it.
const PATIENT: &str = "SET lock_timeout = 0";

const DROP: &str = "DROP INDEX CONCURRENTLY papers_embedding_hnsw";

const CREATE: &str = "CREATE INDEX CONCURRENTLY papers_embedding_hnsw
    ON papers USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)";

/// Whether the index is there.
pub(super) async fn state(lease: &mut Lease<'_>) -> Result<IndexState, StoreError> {
    let rows = lease.rows("", STATE, &[]).await?;
    read(rows.first())
}

/// Makes the index, if it is not there. Under a lock, so that an index which is invalid is nobody's work in
/// progress.
pub(super) async fn ensure(session: &Session, settings: &PgSettings) -> Result<(), StoreError> {
    migrate::lock(session, Alone::Indexing).await?;
    let row = session.query_opt(STATE, &[]).await;
    let state = read(row.map_err(|error| outcome::of_session(&error))?.as_ref())?;
    if state == IndexState::Ready {
        return Ok(());
    }
    tracing::info!(index = NAME, ?state, "making the index");
    let memory = format!("SET maintenance_work_mem = '{}MB'", settings.index_memory);
    // One by one: several statements in one message are a transaction, in which nothing is concurrent.
    let mut steps = vec![PATIENT, memory.as_str()];
    if state == IndexState::Invalid {
        steps.push(DROP);
    }
    steps.push(CREATE);
    for step in steps {
        let done = session.batch_execute(step).await;
        done.map_err(|error| outcome::of_session(&error))?;
    }
    tracing::info!(index = NAME, "the index is ready");
    Ok(())
}

fn read(row: Option<&tokio_postgres::Row>) -> Result<IndexState, StoreError> {
    let Some(row) = row else {
        return Ok(IndexState::Missing);
    };
    let is_valid = row.try_get(0).map_err(|error| outcome::of_session(&error))?;
    Ok(if is_valid {
        IndexState::Ready
    } else {
        IndexState::Invalid
    })
}
