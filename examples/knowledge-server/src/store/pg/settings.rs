//! Where the database is, and the limit of each piece of work.

use std::time::Duration;

use tokio_postgres::Config;

use super::tls;
use crate::store::StoreError;

/// The settings of a [`PgStore`](super::PgStore). Start from [`parse`](Self::parse) and change what you must.
///
/// | limit | default | reason for the default |
/// |---|---|---|
/// | `pool_size` | 8 | a database works on about twice as many queries at once as it has cores |
/// | `acquire` | 2 s | whoever waits longer for a connection is better told to come back |
/// | `connect` | 5 s | two SYN retries, and the start of a server process |
/// | `query` | 15 s | thousands of times what an indexed search takes |
/// | `write` | 60 s | a batch of papers, with their place in the index |
/// | `ready` | 2 s | a probe that waits longer than its prober is of no use |
/// | `migrate` | 60 s | includes the wait for another server that migrates |
/// | `index` | 30 min | millions of vectors |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PgSettings {
    /// How to connect. Its `Debug` hides the password.
    pub config: Config,
    /// The most connections, but for the one that migrates or makes the index, and the probe's.
    pub pool_size: usize,
    /// The longest wait for a connection out of the pool.
    pub acquire: Duration,
    /// The longest time to connect, and for the server to answer a cancel request.
    pub connect: Duration,
    /// The longest search, or any other read.
    pub query: Duration,
    /// The longest write of one batch.
    pub write: Duration,
    /// The longest look at whether the database answers.
    pub ready: Duration,
    /// The longest start: migrations and the wait for somebody else's.
    pub migrate: Duration,
    /// The longest build of the index.
    pub index: Duration,
    /// The memory for the build of the index, in MB. Where its graph does not fit in, it takes many times as long.
    pub index_memory: u32,
}

// === impl PgSettings ===

impl PgSettings {
    /// The defaults, for the database at `url`: `postgres://user:password@host:port/name`, or `key=value` pairs.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where that is neither, or asks for TLS that is not there. The text does not repeat it, since there may be a password
    /// in it.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(complaint) = tls::complaint(url) {
            return Err(complaint);
        }
        let mut config: Config = url
            .parse()
            .map_err(|_| StoreError::Failed("the database URL is not one of PostgreSQL".into()))?;
        tls::settle(&mut config)?;
        if config.get_application_name().is_none() {
            config.application_name(env!("CARGO_PKG_NAME"));
        }
        Ok(Self {
            config,
            pool_size: 8,
            acquire: Duration::from_secs(2),
            connect: Duration::from_secs(5),
            query: Duration::from_secs(15),
            write: Duration::from_secs(60),
            ready: Duration::from_secs(2),
            migrate: Duration::from_secs(60),
            index: Duration::from_secs(30 * 60),
            index_memory: 256,
        })
    }

    /// The database without user or password.
    pub(super) fn place(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                tokio_postgres::config::Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                tokio_postgres::config::Host::Unix(folder) => folder.display().to_string(),
            })
            .collect();
        let name = self.config.get_dbname().unwrap_or("its user's database");
        format!("{}/{name}", hosts.join(","))
    }
}
