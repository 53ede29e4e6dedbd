//! From what was said to a stack: what was chosen, what follows from the platforms, and whether that can work.

use std::sync::Arc;
use std::time::Duration;

use super::Lifeline;
use super::builder::{Choice, GateChoice, LifelineBuilder};
use super::layer::{Layers, LifelineLayer};
use super::live::LivePhases;
use super::surroundings::Surroundings;
use crate::admission_gate::{AdmissionGate, AdmissionGateLayer, Class, GateLimits, McpClasses};
use crate::error::ConfigError;
use crate::gate::MAX_SEATS;
use crate::phase::PhaseLimits;
use crate::phase_timeout::PhaseTimeoutLayer;
use crate::platform::{Derived, Setup, verify};
use crate::request_body::{RequestBodyLayer, RequestBodyLimits};
use crate::request_deadline::DeadlineLayer;
use crate::request_head::RequestHead;
#[cfg(feature = "serve")]
use crate::serve::ServeSettings;
use crate::slow_client::SlowClientLimits;
use crate::slow_client_guard::SlowClientGuardLayer;
use crate::sse_heartbeat::{EarlyCommit, HeartbeatSettings, SseHeartbeatLayer};

/// A stall that no connection lives to see, and that can still be added to a moment.
#[cfg(feature = "serve")]
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl LifelineBuilder {
    /// Makes the stack.
    ///
    /// # Errors
    /// Refuses what a layer refuses; settings that contradict one another; and, if [strict](Self::strict), settings
    /// that a platform in front does not let work. The sentence says what, why, and what to set.
    pub fn build(self) -> Result<Lifeline, ConfigError> {
        let derived = self.chain.derived();
        let phases = self.chosen_phases(&derived)?;
        let request_body = self.chosen_request_body()?;
        let heartbeat = self.chosen_heartbeat(&derived)?;
        let (gate, limits) = self.chosen_gate(&heartbeat)?;
        #[cfg(feature = "serve")]
        let server = self.chosen_server()?;
        let setup = self.setup(&derived, &phases, &heartbeat, limits, &request_body);
        #[cfg(feature = "serve")]
        let setup = described(setup, &server, self.server.is_some());
        let findings = verify(&self.chain, &setup, self.strictness)?;
        let has_short_way = !self.stamps_all && self.per_request.is_none();
        let live = LivePhases::new(phases, self.per_request);
        let deadline = match phases.total() {
            Some(total) => DeadlineLayer::new(total)?,
            None => DeadlineLayer::unlimited(),
        };
        let slow_clients = match self.slow_clients {
            Choice::Usual => Some(SlowClientLimits::new()),
            Choice::Own(limits) => Some(limits),
            Choice::Off => None,
        };
        let guard = slow_clients.map_or_else(SlowClientGuardLayer::off, SlowClientGuardLayer::new);
        let beat = SseHeartbeatLayer::new(heartbeat).with_reporter(self.reporter.clone());
        let deadline = deadline.with_reporter(self.reporter.clone());
        let layers = Layers {
            on_demand: deadline.terms_on_demand(),
            deadline,
            guard: guard.with_reporter(self.reporter.clone()),
            request_body: RequestBodyLayer::new(request_body).with_reporter(self.reporter.clone()),
            heartbeat: match self.progress {
                Some(progress) => beat.with_progress(progress),
                None => beat,
            },
            gate,
            phases: PhaseTimeoutLayer::per_request(live).with_reporter(self.reporter.clone()),
            has_short_way,
            surroundings: Surroundings::default(),
        };
        let layer = LifelineLayer {
            layers: Arc::new(layers),
        };
        Ok(Lifeline {
            chain: self.chain,
            findings,
            heartbeat,
            slow_clients,
            request_body,
            layer,
            #[cfg(feature = "serve")]
            server,
            #[cfg(feature = "serve")]
            reporter: self.reporter,
        })
    }

    fn chosen_phases(&self, derived: &Derived) -> Result<PhaseLimits, ConfigError> {
        match self.phases {
            Choice::Usual => Self::usual_phases(derived),
            Choice::Own(own) => Ok(own),
            Choice::Off => PhaseLimits::builder()
                .without_head()
                .without_read()
                .without_total()
                .build(),
        }
    }

    /// What follows from the platforms.
    pub(super) fn usual_phases(derived: &Derived) -> Result<PhaseLimits, ConfigError> {
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

    fn chosen_request_body(&self) -> Result<RequestBodyLimits, ConfigError> {
        match self.request_body {
            Choice::Usual => Ok(RequestBodyLimits::new()),
            Choice::Own(own) => Ok(own),
            Choice::Off => RequestBodyLimits::builder()
                .without_idle()
                .without_total()
                .without_min_rate()
                .build(),
        }
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
            GateChoice::Own(_) if !(self.health.is_empty() && self.mcp.is_empty()) => {
                return Err(ConfigError::new(
                    "`health` and `mcp` classify requests for the gate that is made from limits, and a gate of one's own \
                     does not ask them: tell its classifier (`McpClasses::health`, `McpClasses::only`)"
                        .to_owned(),
                ));
            }
            GateChoice::Own(gate) => return Ok((gate.clone(), None)),
            GateChoice::Off => None,
            GateChoice::Limits {
                max_in_flight,
                max_queue,
                queue_timeout,
            } => {
                let mut limits = GateLimits::builder(*max_in_flight);
                if let Some(places) = max_queue {
                    limits = limits.max_queue(*places);
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
            // A gate with so many seats refuses nobody.
            None => GateLimits::builder(MAX_SEATS).build()?,
        };
        let mut builder = AdmissionGate::builder(seats).reporter(self.reporter.clone());
        if self.mcp.is_empty() && self.health.is_empty() {
            return Ok((AdmissionGateLayer::new(builder.build()?), limits));
        }
        if self.mcp.is_empty() {
            let health = self.health.clone();
            let classify = move |head: &RequestHead<'_>| {
                let is_probe = health.iter().any(|path| path == head.uri().path());
                if is_probe { Class::EXEMPT } else { Class::STANDARD }
            };
            let gate = AdmissionGateLayer::new(builder.build()?).classify(classify);
            return Ok((gate, limits));
        }
        let mut classes: McpClasses = builder.mcp();
        for path in &self.mcp {
            classes = classes.only(path);
        }
        for path in &self.health {
            classes = classes.health(path);
        }
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
        request_body: &RequestBodyLimits,
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
        // A total that nobody chose and that does not come from the platforms cuts healthy answers all the same.
        if let Some(total) = phases.total() {
            if self.phases.own().is_some() || Some(total) != derived.total() {
                setup = setup.total(total);
            }
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
        match request_body.total() {
            Some(total) => setup.request_total(total),
            None => setup,
        }
    }

    #[cfg(feature = "serve")]
    fn chosen_server(&self) -> Result<ServeSettings, ConfigError> {
        let Some(own) = self.server else {
            return self.usual_server();
        };
        if *own.slow_clients() != SlowClientLimits::new() {
            return Ok(own);
        }
        own.to_builder().slow_clients(self.connection_limits()?).build()
    }

    /// How slow the client of a connection may be: what the stack says of its answers.
    #[cfg(feature = "serve")]
    fn connection_limits(&self) -> Result<SlowClientLimits, ConfigError> {
        match self.slow_clients {
            Choice::Usual => Ok(SlowClientLimits::new()),
            Choice::Own(own) => Ok(own),
            Choice::Off => SlowClientLimits::builder()
                .stall(FOREVER)
                .without_min_rate()
                .report_only()
                .build(),
        }
    }

    /// What follows from the platforms.
    #[cfg(feature = "serve")]
    pub(super) fn usual_server(&self) -> Result<ServeSettings, ConfigError> {
        let derived = self.chain.derived();
        let usual = ServeSettings::new();
        let idle = usual.keep_alive_idle().max(derived.keep_alive());
        let settings = ServeSettings::builder()
            .keep_alive_idle(idle)
            .slow_clients(self.connection_limits()?);
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
    const fn own(&self) -> Option<&T> {
        match self {
            Self::Own(own) => Some(own),
            Self::Usual | Self::Off => None,
        }
    }
}
