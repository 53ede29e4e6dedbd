//! Answers to questions, out of the papers that were found: written by a language model, or without one.
//!
//! # Failure it stops
//! A model that does not connect, begin, go on or end; one that hides behind keep-alive comments; one that is
//! asked by more than it can serve; and a reader who leaves while it writes for nobody.
//!
//! # What it does
//! | wait | limit | by |
//! |---|---|---|
//! | for a seat at the model | the queue of the gate | [`AdmissionGate`](tower_lifeline::AdmissionGate) |
//! | for a connection | `connect` | [`PhasedClient`](tower_lifeline::outgoing::reqwest::PhasedClient) |
//! | for the first token, with all that comes before it but the seat | `first_token` | [`Deadline::call`] |
//! | for each further token | `between_tokens` | [`Deadline::call`] |
//! | for the whole answer | `total` | [`PhasedClient`](tower_lifeline::outgoing::reqwest::PhasedClient) |
//! | for any of these | the deadline of the request | all of them |
//!
//! A token is what was parsed and moves the answer on: neither bytes, nor comments, nor empty chunks count.
//!
//! 429 and 503 with `Retry-After` are tried again, once, if the time for the first token allows; never after it.
//! Dropping the stream closes the connection, which is what stops a generation.

mod bounded;
mod chat;
mod chunk;
mod endpoint;
mod error;
mod extractive;
mod generation;
mod prompt;
mod retry;
mod settings;
mod upstream;

use futures::stream::BoxStream;
use tower_lifeline::Deadline;

pub use self::chat::ChatModel;
pub use self::endpoint::{ApiKey, Endpoint};
pub use self::error::{ModelError, Wait};
pub use self::extractive::Extractive;
pub use self::settings::ModelLimits;

pub(crate) use self::upstream::{Upstream, read};

use crate::store::Hit;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever answers writes it out")]
pub struct Delta {
    /// What comes next in the answer.
    pub text: String,
}

/// Whoever answers questions.
pub trait Answerer: Send + Sync {
    /// Answers `question` from `hits`, which it cites as `[1]`, `[2]`, … in their order. Nothing happens until the
    /// stream is polled. After an error it is over; what came before the error stands. Dropped, the work ends.
    fn answer<'a>(
        &'a self,
        question: &'a str,
        hits: &'a [Hit],
        deadline: Deadline,
    ) -> BoxStream<'a, Result<Delta, ModelError>>;

    /// Who it is, for logs and for readers. Without secrets.
    fn describe(&self) -> String;
}
