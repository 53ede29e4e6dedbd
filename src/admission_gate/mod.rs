//! A gate before a service: it admits what can be served, lets a few wait, and refuses the rest at once.
//!
//! # Failure it stops
//! When more requests come than the model or the database can serve, all of them are slow, all time out, and
//! all the work is for nothing: at twice the capacity a server that streams its answers serves an eighth of what
//! it could (`docs/overload.md`). A limit that waits without an end hangs every client instead, and one that
//! counts until the response head only does not see the streams that are under way.
//!
//! # What it does
//! | a request finds | and gets |
//! |---|---|
//! | a free seat, and nobody before it | the seat, at once |
//! | no seat, but a place in the queue | a place; the seats come in the order of the places |
//! | neither | 503 at once |
//! | its wait longer than the `queue_timeout`, or than its [`Deadline`](crate::Deadline) leaves | 504 |
//! | its [`Key`]'s share taken, in seats and places together | 429 at once: its own excess, not the server's overload |
//! | the gate closed | 503 at once, and `Connection: close` on HTTP/1 |
//!
//! - **The seat** is held until the response body has ended, failed or been dropped. It is free at the head where
//!   nothing follows: bodies that are already empty, answers to HEAD, 204, 304. Errors, panics and clients that go
//!   away give it back too, wherever they are. An **upgrade** (101, or a CONNECT that succeeds) frees it at the
//!   head: the connection goes on where no layer sees it end. A handler that wants to hold its seat for that long
//!   takes the [`SharedSeat`] with it.
//! - **The queue** is first come, first served within a class; across classes whoever came first and may go in.
//!   A client that goes away leaves it in that moment. A freed seat wakes one; if that one is gone in the moment it
//!   was handed the seat, the next gets it. A request that comes never overtakes one that waits.
//! - **Refusals** are in the form that the caller understands, see [`refusal`](crate::refusal). Where nobody has read
//!   a JSON POST yet, up to 64 KiB of it are read for at most 1 s (32 requests at once, no others) to learn the
//!   JSON-RPC id, unless it was [switched off](AdmissionGateLayer::without_reading_ids). `Retry-After` follows the rate
//!   at which seats come free, see [`RetryAfter`].
//! - **Classes** ([`AdmissionGateBuilder::class`], [`AdmissionGateLayer::classify`]): exempt, standard, and named ones
//!   with limits of their own, inside the whole or apart from it. A full class blocks nobody else: not at the
//!   seats, and not in the queue, where its places are its own. [`McpClasses`] is ready-made.
//! - **The handle** ([`AdmissionGate`]) is one for any number of routes: figures, who holds the seats, new limits
//!   while running, a dry run, and [`close`](AdmissionGate::close) for a drain.
//! - **Without HTTP** ([`AdmissionGate::enter`]) the same gate guards the work behind the server, with typed refusals.
//!
//! ## Services that are not always ready
//! The layer's service is always ready, unless the inner one has failed. A request takes its seat or its place in
//! `call`; no seat is ever held in `poll_ready`. If the inner service was ready it is called in that moment. If it was
//! not, the request waits for it with its seat, for as long as it could have waited for a seat, and is refused with 504
//! after that; the exempt wait on. Were the inner service's `Pending` passed on, requests would pile up before the
//! gate, uncounted and for ever. While a request waits for a seat, and once it is refused, nothing inside is reserved for it: its
//! clone of the service is asked for readiness only when it has the seat.
//!
//! # Place in the stack
//! `SlowClientGuard → SseHeartbeat → AdmissionGate → PhaseTimeout → handler`. Outside of the phase clocks, so that a
//! wait in the queue is no part of a handler's time; inside of the guard, because seats that last as long as their
//! bodies need somebody who sends slow readers away: without it four clients that do not read hold four seats for good.
//! CORS stands outside of it: a browser shows a script no refusal without CORS headers, and they are not this
//! layer's business.
//!
//! # Cost
//! In and out without a wait: no allocation, no clock, no timer, no lock; two locked operations on the gate's word, and
//! two on its count of references, which [`build_static`](AdmissionGateBuilder::build_static) saves. Per frame: one look
//! at whether it was the last. A refusal because all is full, of the standard class
//! and without a key or a listing, decides by loads alone, others under the lock of the queue; its response allocates,
//! and takes that lock once more where it estimates `Retry-After`. A wait costs the lock of the
//! queue twice or three times, one boxed place and, with its first poll, one timer.
//!
//! | with | a request costs more |
//! |---|---|
//! | a class with limits, or a key | the lock twice |
//! | [`list_seats`](AdmissionGateBuilder::list_seats) | a look at the clock, the lock three times, 80 bytes while it is in |
//! | [`share_seats`](AdmissionGateLayer::share_seats) | two allocations |
//!
//! Memory: seats, places and keys are remembered while they are in use only, so there are never more than seats
//! and places together.
//!
//! Measured in one run of `cargo bench --bench gate_contended` (2 workers, 64 tasks): `enter().await` takes 0.3 to 0.4 of
//! the time of tokio's `Semaphore::acquire().await`, with a class and a key about 4 times of it; `try_enter` takes about
//! as long as `try_acquire`. A request through the layer takes about as many instructions more as one through
//! `LoadShed` and `ConcurrencyLimit` (whose bodies hold nothing), and a frame 14 to 17 more.
//!
//! # What it does not do
//! - It does not find the right limits; measure what the server can do at once, and start with a
//!   [dry run](AdmissionGate::set_dry_run).
//! - It does not see a client that stops reading; a layer outside that does can note it in a
//!   [`ClientStall`](crate::ClientStall), and the listing shows it.
//! - The class and the key come from the head alone. What an MCP request of a revision before 2026-07-28 asks for
//!   stands in its body: it is standard, unless a layer outside has read that, see [`McpClasses`].
//! - A lowered limit ends nobody's work, and a lowered `max_queue` sends nobody away who waits.
//! - A seat whose waiter was called but has not come for it yet counts as taken, and is not in the listing.
//! - One key counts in and waiting together; there is no queue of its own per key.
//! - It needs tokio with its timer enabled, and panics without it when something first waits.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::{get, post}};
//! use tower_lifeline::{AdmissionGate, AdmissionGateLayer, ClassLimits, GateLimits};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Four calls at once, eight waiting for them, nobody longer than five seconds.
//! let limits = GateLimits::builder(4).max_queue(8).queue_timeout(Duration::from_secs(5)).build()?;
//! let mut builder = AdmissionGate::builder(limits).name("mcp");
//! // At most two of the four for the slow tool; lists, pings and health checks need no seat.
//! let slow = builder.class("slow", ClassLimits::inside(2));
//! let classes = builder.mcp().only("/mcp").health("/healthz").tool("research", slow);
//! let gate = builder.build()?;
//!
//! let app: Router = Router::new()
//!     .route("/mcp", post(|| async { "answer" }))
//!     .route("/healthz", get(|| async { "well" }))
//!     .layer(AdmissionGateLayer::new(gate.clone()).classify(classes));
//!
//! # use tower::ServiceExt;
//! # let ask = |path: &str, method: &str| {
//! #     let request = http::Request::builder().method(method).uri(path).body(axum::body::Body::empty());
//! #     let app = app.clone();
//! #     async move { app.oneshot(request.expect("a request")).await.expect("an answer").status().as_u16() }
//! # };
//! let held: Vec<_> = (0..4).map(|_| gate.try_enter()).collect::<Result<_, _>>()?;
//! assert_eq!(gate.figures().in_flight, 4);
//! assert_eq!(ask("/healthz", "GET").await, 200);
//! assert_eq!(ask("/mcp", "POST").await, 504); // after five seconds
//! drop(held);
//! assert_eq!(ask("/mcp", "POST").await, 200);
//!
//! // When the server is to stop: nobody comes in any more, and this ends when the last one is out.
//! gate.close().await;
//! assert_eq!(ask("/mcp", "POST").await, 503);
//! # Ok(()) }
//! ```

mod body;
mod builder;
mod class;
mod drained;
mod enter;
mod figures;
mod front;
mod future;
mod handle;
mod key;
mod layer;
mod learn;
mod limits;
mod mcp;
mod queued;
mod refused;
mod seat;
mod service;
mod slow;

pub use self::body::AdmissionGateBody;
pub use self::builder::AdmissionGateBuilder;
pub use self::class::{Class, ClassLimits, Classify};
pub use self::drained::Drained;
pub use self::enter::Enter;
pub use self::figures::{ClassFigures, GateFigures, SeatInfo};
pub use self::future::AdmissionGateFuture;
pub(crate) use self::future::Calling;
pub use self::handle::AdmissionGate;
pub use self::key::Key;
pub use self::layer::AdmissionGateLayer;
pub use self::limits::{GateLimits, GateLimitsBuilder, RetryAfter};
pub use self::mcp::McpClasses;
pub use self::refused::GateRefused;
pub use self::seat::{Seat, SharedSeat};
pub use self::service::AdmissionGateService;
pub use crate::gate::SeatPhase;
