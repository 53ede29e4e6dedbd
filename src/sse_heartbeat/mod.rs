//! Event streams that are never silent, and slow answers that become event streams in time.
//!
//! # Failure it stops
//! Proxies, load balancers and clients close connections on which nothing moves: after 30 to 120 s of silence in
//! an answer, and often sooner before its first byte. A model that thinks is silent, and so is a tool that
//! works; and a handler that has not answered yet has no stream that anybody could keep alive. Whoever injects
//! bytes into streams without following them corrupts them.
//!
//! # What it does
//! | situation | what goes out |
//! |---|---|
//! | an event stream has nothing to say at its first poll | a beat at once, so that proxies which hold a head back let it go |
//! | it has had nothing to say for `interval` (15 s, less a little jitter) | a beat, where one is legal |
//! | the service has not answered within `commit_after` (10 s), and the request is eligible | the head of an event stream, beats, then the late answer as events |
//! | the call is one of a tool that was chosen, and its client asked for progress | `notifications/progress` in the place of beats, see [`Progress`] |
//! | the server shuts down, and the stream agreed to it | a goodbye between two events, see [below](#goodbye) |
//!
//! All values and their reasons are in [`HeartbeatSettings`]. They come, first match wins, from a
//! [`HeartbeatSettings`] in the request's extensions; from the layer's function of the request
//! ([`SseHeartbeatLayer::per_request`]); from the layer.
//!
//! ## Beats
//! The layer touches nothing but a body of the type `text/event-stream` (whatever its parameters and case) which
//! is not compressed, has no `Content-Length` and does not know its size, in answer to neither HEAD nor CONNECT,
//! with a status that has a body. Such an answer gets `X-Accel-Buffering: no` and
//! `Cache-Control: no-cache, no-transform`, where its handler has set neither.
//!
//! The stream is [followed](crate::sse) as it flows. Between two events a beat is whatever the [`Framing`] says;
//! inside an unfinished event it is a comment line, if the framing is a comment, else nothing. Nothing ever goes
//! out inside a line, between a CR and the LF that may follow, or inside a byte order mark; a mark that follows a
//! beat is taken off, because parsers would only know it as the very first thing. So with comment framings a
//! conforming parser sees the same stream with and without beats, however it is cut. Named events, bytes of your
//! own, progress and goodbyes are outside of this promise: they are there to be seen.
//!
//! ## Early commit
//! Eligible is, by default, a POST that accepts `text/event-stream` and whose body is one JSON-RPC request with an id,
//! other than `initialize` (whose answer carries the session's id in its head). Which it is, a
//! [`RequestBodyLayer`](crate::RequestBodyLayer) **outside of this layer** reads in passing, as the handler reads
//! the body; without one no such request is known. [`EarlyCommit::AnyRequest`], for routes whose clients know
//! what to make of it, needs none. A body that arrives late is waited for, and the moment in which it is known to
//! be a request decides.
//!
//! An answer in time keeps its status, its headers and its length. A late one loses them, for 200 and the head
//! of an event stream have gone out. Each loss is an event ([`Event::CommitLost`](crate::Event::CommitLost)):
//! cookies, `Retry-After`, `WWW-Authenticate` and trailers do not reach the client, and a 503 is none.
//!
//! ### What becomes of a late answer
//! | the service answers | a JSON-RPC request gets | any other request gets |
//! |---|---|---|
//! | an event stream | that stream, but for a byte order mark at its front; if it breaks off, an error | the same; if it breaks off, so does this one |
//! | 2xx, JSON | one message; line ends in it, which JSON has only between tokens, become spaces | the same |
//! | 2xx, other text | an error | one message |
//! | 2xx, nothing | an error | the end |
//! | an error that is a JSON-RPC error with the request's own id | that error, as a message | an event named `error` with that body |
//! | another error, as JSON | an error | an event named `error` with that body |
//! | another error, a redirect | an error | an event named `error` with problem details |
//! | its own `Service::Error`, a body that breaks off | an error | an event named `error` with problem details |
//! | something compressed, not text, or larger than `max_late_body` | an error | an event named `error` with problem details |
//!
//! Where it says *an error*, a message goes out with the request's own id, the code -32603 and a `data.reason`
//! ([`Lost::as_str`](crate::Lost::as_str)); then the stream ends. A late *event stream* that breaks off
//! between two events gets that error too, unless its call has been answered; else it breaks off here as well,
//! and does not look whole.
//!
//! ### Who leaves whom
//! Dropping the committed body drops the service's future or body in that moment, as hyper does with a handler
//! whose client leaves. For MCP 2026-07-28, stateless calls and plain HTTP that is what the protocol wants:
//! a closed stream is a cancelled call. In sessions of MCP 2025-11-25 and older a disconnect is no cancellation, and
//! the work has to go on: it does with servers that run it in a task of its own, as rmcp does (its sessions also
//! answer with the head of a stream at once, so they are hardly ever committed early). A handler that works in
//! its own future stops, with this layer as without.
//!
//! ## Goodbye
//! [`Farewells::say_goodbye`] ends the streams that [agreed](HeartbeatSettingsBuilder::with_goodbye), each at its
//! next boundary between two events:
//!
//! | the stream | says | and ends |
//! |---|---|---|
//! | has sent an `id:`, and is not one of MCP 2026-07-28 or newer | nothing | cleanly: its client comes back and goes on from there |
//! | answers a JSON-RPC request | an error with the request's id and the code -32003 | after 50 ms, in which hyper flushes it, with the error [`SaidGoodbye`] |
//! | has given its final response | nothing | when its producer ends it |
//! | is none of these | a comment | as the second |
//!
//! # Place in the stack
//! Outside of [`PhaseTimeout`](crate::phase_timeout), so that no beat counts as somebody's progress and a producer
//! that hangs is still cut; inside of `SlowClientGuard`, and of the layers that compress. Inside of
//! [`RequestBodyLayer`](crate::RequestBodyLayer), which knows whose request it is.
//!
//! # Cost
//! | what | costs |
//! |---|---|
//! | a request that is not eligible, an answer that is no stream | a reference count; no allocation, look at the clock or timer |
//! | a frame that ends with a blank line | about 30 instructions more than a body that only forwards; none of the above |
//! | another frame | reading it, see [`sse`](crate::sse#bounds) |
//! | a wait of a stream | one look at the clock |
//! | an idle stream | 40 bytes in its body, and a timer of 128 bytes that is made at its first wait |
//! | an eligible request | one block for the service's future and what is known of it (some 200 bytes around the future), and the timer if it waits |
//! | settings for one request alone | one allocation |
//!
//! # What it does not do
//! - It beats when it is polled. hyper polls a body as long as its connection takes what it gives; a client that
//!   does not read stops that, and then nothing is queued for it: when it reads again, what is there goes out first, and
//!   at most one beat that was due. Whether a client *reads* what hyper has buffered, a layer does not see.
//! - It does not reset a client's own timer: comments keep connections alive, and that is all. See
//!   [`Progress`].
//! - It does not help against limits to a whole answer.
//! - Streams whose lines end with bare CRs have no place for beats, see [`sse`](crate::sse).
//! - A stream that sends empty events or comments of its own is not silent.
//! - A late answer that is no event stream is held in memory until it is whole: up to `max_late_body` for each
//!   committed request.
//! - A goodbye waits for the event that is unfinished, for ever if it has to.
//! - It needs tokio with its timer enabled, and panics without it when something first waits.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::post};
//! use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings};
//! use tower_lifeline::{RequestBodyLayer, RequestBodyLimits, SseHeartbeatLayer};
//!
//! # fn main() -> Result<(), tower_lifeline::ConfigError> {
//! let settings = HeartbeatSettings::builder()
//!     .interval(Duration::from_secs(10))
//!     .commit(EarlyCommit::JsonRpcRequests, Duration::from_secs(5))
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/mcp", post(|| async { "an answer, in its own time" }))
//!     .layer(SseHeartbeatLayer::new(settings))
//!     .layer(RequestBodyLayer::new(RequestBodyLimits::new()));
//! # Ok(()) }
//! ```
//!
//! What a client sees of a tool that takes 12 s:
//! ```text
//! HTTP/1.1 200 OK
//! content-type: text/event-stream
//! x-accel-buffering: no
//! cache-control: no-cache, no-transform
//!
//! :
//!
//! :
//!
//! data: {"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"done"}]}}
//! ```

mod beat;
mod body;
mod candidate;
mod exchange;
mod farewells;
mod framing;
mod future;
mod late;
mod layer;
mod parting;
mod plan;
mod position;
mod progress;
mod service;
mod settings;
mod silence;

pub use self::body::SseHeartbeatBody;
pub use self::farewells::{Farewells, SaidGoodbye};
pub use self::framing::Framing;
pub use self::future::SseHeartbeatFuture;
pub use self::layer::SseHeartbeatLayer;
pub use self::progress::Progress;
pub use self::service::SseHeartbeat;
pub use self::settings::{EarlyCommit, HeartbeatPolicy, HeartbeatSettings, HeartbeatSettingsBuilder};
