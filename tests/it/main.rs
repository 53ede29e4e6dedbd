//! Everything that is tested from outside: on the paused clock, and over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod deadline;
mod events;
mod gate;
mod gate_classes;
mod gate_layer;
mod gate_overload;
mod gate_panics;
mod gate_random;
mod gate_refusal;
mod gate_wire;
mod layout;
mod lifeline;
#[cfg(feature = "metrics")]
mod metrics;
mod outgoing;
mod parts;
mod phase_timeout;
mod request_body;
mod rmcp;
mod scripted;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "axum")]
mod slow_client;
mod slow_client_guard;
mod sse_heartbeat;
mod timer;
mod wire;
