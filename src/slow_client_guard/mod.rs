//! A client that does not read its answer cannot hold on to what produces it.
//!
//! # Failure it stops
//! A client opens a stream and stops reading: a telephone in a tunnel, a browser tab that sleeps, an attacker.
//! Buffers fill, the server waits for room, and the answer's body waits for the server: with its database cursor, its
//! stream from the language model and its seat at the [gate](crate::admission_gate). Nothing in the body can end this,
//! for nobody polls it.
//!
//! # What it does
//! A watchdog beside the connections looks at each body that is under way. One that was given a frame and has not been
//! polled since, for as long as the [`stall`](SlowClientLimits), is taken away in that moment, whether or not the server
//! ever comes back to it: the producer is dropped, and all that it held is free. So is a body whose client takes
//! something now and then, but less than the least rate. Should the server poll again after all, the body yields
//! [`SlowClient`] as its error, so that the answer does not look complete.
//!
//! - Only time for which something waits for the client is counted. A stream that has nothing to say is never slow.
//! - The request's [`Deadline`](crate::Deadline), where one is in its extensions, holds for bodies that nobody polls, too;
//!   endless event streams (answers to a GET, subscriptions) are exempt, as they are for
//!   [`phase_timeout`](crate::phase_timeout).
//! - Where the server lets layers end what happens on the wire ([`CutHandle`](crate::CutHandle)), it does: the stream is
//!   reset, or the connection where there are no streams. Of several streams of one connection that stall together only
//!   the first one to stall goes, and the others begin to wait afresh.
//! - Half a stall is [reported](crate::Event::ClientStalled), and so is a client that comes back, and one that is cut.
//!   With [`telling_inside`](SlowClientGuardLayer::telling_inside) the gate's listing shows whose client does not read.
//! - Limits that [only report](SlowClientLimitsBuilder::report_only) cut nobody.
//!
//! # What is to be seen
//! | | this layer alone | with a watched connection (`connection`) | with `serve` |
//! |---|---|---|---|
//! | it judges by | whether the server polls | also what the peer's system acknowledges | the same |
//! | a client that reads nothing is seen after | all buffers are full: 4 MB over HTTP/1.1, 64 KiB over HTTP/2 | about 130 KiB of small events over HTTP/1.1; of a trickle, once the receive buffer of the client's system is full, which may be megabytes | the same, and hyper's own buffers are smaller |
//! | what goes | the producer, and what it held | the connection, with a reset | also the one stream of HTTP/2 |
//! | it is blind to | what fits into buffers | what the client's system takes for it; and to a starved stream of HTTP/2, which the layer sees | what the client's system takes for it |
//!
//! How long a healthy, slow reader shows no progress depends on buffers too, and the stall must be longer than that: the
//! figures stand in `docs/slow-clients.md` of the repository. Over HTTP/2 progress shows when a client opens its window
//! again, mostly after half of it: a stall has to be longer than window / 2 / rate.
//!
//! # Place in the stack
//! Outermost, next to the server: it watches how the body is polled, and what it drops releases everything inside.
//! `SlowClientGuard → SseHeartbeat → AdmissionGate → PhaseTimeout → handler`.
//!
//! # Cost
//! For an answer that has a body: two allocations, and a place on the watchdog's list. A frame costs an uncontended
//! lock; no look at the clock, no timer, no allocation. The watchdog is one task and one timer for the whole layer, which
//! exist only while something is watched, and looks at each body eight times in a stall, at least each 0.25 s.
//!
//! # What it does not do
//! - An answer without a length over HTTP/1.0 ends cleanly however it is cut, unless the server marks the cut with a
//!   reset, as `serve` does.
//! - It cannot end the connection of a server that does not let it: that keeps its buffers, until its client goes.
//! - The watchdog runs on the runtime of whoever started it. One that is blocked is late; when it is shut down, the next
//!   body starts the watchdog elsewhere.
//! - Without a runtime nothing is watched. Bodies must be `Send`.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use tower_lifeline::{SlowClientGuardLayer, SlowClientLimits};
//!
//! # fn main() -> Result<(), tower_lifeline::ConfigError> {
//! let limits = SlowClientLimits::builder()
//!     .stall(Duration::from_secs(60))
//!     .min_rate(1024)
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/export", get(|| async { "a large answer" }))
//!     .layer(SlowClientGuardLayer::new(limits));
//! # Ok(()) }
//! ```

mod body;
mod future;
mod layer;
mod service;
mod slot;

pub use crate::slow_client::{SlowClient, SlowClientLimits, SlowClientLimitsBuilder, Slowness};

pub use self::body::SlowClientGuardBody;
pub use self::future::SlowClientGuardFuture;
pub use self::layer::SlowClientGuardLayer;
pub use self::service::SlowClientGuard;
pub(crate) use self::slot::Due;
