//! The way into a store: what it has already is left out, the rest is embedded and put in batches.

use std::collections::HashMap;
use std::time::Duration;

use tower_lifeline::Deadline;

use super::passages;
use super::reader::Text;
use super::report::{IngestError, Summary};
use crate::embed::{EmbedError, Embedder};
use crate::paper::Paper;
use crate::store::Store;

/// Papers in a batch: enough to be worth a round trip to a model, and few enough that an interrupted run loses
/// little.
const BATCH: usize = 32;

/// How long the model may take for a batch.
const EMBED_LIMIT: Duration = Duration::from_secs(120);

/// Takes papers for a store.
pub struct Intake<'a> {
    embedder: &'a dyn Embedder,
    store: &'a dyn Store,
    known: HashMap<String, String>,
    batch: Vec<Paper>,
    /// What goes with the batch.
    gone: Vec<String>,
    added: usize,
    unchanged: usize,
    removed: usize,
}

impl<'a> Intake<'a> {
    /// Asks the store what it has.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open(embedder: &'a dyn Embedder, store: &'a dyn Store) -> Result<Self, IngestError> {
        let known = store.known_hashes().await;
        Ok(Self {
            embedder,
            store,
            known: known.map_err(|cause| IngestError::Store { added: 0, cause })?,
            batch: Vec::with_capacity(BATCH),
            gone: Vec::new(),
            added: 0,
            unchanged: 0,
            removed: 0,
        })
    }

    /// Takes a paper. Each id is to be offered once.
    ///
    /// # Errors
    /// Where the model or the store fails with a batch that is now full.
    pub async fn offer(&mut self, paper: Paper) -> Result<(), IngestError> {
        if self.known.get(&paper.id) == Some(&paper.content_hash()) {
            self.unchanged += 1;
            return Ok(());
        }
        self.batch.push(paper);
        if self.batch.len() < BATCH {
            return Ok(());
        }
        self.flush().await
    }

    /// All passages of a text were offered: what it had more of until now goes, together with the last of them.
    pub(super) fn ended(&mut self, text: &Text) {
        // They were stored in the order of their numbers, so there are no gaps.
        let later = (text.passages + 1..).map(|number| passages::name(&text.name, number));
        let known = &self.known;
        self.gone.extend(later.take_while(|id| known.contains_key(id)));
    }

    /// Stores what is left, and tells how many papers were added, were there already, and were removed.
    ///
    /// # Errors
    /// Where the model or the store fails.
    pub async fn finish(mut self) -> Result<Summary, IngestError> {
        self.flush().await?;
        Ok(Summary {
            added: self.added,
            unchanged: self.unchanged,
            removed: self.removed,
            skipped: 0,
        })
    }

    async fn flush(&mut self) -> Result<(), IngestError> {
        if self.batch.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        let papers = std::mem::take(&mut self.batch);
        let gone = std::mem::take(&mut self.gone);
        let vectors = self.vectors(&papers).await;
        let vectors = vectors.map_err(|cause| IngestError::Embed {
            added: self.added,
            cause,
        })?;
        let (count, removed) = (papers.len(), gone.len());
        let batch = papers.into_iter().zip(vectors).collect();
        let put = self.store.exchange(batch, gone).await;
        put.map_err(|cause| IngestError::Store {
            added: self.added,
            cause,
        })?;
        self.added += count;
        self.removed += removed;
        Ok(())
    }

    async fn vectors(&self, papers: &[Paper]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if papers.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<_> = papers.iter().map(Paper::text).collect();
        let asked = texts.len();
        let vectors = self.embedder.embed(texts, Deadline::after(EMBED_LIMIT)).await?;
        if vectors.len() == asked {
            return Ok(vectors);
        }
        Err(EmbedError::Failed(format!(
            "{} vectors came back for {asked} texts",
            vectors.len()
        )))
    }
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("batch", &self.batch.len())
            .field("added", &self.added)
            .field("unchanged", &self.unchanged)
            .finish_non_exhaustive()
    }
}
