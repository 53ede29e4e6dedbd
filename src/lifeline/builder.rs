//! What a stack is made of, and whether that can work.

use std::time::Duration;

use super::live::PerRequest;
use crate::admission_gate::AdmissionGateLayer;
use crate::event::Reporter;
use crate::phase::PhaseLimits;
use crate::platform::{Chain, Setup, Strictness};
use crate::request_body::RequestBodyLimits;
use crate::request_head::RequestHead;
#[cfg(feature = "serve")]
use crate::serve::ServeSettings;
use crate::slow_client::SlowClientLimits;
use crate::sse_heartbeat::{HeartbeatSettings, Progress};

/// Builds a [`Lifeline`](super::Lifeline). Whatever is not said follows from the platforms, or from the defaults of each layer.
#[must_use = "a stack comes out of `build`"]
pub struct LifelineBuilder {
    pub(super) chain: Chain,
    pub(super) strictness: Strictness,
    pub(super) gate: GateChoice,
    pub(super) health: Vec<String>,
    pub(super) mcp: Vec<String>,
    pub(super) phases: Choice<PhaseLimits>,
    pub(super) per_request: Option<PerRequest>,
    pub(super) heartbeat: Option<HeartbeatSettings>,
    pub(super) progress: Option<Progress>,
    pub(super) slow_clients: Choice<SlowClientLimits>,
    pub(super) request_body: Choice<RequestBodyLimits>,
    pub(super) expected: Setup,
    pub(super) stamps_all: bool,
    pub(super) reporter: Reporter,
    #[cfg(feature = "serve")]
    pub(super) server: Option<ServeSettings>,
}

/// A piece that may be left out.
#[derive(Debug)]
pub(super) enum Choice<T> {
    Usual,
    Off,
    Own(T),
}

pub(super) enum GateChoice {
    Limits {
        max_in_flight: u32,
        max_queue: Option<u32>,
        queue_timeout: Option<Duration>,
    },
    Own(AdmissionGateLayer),
    Off,
}

/// More than any server answers at once in this crate's line of work, and few enough that ten times as many of
/// tokio's tasks and sockets fit into a small machine.
const MAX_IN_FLIGHT: u32 = 256;

// === impl LifelineBuilder ===

impl LifelineBuilder {
    pub(super) fn new(chain: Chain) -> Self {
        Self {
            chain,
            strictness: Strictness::Lenient,
            gate: GateChoice::Limits {
                max_in_flight: MAX_IN_FLIGHT,
                max_queue: None,
                queue_timeout: None,
            },
            health: Vec::new(),
            mcp: Vec::new(),
            phases: Choice::Usual,
            per_request: None,
            heartbeat: None,
            progress: None,
            slow_clients: Choice::Usual,
            request_body: Choice::Usual,
            expected: Setup::new(),
            stamps_all: false,
            reporter: Reporter::log(),
            #[cfg(feature = "serve")]
            server: None,
        }
    }

    /// Refuses a configuration for what the platform table says, too, and not only for contradictions of its own.
    pub const fn strict(mut self) -> Self {
        self.strictness = Strictness::Strict;
        self
    }

    /// So many requests at once. Default: 256.
    ///
    /// It should be what the narrowest thing behind the server can take: the connections of a database pool, the
    /// slots of a model.
    pub fn max_in_flight(mut self, seats: u32) -> Self {
        self.limits(|max_in_flight, _, _| *max_in_flight = seats);
        self
    }

    /// So many requests may wait for a seat. Default: twice as many as there are seats.
    pub fn max_queue(mut self, places: u32) -> Self {
        self.limits(|_, max_queue, _| *max_queue = Some(places));
        self
    }

    /// How long a request may wait for a seat. Default: that of [`GateLimits`](crate::GateLimits), or half of the time to the early
    /// commit where that is shorter, so that a refusal can still have a status.
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.limits(|_, _, queue_timeout| *queue_timeout = Some(limit));
        self
    }

    /// A gate of one's own, with classes and keys. It takes the place of whatever was said of seats, queue and wait
    /// before it, as these take its place after it.
    pub fn gate(mut self, gate: AdmissionGateLayer) -> Self {
        self.gate = GateChoice::Own(gate);
        self
    }

    /// Everybody is let in. The gate still counts.
    pub fn without_gate(mut self) -> Self {
        self.gate = GateChoice::Off;
        self
    }

    /// Requests to this path need no seat: probes have to be answered while everything is taken. For the gate that is
    /// made here; beside one of one's own, which has a classifier of its own, it is refused.
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.health.push(path.into());
        self
    }

    /// MCP is served at this path, as the layer sees it: `ping`, `initialize`, `tools/list` and notifications need no
    /// seat there, and streams that stay open for hours have 1024 of their own. See [`McpClasses`](crate::McpClasses).
    ///
    /// Elsewhere nothing but a seat lets a request in, whatever it says of itself: other handlers do not check what
    /// MCP's headers say. So a subscription that is not served here holds a seat of everybody's for as long as it lasts.
    /// For the gate that is made here; beside one of one's own it is refused.
    pub fn mcp(mut self, path: impl Into<String>) -> Self {
        self.mcp.push(path.into());
        self
    }

    /// The limits of head, silence and total. Default: those of [`PhaseLimits`], their total no longer than the
    /// platforms allow. The total is the deadline of every request, too.
    pub fn phases(mut self, limits: PhaseLimits) -> Self {
        self.phases = Choice::Own(limits);
        self
    }

    /// Answers may take as long as they like, and requests have no deadline but one that came with them.
    pub fn without_phases(mut self) -> Self {
        self.phases = Choice::Off;
        self
    }

    /// Derives the limits of a request from those of the stack. A total that is longer than the stack's never runs
    /// out: the deadline, which is the same for every request, comes first.
    pub fn phases_per_request(
        mut self,
        derive: impl Fn(&RequestHead<'_>, PhaseLimits) -> PhaseLimits + Send + Sync + 'static,
    ) -> Self {
        self.per_request = Some(Box::new(derive));
        self
    }

    /// How streams are kept alive. Default: interval and commit point follow from the platforms.
    pub const fn heartbeat(mut self, settings: HeartbeatSettings) -> Self {
        self.heartbeat = Some(settings);
        self
    }

    /// Streams are left alone.
    pub const fn without_heartbeat(self) -> Self {
        self.heartbeat(HeartbeatSettings::off())
    }

    /// Sends beats as progress notifications where a tool is chosen and its client has asked for progress.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// How slow a client may be. Default: [`SlowClientLimits`]'.
    pub fn slow_clients(mut self, limits: SlowClientLimits) -> Self {
        self.slow_clients = Choice::Own(limits);
        self
    }

    /// Clients may be as slow as they like, also for the server of `Lifeline::serve`.
    pub fn without_slow_clients(mut self) -> Self {
        self.slow_clients = Choice::Off;
        self
    }

    /// How slow an upload may be. Default: [`RequestBodyLimits`]'.
    pub fn request_body(mut self, limits: RequestBodyLimits) -> Self {
        self.request_body = Choice::Own(limits);
        self
    }

    /// Uploads may be as slow as they like. Whose call a body makes is still read in passing.
    pub fn without_request_body(mut self) -> Self {
        self.request_body = Choice::Off;
        self
    }

    /// What is known beside these settings, for the check: pools, calls and their limits, how long healthy answers
    /// take. Settings of the stack in it are replaced by the stack's own.
    pub fn expecting(mut self, expected: Setup) -> Self {
        self.expected = expected;
        self
    }

    /// Puts the [`Deadline`](crate::Deadline) into the extensions of every request.
    ///
    /// Off by default, because it costs a plain request more than all the rest: two allocations and a look at the
    /// clock. Plain is a GET without a body that does not accept event streams; its handler asks for
    /// [`Deadline::current`](crate::Deadline::current), or takes the deadline as an axum extractor (feature `axum`), and
    /// only who asks pays. A handler of such requests with `Extension<Deadline>` needs this: without, it finds the
    /// deadline only where its request went the [long way](crate::lifeline#the-short-way), and refuses the others.
    pub const fn deadline_in_every_request(mut self) -> Self {
        self.stamps_all = true;
        self
    }

    /// Reports to another observer than the [log](Reporter::log), for every layer and for the server.
    pub fn reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// What the server of [`Lifeline::serve`](super::Lifeline::serve) allows connections. Default: [`ServeSettings`]',
    /// with the time for idle connections and the drain that follow from the platforms. How slow a client may be is what
    /// the [stack](Self::slow_clients) says, unless these settings say something else than their default.
    #[cfg(feature = "serve")]
    pub const fn server(mut self, settings: ServeSettings) -> Self {
        self.server = Some(settings);
        self
    }

    fn limits(&mut self, set: impl FnOnce(&mut u32, &mut Option<u32>, &mut Option<Duration>)) {
        if !matches!(self.gate, GateChoice::Limits { .. }) {
            self.gate = Self::new(Chain::direct()).gate;
        }
        if let GateChoice::Limits {
            max_in_flight,
            max_queue,
            queue_timeout,
        } = &mut self.gate
        {
            set(max_in_flight, max_queue, queue_timeout);
        }
    }
}

impl std::fmt::Debug for LifelineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LifelineBuilder")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
