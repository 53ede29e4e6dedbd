//! The whole stack: every layer in its order, with one deadline, tuned to where it runs.
//!
//! # Failure it stops
//! Six layers have 720 orders, and one that works. With the gate outside of the guard, clients that do
//! not read hold its seats for good; with the heartbeats inside of the phases, a tool that hangs is kept alive by its own
//! beats; with no deadline around all of it, each limit is kept and the caller has long gone. And what is right behind
//! one proxy is cut by the next.
//!
//! # What it does
//! One builder makes one layer with everything in it. What was not said follows from the platforms in front
//! ([`Lifeline::behind`]), what was said is held against them and against itself, and what contradicts itself is refused
//! with a sentence when it is built.
//!
//! ```no_run
//! use tower_lifeline::{Lifeline, Platform};
//! # use axum::{Router, routing::post};
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let routes: Router = Router::new().route("/ask", post(|| async { "42" }));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!
//! let lifeline = Lifeline::behind(Platform::HEROKU).max_in_flight(8).build()?;
//! let app = routes.layer(lifeline.layer());
#![cfg_attr(feature = "serve", doc = "lifeline.serve(listener, app).await;")]
#![cfg_attr(not(feature = "serve"), doc = "axum::serve(listener, app).await?;")]
//! # Ok(()) }
//! ```
//!
//! The layer may be applied to any number of routers, routes and services: all of them share the gate, the watchdog and
//! the limits. From a file it is a `LifelineConfig` (feature `serde`), and from code each piece can be
//!
//! | piece | changed | left out | replaced |
//! |---|---|---|---|
//! | deadline, phases | [`phases`](LifelineBuilder::phases), [`phases_per_request`](LifelineBuilder::phases_per_request) | [`without_phases`](LifelineBuilder::without_phases) | per request: [`PhaseLimits`] in its extensions |
//! | guard | [`slow_clients`](LifelineBuilder::slow_clients) | [`without_slow_clients`](LifelineBuilder::without_slow_clients) | |
//! | request body | [`request_body`](LifelineBuilder::request_body) | [`without_request_body`](LifelineBuilder::without_request_body) | per request: [`RequestBodyLimits`] in its extensions |
//! | heartbeats | [`heartbeat`](LifelineBuilder::heartbeat), [`progress`](LifelineBuilder::progress) | [`without_heartbeat`](LifelineBuilder::without_heartbeat) | per request: [`HeartbeatSettings`] in its extensions |
//! | gate | [`max_in_flight`](LifelineBuilder::max_in_flight), [`mcp`](LifelineBuilder::mcp), [`health`](LifelineBuilder::health) | [`without_gate`](LifelineBuilder::without_gate) | [`gate`](LifelineBuilder::gate) |
//!
//! # Order
//! Outermost first:
//!
//! | | because |
//! |---|---|
//! | deadline | it counts the wait for a seat, the head and the body, and everything inside asks what is left of it |
//! | guard of slow clients | what it drops releases all that is inside: the producer, and its seat at the gate |
//! | request body | it reads whose call it is in passing, and everything that refuses or cuts wants to know |
//! | heartbeats | outside of the phases no beat counts as somebody's progress, and outside of the gate a request that waits for its seat can be committed in time |
//! | gate | its seat is held until the body has ended, and the wait for it is no part of a handler's time |
//! | phases | next to the handler they time the handler, and nothing else |
//!
//! # Defaults
//! Without a platform. What follows from platforms stands in [`platform`](crate::platform).
//!
//! | setting | default | see |
//! |---|---|---|
//! | `gate.max_in_flight` | 256 | [`LifelineBuilder::max_in_flight`] |
//! | `gate.max_queue` | 512 | [`GateLimits`](crate::GateLimits) |
//! | `gate.queue_timeout` | 5 s | |
//! | `gate.key_share` | none | |
//! | `gate.retry_after` | 1 s to 60 s | [`RetryAfter`](crate::admission_gate::RetryAfter) |
//! | `phases.connect` | 10 s | [`PhaseLimits`], for outgoing work |
//! | `phases.head` | 90 s | |
//! | `phases.read` | 90 s | |
//! | `phases.total` | 120 s | also the deadline of each request |
//! | `phases.endless_read` | none | |
//! | `phases.endless_total` | none | |
//! | `heartbeat.interval` | 15 s | [`HeartbeatSettings`] |
//! | `heartbeat.jitter` | on | |
//! | `heartbeat.framing` | a comment and a blank line | [`Framing`](crate::sse_heartbeat::Framing) |
//! | `heartbeat.first_beat` | on | |
//! | `heartbeat.accel_header` | on | |
//! | `heartbeat.cache_header` | on | |
//! | `heartbeat.commit` | JSON-RPC requests | [`EarlyCommit`](crate::sse_heartbeat::EarlyCommit) |
//! | `heartbeat.commit_after` | 10 s | |
//! | `heartbeat.max_late_body` | 4 MiB | |
//! | `heartbeat.goodbye` | off | |
//! | `progress` | none | [`LifelineBuilder::progress`] |
//! | `progress.cap` | 300 s | [`Progress`](crate::sse_heartbeat::Progress) |
//! | `slow_clients.stall` | 60 s | [`SlowClientLimits`] |
//! | `slow_clients.min_rate` | 240 B/s | |
//! | `slow_clients.grace` | 60 s | |
//! | `request_body.idle` | 30 s | [`RequestBodyLimits`] |
//! | `request_body.total` | 120 s | |
//! | `request_body.min_rate` | 240 B/s | |
//! | `request_body.grace` | 30 s | |
//! | `server.handshake` | 10 s | `ServeSettings` (feature `serve`), as all of these |
//! | `server.first_byte` | 30 s | |
//! | `server.request_head` | 15 s | |
//! | `server.keep_alive_idle` | 120 s | |
//! | `server.max_connections` | 10000 | |
//! | `server.max_connections_per_peer` | none | |
//! | `server.max_connection_age` | none | |
//! | `server.h1_write_buffer` | 64 KiB | |
//! | `server.h2_write_buffer` | 64 KiB | |
//! | `server.h2_max_streams` | 128 | |
//! | `server.h2_max_resets` | 20 | |
//! | `server.h2_max_header_list` | 16 KiB | |
//! | `server.h2_ping` | each 20 s, answered within 20 s | |
//! | `server.drain_delay` | 3 s | |
//! | `server.drain` | 20 s | |
//! | `server.drain_spread` | 1 s | |
//! | `socket.nodelay` | on | `SocketSettings` (feature `io`) |
//! | `socket.notsent_lowat` | 64 KiB | |
//! | `socket.send_buffer` | none | |
//! | `socket.user_timeout` | none | |
//!
//! # Neighbours
//! | outside of it, outermost first | inside of it |
//! |---|---|
//! | request id, trace: refusals are logged and carry the id, too | `CatchPanic`: a 500 that comes from inside can still become the error of a stream that was opened early |
//! | CORS: a browser shows a script no refusal without its headers, and a preflight takes no seat | limits of body sizes, extractors |
//! | authentication: a 401 takes no seat, and there is no early 200 before it | |
//! | compression: beats cannot go between compressed bytes | |
//!
//! No other timeouts: whichever is shorter wins, and theirs cut healthy streams. `docs/ordering.md` of the repository
//! has all of them one by one, `examples/full_stack` is a whole server, and `docs/migration.md` says what takes the
//! place of what.
//!
//! # What is lost without `serve`
//! | | with `Lifeline::serve` | under `axum::serve`, listening through `IoGuard::listen` | under plain `axum::serve` | layers alone |
//! |---|---|---|---|---|
//! | phases, deadline, gate, heartbeats, request bodies | yes | yes | yes | in whatever order you chose |
//! | settings from the platforms, and the check | yes | yes | yes | [by hand](crate::platform::check) |
//! | what a client that does not read holds is freed | yes | yes | yes, once all buffers on the way are full | as to the left |
//! | its connection is cut, and as soon as it acknowledges nothing | yes | yes | no: it stays until TCP gives up | as to the left |
//! | its one stream of many over HTTP/2 is reset | yes | no | no | no |
//! | slow handshakes, slow request heads, idle connections are closed | yes | no: hyper's own limits | no | no |
//! | connections are counted, also per peer | yes | no | no | no |
//! | a cut answer without a length over HTTP/1.0 ends in a reset | yes | no: it looks complete | no | no |
//! | write buffers are small, dead peers are found by pings | yes | no | no | no |
//! | a drain has a bound, says [goodbye](Lifeline::farewells) and closes the [gate](Lifeline::gate) | yes | by hand, without a bound | as to the left | as to the left |
//!
//! With `serve` the table of what is at work is written to the log when the server begins; without, the first request
//! has what is inert written there.
//!
//! # Changing limits while running
//! [`Lifeline::set_phases`] holds from the next request on, and [`Lifeline::gate`] is the handle of the gate, whose
//! limits change at once. The deadline, the heartbeats and the server stay as they were built: build with the longest
//! total that you will need.
//!
//! ```
//! use std::time::Duration;
//! use tower_lifeline::{Lifeline, PhaseLimits};
//!
//! let lifeline = Lifeline::builder().max_in_flight(8).build()?;
//! lifeline.gate().set_max_in_flight(4)?;
//! lifeline.set_phases(PhaseLimits::builder().read(Duration::from_secs(30)).build()?)?;
//! assert!(lifeline.set_phases(PhaseLimits::builder().total(Duration::from_secs(900)).build()?).is_err());
//! # Ok::<(), tower_lifeline::ConfigError>(())
//! ```
//!
//! # The short way
//! A plain request, which is a GET without a body that does not accept event streams, needs a seat, and limits should
//! its handler hang. It goes through the same decisions in one future, without what they need for anything else. An
//! answer of at most 64 KiB that is all there with its head gives its seat back at once and leaves nothing to watch;
//! every other answer gets what each layer would have given to it. Clients see the same on both ways, but for which of
//! two limits a refusal names that end in the same moment. For handlers there is one difference: their
//! [`Deadline`](crate::Deadline) is the current one, or an extractor's, and not in the request's extensions, unless
//! [every request is to have it there](LifelineBuilder::deadline_in_every_request).
//!
//! Requests that find no seat at once, that carry a deadline or settings of their own or come from within another
//! deadline, that speak MCP 2026-07-28 or newer, or that share a connection of `serve` with others (HTTP/2) go the long
//! way, as do all with [limits of their own](LifelineBuilder::phases_per_request).
//!
//! # Cost
//! On the long way, what its layers cost, and two boxes, for the future and the body of the stack. On the short way a
//! third of what tower's and tower-http's layers for less would cost: nothing is allocated, asked of the clock or
//! registered for a request that is answered at once, and one timer for one that has to wait.
//!
//! Hand `axum::serve` a router by `into_make_service()`: given the router itself, it copies all routes and the layers of
//! each for every connection, which is a kilobyte a route with this one. `Lifeline::serve` does not.
//!
//! # Bounds
//! Response bodies have to be `Unpin`, as axum's are, since an answer is looked at before its head goes out. One that is
//! not becomes so in a box: `http_body_util::BodyExt::boxed_unsync`.
//!
//! # What it does not do
//! - It does not find the number of seats. Set it to what the narrowest thing behind the server can take.
//! - It does not lift what a platform limits in total: it ends the answer a little sooner, and says so.
//! - It does not look at what platforms were configured to: say that with [`Platform::with`](crate::Platform::with), or
//!   in text as `nginx(read=300s)`.
//! - It cannot keep other layers in their order. `docs/ordering.md` can only say it.
//! - A connection that was upgraded (a WebSocket) is nobody's request any more: it gives its seat back and has no limits.

mod body;
mod builder;
mod choose;
#[cfg(feature = "serde")]
mod config;
mod flat;
mod future;
mod layer;
mod live;
mod service;
mod short;
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
use crate::request_body::RequestBodyLimits;
#[cfg(feature = "serve")]
use crate::serve::{Listener, Serve, ServeSettings, serve};
use crate::slow_client::SlowClientLimits;
use crate::sse_heartbeat::{Farewells, HeartbeatSettings};

/// A stack of layers and what belongs to it. See the [module docs](self).
///
/// Clones are the same stack: they share the gate, the watchdog and the limits.
#[derive(Clone, Debug)]
pub struct Lifeline {
    chain: Chain,
    findings: Vec<Finding>,
    heartbeat: HeartbeatSettings,
    slow_clients: Option<SlowClientLimits>,
    request_body: RequestBodyLimits,
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

    /// How streams are kept alive.
    #[must_use]
    pub const fn heartbeat(&self) -> &HeartbeatSettings {
        &self.heartbeat
    }

    /// How slow a client may be. `None`: as slow as it likes.
    #[must_use]
    pub const fn slow_clients(&self) -> Option<&SlowClientLimits> {
        self.slow_clients.as_ref()
    }

    /// How slow an upload may be.
    #[must_use]
    pub const fn request_body(&self) -> &RequestBodyLimits {
        &self.request_body
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

    /// Serves `app` with the settings of this stack. In a drain, once all connections have been told to take no new
    /// requests, the streams that agreed to it are told goodbye, over as much time again, and the gate is closed. `app` is inside the [layer](Self::layer) already.
    #[cfg(feature = "serve")]
    pub fn serve<L: Listener, S>(&self, listener: L, app: S) -> Serve<L, S> {
        for finding in &self.findings {
            finding.log();
        }
        let (farewells, gate) = (self.farewells(), self.gate());
        let (spread, drain) = (self.server.drain_spread(), self.server.drain());
        // Who hears it last needs time for it before the cut.
        let over = spread.min(drain.saturating_sub(self.server.all_told_after()) / 2);
        serve(listener, app)
            .with_settings(self.server)
            .with_reporter(self.reporter.clone())
            .guarded(self.slow_clients.is_some_and(|limits| !limits.is_report_only()))
            .at_drain(move || {
                farewells.say_goodbye_over(over);
                drop(gate.close());
            })
    }
}
