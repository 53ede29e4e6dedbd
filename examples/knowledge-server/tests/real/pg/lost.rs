//! A database that crashes, restarts or hangs.

use std::time::Duration;

use knowledge_server::store::pg::{Fault, PgStore};
use knowledge_server::store::{Store, StoreError};
use tokio::time::Instant;
use tower_lifeline::Deadline;

use super::{open, processes, settings, until_active};
use crate::parts::Postgres;
use crate::texts::{HASHING, embedded, paper};

async fn search(store: &PgStore) -> Result<usize, StoreError> {
    let query = HASHING.vector("words");
    let found = store
        .search(&query, 3, Deadline::after(Duration::from_secs(10)))
        .await;
    found.map(|hits| hits.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_an_error_at_once_and_the_next_call_after_it_works() {
    let postgres = Postgres::start();
    let store = open(&settings(&postgres, "crash").await).await;
    store.put(vec![embedded(paper("one", "words"))]).await.unwrap();
    let admin = postgres.connect("crash").await;

    store.inject(Some(Fault::Runaway));
    let crash = async {
        until_active(&admin, 1).await;
        tokio::task::block_in_place(|| postgres.stop());
        Instant::now()
    };
    let (found, crashed) = tokio::join!(search(&store), crash);
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    assert!(crashed.elapsed() < Duration::from_secs(3));

    let started = Instant::now();
    let found = search(&store).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    let ready = store.ready().await;
    assert!(matches!(ready, Err(StoreError::Unavailable(_))), "{ready:?}");
    assert!(started.elapsed() < Duration::from_secs(3));

    store.inject(None);
    tokio::task::block_in_place(|| postgres.start_again());
    assert_eq!(search(&store).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_ends_at_the_clients_limit() {
    let postgres = Postgres::start();
    let mut settings = settings(&postgres, "frozen").await;
    settings.query = Duration::from_millis(700);
    settings.connect = Duration::from_millis(500);
    settings.ready = Duration::from_millis(300);
    let store = open(&settings).await;
    store.put(vec![embedded(paper("one", "words"))]).await.unwrap();
    let admin = postgres.connect("frozen").await;
    let before = processes(&admin).await;
    assert_eq!(before.len(), 1);

    tokio::task::block_in_place(|| postgres.freeze());
    let started = Instant::now();
    let found = search(&store).await;
    let took = started.elapsed();
    assert!(matches!(found, Err(StoreError::Expired { .. })), "{found:?}");
    assert!((650..5000).contains(&took.as_millis()), "{took:?}");
    // A new connection does not come about either.
    let started = Instant::now();
    let (ready, found) = tokio::join!(store.ready(), search(&store));
    assert!(ready.is_err(), "{ready:?}");
    assert!(found.is_err(), "{found:?}");
    assert!(started.elapsed() < Duration::from_secs(6));
    // Time for the cancel request to fail.
    tokio::time::sleep(Duration::from_millis(600)).await;

    tokio::task::block_in_place(|| postgres.thaw());
    assert_eq!(search(&store).await, Ok(1));
    let after = processes(&admin).await;
    assert!(
        !after.contains(&before[0]),
        "{before:?} {after:?}: it was thrown away"
    );
}
