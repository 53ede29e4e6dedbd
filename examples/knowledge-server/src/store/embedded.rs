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

    fn put_all(&self, batch: Vec<(Paper, Vec<f32>)>) -> Result<(), StoreError> {
        // All checks come before the first change, so that a batch is taken as a whole or not at all.
        batch.iter().try_for_each(|(_, vector)| self.check(vector))?;
        let entries: Vec<_> = batch.into_iter().map(Entry::new).map(Arc::new).collect();
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Shelf::clone(&shelf);
        entries.into_iter().for_each(|entry| next.place(entry));
        *shelf = Arc::new(next);
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

    fn put<'a>(&'a self, batch: Vec<(Paper, Vec<f32>)>) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.put_all(batch) }.boxed()
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
