//! A database that hangs, crashes and is left.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;

use super::papers;
use crate::parts::Postgres;
use crate::pg::until_active;
use crate::serving::{Heard, Outcome, Server, Session};

/// Whoever searches waits, until this is dropped or the database gone.
async fn locked(postgres: &Postgres, name: &str) -> Client {
    let client = postgres.connect(name).await;
    let sql = "BEGIN; LOCK TABLE papers IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(sql).await.unwrap();
    client
}

async fn works(server: &Server) {
    let found = server
        .call("search_papers", json!({ "query": "tail latency" }))
        .await;
    assert!(!found.text(false).is_empty());
    server.until_seats(0.0, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_or_cancels_takes_the_query_along() {
    let postgres = block_in_place(Postgres::start);
    let url = papers(&postgres, "papers").await;
    let server = Server::start(&["--database-url", &url, "--call-limit", "3s"]);
    works(&server).await;
    let admin = postgres.connect("papers").await;
    let lock = locked(&postgres, "papers").await;

    let call = tokio::spawn(server.ask().send());
    until_active(&admin, 1).await;
    call.abort();
    until_active(&admin, 0).await;
    server.until_seats(0.0, Duration::from_secs(1)).await;

    let session = Session::open(&server).await;
    let call = session.ask(1).await;
    until_active(&admin, 1).await;
    session.cancel(1).await;
    until_active(&admin, 0).await;
    server.until_seats(0.0, Duration::from_secs(1)).await;
    assert!(Heard::of(call).await.response().is_none());

    // Without a cancellation it goes on, until its deadline.
    let began = Instant::now();
    let priming = Heard::until(session.ask(2).await, |_| true);
    let priming = timeout(Duration::from_millis(500), priming);
    assert!(
        priming.await.is_err(),
        "it has nothing to say, and its client leaves"
    );
    until_active(&admin, 1).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!((crate::pg::active(&admin).await, server.seats().await), (1, 1.0));
    server.until_seats(0.0, Duration::from_secs(4)).await;
    until_active(&admin, 0).await;
    assert!(
        began.elapsed() > Duration::from_millis(2800),
        "{:?}",
        began.elapsed()
    );

    drop(lock);
    works(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_or_hangs_is_an_error_in_time() {
    let postgres = block_in_place(Postgres::start);
    let url = papers(&postgres, "papers").await;
    let server = Server::start(&["--database-url", &url, "--search-limit", "1500ms", "--seats", "4"]);
    works(&server).await;

    // Stopped in the middle of a query.
    let admin = postgres.connect("papers").await;
    let _lock = locked(&postgres, "papers").await;
    let call = tokio::spawn(server.ask().send());
    until_active(&admin, 1).await;
    block_in_place(|| postgres.stop());
    let outcome = Outcome::of(call.await.unwrap().unwrap()).await;
    assert!(
        outcome.text(true).contains("the store is not available"),
        "{}",
        outcome.response
    );
    assert_eq!(server.get("/readyz").await.0, 503);
    assert_eq!(server.get("/healthz").await.0, 200);
    block_in_place(|| postgres.start_again());
    works(&server).await;
    assert_eq!(server.get("/readyz").await.0, 200);

    // A query that takes too long.
    let admin = postgres.connect("papers").await;
    let lock = locked(&postgres, "papers").await;
    let began = Instant::now();
    let late = Outcome::of(server.ask().send().await.unwrap()).await;
    assert!(late.text(true).contains("given up after"), "{}", late.response);
    assert!(
        (1200..7000).contains(&began.elapsed().as_millis()),
        "{:?}",
        began.elapsed()
    );
    until_active(&admin, 0).await;
    drop(lock);
    works(&server).await;

    // Its processes are stopped: what the first calls held is not free when the next come.
    let warm = (0..4).map(|_| server.ask().send());
    join_all(warm).await;
    server.until_seats(0.0, Duration::from_secs(1)).await;
    block_in_place(|| postgres.freeze());
    for told in ["given up after", "no connection came free"] {
        let began = Instant::now();
        let calls = join_all((0..4).map(|_| server.ask().send())).await;
        let mut texts = Vec::new();
        for call in calls {
            texts.push(Outcome::of(call.unwrap()).await.text(true).to_owned());
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(texts.iter().any(|text| text.contains(told)), "{texts:?}");
        server.until_seats(0.0, Duration::from_secs(1)).await;
    }
    block_in_place(|| postgres.thaw());
    until_active(&admin, 0).await;
    works(&server).await;
}
