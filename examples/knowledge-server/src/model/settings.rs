//! The limits of a model.

use std::time::Duration;

use tower_lifeline::{GateLimits, PhaseLimits};

use super::ModelError;

/// How long a model may take, and how much it may say.
///
/// | limit | default | reason for the default |
/// |---|---|---|
/// | `seats` | 4 | what a small model server answers at once; each request more slows all of them down |
/// | `queue` | 5 s | see [`GateLimits`] |
/// | `connect` | 5 s | two SYN retries |
/// | `first_token` | 60 s | a long prompt on a busy model |
/// | `between_tokens` | 20 s | hundreds of times the usual |
/// | `total` | 120 s | the longest answer that somebody still waits for |
/// | `prompt_chars` | 12,000 | about 3,000 tokens, which every model takes |
/// | `answer_tokens` | 1,024 | what the model is asked to stay under |
/// | `answer_chars` | 20,000 | for a model that does not; then the answer is cut |
/// | `event_bytes` | 256 KiB | one token takes 300 bytes, the last event with its figures a few thousand |
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelLimits {
    /// How many answers are written at once.
    pub seats: u32,
    /// The longest wait for a seat.
    pub queue: Duration,
    /// The longest wait for a connection.
    pub connect: Duration,
    /// The longest wait for the first token, from the moment in which there is a seat, a retry included.
    pub first_token: Duration,
    /// The longest wait from one token to the next.
    pub between_tokens: Duration,
    /// The longest answer in time.
    pub total: Duration,
    /// The longest prompt in characters.
    pub prompt_chars: usize,
    /// The longest answer in tokens, which is asked for.
    pub answer_tokens: u32,
    /// The longest answer in characters.
    pub answer_chars: usize,
    /// The longest event, and so the longest line, in bytes.
    pub event_bytes: usize,
}

// === impl ModelLimits ===

impl Default for ModelLimits {
    fn default() -> Self {
        Self {
            seats: 4,
            queue: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(60),
            between_tokens: Duration::from_secs(20),
            total: Duration::from_secs(120),
            prompt_chars: 12_000,
            answer_tokens: 1_024,
            answer_chars: 20_000,
            event_bytes: 256 * 1024,
        }
    }
}

impl ModelLimits {
    /// The phases of the exchange. Tokens have clocks of their own, which are stricter than `head` and `read`;
    /// those are twice as long, so that it is never by chance which of two clocks that end together is heard.
    pub(super) fn phases(&self) -> Result<PhaseLimits, ModelError> {
        let silence = self.first_token.max(self.between_tokens).saturating_mul(2);
        PhaseLimits::builder()
            .connect(self.connect.min(self.total))
            .read(silence.min(self.total))
            .total(self.total)
            .build()
            .map_err(|error| ModelError::Settings(error.to_string()))
    }

    pub(super) fn gate(&self) -> Result<GateLimits, ModelError> {
        GateLimits::builder(self.seats)
            .queue_timeout(self.queue)
            .build()
            .map_err(|error| ModelError::Settings(error.to_string()))
    }
}
