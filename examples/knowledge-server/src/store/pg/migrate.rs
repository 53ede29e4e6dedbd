//! Versions of the tables, one after the other, by one server at a time.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::outcome;
use super::session::Session;
use crate::store::StoreError;

/// Never change what has been released: add to it.
const MIGRATIONS: [(i32, &str); 2] = [
    (1, include_str!("migrations/0001_papers.sql")),
    (2, include_str!("migrations/0002_embedding_space.sql")),
];

/// What only one server does at a time. The numbers are any that nobody else uses in this database.
#[derive(Clone, Copy, Debug)]
#[repr(i64)]
pub(super) enum Alone {
    Migrating = 0x6b6e_6f77_6c65_6467,
    /// Apart, since it takes minutes, in which other servers start.
    Indexing = 0x6b6e_6f77_6c65_6468,
}

/// How often a server that waits asks again.
const ASKS: Duration = Duration::from_millis(100);

/// Brings the tables up to date. What is up to date stays as it is.
pub(super) async fn run(session: &Session) -> Result<(), StoreError> {
    lock(session, Alone::Migrating).await?;
    let begun = session
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version integer PRIMARY KEY,
                 applied_at timestamptz NOT NULL DEFAULT now()
             )",
        )
        .await;
    begun.map_err(|error| outcome::of_session(&error))?;
    let row = session
        .query_one("SELECT coalesce(max(version), 0) FROM schema_migrations", &[])
        .await;
    let at: i32 = row
        .and_then(|row| row.try_get(0))
        .map_err(|error| outcome::of_session(&error))?;
    let newest = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if at > newest {
        return Err(StoreError::Mismatch(format!(
            "the tables are of version {at} and this server knows them up to {newest}: start a newer server"
        )));
    }
    for (version, sql) in MIGRATIONS.iter().filter(|(version, _)| *version > at) {
        let whole =
            format!("BEGIN; {sql}; INSERT INTO schema_migrations (version) VALUES ({version}); COMMIT");
        let migrated = session.batch_execute(&whole).await;
        migrated.map_err(|error| explained(&error))?;
        tracing::info!(version, "tables migrated");
    }
    Ok(())
}

/// Takes the lock, which goes with the session.
///
/// It asks again and again, since a statement that waits inside of the server would be waited for by whoever
/// holds the lock and makes an index concurrently: a deadlock.
pub(super) async fn lock(session: &Session, what: Alone) -> Result<(), StoreError> {
    loop {
        let row = session
            .query_one("SELECT pg_try_advisory_lock($1)", &[&(what as i64)])
            .await;
        let is_ours = row.and_then(|row| row.try_get(0));
        if is_ours.map_err(|error| outcome::of_session(&error))? {
            return Ok(());
        }
        tokio::time::sleep(ASKS).await;
    }
}

fn explained(error: &tokio_postgres::Error) -> StoreError {
    let lacks_vector = [SqlState::UNDEFINED_FILE, SqlState::FEATURE_NOT_SUPPORTED];
    match error.code() {
        Some(code) if lacks_vector.contains(code) => StoreError::Failed(
            "this PostgreSQL does not have pgvector: install it where the server is, version 0.8 or newer"
                .into(),
        ),
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Failed(
            "the user may not create the extension or the tables: let an owner of the database start once"
                .into(),
        ),
        _ => outcome::of_session(error),
    }
}
