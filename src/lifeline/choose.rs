//! From what was said to a stack: what was chosen, what follows from the platforms, and whether that can work.

use std::sync::Arc;
use std::time::Duration;

use super::Lifeline;
use super::builder::{Choice, GateChoice, LifelineBuilder};
use super::layer::{Layers, LifelineLayer};
use super::live::LivePhases;
use super::surroundings::Surroundings;
use crate::admission_gate::{AdmissionGate, AdmissionGateLayer, GateLimits, McpClasses};
use crate::error::ConfigError;
use crate::phase::PhaseLimits;
use crate::phase_timeout::PhaseTimeoutLayer;
use crate::platform::{Derived, Setup, verify};
use crate::request_body::RequestBodyLayer;
use crate::request_deadline::DeadlineLayer;
#[cfg(feature = "serve")]
use crate::serve::ServeSettings;
use crate::slow_client_guard::SlowClientGuardLayer;
use crate::sse_heartbeat::{EarlyCommit, HeartbeatSettings, SseHeartbeatLayer};

/// A gate with so many seats refuses nobody.
const NO_LIMIT: u32 = 1 << 20;

impl LifelineBuilder {
    /// Makes the stack.
    ///
    /// # Errors
    /// Refuses what a layer refuses; settings that contradict one another; and, if [strict](Self::strict), settings
    /// that a platform in front does not let work. The sentence says what, why, and what to set.
    pub fn build(self) -> Result<Lifeline, ConfigError> {
        let derived = self.chain.derived();
        let phases = self.chosen_phases(&derived)?;
        let heartbeat = self.chosen_heartbeat(&derived)?;
        let (gate, limits) = self.chosen_gate(&heartbeat)?;
        #[cfg(feature = "serve")]
        let server = self.chosen_server()?;
        let setup = self.setup(&derived, &phases, &heartbeat, limits);
        #[cfg(feature = "serve")]
        let setup = described(setup, &server, self.server.is_some());
        let findings = verify(&self.chain, &setup, self.strictness)?;
        let live = LivePhases::new(phases, self.per_request);
        let deadline = match phases.total() {
            Some(total) => DeadlineLayer::new(total)?,
            None => DeadlineLayer::unlimited(),
        };
        let guard = match self.slow_clients {
            Choice::Usual => SlowClientGuardLayer::default(),
            Choice::Own(limits) => SlowClientGuardLayer::new(limits),
            Choice::Off => SlowClientGuardLayer::off(),
        };
        let beat = SseHeartbeatLayer::new(heartbeat).with_reporter(self.reporter.clone());
        let layers = Layers {
            deadline: deadline.with_reporter(self.reporter.clone()),
            guard: guard.with_reporter(self.reporter.clone()),
            request_body: RequestBodyLayer::new(self.request_body.unwrap_or_default())
                .with_reporter(self.reporter.clone()),
            heartbeat: match self.progress {
                Some(progress) => beat.with_progress(progress),
                None => beat,
            },
            gate,
            phases: PhaseTimeoutLayer::per_request(live).with_reporter(self.reporter.clone()),
            stamps_all: self.stamps_all,
            surroundings: Surroundings::default(),
        };
        let layer = LifelineLayer {
            layers: Arc::new(layers),
        };
        Ok(Lifeline {
            chain: self.chain,
            findings,
            layer,
            #[cfg(feature = "serve")]
            server,
            #[cfg(feature = "serve")]
            reporter: self.reporter,
        })
    }

    fn chosen_phases(&self, derived: &Derived) -> Result<PhaseLimits, ConfigError> {
        if let Some(own) = self.phases {
            return Ok(own);
        }
        let usual = PhaseLimits::new();
        let Some(total) = derived.total().filter(|total| Some(*total) < usual.total()) else {
            return Ok(usual);
        };
        // What nobody chose gives way.
        let within = |limit: Option<Duration>| limit.map_or(total, |limit| limit.min(total));
        PhaseLimits::builder()
            .total(total)
            .head(within(usual.head()))
            .read(within(usual.read()))
            .build()
    }

    fn chosen_heartbeat(&self, derived: &Derived) -> Result<HeartbeatSettings, ConfigError> {
        match self.heartbeat {
            Some(own) => Ok(own),
            None => HeartbeatSettings::builder()
                .interval(derived.heartbeat())
                .commit(EarlyCommit::JsonRpcRequests, derived.commit_after())
                .build(),
        }
    }

    fn chosen_gate(
        &self,
        heartbeat: &HeartbeatSettings,
    ) -> Result<(AdmissionGateLayer, Option<GateLimits>), ConfigError> {
        let limits = match &self.gate {
            GateChoice::Own(gate) => return Ok((gate.clone(), None)),
            GateChoice::Off => None,
            GateChoice::Limits {
                max_in_flight,
                max_queue,
                queue_timeout,
                key_share,
            } => {
                let mut limits = GateLimits::builder(*max_in_flight);
                if let Some(places) = max_queue {
                    limits = limits.max_queue(*places);
                }
                if let Some(share) = key_share {
                    limits = limits.key_share(*share);
                }
                let usual = limits.build()?.queue_timeout();
                let before_commit = match heartbeat.commit() {
                    EarlyCommit::Never => usual,
                    _ => heartbeat.commit_after() / 2,
                };
                let wait = queue_timeout.unwrap_or_else(|| usual.min(before_commit));
                Some(limits.queue_timeout(wait).build()?)
            }
        };
        let seats = match limits {
            Some(limits) => limits,
            None => GateLimits::builder(NO_LIMIT).build()?,
        };
        let mut builder = AdmissionGate::builder(seats).reporter(self.reporter.clone());
        let classes: McpClasses = builder.mcp();
        let classes = self
            .health
            .iter()
            .fold(classes, |classes, path| classes.health(path));
        let gate = AdmissionGateLayer::new(builder.build()?).classify(classes);
        Ok((gate, limits))
    }

    /// Everything that is known, for the check: what follows from the platforms is marked as that.
    fn setup(
        &self,
        derived: &Derived,
        phases: &PhaseLimits,
        heartbeat: &HeartbeatSettings,
        limits: Option<GateLimits>,
    ) -> Setup {
        let mut setup = self.expected.clone().with_derived(derived);
        if self.heartbeat.is_some() {
            setup = if heartbeat.is_off() {
                setup.without_heartbeat()
            } else {
                setup.heartbeat(heartbeat.interval())
            };
            setup = match heartbeat.commit() {
                EarlyCommit::Never => setup.without_commit(),
                _ => setup.commit_after(heartbeat.commit_after()),
            };
        }
        if let Some(own) = self.phases {
            setup = match own.total() {
                Some(total) => setup.total(total),
                None => setup,
            };
        }
        if let Some(head) = phases.head() {
            setup = setup.head(head);
        }
        if let Some(read) = phases.read() {
            setup = setup.read(read);
        }
        if let Some(limits) = limits {
            setup = setup
                .max_in_flight(limits.max_in_flight())
                .queue_timeout(limits.queue_timeout());
        }
        match self.request_body.unwrap_or_default().total() {
            Some(total) => setup.request_total(total),
            None => setup,
        }
    }

    #[cfg(feature = "serve")]
    fn chosen_server(&self) -> Result<ServeSettings, ConfigError> {
        match self.server {
            Some(own) => Ok(own),
            None => self.usual_server(),
        }
    }

    /// What follows from the platforms.
    #[cfg(feature = "serve")]
    pub(super) fn usual_server(&self) -> Result<ServeSettings, ConfigError> {
        let derived = self.chain.derived();
        let usual = ServeSettings::new();
        let idle = usual.keep_alive_idle().max(derived.keep_alive());
        let mut settings = ServeSettings::builder().keep_alive_idle(idle);
        if let Some(limits) = self.slow_clients.own() {
            settings = settings.slow_clients(*limits);
        }
        match derived.drain() {
            Some(bound) if bound < usual.drain_bound() => {
                let delay = bound / 4;
                settings
                    .drain_delay(delay)
                    .drain(bound - delay)
                    .drain_spread(delay.min(Duration::from_secs(1)))
                    .build()
            }
            _ => settings.build(),
        }
    }
}

#[cfg(feature = "serve")]
fn described(setup: Setup, server: &ServeSettings, is_chosen: bool) -> Setup {
    if !is_chosen {
        return setup;
    }
    setup
        .keep_alive(server.keep_alive_idle())
        .drain(server.drain_bound())
        .limits_peers(server.max_connections_per_peer().is_some())
}

// === impl Choice ===

impl<T> Choice<T> {
    #[cfg(feature = "serve")]
    const fn own(&self) -> Option<&T> {
        match self {
            Self::Own(own) => Some(own),
            Self::Usual | Self::Off => None,
        }
    }
}
