//! Limits for each phase of an answer: its head, its silences, the whole of it.
//!
//! # Failure it stops
//! One timeout value for everything. Long enough for a slow answer, it lets dead ones hang; short enough for
//! dead ones, it kills slow and healthy answers.
//!
//! # What it does
//! | limit | counts from | to | when it runs out |
//! |---|---|---|---|
//! | `head` | the first poll of the response future | the response head | the inner future is dropped, the answer is a 504 |
//! | `read` | a poll of the body that found nothing | the next frame | the body is cut |
//! | `total` | the first poll of the response future (a body of known size up to 64 KiB whose head was ready at once: its own first wait) | the end of the body | as `head` or `read`, wherever it happens |
//!
//! The values and their reasons are in [`PhaseLimits`]. They come, first match wins, from a [`PhaseLimits`] in
//! the request's extensions; from the layer's function of the request ([`PhaseTimeoutLayer::per_request`]); from
//! the layer. The request's [`Deadline`](crate::Deadline), where one is in its extensions, bounds `total` too.
//!
//! - What is already here beats a limit that has just run out: the inner future or body is asked first.
//! - `read` is counted while the body is *waited for*: from a poll that found nothing to the next poll. Time
//!   between a frame and the next poll, while the client does not read, is not charged to the producer; nor is a
//!   wait to whose end nobody came within a second, since its reader was away.
//! - On **event streams** only events count as progress, comments do not: a tool that hangs behind the
//!   keep-alive comments of its framework or its provider is still seen to hang. What counts is a byte of any
//!   field line, so a large event that arrives in pieces is progress.
//! - `total` holds whatever flows. While frames are ready at once the time is looked at after every 32 frames
//!   or 64 KiB only.
//! - **Endless streams** are exempt from `total` and from the deadline, unless they have an
//!   [age](PhaseLimits::endless_total): event streams in answer to a GET that
//!   accepts them, and to MCP's `subscriptions/listen` (named by the `Mcp-Method` header of revision 2026-07-28 or
//!   newer, or found in the request's body by the [scanner](crate::rpc)). Those of MCP are subscriptions, which may
//!   have nothing to say for hours: for them [`endless_read`](PhaseLimits::endless_read), off by default, stands in
//!   for `read`. A browser's `EventSource` is a GET too, and an answer that hangs behind its keep-alive is still
//!   cut; where it is a subscription, give its route limits without `read`.
//! - An upgrade (101, or a successful CONNECT) has a `head` and no body to watch.
//!
//! ## How a body is cut
//! The producer is dropped in that moment, and with it what it held. Then:
//! - A body that is no event stream yields [`PhaseExpired`](crate::PhaseExpired) as its error.
//! - An event stream between two events first says goodbye: a JSON-RPC error with the request's own id where the
//!   [scanner](crate::rpc) knows it and no final response went out, else a comment. Then it stays pending for a
//!   grace (50 ms), because hyper throws away what is not flushed when a body fails, and then yields the
//!   error. In the middle of an event nothing can be said, so only the error follows.
//! - A **resumable** event stream, one whose last `id:` has a value, is ended cleanly between two events, without an
//!   error: its client reconnects and goes on from there. MCP has no resumption from revision 2026-07-28 on, so
//!   its streams are cut as others.
//!
//! The server turns the error into a reset (HTTP/2) or a connection that is closed without a last chunk
//! (HTTP/1.1): a client sees that the answer is not whole.
//!
//! # Place in the stack
//! Innermost, next to the handler: `SlowClientGuard → SseHeartbeat → AdmissionGate → PhaseTimeout → handler`.
//! Heartbeats have to be outside of it, or they would count as somebody's progress.
//!
//! # Cost
//! A response that is ready at once: no allocation, no look at the clock, no timer. A streaming body (unknown
//! size, or more than 64 KiB): one look. The first wait arms one timer (one allocation), which moves along from
//! head to body and is left alone while its end moves away. A frame costs no look and no timer; the first wait
//! after a frame costs one look.
//!
//! # What it does not do
//! - A body that nobody polls cannot be ended from here: the limits of a client that does not read belong to
//!   `SlowClientGuard`, which is a layer of its own.
//! - hyper polls as soon as it is woken. A layer in between that polls later, but within a second of the limit,
//!   makes the producer look slower than it is.
//! - A response without a length on HTTP/1.0 ends cleanly however it is cut: only a reset of the connection
//!   could mark the cut there, and a layer cannot send one.
//! - Compressed event streams cannot be read: any frame counts as progress, and there is no goodbye.
//! - Events that a producer sends only to keep the stream alive (`event: ping`) are events.
//! - It needs tokio with its timer enabled, and panics without it when something first waits.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::post};
//! use tower_lifeline::{PhaseLimits, PhaseTimeoutLayer};
//!
//! # fn main() -> Result<(), tower_lifeline::ConfigError> {
//! let limits = PhaseLimits::builder()
//!     .head(Duration::from_secs(60))
//!     .read(Duration::from_secs(30))
//!     .total(Duration::from_secs(300))
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/ask", post(|| async { "42" }))
//!     .layer(PhaseTimeoutLayer::new(limits));
//! # Ok(()) }
//! ```

mod body;
mod farewell;
mod future;
mod layer;
mod policy;
mod service;
mod stream;

pub use crate::phase::{PhaseLimits, PhaseLimitsBuilder};

pub use self::body::PhaseTimeoutBody;
pub use self::future::PhaseTimeoutFuture;
pub(crate) use self::future::Waiting;
pub use self::layer::PhaseTimeoutLayer;
pub use self::policy::PhasePolicy;
pub use self::service::PhaseTimeout;
