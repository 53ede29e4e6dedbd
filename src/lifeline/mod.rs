//! The whole stack: every layer in its order, with one deadline, tuned to where it runs.

mod body;
mod builder;
mod choose;
#[cfg(feature = "serde")]
mod config;
mod future;
mod layer;
mod live;
mod service;
mod surroundings;

pub use self::body::LifelineBody;
pub use self::builder::LifelineBuilder;
#[cfg(all(feature = "serde", feature = "serve"))]
pub use self::config::ServerConfig;
#[cfg(feature = "serde")]
pub use self::config::{
    CommitConfig, GateConfig, HeartbeatConfig, LifelineConfig, PhasesConfig, RequestBodyConfig,
    SlowClientsConfig, Span,
};
pub use self::future::LifelineFuture;
pub use self::layer::LifelineLayer;
pub use self::live::LivePhases;
pub use self::service::LifelineService;

use crate::admission_gate::AdmissionGate;
use crate::error::ConfigError;
#[cfg(feature = "serve")]
use crate::event::Reporter;
use crate::phase::PhaseLimits;
use crate::platform::{Chain, Finding};
#[cfg(feature = "serve")]
use crate::serve::{Listener, Serve, ServeSettings, serve};
use crate::sse_heartbeat::Farewells;

/// A stack of layers and what belongs to it. See the [module docs](self).
///
/// Clones are the same stack: they share the gate, the watchdog and the limits.
#[derive(Clone, Debug)]
pub struct Lifeline {
    chain: Chain,
    findings: Vec<Finding>,
    layer: LifelineLayer,
    #[cfg(feature = "serve")]
    server: ServeSettings,
    #[cfg(feature = "serve")]
    reporter: Reporter,
}

// === impl Lifeline ===

impl Lifeline {
    /// A stack for a server that clients reach directly.
    pub fn builder() -> LifelineBuilder {
        LifelineBuilder::new(Chain::direct())
    }

    /// A stack for a server behind a platform, or behind a chain of them, outermost first.
    pub fn behind(chain: impl Into<Chain>) -> LifelineBuilder {
        LifelineBuilder::new(chain.into())
    }

    /// The layer. Apply it as often as you like: all that it is applied to shares one gate.
    #[must_use]
    pub fn layer(&self) -> LifelineLayer {
        self.layer.clone()
    }

    /// The gate, to look at it and to change its limits.
    #[must_use]
    pub fn gate(&self) -> AdmissionGate {
        self.layer.layers.gate.gate()
    }

    /// Ends the streams whose settings [agree](crate::sse_heartbeat::HeartbeatSettingsBuilder::with_goodbye) to it.
    #[must_use]
    pub fn farewells(&self) -> Farewells {
        self.layer.layers.heartbeat.farewells()
    }

    /// The limits of the phases, as they are now.
    #[must_use]
    pub fn phases(&self) -> PhaseLimits {
        self.layer.layers.phases.policy().get()
    }

    /// Changes the limits of the phases for requests to come. The deadline, which was fixed by the total when the stack
    /// was made, stays the longest that a request may take.
    ///
    /// # Errors
    /// Refuses a total that is longer than that deadline, or none, since it could never run out.
    pub fn set_phases(&self, limits: PhaseLimits) -> Result<(), ConfigError> {
        let deadline = self.layer.layers.deadline.limit();
        if let Some(deadline) =
            deadline.filter(|deadline| limits.total().is_none_or(|total| total > *deadline))
        {
            return Err(ConfigError::new(format!(
                "a total that is longer than {deadline:?}, the deadline of every request of this stack, could never run \
                 out: build the stack with the longest total that it will need"
            )));
        }
        self.layer.layers.phases.policy().set(limits);
        Ok(())
    }

    /// What the check of settings and platforms found that did not refuse them.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The platforms in front.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What the server of [`serve`](Self::serve) allows connections.
    #[cfg(feature = "serve")]
    #[must_use]
    pub const fn server(&self) -> &ServeSettings {
        &self.server
    }

    /// Serves `app` with the settings of this stack. In a drain the streams that agreed to it are told goodbye, and
    /// the gate is closed. `app` is inside the [layer](Self::layer) already.
    #[cfg(feature = "serve")]
    pub fn serve<L: Listener, S>(&self, listener: L, app: S) -> Serve<L, S> {
        for finding in &self.findings {
            finding.log();
        }
        let (farewells, gate) = (self.farewells(), self.gate());
        serve(listener, app)
            .with_settings(self.server)
            .with_reporter(self.reporter.clone())
            .at_drain(move || {
                farewells.say_goodbye();
                drop(gate.close());
            })
    }
}
