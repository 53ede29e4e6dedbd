//! Texts become vectors, so that what means the same lies close together.

pub mod builtin;
pub mod remote;

use futures::future::BoxFuture;
use tower_lifeline::Deadline;

/// A model that turns texts into vectors.
pub trait Embedder: Send + Sync {
    /// The name of the model, with its version. Vectors of different models must never be compared.
    fn model(&self) -> &str;

    /// How many numbers each vector has.
    fn dimensions(&self) -> usize;

    /// Embeds `texts`: one vector of length one for each, in their order.
    ///
    /// # Errors
    /// [`EmbedError::Expired`] when the deadline or the embedder's own limit came first; the others when the
    /// model failed.
    fn embed<'a>(
        &'a self,
        texts: Vec<String>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>>;
}

/// Why there are no vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The time was up. The text says whose: the call's own or the request's.
    #[error("{0}")]
    Expired(String),
    /// The model cannot be reached, or answered with something else than vectors.
    #[error("the texts could not be embedded: {0}")]
    Failed(String),
    /// The vectors of the model do not have the length that was configured.
    #[error("the model answers with {got} dimensions where {expected} are configured")]
    Dimensions {
        /// What [`Embedder::dimensions`] says.
        expected: usize,
        /// What came.
        got: usize,
    },
}
