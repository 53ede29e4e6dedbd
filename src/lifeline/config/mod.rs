//! A stack described in a file.

mod apply;
mod span;

use serde::{Deserialize, Serialize};

pub use self::span::Span;
use super::{Lifeline, LifelineBuilder};
use crate::error::ConfigError;
use crate::platform::Chain;

/// A [`Lifeline`] as data, to be read from any format that serde knows.
///
/// Durations are text: `15s`, `2m`, `1h`, `350ms`; `none` switches a limit off where it can be. What is left out keeps
/// its default, and an unknown key is refused with a list of the known ones.
///
/// ```
/// use tower_lifeline::lifeline::LifelineConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config: LifelineConfig = serde_json::from_str(r#"{
///     "behind": "cloudflare,nginx(read=300s)",
///     "gate": { "max_in_flight": 8, "queue_timeout": "4s" },
///     "phases": { "read": "90s", "total": "200s" },
///     "slow_clients": { "stall": "20s" }
/// }"#)?;
/// let lifeline = config.builder()?.build()?;
/// assert_eq!(lifeline.gate().figures().max_in_flight, 8);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LifelineConfig {
    /// The platforms in front, outermost first: `cloudflare,nginx(read=300s)`.
    pub behind: Option<String>,
    /// Whether what the platform table says refuses a configuration.
    pub strict: bool,
    /// How many requests at once.
    pub gate: GateConfig,
    /// How long each phase of an answer may take.
    pub phases: PhasesConfig,
    /// How streams are kept alive.
    pub heartbeat: HeartbeatConfig,
    /// How slow a client may be.
    pub slow_clients: SlowClientsConfig,
    /// How slow an upload may be.
    pub request_body: RequestBodyConfig,
    /// What the server allows connections.
    #[cfg(feature = "serve")]
    pub server: ServerConfig,
}

/// The part of a [`LifelineConfig`] about the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GateConfig {
    /// Without it everybody is let in.
    pub off: bool,
    /// So many requests at once.
    pub max_in_flight: Option<u32>,
    /// So many may wait.
    pub max_queue: Option<u32>,
    /// For so long.
    pub queue_timeout: Option<Span>,
    /// Paths of probes, which need no seat.
    pub health: Vec<String>,
    /// Paths where MCP is served. See [`LifelineBuilder::mcp`].
    pub mcp: Vec<String>,
}

/// The part of a [`LifelineConfig`] about the phases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PhasesConfig {
    /// See [`PhaseLimits`](crate::PhaseLimits).
    pub head: Option<Span>,
    /// See [`PhaseLimits`](crate::PhaseLimits).
    pub read: Option<Span>,
    /// See [`PhaseLimits`](crate::PhaseLimits).
    pub total: Option<Span>,
    /// See [`PhaseLimits`](crate::PhaseLimits).
    pub endless_read: Option<Span>,
    /// See [`PhaseLimits`](crate::PhaseLimits).
    pub endless_total: Option<Span>,
    /// Whether they only report.
    pub report_only: bool,
}

/// The part of a [`LifelineConfig`] about heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HeartbeatConfig {
    /// Without them streams are left alone.
    pub off: bool,
    /// See [`HeartbeatSettings`](crate::HeartbeatSettings).
    pub interval: Option<Span>,
    /// Which requests may be answered early.
    pub commit: Option<CommitConfig>,
    /// See [`HeartbeatSettings`](crate::HeartbeatSettings).
    pub commit_after: Option<Span>,
    /// See [`HeartbeatSettings`](crate::HeartbeatSettings), in bytes.
    pub max_late_body: Option<usize>,
    /// Whether streams end with the server.
    pub goodbye: bool,
}

/// The names of [`EarlyCommit`](crate::sse_heartbeat::EarlyCommit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommitConfig {
    /// [`EarlyCommit::Never`](crate::sse_heartbeat::EarlyCommit::Never)
    Never,
    /// [`EarlyCommit::JsonRpcRequests`](crate::sse_heartbeat::EarlyCommit::JsonRpcRequests)
    JsonRpcRequests,
    /// [`EarlyCommit::AnyRequest`](crate::sse_heartbeat::EarlyCommit::AnyRequest)
    AnyRequest,
}

/// The part of a [`LifelineConfig`] about slow clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SlowClientsConfig {
    /// Without it clients may be as slow as they like.
    pub off: bool,
    /// See [`SlowClientLimits`](crate::SlowClientLimits).
    pub stall: Option<Span>,
    /// See [`SlowClientLimits`](crate::SlowClientLimits), in bytes per second; 0 for none.
    pub min_rate: Option<u32>,
    /// See [`SlowClientLimits`](crate::SlowClientLimits).
    pub grace: Option<Span>,
    /// Whether they only report.
    pub report_only: bool,
}

/// The part of a [`LifelineConfig`] about request bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RequestBodyConfig {
    /// See [`RequestBodyLimits`](crate::RequestBodyLimits).
    pub idle: Option<Span>,
    /// See [`RequestBodyLimits`](crate::RequestBodyLimits).
    pub total: Option<Span>,
    /// See [`RequestBodyLimits`](crate::RequestBodyLimits), in bytes per second; 0 for none.
    pub min_rate: Option<u32>,
    /// See [`RequestBodyLimits`](crate::RequestBodyLimits): how long no rate is asked for.
    pub grace: Option<Span>,
}

/// The part of a [`LifelineConfig`] about connections.
#[cfg(feature = "serve")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub request_head: Option<Span>,
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub keep_alive_idle: Option<Span>,
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub max_connections: Option<usize>,
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub max_connections_per_peer: Option<usize>,
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub drain_delay: Option<Span>,
    /// See [`ServeSettings`](crate::serve::ServeSettings).
    pub drain: Option<Span>,
}

// === impl LifelineConfig ===

impl LifelineConfig {
    /// A builder with what the configuration says, for whatever code adds to it.
    ///
    /// # Errors
    /// Refuses what the settings of a layer refuse, and a `none` where a limit cannot be switched off.
    pub fn builder(&self) -> Result<LifelineBuilder, ConfigError> {
        let chain = match &self.behind {
            Some(chain) => chain.parse()?,
            None => Chain::direct(),
        };
        let mut builder = Lifeline::behind(chain);
        if self.strict {
            builder = builder.strict();
        }
        builder = self.gate.apply(builder)?;
        builder = self.phases.apply(builder)?;
        builder = self.heartbeat.apply(builder)?;
        builder = self.slow_clients.apply(builder)?;
        builder = self.request_body.apply(builder)?;
        #[cfg(feature = "serve")]
        {
            builder = self.server.apply(builder)?;
        }
        Ok(builder)
    }
}
