//! The layer, and what it can be set to.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::DeadlineService;
use crate::deadline::Terms;
use crate::error::ConfigError;
use crate::event::{DeadlineHeader, Reporter};

/// Applies [`DeadlineService`]. See the [module docs](super).
#[derive(Clone, Debug)]
pub struct DeadlineLayer {
    stamp: Stamp,
}

/// How requests get their deadline.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) limit: Option<Duration>,
    pub(super) trusts_grpc: bool,
    pub(super) trusts_envoy: bool,
    pub(super) reporter: Reporter,
}

impl DeadlineLayer {
    /// Gives each request at most `limit`, from the moment in which it reaches this layer.
    ///
    /// # Errors
    /// Refuses a limit of zero, with which every request would be too late.
    pub fn new(limit: Duration) -> Result<Self, ConfigError> {
        if limit.is_zero() {
            return Err(ConfigError::new(
                "a deadline of zero makes every request too late; to have none, leave the layer out".into(),
            ));
        }
        Ok(Self::stamping(Some(limit)))
    }

    /// Gives requests no limit of the layer's own, so that only the deadline of a layer further out, or of a header
    /// that is [trusted](Self::trusting), holds for them.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::stamping(None)
    }

    const fn stamping(limit: Option<Duration>) -> Self {
        Self {
            stamp: Stamp {
                limit,
                trusts_grpc: false,
                trusts_envoy: false,
                reporter: Reporter::log(),
            },
        }
    }

    pub(crate) const fn limit(&self) -> Option<Duration> {
        self.stamp.limit
    }

    /// What a deadline needs that is stamped only once somebody asks for it.
    pub(crate) fn terms_on_demand(&self) -> Arc<Terms> {
        Arc::new(Terms {
            reporter: self.stamp.reporter.clone(),
            allowed: self.stamp.limit,
        })
    }

    /// Lets callers bring the deadline forward by this header. Off by default.
    #[must_use]
    pub const fn trusting(mut self, header: DeadlineHeader) -> Self {
        match header {
            DeadlineHeader::GrpcTimeout => self.stamp.trusts_grpc = true,
            DeadlineHeader::EnvoyExpectedTimeout => self.stamp.trusts_envoy = true,
        }
        self
    }

    /// Reports to another observer than the [log](Reporter::log): headers that make no sense, and the
    /// [calls](crate::Deadline::call) made under the deadline.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.stamp.reporter = reporter;
        self
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService::new(inner, self.stamp.clone())
    }
}
