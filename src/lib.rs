//! Tower middleware that keeps long, streaming HTTP answers (MCP tool calls, model tokens, server-sent events)
//! alive where they should live, and ends them cleanly where they must end.
//!
//! | failure in production | what stops it |
//! |---|---|
//! | one timeout value for everything | [`phase_timeout`]: head, silence and total of an answer each have a limit |
//! | limits that add up to more than a caller waits | [`request_deadline`]: one [`Deadline`] for all that a request does |
//! | overload | [`admission_gate`]: so many at once, a short queue, and a clean refusal for the rest |
//! | a proxy closes a stream that is silent, or gives up before its first byte | [`sse_heartbeat`]: beats where they are legal, and slow answers that become streams in time |
//! | an upload that drips | [`request_body`]: idle, total and minimum rate of a request body |
//! | settings that fail behind a platform | [`platform`]: the limits of thirty proxies, what follows from them, and a check |
//! | a database or a model that does not connect, answer, go on or end | [`outgoing`]: the same phases around a client |
//!
//! # Order
//! Outermost first: [`DeadlineLayer`], [`RequestBodyLayer`], [`SseHeartbeatLayer`], [`AdmissionGateLayer`],
//! [`PhaseTimeoutLayer`], the handler. Each is useful alone. How it is all put together, and why, stands in the
//! architecture document of the repository.
//!
//! # Features
//! Layers need none. A feature adds, and never changes what is there without it.
//!
//! | feature | adds |
//! |---|---|
//! | `axum` | [`connection::GuardedListener`] for `axum::serve`, and with it `io`; `axum` becomes a public dependency |
//! | `io` | [`connection`]: connections that are cut when their peer takes nothing, for server loops of your own |
//! | `metrics` | [`metrics`]: requests, events, gates and the runtime, measured; `metrics` becomes a public dependency |
//! | `reqwest` | [`outgoing`]'s adapter for reqwest; `reqwest` becomes a public dependency |
//! | `serve` | [`serve`](mod@serve): a server loop that closes what layers cannot, and with it `io` |
//!
//! # Runtime
//! tokio, with its timer enabled; without one, whatever first has to wait panics.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod admission_gate;
#[cfg(feature = "io")]
pub mod connection;
pub mod lifeline;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod outgoing;
pub mod phase_timeout;
pub mod platform;
pub mod refusal;
pub mod request_body;
pub mod request_deadline;
pub mod rpc;
#[cfg(feature = "serve")]
pub mod serve;
pub mod slow_client_guard;
pub mod sse;
pub mod sse_heartbeat;

mod call;
mod client_stall;
mod clock;
mod current;
mod cut;
mod deadline;
mod error;
mod event;
mod gate;
mod log;
mod media;
mod pace;
mod peek;
mod phase;
mod reply;
mod report;
mod request_head;
mod slow_client;
mod spread;
mod timer;
#[cfg(feature = "io")]
mod waiter;
mod watch;
mod watchdog;

pub use self::admission_gate::{
    AdmissionGate, AdmissionGateLayer, Class, ClassLimits, GateLimits, GateRefused, McpClasses, Seat,
    SharedSeat,
};
pub use self::call::DeadlineCall;
pub use self::client_stall::ClientStall;
pub use self::cut::CutHandle;
pub use self::deadline::Deadline;
pub use self::error::{Bound, BoxError, CallExpired, ConfigError, Phase, PhaseExpired};
pub use self::event::{
    CallOutcome, ConnectionPhase, DeadlineHeader, Event, Lost, Observer, Outcome, Reporter, SeenBy, Side,
};
pub use self::lifeline::Lifeline;
pub use self::log::Log;
pub use self::phase::{PhaseLimits, PhaseLimitsBuilder};
pub use self::phase_timeout::PhaseTimeoutLayer;
pub use self::platform::Platform;
pub use self::reply::ReplyBody;
pub use self::report::{Protection, ProtectionState, Report};
pub use self::request_body::{RequestBodyLayer, RequestBodyLimits};
pub use self::request_deadline::DeadlineLayer;
pub use self::request_head::RequestHead;
#[cfg(feature = "serve")]
pub use self::serve::serve;
pub use self::slow_client_guard::{SlowClient, SlowClientGuardLayer, SlowClientLimits, Slowness};
pub use self::sse_heartbeat::{HeartbeatSettings, SseHeartbeatLayer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// The structure of the crate, for somebody who is about to change it.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

/// What is to be seen of slow clients, by whom, and after how much: measured.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/slow-clients.md")]
pub mod slow_clients {}
