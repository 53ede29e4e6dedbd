//! `ChatModel`: a language model behind an OpenAI-like API.

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;
use tower_lifeline::{Deadline, Reporter};

use super::endpoint::Endpoint;
use super::error::ModelError;
use super::generation::Generation;
use super::prompt::{self, Message};
use super::settings::ModelLimits;
use super::upstream::Upstream;
use super::{Answerer, Delta};
use crate::store::Hit;

/// A language model that answers from what was found; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct ChatModel {
    upstream: Upstream,
    limits: ModelLimits,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    temperature: f32,
    messages: Vec<Message>,
}

// === impl ChatModel ===

impl ChatModel {
    /// The model at `endpoint`. Connects to nothing yet. `reporter` hears of waits that took too long.
    ///
    /// # Errors
    /// [`ModelError::Settings`] where the limits make no sense.
    pub fn new(endpoint: Endpoint, limits: ModelLimits, reporter: &Reporter) -> Result<Self, ModelError> {
        let upstream = Upstream::new(endpoint, limits.phases()?, limits.gate()?, "model", reporter)?;
        Ok(Self { upstream, limits })
    }

    async fn begin(
        &self,
        messages: Vec<Message>,
        deadline: Deadline,
    ) -> Result<impl Stream<Item = Result<Delta, ModelError>> + Send + use<>, ModelError> {
        let seat = self.upstream.seat(&deadline).await?;
        let request = Request {
            model: self.upstream.endpoint().model(),
            stream: true,
            max_tokens: self.limits.answer_tokens,
            temperature: 0.2,
            messages,
        };
        let begins = deadline
            .clone()
            .capped_at(Instant::now().into_std(), self.limits.first_token);
        let opening = self
            .upstream
            .post("chat/completions", &request, &deadline, &begins);
        let answer = Generation::begin(opening, self.limits, deadline.clone(), seat).await?;
        Ok(answer.deltas())
    }

    fn presentable(&self, error: ModelError) -> ModelError {
        match error {
            ModelError::Reported(message) => ModelError::Reported(self.upstream.endpoint().quoted(&message)),
            other => other,
        }
    }
}

impl Answerer for ChatModel {
    fn answer<'a>(
        &'a self,
        question: &'a str,
        hits: &'a [Hit],
        deadline: Deadline,
    ) -> BoxStream<'a, Result<Delta, ModelError>> {
        let messages = prompt::of(question, hits, self.limits.prompt_chars);
        let answer = stream::once(self.begin(messages, deadline)).try_flatten();
        answer.map_err(|error| self.presentable(error)).boxed()
    }

    fn describe(&self) -> String {
        let endpoint = self.upstream.endpoint();
        format!("{} at {}", endpoint.model(), endpoint.host())
    }
}
