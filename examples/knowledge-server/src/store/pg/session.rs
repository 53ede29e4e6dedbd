//! `Session`: a connection outside of the pool, for work that takes long or holds locks.

use std::ops::Deref;

use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// A connection of its own. Dropped, it is closed at once, whatever it was at; with it go its locks, and the
/// server ends what still runs as soon as it finds nobody there.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

// === impl Session ===

impl Session {
    pub(super) const fn new(client: Client, connection: JoinHandle<()>) -> Self {
        Self { client, connection }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
