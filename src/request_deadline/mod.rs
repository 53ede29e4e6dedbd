//! One deadline for a whole request, found by everything that works for it.
//!
//! # Failure it stops
//! Every part of a request has a limit of its own, and they add up: a search of 15 s, a model of 90 s and a
//! queue of 5 s keep a caller waiting who gave up after 60. Or the last call starts when nobody is left to
//! hear of its result.
//!
//! # What it does
//! [`DeadlineLayer`] stamps a [`Deadline`](crate::Deadline) into each request's extensions: its limit after the request came in,
//! or what the caller allows, where the layer is told to [trust](DeadlineLayer::trusting) a header of it:
//!
//! | header | value | from |
//! |---|---|---|
//! | `grpc-timeout` | one to eight digits and one of `H M S m u n` | gRPC over HTTP/2 |
//! | `x-envoy-expected-rq-timeout-ms` | milliseconds in digits | Envoy's router, Istio |
//!
//! The earliest of all wins, so a caller can bring the layer's limit forward and never push it back. A value
//! that makes no sense is ignored, and [reported](crate::Event::DeadlineHeaderIgnored). A deadline that is in the
//! extensions already is kept where it is the earlier one.
//!
//! The deadline is then found
//! - by [`PhaseTimeout`](crate::phase_timeout), whose `total` it bounds;
//! - by handlers: as an argument of type `Deadline` (feature `axum`), as `axum::Extension<Deadline>`, or by
//!   `parts.extensions.get::<Deadline>()`, which rmcp hands to its tools, spawned tasks included (within a
//!   [`Lifeline`](crate::lifeline#the-short-way) plain requests have it only by the first of these);
//! - by code that runs in the task that polls the handler, as [`Deadline::current`](crate::Deadline::current).
//!
//! [`Deadline::call`](crate::Deadline::call) holds a piece of outgoing work to it.
//!
//! # Place in the stack
//! Outermost: time spent in a queue is time that the caller waits.
//!
//! # Cost
//! One look at the clock and one entry in the request's extensions (one allocation, two where it is the first
//! entry) for each request.
//!
//! # What it does not do
//! It ends nothing by itself: what finds the deadline does. The body of a response is outside of
//! [`Deadline::current`](crate::Deadline::current), since the server polls it after the handler is done. Trust the headers only where a
//! proxy of your own sets them or strips them: a stranger's `1n` makes every answer a 504, although only that
//! stranger's.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Extension, Router, routing::get};
//! use tower_lifeline::{Deadline, DeadlineHeader, DeadlineLayer};
//!
//! async fn search(Extension(deadline): Extension<Deadline>) -> Result<String, String> {
//!     let rows = async { 3 };
//!     match deadline.call("db.search", Duration::from_secs(15), rows).await {
//!         Ok(rows) => Ok(format!("{rows} rows")),
//!         Err(expired) => Err(expired.to_string()),
//!     }
//! }
//!
//! # fn main() -> Result<(), tower_lifeline::ConfigError> {
//! let deadline = DeadlineLayer::new(Duration::from_secs(120))?
//!     .trusting(DeadlineHeader::EnvoyExpectedTimeout);
//! let app: Router = Router::new().route("/search", get(search)).layer(deadline);
//! # Ok(()) }
//! ```

#[cfg(feature = "axum")]
mod extract;
mod future;
mod layer;
mod service;

pub use self::future::DeadlineFuture;
pub use self::layer::DeadlineLayer;
pub use self::service::DeadlineService;
