//! Queries that run away, clients that leave, and a pool that is exhausted.

use std::time::Duration;

use futures::future::join_all;
use knowledge_server::store::pg::{Fault, PgSettings, PgStore};
use knowledge_server::store::{Store, StoreError};
use tokio::time::{Instant, timeout};
use tokio_postgres::Client;
use tower_lifeline::Deadline;

use super::{active, count, open, processes, settings, shared, until_active};
use crate::texts::{HASHING, embedded, paper};

/// A store whose searches run away, and somebody who watches it from inside.
async fn runaway(database: &str, change: impl FnOnce(&mut PgSettings)) -> (PgStore, Client) {
    let mut settings = settings(shared(), database).await;
    change(&mut settings);
    let store = open(&settings).await;
    let papers = (0..200).map(|at| embedded(paper(&at.to_string(), "some words about something")));
    store.put(papers.collect()).await.unwrap();
    store.inject(Some(Fault::Runaway));
    (store, shared().connect(database).await)
}

async fn search(store: &PgStore, deadline: Deadline) -> Result<usize, StoreError> {
    let query = HASHING.vector("words");
    store.search(&query, 3, deadline).await.map(|hits| hits.len())
}

async fn works_again(store: &PgStore) {
    store.inject(None);
    assert_eq!(search(store, Deadline::unbounded()).await, Ok(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runaway_query_ends_at_its_own_limit_in_the_server() {
    let (store, admin) = runaway("own_limit", |settings| {
        settings.query = Duration::from_millis(1500)
    })
    .await;
    let before = processes(&admin).await;
    let started = Instant::now();
    let found = search(&store, Deadline::unbounded()).await;
    let took = started.elapsed();
    assert!(
        matches!(
            found,
            Err(StoreError::Expired {
                what: "db.search",
                ..
            })
        ),
        "{found:?}"
    );
    assert!((1300..4500).contains(&took.as_millis()), "{took:?}");
    assert_eq!(active(&admin).await, 0);
    assert!(
        shared().has_logged("own_limit", "due to statement timeout"),
        "the server ended it"
    );
    works_again(&store).await;
    assert_eq!(processes(&admin).await, before, "the connection was fit for use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runaway_query_ends_with_the_deadline() {
    let (store, admin) = runaway("deadline", |_| ()).await;
    let started = Instant::now();
    let found = search(&store, Deadline::after(Duration::from_millis(500))).await;
    let took = started.elapsed();
    assert!(matches!(found, Err(StoreError::Expired { .. })), "{found:?}");
    assert!((300..4500).contains(&took.as_millis()), "{took:?}");
    until_active(&admin, 0).await;
    works_again(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_query_along() {
    let (store, admin) = runaway("leaves", |settings| settings.pool_size = 2).await;
    for _ in 0..5 {
        for search in [
            search(&store, Deadline::unbounded()),
            search(&store, Deadline::unbounded()),
        ] {
            drop(timeout(Duration::from_millis(150), search).await);
        }
        until_active(&admin, 0).await;
    }
    assert!(
        shared().has_logged("leaves", "due to user request"),
        "it was cancelled"
    );
    until_connections(&admin, 2).await;
    works_again(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_is_an_error_within_its_limit() {
    let (store, admin) = runaway("exhausted", |settings| {
        settings.pool_size = 2;
        settings.acquire = Duration::from_millis(400);
    })
    .await;
    let busy = async { tokio::join!(search(&store, forever()), search(&store, forever())) };
    let refused = async {
        until_active(&admin, 2).await;
        let started = Instant::now();
        let found = search(&store, forever()).await;
        let took = started.elapsed();
        assert!(
            matches!(&found, Err(StoreError::Unavailable(text)) if text.contains("all 2 are busy")),
            "{found:?}"
        );
        assert!((350..4500).contains(&took.as_millis()), "{took:?}");
        // Which says nothing of whether the database answers, and many may ask at once.
        for ready in join_all((0..20).map(|_| store.ready())).await {
            assert_eq!(ready, Ok(()));
        }
        assert_eq!(
            count(&admin, "true").await,
            3,
            "two at work, and one for the probes"
        );
        // The deadline bounds the wait as well.
        let started = Instant::now();
        let found = search(&store, Deadline::after(Duration::from_millis(100))).await;
        assert!(matches!(found, Err(StoreError::Expired { .. })), "{found:?}");
        assert!(started.elapsed() < Duration::from_millis(2700));
    };
    tokio::select! {
        found = busy => panic!("{found:?}"),
        () = refused => (),
    }
    until_active(&admin, 0).await;
    works_again(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_ends_its_query_in_the_server() {
    let (_, admin) = runaway("vanished", |_| ()).await;
    // A runtime that goes down has nobody left to send a cancel request.
    let url = shared().url("vanished");
    let gone = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = open(&PgSettings::parse(&url).unwrap()).await;
            store.inject(Some(Fault::Runaway));
            drop(timeout(Duration::from_millis(300), search(&store, forever())).await);
        });
    });
    tokio::task::spawn_blocking(|| gone.join())
        .await
        .unwrap()
        .unwrap();
    until_active(&admin, 0).await;
    assert!(
        shared().has_logged("vanished", "connection to client lost"),
        "the server found nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_comes_and_goes_leaves_nothing_behind() {
    let (store, admin) = runaway("crowd", |settings| settings.pool_size = 4).await;
    for round in 0..4_u64 {
        // Every other round of searches would end by itself, had it the time.
        store.inject((round % 2 == 0).then_some(Fault::Runaway));
        let visitors = (0..60_u64).map(|visitor| {
            let patience = Duration::from_millis((visitor * 37 + round * 11) % 90);
            timeout(patience, search(&store, forever()))
        });
        drop(join_all(visitors).await);
    }
    until_active(&admin, 0).await;
    until_connections(&admin, 4).await;
    store.inject(None);
    let found = join_all((0..20).map(|_| search(&store, forever()))).await;
    assert!(found.iter().all(|found| *found == Ok(3)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_an_administrator_cancels_is_no_limit() {
    let (store, admin) = runaway("administrator", |_| ()).await;
    let cancelled = async {
        until_active(&admin, 1).await;
        let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        admin.batch_execute(sql).await.unwrap();
    };
    let (found, ()) = tokio::join!(search(&store, forever()), cancelled);
    assert!(
        matches!(&found, Err(StoreError::Unavailable(text)) if text.contains("was cancelled")),
        "{found:?}"
    );
    works_again(&store).await;
}

/// Those that were cancelled are closed, which the server does in its own time.
async fn until_connections(admin: &Client, most: i64) {
    let until = Instant::now() + Duration::from_secs(3);
    while count(admin, "true").await > most {
        assert!(Instant::now() < until, "more than {most} connections");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const fn forever() -> Deadline {
    Deadline::unbounded()
}
