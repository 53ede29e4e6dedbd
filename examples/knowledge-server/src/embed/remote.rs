//! `RemoteEmbedder`: vectors from an OpenAI-like API.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tower_lifeline::{Deadline, GateLimits, PhaseLimits, Reporter};

use super::{EmbedError, Embedder};
use crate::model::{Endpoint, ModelError, Upstream, read};

/// A model that embeds behind an OpenAI-like API.
///
/// The limits are those of a call that should be quick: connecting 5 s, the whole of one request 30 s, 4 requests
/// at once.
#[derive(Clone, Debug)]
pub struct RemoteEmbedder {
    upstream: Upstream,
    dimensions: usize,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: Vec<Embedded>,
}

#[derive(Debug, Deserialize)]
struct Embedded {
    index: usize,
    embedding: Vec<f32>,
}

/// What one request carries: more does not make a model quicker, and less of it is lost with an error.
const BATCH: usize = 32;

/// [`BATCH`] vectors of 4,000 dimensions, each number in 20 characters, four times over.
const ANSWER_BYTES: usize = 10 * 1024 * 1024;

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);
const SEATS: u32 = 4;

// === impl RemoteEmbedder ===

impl RemoteEmbedder {
    /// Asks the model at `endpoint` for one vector, and so learns how many dimensions it has. `reporter`
    /// hears of waits that took too long.
    ///
    /// # Errors
    /// See [`EmbedError`].
    pub async fn connect(
        endpoint: Endpoint,
        deadline: Deadline,
        reporter: &Reporter,
    ) -> Result<Self, EmbedError> {
        let wrong = |error: tower_lifeline::ConfigError| EmbedError::Failed(error.to_string());
        let phases = PhaseLimits::builder()
            .connect(CONNECT)
            .head(TOTAL)
            .read(TOTAL)
            .total(TOTAL);
        let gate = GateLimits::builder(SEATS)
            .queue_timeout(TOTAL)
            .build()
            .map_err(wrong)?;
        let phases = phases.build().map_err(wrong)?;
        let upstream = Upstream::new(endpoint, phases, gate, "embedder", reporter).map_err(failed)?;
        let mut embedder = Self {
            upstream,
            dimensions: 0,
        };
        let probe = embedder.request(&["dimensions".to_owned()], &deadline).await?;
        embedder.dimensions = probe.first().map_or(0, Vec::len);
        match embedder.dimensions {
            0 => Err(EmbedError::Failed(
                "the model answers with an empty vector".into(),
            )),
            _ => Ok(embedder),
        }
    }

    async fn request(&self, texts: &[String], deadline: &Deadline) -> Result<Vec<Vec<f32>>, EmbedError> {
        let _seat = self.upstream.seat(deadline).await.map_err(failed)?;
        let request = Request {
            model: self.upstream.endpoint().model(),
            input: texts,
            encoding_format: "float",
        };
        let work = async {
            let begins = deadline
                .clone()
                .capped_at(tokio::time::Instant::now().into_std(), TOTAL);
            let response = self
                .upstream
                .post("embeddings", &request, deadline, &begins)
                .await?;
            read(response, ANSWER_BYTES).await
        };
        let body = deadline.call("embed", TOTAL, work).await;
        let body = body
            .map_err(|expired| EmbedError::Expired(expired.to_string()))?
            .map_err(failed)?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| EmbedError::Failed(format!("its answer is not one of vectors: {error}")))?;
        in_order(answer.data, texts.len())
    }
}

impl Embedder for RemoteEmbedder {
    fn model(&self) -> &str {
        self.upstream.endpoint().model()
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed<'a>(
        &'a self,
        texts: Vec<String>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        async move {
            let mut vectors = Vec::with_capacity(texts.len());
            for batch in texts.chunks(BATCH) {
                vectors.extend(self.request(batch, &deadline).await?);
            }
            let expected = self.dimensions;
            match vectors.iter().map(Vec::len).find(|got| *got != expected) {
                Some(got) => Err(EmbedError::Dimensions { expected, got }),
                None => Ok(vectors),
            }
        }
        .boxed()
    }
}

/// The vectors in the order of their texts, each of length one.
fn in_order(mut data: Vec<Embedded>, count: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
    data.sort_by_key(|embedded| embedded.index);
    let indices = data.iter().map(|embedded| embedded.index);
    if !indices.eq(0..count) {
        let got = data.len();
        return Err(EmbedError::Failed(format!(
            "{count} texts were sent and {got} vectors came back"
        )));
    }
    data.into_iter()
        .map(|embedded| unit(embedded.embedding))
        .collect()
}

fn unit(mut vector: Vec<f32>) -> Result<Vec<f32>, EmbedError> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if !length.is_normal() {
        return Err(EmbedError::Failed("a vector has no direction".into()));
    }
    vector.iter_mut().for_each(|number| *number /= length);
    Ok(vector)
}

fn failed(error: ModelError) -> EmbedError {
    match error {
        ModelError::Expired { .. } => EmbedError::Expired(error.to_string()),
        other => EmbedError::Failed(other.to_string()),
    }
}
