//! `Probe`: whether the database answers, asked on a connection of its own.
//!
//! A pool whose connections are all at work is no reason to take a server out of rotation, and probes, which need no
//! seat, are no reason to keep a call waiting. However many ask at once, there is one connection.

use tokio::sync::Mutex;

use super::connect::Database;
use super::outcome;
use super::session::Session;
use crate::store::StoreError;

/// The probe's connection, made when it is first asked, and again after it broke.
#[derive(Debug, Default)]
pub(super) struct Probe(Mutex<Option<Session>>);

// === impl Probe ===

impl Probe {
    /// Whether the database answers.
    pub(super) async fn ask(&self, database: &Database) -> Result<(), StoreError> {
        let mut session = self.0.lock().await;
        // Taken out while it is asked: one that did not answer, or was given up on, is closed.
        if let Some(kept) = session.take().filter(|kept| !kept.is_closed()) {
            if answers(&kept).await.is_ok() {
                *session = Some(kept);
                return Ok(());
            }
        }
        // A connection that broke while nobody asked says nothing of the database.
        let fresh = database.session().await?;
        answers(&fresh).await?;
        *session = Some(fresh);
        Ok(())
    }
}

async fn answers(session: &Session) -> Result<(), StoreError> {
    let answered = session.simple_query("SELECT 1").await;
    answered.map(drop).map_err(|error| outcome::of_session(&error))
}
