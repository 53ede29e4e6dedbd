//! The way into a store: what it has already is left out, the rest is embedded and put in batches.

use std::collections::HashMap;
use std::time::Duration;

use tower_lifeline::Deadline;

use super::report::IngestError;
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
    added: usize,
    unchanged: usize,
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
            added: 0,
            unchanged: 0,
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

    /// Stores what is left, and tells how many papers were added and how many were there already.
    ///
    /// # Errors
    /// Where the model or the store fails.
    pub async fn finish(mut self) -> Result<(usize, usize), IngestError> {
        self.flush().await?;
        Ok((self.added, self.unchanged))
    }

    async fn flush(&mut self) -> Result<(), IngestError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let papers = std::mem::take(&mut self.batch);
        let vectors = self.vectors(&papers).await;
        let vectors = vectors.map_err(|cause| IngestError::Embed {
            added: self.added,
            cause,
        })?;
        let count = papers.len();
        let put = self.store.put(papers.into_iter().zip(vectors).collect()).await;
        put.map_err(|cause| IngestError::Store {
            added: self.added,
            cause,
        })?;
        self.added += count;
        Ok(())
    }

    async fn vectors(&self, papers: &[Paper]) -> Result<Vec<Vec<f32>>, EmbedError> {
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
