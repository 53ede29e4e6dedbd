//! A PostgreSQL of a test's own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Part, scripts, wheels};

/// A cluster with a socket in a folder of its own, which goes with it.
#[derive(Debug)]
pub(crate) struct Postgres {
    part: Mutex<Part>,
    folder: PathBuf,
}

/// Durability costs time and serves no test. The log says of which database each line is.
const OPTIONS: [&str; 14] = [
    "-c",
    "log_line_prefix=%d: ",
    "-c",
    "listen_addresses=",
    "-c",
    "fsync=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "shared_buffers=256MB",
    "-c",
    "max_connections=60",
    "-c",
    "max_wal_size=4GB",
];

// === impl Postgres ===

impl Postgres {
    pub(crate) fn start() -> Self {
        static CLUSTERS: AtomicU32 = AtomicU32::new(0);
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("papers-{}-{number}", std::process::id()));
        let (part, _) = Part::start(
            Command::new(scripts().join("postgres"))
                .env("EPHEMERAL", "yes")
                .args([wheels(), &folder])
                .args(OPTIONS),
        );
        Self {
            part: Mutex::new(part),
            folder,
        }
    }

    /// Where it listens.
    #[cfg(feature = "tls")]
    pub(crate) fn socket(&self) -> String {
        format!("{}/.s.PGSQL.5432", self.folder.display())
    }

    /// The URL of a database that is there now, empty.
    pub(crate) async fn database(&self, name: &str) -> String {
        let admin = self.connect("postgres").await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        self.url(name)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("host={} user=postgres dbname={name}", self.folder.display())
    }

    /// Whether the server has logged this about the database `name`.
    pub(crate) fn has_logged(&self, name: &str, what: &str) -> bool {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap();
        log.lines()
            .any(|line| line.starts_with(&format!("{name}: ")) && line.contains(what))
    }

    /// A connection to look around with.
    pub(crate) async fn connect(&self, name: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url(name), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }

    /// At once, as after a crash.
    pub(crate) fn stop(&self) {
        self.order("stop");
    }

    pub(crate) fn start_again(&self) {
        self.order("start");
    }

    /// Stops the time of all its processes: it accepts connections, and says nothing.
    pub(crate) fn freeze(&self) {
        self.order("freeze");
    }

    pub(crate) fn thaw(&self) {
        self.order("thaw");
    }

    fn order(&self, word: &str) {
        let mut part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        part.order(word);
    }
}
