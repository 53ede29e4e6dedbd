//! A store in the memory of the process: exact, ready at once, and gone with the process.
//!
//! It compares a query with every paper, which takes about a millisecond for some ten thousand of them. For more,
//! or for papers that outlive the process, there is a database.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tower_lifeline::Deadline;

use super::{Hit, Store, StoreError};
use crate::paper::Paper;

/// Shelves of more papers than this are searched on a thread of their own, since a runtime's thread should be
/// back within a millisecond or so.
const INLINE_PAPERS: usize = 4096;

/// How long a search may take, should the deadline be further away.
const LIMIT: Duration = Duration::from_secs(5);

/// Papers in the memory of the process.
#[derive(Debug)]
pub struct Embedded {
    model: String,
    dimensions: usize,
    // Readers take the shelf and let go of the lock: no search holds up a writer, and none sees half a batch.
    shelf: RwLock<Arc<Shelf>>,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    entries: Vec<Arc<Entry>>,
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct Entry {
    paper: Paper,
    hash: String,
    /// Of length one.
    vector: Vec<f32>,
}

// === impl Embedded ===

impl Embedded {
    /// An empty store for the vectors of `model`, which have `dimensions` numbers each.
    #[must_use]
    pub fn new(model: &str, dimensions: usize) -> Self {
        Self {
            model: model.to_owned(),
            dimensions,
            shelf: RwLock::default(),
        }
    }

    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, vector: &[f32]) -> Result<(), StoreError> {
        if vector.len() != self.dimensions {
            return Err(StoreError::Mismatch(format!(
                "a vector of {} numbers came to a store for {}, whose vectors have {}: use the embedding that the \
                 store was made for, or start again with an empty store",
                vector.len(),
                self.model,
                self.dimensions
            )));
        }
        if vector.iter().all(|x| x.is_finite()) {
            Ok(())
        } else {
            Err(StoreError::Failed("a vector holds what is no number".into()))
        }
    }

    fn exchange_all(&self, batch: Vec<(Paper, Vec<f32>)>, gone: &[String]) -> Result<(), StoreError> {
        // All checks come before the first change, so that a batch is taken as a whole or not at all.
        batch.iter().try_for_each(|(_, vector)| self.check(vector))?;
        let entries: Vec<_> = batch.into_iter().map(Entry::new).map(Arc::new).collect();
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        // A copy, should a search still be looking at the shelf as it was.
        let shelf = Arc::make_mut(&mut shelf);
        shelf.remove(gone);
        entries.into_iter().for_each(|entry| shelf.place(entry));
        Ok(())
    }
}

impl Store for Embedded {
    fn describe(&self) -> String {
        let papers = self.shelf().entries.len();
        format!("{papers} papers in memory, embedded by {}", self.model)
    }

    fn search<'a>(
        &'a self,
        query: &'a [f32],
        limit: usize,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Hit>, StoreError>> {
        async move {
            self.check(query)?;
            let query = normalised(query.to_vec());
            let shelf = self.shelf();
            let work = async move {
                if shelf.entries.len() <= INLINE_PAPERS {
                    return Ok(shelf.closest(&query, limit));
                }
                tokio::task::spawn_blocking(move || shelf.closest(&query, limit))
                    .await
                    .map_err(|error| StoreError::Failed(error.to_string()))
            };
            let ended = deadline.call("store.search", LIMIT, work).await;
            ended.map_err(|expired| StoreError::Expired {
                what: expired.name(),
                after: expired.elapsed(),
            })?
        }
        .boxed()
    }

    fn get<'a>(&'a self, id: &'a str, _: Deadline) -> BoxFuture<'a, Result<Option<Paper>, StoreError>> {
        let shelf = self.shelf();
        let entry = shelf.places.get(id).and_then(|place| shelf.entries.get(*place));
        std::future::ready(Ok(entry.map(|entry| entry.paper.clone()))).boxed()
    }

    fn known_hashes<'a>(&'a self) -> BoxFuture<'a, Result<HashMap<String, String>, StoreError>> {
        let shelf = self.shelf();
        let entries = shelf.entries.iter();
        let hashes = entries.map(|entry| (entry.paper.id.clone(), entry.hash.clone()));
        std::future::ready(Ok(hashes.collect())).boxed()
    }

    fn exchange<'a>(
        &'a self,
        batch: Vec<(Paper, Vec<f32>)>,
        gone: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.exchange_all(batch, &gone) }.boxed()
    }

    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        std::future::ready(Ok(())).boxed()
    }
}

// === impl Shelf ===

impl Shelf {
    fn place(&mut self, entry: Arc<Entry>) {
        match self.places.get(&entry.paper.id) {
            Some(place) => self.entries[*place] = entry,
            None => {
                self.places.insert(entry.paper.id.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    fn remove(&mut self, ids: &[String]) {
        let before = self.places.len();
        for id in ids {
            self.places.remove(id);
        }
        if self.places.len() == before {
            return;
        }
        self.entries
            .retain(|entry| self.places.contains_key(&entry.paper.id));
        for (place, entry) in self.entries.iter().enumerate() {
            self.places.insert(entry.paper.id.clone(), place);
        }
    }

    fn closest(&self, query: &[f32], limit: usize) -> Vec<Hit> {
        let scores = self.entries.iter().map(|entry| dot(query, &entry.vector));
        let mut scored: Vec<_> = scores.zip(&self.entries).collect();
        // Equal scores in the order of ids, so that the same search has the same answer.
        scored.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.paper.id.cmp(&y.paper.id)));
        scored.truncate(limit);
        scored
            .into_iter()
            .map(|(score, entry)| Hit {
                paper: entry.paper.clone(),
                score,
            })
            .collect()
    }
}

// === impl Entry ===

impl Entry {
    fn new((paper, vector): (Paper, Vec<f32>)) -> Self {
        Self {
            hash: paper.content_hash(),
            paper,
            vector: normalised(vector),
        }
    }
}

fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(id: &str) -> Paper {
        Paper {
            id: id.to_owned(),
            title: id.to_owned(),
            authors: Vec::new(),
            year: 0,
            venue: String::new(),
            summary: String::new(),
            url: None,
        }
    }

    async fn found(store: &Embedded, query: &[f32]) -> Vec<(String, f32)> {
        let hits = store.search(query, 2, Deadline::unbounded()).await.unwrap();
        hits.into_iter().map(|hit| (hit.paper.id, hit.score)).collect()
    }

    #[tokio::test]
    async fn the_closest_come_first_whatever_the_lengths_of_vectors() {
        let store = Embedded::new("model", 2);
        let batch = [("far", [-1.0, 0.0]), ("b", [0.0, 9.0]), ("a", [0.0, 2.0])];
        let batch = batch.map(|(id, vector)| (paper(id), vector.to_vec()));
        store.put(batch.into()).await.unwrap();
        assert_eq!(
            found(&store, &[0.0, 0.1]).await,
            [("a".into(), 1.0), ("b".into(), 1.0)]
        );
        store.put(vec![(paper("a"), vec![-1.0, 0.0])]).await.unwrap();
        assert_eq!(
            found(&store, &[0.0, 1.0]).await,
            [("b".into(), 1.0), ("a".into(), 0.0)]
        );
        assert_eq!(store.known_hashes().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_is_gone_goes_with_what_comes() {
        let store = Embedded::new("model", 2);
        let batch = ["a", "b", "c"].map(|id| (paper(id), vec![1.0, 0.0]));
        store.put(batch.into()).await.unwrap();
        let bad = vec![(paper("d"), vec![1.0])];
        store.exchange(bad, vec!["a".into()]).await.unwrap_err();
        assert_eq!(store.known_hashes().await.unwrap().len(), 3);
        let gone = ["a", "none"].map(str::to_owned);
        let batch = vec![(paper("c"), vec![0.0, 1.0]), (paper("d"), vec![0.0, 1.0])];
        store.exchange(batch, gone.into()).await.unwrap();
        assert_eq!(
            found(&store, &[0.0, 1.0]).await,
            [("c".into(), 1.0), ("d".into(), 1.0)]
        );
        let b = store.get("b", Deadline::unbounded()).await.unwrap();
        assert_eq!(b, Some(paper("b")));
        assert_eq!(store.get("a", Deadline::unbounded()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_batch_with_one_bad_vector_leaves_nothing_behind() {
        let store = Embedded::new("model", 2);
        for bad in [vec![1.0], vec![f32::NAN, 1.0]] {
            let batch = vec![(paper("good"), vec![1.0, 0.0]), (paper("bad"), bad)];
            store.put(batch).await.unwrap_err();
            assert!(store.known_hashes().await.unwrap().is_empty());
        }
        let short = store.search(&[1.0], 5, Deadline::unbounded()).await;
        assert!(matches!(short, Err(StoreError::Mismatch(_))));
    }

    #[tokio::test]
    async fn large_shelves_and_late_requests() {
        let store = Embedded::new("model", 2);
        let papers = (0..=INLINE_PAPERS).map(|n| (paper(&n.to_string()), vec![1.0, n as f32]));
        store.put(papers.collect()).await.unwrap();
        let best = found(&store, &[1.0, 0.0]).await;
        assert_eq!(best[0].0, "0");
        let late = store
            .search(&[1.0, 0.0], 1, Deadline::after(Duration::ZERO))
            .await;
        assert!(matches!(
            late,
            Err(StoreError::Expired {
                what: "store.search",
                ..
            })
        ));
    }
}
