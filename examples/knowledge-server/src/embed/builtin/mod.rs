//! The built-in embedding: in the process, ready at once, with no model to download.
//!
//! # What it is
//! A weighted bag of features, not a neural network. A text is cut into stems. Each stem, each pair of
//! neighbours and the letter triples of each stem are hashed onto one part of the vector; each idea of a small
//! thesaurus of the field has a dimension of its own in the other part. A feature counts for more if it is rare
//! in the bundled collection, and for less than twice as much if it occurs twice.
//!
//! # What it is good for
//! A demonstration, tests, and texts on the field of the thesaurus. It knows that `memcached` and `cache` are
//! related because the thesaurus says so, and that `replicas` and `replicated` are because they share a stem;
//! it knows nothing else of meaning, of word order or of languages other than English. For texts of your own,
//! take an embedding model behind [`super::Embedder`] instead.
//!
//! # How well it does
//! `tests/recall.rs` asks thirty questions that share next to no word with the papers they are about, and finds
//! 83 of 100 expected papers among the first five; of thirty that are closer to what people type, and for which
//! no weight was chosen, 90. Nearly all of the former is owed to the thesaurus: with no ideas it finds almost none
//! of them.
//!
//! # What it promises
//! The same text has the same vector, to the last bit, on every platform and in every process. Whoever changes
//! the tokens, the weights, the thesaurus or the collection changes vectors, and has to give [`MODEL`] a new
//! number, so that stores notice.

mod features;
mod thesaurus;
mod tokens;
mod weights;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tower_lifeline::Deadline;

use self::features::Features;
use super::{EmbedError, Embedder};
use crate::collection;

/// The name of the model. Its number changes whenever a vector does.
pub const MODEL: &str = "builtin-1";

/// How many numbers a vector has.
pub const DIMENSIONS: usize = features::IDEAS + features::WORDS;

/// Texts of more bytes than this in one call are embedded on a thread of their own, since a runtime's thread
/// should be back within a millisecond or so. Queries are shorter, batches are longer.
const INLINE_BYTES: usize = 2 * 1024;

/// How long a call may take, should the deadline be further away: no batch comes near it.
const LIMIT: Duration = Duration::from_secs(30);

/// The built-in embedding. See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub struct Builtin {
    features: Arc<Features>,
}

// === impl Builtin ===

impl Builtin {
    /// Learns from the bundled collection how rare each feature is, which takes milliseconds.
    #[must_use]
    pub fn new() -> Self {
        let texts = collection::bundled().into_iter().map(|paper| paper.text());
        Self {
            features: Arc::new(Features::learn(texts)),
        }
    }

    /// The vector of one text, of length one. Texts without a word are close to each other and to nothing else.
    #[must_use]
    pub fn vector(&self, text: &str) -> Vec<f32> {
        self.features.vector(text)
    }

    async fn vectors(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let bytes: usize = texts.iter().map(String::len).sum();
        if bytes <= INLINE_BYTES {
            return Ok(self.all(&texts));
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.all(&texts))
            .await
            .map_err(|error| EmbedError::Failed(error.to_string()))
    }

    fn all(&self, texts: &[String]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| self.vector(text)).collect()
    }
}

impl Default for Builtin {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MODEL)
    }
}

impl Embedder for Builtin {
    fn model(&self) -> &str {
        MODEL
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn embed<'a>(
        &'a self,
        texts: Vec<String>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        async move {
            let work = self.vectors(texts);
            let ended = deadline.call("embed.builtin", LIMIT, work).await;
            ended.map_err(|expired| EmbedError::Expired(expired.to_string()))?
        }
        .boxed()
    }
}
