//! Slow uploads, and whose call a body holds.
//!
//! # The failure it stops
//! A client opens a request, promises a thousand bytes, sends ten and falls silent. The handler waits in
//! `body.collect()`, holding its place in the queue, its buffers and its connection, for as long as the client
//! likes. A limit on the whole request stops that, and with it every handler that works for long after it has
//! read its input; a limit on each read ([`tower_http::timeout::RequestBodyTimeoutLayer`][peer]) lets one byte a
//! minute pass, and blames the client for a handler that comes back late.
//!
//! And when such a request must be refused, or its answer cut, a JSON-RPC client understands that only with its
//! own id, which is in the body, and the body is the handler's.
//!
//! [peer]: https://docs.rs/tower-http/latest/tower_http/timeout/struct.RequestBodyTimeoutLayer.html
//!
//! # What it does
//! The handler gets a [`RequestBody`] in place of the body. It passes every frame on untouched, trailers included,
//! with the length and the end that the inner body states, and
//!
//! - **clocks the client**, by [`RequestBodyLimits`]: the silence (`idle`), all the waiting (`total`) and the rate
//!   (`min_rate`). Each clock runs only while the handler waits, from a poll that found nothing to the next frame.
//!   What is here already beats a limit that has just run out. When one runs out the connection's body is let
//!   go, and the handler reads one [`PhaseExpired`](crate::PhaseExpired) and then the end.
//! - **looks on** where a `POST` carries `application/json` without a `Content-Encoding`: a
//!   [`Scanner`](crate::rpc::Scanner) sees the bytes as the handler reads them, and what it found is in the
//!   [`CallSlot`](crate::rpc::CallSlot) in the request's extensions once the body has ended. Nothing is buffered
//!   and nothing is refused: a body that is no call leaves the slot empty. If there is a slot already, that one is
//!   filled.
//!
//! What comes of a body that was cut *before the response head*:
//!
//! | the handler gives | the client gets | [`Outcome`](crate::Outcome) |
//! |---|---|---|
//! | 400 to 599, or a gRPC error without a body | 408 (or [`with_status`](RequestBodyLayer::with_status)) in [its form](crate::refusal), in place of the whole answer; on HTTP/1 with `Connection: close` | `Refused` |
//! | the same, under [`keep_handlers_answer`](RequestBodyLayer::keep_handlers_answer) | the handler's answer | `Failed` |
//! | any other response: it could do without the rest | the handler's answer | `Failed` |
//! | an `Err` of the service | that error: it is the service's to explain, and whoever turns errors into responses further out finds the `PhaseExpired` among its sources, if the service kept it | `Failed` |
//! | nothing, for it is dropped | | `Failed` |
//!
//! A body that is cut after the head (a handler that answers while it reads) is the handler's alone: `Failed`.
//! Each cut is one event, reported when it is known what came of it; a limit that only reports says
//! `WouldHaveCut`, once per silence (`idle`) or once per body (`total`, `min_rate`).
//!
//! # Place in the stack
//! Outside of every layer that refuses, cuts or beats, so that they find the slot when they look for whose
//! request it is. Inside of the guard of slow *readers*, which looks at responses alone.
//!
//! # Cost
//! | request | allocations | bytes | time |
//! |---|---|---|---|
//! | without a body | 0 | | 33 ns |
//! | with a body that is ready | 1 (0 with `keep_handlers_answer`) | 64 | 105 ns |
//! | a JSON-RPC call of 72 bytes | 8 | 676 | 620 ns, half of it the scan |
//! | a body that is waited for | and 2 for the first wait, with one timer for all clocks | | two looks at the time per wait |
//!
//! A frame that is ready costs neither a look at the time nor a timer. The request's body grows by 48 bytes.
//! (2-vCPU VM, rustc 1.95, against the same handler without the layer; the minimum of 40 rounds.)
//!
//! # What it does not do
//! - It only acts while the handler reads. A body that nobody reads is not timed; what is still to come of it is
//!   the server's to drop.
//! - It cannot tell *why* nothing came: a client behind a full pipe and one that plays dead look alike.
//! - A reader that polls, turns to something else without waiting and comes back is seen only if it comes back a
//!   second or more after a clock would have run out; nothing of that wait is charged then. If it comes back sooner,
//!   the whole of it counts for `total` and `min_rate`, though never for `idle` once a byte is there.
//! - Streaming uploads that may be silent for long (gRPC streams, WebSockets over extended CONNECT are not bodies and
//!   not concerned) need limits of their own: put [`RequestBodyLimits`] into the request's extensions further out.
//! - It limits no sizes. That is `tower_http::limit`, or axum's `DefaultBodyLimit`.
//!
//! # Example
//! ```
//! use axum::{Extension, Router, routing::post};
//! use std::time::Duration;
//! use tower_lifeline::request_body::{RequestBodyLayer, RequestBodyLimits};
//! use tower_lifeline::rpc::CallSlot;
//!
//! // There is a slot where the body may be a call at all: a POST of uncompressed JSON.
//! async fn call(slot: Option<Extension<CallSlot>>, body: String) -> String {
//!     let tool = slot.as_ref().and_then(|slot| slot.call()?.tool());
//!     format!("{} bytes for {}", body.len(), tool.unwrap_or("nobody"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limits = RequestBodyLimits::builder()
//!     .idle(Duration::from_secs(10))
//!     .total(Duration::from_secs(60))
//!     .min_rate(500, Duration::from_secs(5))
//!     .build()?;
//! let app: Router = Router::new().route("/mcp", post(call)).layer(RequestBodyLayer::new(limits));
//! # use tower::ServiceExt;
//! # let request = http::Request::post("/mcp").header("content-type", "application/json");
//! # let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#;
//! # let response = app.oneshot(request.body(axum::body::Body::from(body))?).await?;
//! # let body = axum::body::to_bytes(response.into_body(), 99).await?;
//! # assert_eq!(body, "73 bytes for search");
//! # Ok(())
//! # }
//! ```

mod body;
mod clock;
mod fate;
mod future;
mod layer;
mod limits;
mod scan;
mod service;

#[cfg(test)]
mod tests;

pub use self::body::RequestBody;
pub use self::future::RequestBodyFuture;
pub use self::layer::RequestBodyLayer;
pub use self::limits::{RequestBodyLimits, RequestBodyLimitsBuilder};
pub use self::service::RequestBodyService;
