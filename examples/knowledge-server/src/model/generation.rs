//! `Generation`: an answer while it is written.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures::stream::{BoxStream, StreamExt as _};
use futures::{Stream, TryFutureExt as _, stream};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tower_lifeline::{Deadline, Seat};

use super::bounded::Bounded;
use super::chunk::{self, Piece};
use super::error::{ModelError, Wait};
use super::settings::ModelLimits;
use super::{Delta, upstream};

/// An answer while it is written, with the model's seat. Dropped, it closes the connection.
pub(super) struct Generation {
    events: BoxStream<'static, Result<Event, EventStreamError<ModelError>>>,
    first: Option<Piece>,
    said: usize,
    limits: ModelLimits,
    deadline: Deadline,
    is_over: bool,
    _seat: Seat,
}

/// How long an answer that is complete may keep its connection from being used again.
const FAREWELL: Duration = Duration::from_millis(100);

// === impl Generation ===

impl Generation {
    /// An answer whose first token is here.
    pub(super) async fn begin(
        opening: impl Future<Output = Result<Response, ModelError>>,
        limits: ModelLimits,
        deadline: Deadline,
        seat: Seat,
    ) -> Result<Self, ModelError> {
        let begun = async {
            let mut events = events(opening.await?, limits.event_bytes).await?;
            let first = token(&mut events).await?;
            Ok((events, first))
        };
        let begun = deadline
            .call("model.first_token", limits.first_token, begun)
            .map_err(|expired| ModelError::late(Wait::FirstToken, expired));
        let (events, first) = begun.await??;
        Ok(Self {
            events,
            first: Some(first),
            said: 0,
            limits,
            deadline,
            is_over: false,
            _seat: seat,
        })
    }

    /// The answer piece by piece.
    pub(super) fn deltas(self) -> impl Stream<Item = Result<Delta, ModelError>> + Send {
        stream::try_unfold(self, |mut answer| async move {
            let delta = answer.next().await?;
            Ok(delta.map(|delta| (delta, answer)))
        })
    }

    async fn next(&mut self) -> Result<Option<Delta>, ModelError> {
        while !self.is_over {
            let piece = match self.first.take() {
                Some(piece) => piece,
                None => self.wait().await?,
            };
            self.is_over = piece.is_end;
            self.said += piece.text.chars().count();
            if self.said > self.limits.answer_chars {
                let limit = self.limits.answer_chars;
                return Err(ModelError::TooLong { limit });
            }
            if !piece.text.is_empty() {
                return Ok(Some(Delta { text: piece.text }));
            }
        }
        self.part().await;
        Ok(None)
    }

    async fn wait(&mut self) -> Result<Piece, ModelError> {
        let limit = self.limits.between_tokens;
        let next = self
            .deadline
            .call("model.next_token", limit, token(&mut self.events));
        let next = next.await;
        next.map_err(|expired| ModelError::late(Wait::NextToken, expired))?
    }

    /// Reads to the end, so that the connection can be used again. The answer is complete whatever comes.
    async fn part(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.events.next().await {} };
        let _parted = tokio::time::timeout(FAREWELL, rest).await;
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}

/// The next piece that moves the answer on.
async fn token(
    events: &mut (impl Stream<Item = Result<Event, EventStreamError<ModelError>>> + Unpin),
) -> Result<Piece, ModelError> {
    while let Some(event) = events.next().await {
        let piece = match event {
            Ok(event) => chunk::read(&event)?,
            Err(EventStreamError::Transport(error)) => return Err(error),
            Err(EventStreamError::Utf8(_)) => return Err(ModelError::Garbage("it is not UTF-8".into())),
            Err(EventStreamError::Parser(error)) => return Err(ModelError::Garbage(error.to_string())),
        };
        if piece.counts() {
            return Ok(piece);
        }
    }
    Err(ModelError::EndedEarly)
}

async fn events(
    response: Response,
    limit: usize,
) -> Result<BoxStream<'static, Result<Event, EventStreamError<ModelError>>>, ModelError> {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/event-stream") {
        let chunks: BoxStream<'static, reqwest::Result<Bytes>> = response.bytes_stream().boxed();
        return Ok(Bounded::new(chunks, limit).eventsource().boxed());
    }
    let body = upstream::read(response, limit).await?;
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    match json.is_some_and(|json| json.get("error").is_some()) {
        true => Err(ModelError::Reported(upstream::complaint(&body))),
        false => Err(ModelError::Garbage(format!(
            "it is `{kind}` and not a stream of events"
        ))),
    }
}
