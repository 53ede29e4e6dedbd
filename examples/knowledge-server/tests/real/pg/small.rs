//! What does not need many papers: migrations, order, contents, mismatches.

use futures::future::join_all;
use knowledge_server::embed::Embedder;
use knowledge_server::store::pg::{IndexState, PgSettings, PgStore};
use knowledge_server::store::{Store, StoreError};
use tower_lifeline::Deadline;

use super::{open, settings, shared};
use crate::texts::{HASHING, Hashing, embedded, paper, sentences};

#[tokio::test(flavor = "multi_thread")]
async fn migrations_may_run_twice_and_at_once() {
    let settings = settings(shared(), "migrations").await;
    let opened = join_all((0..8).map(|_| PgStore::open(settings.clone(), &HASHING))).await;
    for store in opened {
        store.unwrap().ready().await.unwrap();
    }
    let store = open(&settings).await;
    let indexed = join_all((0..4).map(|_| store.ensure_index())).await;
    indexed.into_iter().for_each(|made| made.unwrap());
    assert_eq!(store.index_state().await.unwrap(), IndexState::Ready);
    let admin = shared().connect("migrations").await;
    let versions: i64 = admin
        .query_one("SELECT count(*) FROM schema_migrations", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(versions, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_the_exact_order() {
    let store = open(&settings(shared(), "exact").await).await;
    let papers: Vec<_> = sentences(2_000).into_iter().map(embedded).collect();
    for batch in papers.chunks(500) {
        store.put(batch.to_vec()).await.unwrap();
    }
    let questions = [
        "the history of a river",
        "guerre mondiale",
        "mathematics and music",
    ];
    let mut nearest = Vec::new();
    for words in questions {
        let query = HASHING.vector(words);
        let mut exact: Vec<f32> = papers.iter().map(|(_, vector)| dot(&query, vector)).collect();
        exact.sort_by(|one, other| other.total_cmp(one));
        let hits = store.search(&query, 20, Deadline::unbounded()).await.unwrap();
        assert_eq!(hits.len(), 20);
        for (hit, score) in hits.iter().zip(&exact) {
            assert!((hit.score - score).abs() < 1e-4, "{} is not {score}", hit.score);
        }
        nearest.push(hits);
    }
    // Through the index some may be missed, but the order of those that are found is exact.
    store.ensure_index().await.unwrap();
    for (words, exact) in questions.into_iter().zip(nearest) {
        let query = HASHING.vector(words);
        let hits = store.search(&query, 20, Deadline::unbounded()).await.unwrap();
        assert!(
            hits.is_sorted_by(|one, other| one.score >= other.score),
            "{hits:?}"
        );
        let same = hits.iter().filter(|hit| exact.contains(hit)).count();
        assert!(same >= 15, "{same} of the 20 nearest were found");
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_found_as_it_was() {
    let store = open(&settings(shared(), "contents").await).await;
    let mut odd = paper("odd", "a \\u0000 b \" ' $1 {} \u{1F600}");
    odd.url = None;
    odd.authors.clear();
    let plain = paper("plain", "before");
    let batch = vec![plain.clone(), odd.clone(), plain.clone()]
        .into_iter()
        .map(embedded)
        .collect();
    store.put(batch).await.unwrap();
    assert_eq!(
        store.get("odd", Deadline::unbounded()).await.unwrap(),
        Some(odd.clone())
    );
    assert_eq!(store.get("none", Deadline::unbounded()).await.unwrap(), None);

    let later = paper("plain", "after");
    let mut with_null = paper("null", "a\0b");
    let hash = with_null.content_hash();
    store
        .put(vec![embedded(later.clone()), embedded(with_null.clone())])
        .await
        .unwrap();
    with_null.summary = "a b".into();
    assert_eq!(
        store.get("null", Deadline::unbounded()).await.unwrap(),
        Some(with_null)
    );
    assert_eq!(
        store.get("plain", Deadline::unbounded()).await.unwrap(),
        Some(later.clone())
    );
    let hashes = store.known_hashes().await.unwrap();
    assert_eq!(hashes.len(), 3);
    assert_eq!(hashes["plain"], later.content_hash());
    assert_eq!(hashes["null"], hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_all_in_or_nothing() {
    let store = open(&settings(shared(), "batch").await).await;
    let wrong = (paper("second", "x"), vec![1.0; 3]);
    let put = store.put(vec![embedded(paper("first", "x")), wrong]).await;
    assert!(matches!(put, Err(StoreError::Mismatch(_))), "{put:?}");
    assert!(store.known_hashes().await.unwrap().is_empty());

    // What is to go stays where something cannot come, and goes with what comes.
    let ids = async || {
        let mut ids: Vec<_> = store.known_hashes().await.unwrap().into_keys().collect();
        ids.sort_unstable();
        ids
    };
    let three = ["a", "b", "c"].map(|id| embedded(paper(id, "x")));
    store.put(three.into()).await.unwrap();
    // Longer than an index takes, and nothing that repeats, which would be packed.
    let digits = (0..2_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_string());
    let too_long: String = digits.collect();
    let refused = store
        .exchange(vec![embedded(paper(&too_long, "x"))], vec!["a".into()])
        .await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert_eq!(ids().await, ["a", "b", "c"]);
    let gone = ["a", "c", "none"].map(str::to_owned);
    let changed = vec![embedded(paper("c", "y")), embedded(paper("d", "y"))];
    store.exchange(changed, gone.into()).await.unwrap();
    assert_eq!(ids().await, ["b", "c", "d"]);
    store.exchange(Vec::new(), vec!["b".into()]).await.unwrap();
    assert_eq!(ids().await, ["c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_model_are_refused_with_the_remedy() {
    let settings = settings(shared(), "models").await;
    drop(open(&settings).await);
    for other in [
        Hashing {
            name: "another",
            ..HASHING
        },
        Hashing {
            dimensions: 128,
            ..HASHING
        },
    ] {
        let opened = PgStore::open(settings.clone(), &other).await;
        let Err(StoreError::Mismatch(text)) = opened else {
            panic!("{opened:?}");
        };
        assert!(
            text.contains(HASHING.model()) && text.contains("ingest again"),
            "{text}"
        );
    }
    let store = open(&settings).await;
    for query in [vec![0.5; 3], vec![f32::NAN; HASHING.dimensions]] {
        let found = store.search(&query, 3, Deadline::unbounded()).await;
        assert!(matches!(found, Err(StoreError::Mismatch(_))), "{found:?}");
    }
    // A text without a word is a vector of zeros, which is close to nothing.
    store.put(vec![embedded(paper("one", "word"))]).await.unwrap();
    let found = store.search(&[0.0; 256], 3, Deadline::unbounded()).await.unwrap();
    assert!(found.iter().all(|hit| hit.score == 0.0), "{found:?}");
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let mut settings = PgSettings::parse("postgres://me:secret@127.0.0.1:1/papers").unwrap();
    settings.connect = std::time::Duration::from_secs(1);
    assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
    let opened = PgStore::open(settings, &HASHING).await;
    assert!(matches!(&opened, Err(StoreError::Unavailable(_))), "{opened:?}");
    assert!(!format!("{opened:?}").contains("secret"));
    let parsed = PgSettings::parse("postgres://me:secret@[");
    assert!(!format!("{parsed:?}").contains("secret"), "{parsed:?}");
}
