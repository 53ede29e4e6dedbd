//! A collection for which the index matters: fifty thousand sentences of an encyclopaedia.

use std::time::Duration;

use knowledge_server::store::Store;
use knowledge_server::store::pg::{Fault, IndexState, PgStore};
use tokio::time::{Instant, timeout};
use tower_lifeline::Deadline;

use super::{open, settings, shared, until_active};
use crate::texts::{HASHING, embedded, sentences};

const COUNT: usize = 50_000;

#[tokio::test(flavor = "multi_thread")]
async fn searches_among_many_use_the_index_once_it_is_there() {
    let started = Instant::now();
    let settings = settings(shared(), "large").await;
    let store = open(&settings).await;
    let papers: Vec<_> = sentences(COUNT).into_iter().map(embedded).collect();
    println!("{COUNT} sentences read and embedded: {:?}", started.elapsed());
    for batch in papers.chunks(2_000) {
        store.put(batch.to_vec()).await.unwrap();
    }
    println!("put: {:?}", started.elapsed());
    let admin = shared().connect("large").await;
    let query = HASHING.vector("the longest river of the continent");

    assert_eq!(store.index_state().await.unwrap(), IndexState::Missing);
    let plan = store.explain(&query, 10).await.unwrap();
    assert!(plan.contains("Seq Scan on papers"), "{plan}");

    // An attempt that is interrupted leaves an index that is invalid, and nothing at work.
    // Meanwhile another server starts.
    let (interrupted, opened) = tokio::join!(
        timeout(Duration::from_millis(1500), store.ensure_index()),
        timeout(
            Duration::from_millis(1400),
            PgStore::open(settings.clone(), &HASHING)
        ),
    );
    assert!(interrupted.is_err(), "{interrupted:?}");
    drop(opened.expect("it does not wait for the index").unwrap());
    assert_eq!(store.index_state().await.unwrap(), IndexState::Invalid);
    until_active(&admin, 0).await;
    println!("interrupted: {:?}", started.elapsed());
    store.ensure_index().await.unwrap();
    assert_eq!(store.index_state().await.unwrap(), IndexState::Ready);
    println!("indexed: {:?}", started.elapsed());

    let plan = store.explain(&query, 10).await.unwrap();
    println!("{plan}");
    assert!(plan.contains("Index Scan using papers_embedding_hnsw"), "{plan}");

    // More than the index looks at in one go.
    let plan = store.explain(&query, 300).await.unwrap();
    assert!(plan.contains("Index Scan using papers_embedding_hnsw"), "{plan}");
    let many = store.search(&query, 300, Deadline::unbounded()).await.unwrap();
    assert_eq!(many.len(), 300);

    let fast = Instant::now();
    let found = store.search(&query, 10, Deadline::unbounded()).await.unwrap();
    let fast = fast.elapsed();
    store.inject(Some(Fault::SequentialScan));
    let slow = Instant::now();
    let exact = store.search(&query, 10, Deadline::unbounded()).await.unwrap();
    println!("search: {fast:?} with the index, {:?} without", slow.elapsed());
    let same = exact.iter().filter(|hit| found.contains(hit)).count();
    assert!(same >= 8, "{same} of the 10 nearest were found");
}
