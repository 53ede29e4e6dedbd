//! What the tools share: searching, and answering from what was found. Each step has a limit of its own and never
//! more than what is left of the caller's deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;
use tower_lifeline::{CallExpired, Deadline};

use crate::embed::{EmbedError, Embedder};
use crate::fault::{Faults, Place};
use crate::model::{Answerer, ModelError, Wait};
use crate::paper::Paper;
use crate::store::{Hit, Store, StoreError};

/// Papers that can be searched and asked.
pub struct Knowledge {
    /// Where the papers are.
    pub(crate) store: Arc<dyn Store>,
    /// What turns queries into vectors.
    pub(crate) embedder: Arc<dyn Embedder>,
    /// Who writes answers.
    pub(crate) answerer: Arc<dyn Answerer>,
    /// How long each step may take.
    pub(crate) limits: StepLimits,
    /// How many papers an answer is written from.
    pub(crate) passages: usize,
    /// What goes wrong on purpose.
    pub(crate) faults: Faults,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepLimits {
    pub(crate) embed: Duration,
    pub(crate) search: Duration,
    /// The wait for a seat at the model included.
    pub(crate) first_word: Duration,
    pub(crate) next_word: Duration,
}

/// An answer, and what it rests on.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// In the order in which they are cited: `[1]` is the first.
    pub(crate) hits: Vec<Hit>,
    /// The numbers of those that the text cites.
    pub(crate) cited: Vec<usize>,
}

/// How far an answer is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sofar {
    pub(crate) found: usize,
    pub(crate) text: String,
}

/// Why something was not found or not answered. Its text is fit to be shown to whoever asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KnowledgeError {
    #[error(transparent)]
    Embed(#[from] EmbedError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{error}{}", until_then(said))]
    Model { error: ModelError, said: String },
}

// === impl Knowledge ===

impl Knowledge {
    /// The `limit` papers that fit best, best first.
    pub(crate) async fn search(
        &self,
        query: &str,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Hit>, KnowledgeError> {
        let vector = self.vector(query, deadline).await?;
        let found = deadline.call("search", self.limits.search, async {
            self.faults.at(Place::Search).await;
            self.store.search(&vector, limit, deadline.clone()).await
        });
        Ok(found.await.map_err(|expired| late(&expired))??)
    }

    /// The paper with this id.
    pub(crate) async fn paper(&self, id: &str, deadline: &Deadline) -> Result<Option<Paper>, KnowledgeError> {
        let found = deadline.call("get", self.limits.search, self.store.get(id, deadline.clone()));
        Ok(found.await.map_err(|expired| late(&expired))??)
    }

    /// An answer from the papers that fit best; `sofar` learns of every word.
    pub(crate) async fn ask(
        &self,
        question: &str,
        deadline: &Deadline,
        sofar: &watch::Sender<Sofar>,
    ) -> Result<Answer, KnowledgeError> {
        let hits = self.search(question, self.passages, deadline).await?;
        sofar.send_modify(|sofar| sofar.found = hits.len());
        let text = self.answer(question, &hits, deadline, sofar).await;
        let text = text.map_err(|error| {
            let said = sofar.borrow().text.clone();
            KnowledgeError::Model { error, said }
        })?;
        let cited = cited(&text, hits.len());
        Ok(Answer { text, hits, cited })
    }

    /// Who writes answers.
    pub(crate) fn author(&self) -> String {
        self.answerer.describe()
    }

    async fn vector(&self, query: &str, deadline: &Deadline) -> Result<Vec<f32>, EmbedError> {
        let work = self.embedder.embed(vec![query.to_owned()], deadline.clone());
        let vectors = deadline.call("embed", self.limits.embed, work).await;
        let vectors = vectors.map_err(|expired| EmbedError::Expired(expired.to_string()))??;
        let vector = vectors.into_iter().next();
        vector.ok_or_else(|| EmbedError::Failed("there is no vector for the query".into()))
    }

    async fn answer(
        &self,
        question: &str,
        hits: &[Hit],
        deadline: &Deadline,
        sofar: &watch::Sender<Sofar>,
    ) -> Result<String, ModelError> {
        let mut pieces = self.answerer.answer(question, hits, deadline.clone());
        let mut text = String::new();
        let first = (
            Wait::FirstToken,
            "model.first_word",
            self.limits.first_word,
            Place::Model,
        );
        let next = (
            Wait::NextToken,
            "model.next_word",
            self.limits.next_word,
            Place::Stream,
        );
        let mut step = first;
        loop {
            let (wait, name, limit, place) = step;
            let piece = deadline.call(name, limit, async {
                self.faults.at(place).await;
                pieces.next().await
            });
            let Some(piece) = piece.await.map_err(|expired| ModelError::late(wait, expired))? else {
                return Ok(text);
            };
            text.push_str(&piece?.text);
            sofar.send_modify(|sofar| sofar.text.clone_from(&text));
            step = next;
        }
    }
}

// === impl KnowledgeError ===

impl KnowledgeError {
    /// Who failed and how, as one of few fixed words: a label of a figure.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Embed(EmbedError::Expired(_)) => "embed_expired",
            Self::Embed(_) => "embed_failed",
            Self::Store(StoreError::Expired { .. }) => "store_expired",
            Self::Store(StoreError::Unavailable(_)) => "store_unavailable",
            Self::Store(_) => "store_failed",
            Self::Model { error, .. } => match error {
                ModelError::Busy { .. } => "model_busy",
                ModelError::Expired { .. } => "model_expired",
                ModelError::Unreachable(_) => "model_unreachable",
                ModelError::BrokeOff(_) | ModelError::EndedEarly => "model_broke_off",
                ModelError::Refused { .. } => "model_refused",
                _ => "model_failed",
            },
        }
    }
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knowledge")
            .field("store", &self.store.describe())
            .field("answerer", &self.author())
            .finish_non_exhaustive()
    }
}

fn late(expired: &CallExpired) -> StoreError {
    StoreError::Expired {
        what: expired.name(),
        after: expired.elapsed(),
    }
}

fn until_then(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("\nUntil then it said: {text}"),
    }
}

/// The numbers in brackets, `[1]` or `[1, 3]`, that are those of a passage.
fn cited(text: &str, passages: usize) -> Vec<usize> {
    let mut cited: Vec<usize> = text
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .flat_map(|(numbers, _)| numbers.split(','))
        .filter_map(|number| number.trim().parse().ok())
        .filter(|number| (1..=passages).contains(number))
        .collect();
    cited.sort_unstable();
    cited.dedup();
    cited
}

#[cfg(test)]
mod tests {
    use super::cited;

    #[test]
    fn citations_are_numbers_of_passages() {
        assert_eq!(cited("One [2]. Two [1, 3][2]; [4] [x] [0] [1", 3), [1, 2, 3]);
        assert_eq!(cited("", 3), [0; 0]);
    }
}
