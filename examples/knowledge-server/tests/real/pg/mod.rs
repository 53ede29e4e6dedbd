//! The store on PostgreSQL.

mod large;
mod limits;
mod lost;
mod small;

use std::sync::OnceLock;
use std::time::Duration;

use knowledge_server::store::pg::{PgSettings, PgStore};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::parts::Postgres;
use crate::texts::HASHING;

/// One cluster for all tests that leave it running, each with a database of its own.
fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

async fn settings(postgres: &Postgres, database: &str) -> PgSettings {
    PgSettings::parse(&postgres.database(database).await).unwrap()
}

async fn open(settings: &PgSettings) -> PgStore {
    PgStore::open(settings.clone(), &HASHING).await.unwrap()
}

/// The server processes of the store that are not idle.
pub(crate) async fn active(admin: &Client) -> i64 {
    count(admin, "state <> 'idle'").await
}

async fn count(admin: &Client, which: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'knowledge-server' AND {which}"
    );
    admin.query_one(&sql, &[]).await.unwrap().get(0)
}

/// The process ids of the store's connections.
async fn processes(admin: &Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'knowledge-server' ORDER BY pid";
    let rows = admin.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until so many of the store's server processes are at work.
pub(crate) async fn until_active(admin: &Client, wanted: i64) {
    for _ in 0..300 {
        if active(admin).await == wanted {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{} are active, not {wanted}", active(admin).await);
}
