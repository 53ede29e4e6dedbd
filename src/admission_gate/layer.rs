//! The layer, and what it can be set to.

use std::sync::Arc;

use http::StatusCode;
use tower_layer::Layer;

use super::front::{Front, KeyOf};
use super::limits::RetryAfter;
use super::{AdmissionGate, AdmissionGateService, Classify, Key};
use crate::error::ConfigError;
use crate::refusal::RefusalStatus;
use crate::request_head::RequestHead;

/// Puts an [`AdmissionGate`] before a service. See the [module docs](super).
///
/// All that it is applied to shares the gate: axum applies a layer once per route.
///
/// | setting | default | reason for the default |
/// |---|---|---|
/// | [`classify`](Self::classify) | all are standard | |
/// | [`key`](Self::key) | nobody has a key | behind a proxy every peer is the proxy; only you know what tells your clients apart |
/// | [`share_seats`](Self::share_seats) | off | it allocates twice per request |
/// | [`with_retry_after`](Self::with_retry_after) | [`RetryAfter::ESTIMATED`] | |
/// | [`with_queue_full_status`](Self::with_queue_full_status) | 503 | the server is overloaded, and says so |
/// | [`with_queue_timeout_status`](Self::with_queue_timeout_status) | 504 | the caller's time went by in the queue |
/// | [`with_key_share_status`](Self::with_key_share_status) | 429 | the caller's own excess must not raise an alarm about the server |
/// | [`with_draining_status`](Self::with_draining_status) | 503 | load balancers try another instance on it |
/// | [`without_reading_ids`](Self::without_reading_ids) | reads them | some MCP clients learn of a refusal only by a JSON-RPC error with their request's id |
#[derive(Clone, Debug)]
pub struct AdmissionGateLayer {
    front: Arc<Front>,
}

// === impl AdmissionGateLayer ===

impl AdmissionGateLayer {
    /// A layer before which everybody has the same limits.
    #[must_use]
    pub fn new(gate: AdmissionGate) -> Self {
        Self {
            front: Arc::new(Front::new(gate.root)),
        }
    }

    /// The gate, to look at it and to change it.
    #[must_use]
    pub fn gate(&self) -> AdmissionGate {
        AdmissionGate::of(self.front.root.clone())
    }

    /// Sorts requests into [classes](super::Class).
    #[must_use]
    pub fn classify(self, classify: impl Classify) -> Self {
        self.with(|front| front.classify = Some(Arc::new(classify)))
    }

    /// Says on whose account a request is. One key's requests, in and waiting, are limited to the
    /// [`key_share`](super::GateLimitsBuilder::key_share) of the gate; requests without a key are not.
    #[must_use]
    pub fn key(self, key: impl Fn(&RequestHead<'_>) -> Option<Key> + Send + Sync + 'static) -> Self {
        self.with(|front| front.key = Some(KeyOf(Arc::new(key))))
    }

    /// Puts a [`SharedSeat`](super::SharedSeat) into the extensions of each request that has a seat. Work that
    /// outlives its response, such as an MCP tool in session mode, keeps its seat by keeping a clone.
    ///
    /// The seat is then free when the response has ended *and* every clone is gone, the one in the request's
    /// own extensions included.
    #[must_use]
    pub fn share_seats(self) -> Self {
        self.with(|front| front.shares = true)
    }

    /// What refusals say in `Retry-After`. Never more than a guess; a refusal because of a drain says the least
    /// of what is allowed, since another instance can serve at once.
    ///
    /// # Errors
    /// Refuses a least that is more than the most.
    pub fn with_retry_after(self, retry_after: RetryAfter) -> Result<Self, ConfigError> {
        let retry_after = retry_after.check()?;
        Ok(self.with(|front| front.retry_after = retry_after))
    }

    /// The status where seats and places are taken.
    ///
    /// # Errors
    /// Refuses a status below 400, which would look like an answer.
    pub fn with_queue_full_status(self, status: StatusCode) -> Result<Self, ConfigError> {
        let status = RefusalStatus::new(status)?;
        Ok(self.with(|front| front.statuses.queue_full = status))
    }

    /// The status where the wait took too long.
    ///
    /// # Errors
    /// Refuses a status below 400, which would look like an answer.
    pub fn with_queue_timeout_status(self, status: StatusCode) -> Result<Self, ConfigError> {
        let status = RefusalStatus::new(status)?;
        Ok(self.with(|front| front.statuses.queue_timeout = status))
    }

    /// The status where the key has its share.
    ///
    /// # Errors
    /// Refuses a status below 400, which would look like an answer.
    pub fn with_key_share_status(self, status: StatusCode) -> Result<Self, ConfigError> {
        let status = RefusalStatus::new(status)?;
        Ok(self.with(|front| front.statuses.key_share = status))
    }

    /// The status where the gate is closed.
    ///
    /// # Errors
    /// Refuses a status below 400, which would look like an answer.
    pub fn with_draining_status(self, status: StatusCode) -> Result<Self, ConfigError> {
        let status = RefusalStatus::new(status)?;
        Ok(self.with(|front| front.statuses.draining = status))
    }

    /// Never reads the body of a request that is refused to learn its JSON-RPC id: such refusals are plain then,
    /// unless somebody else learnt the id.
    #[must_use]
    pub fn without_reading_ids(self) -> Self {
        self.with(|front| front.reads_ids = false)
    }

    fn with(mut self, change: impl FnOnce(&mut Front)) -> Self {
        change(Arc::make_mut(&mut self.front));
        self
    }
}

impl<S> Layer<S> for AdmissionGateLayer {
    type Service = AdmissionGateService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AdmissionGateService::new(inner, self.front.clone())
    }
}
