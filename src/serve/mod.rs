//! A server loop that closes what layers cannot.
//!
//! # Failure it stops
//! A layer sees requests. It does not see a connection that never sends one, a head that drips, a client that keeps
//! its connection and its stream after the answer was taken away from it, or the connections that are left when a
//! server ends. `axum::serve` has no limits for any of them, fixes hyper's executor and buffers, and waits in its
//! shutdown for as long as the last stream likes.
//!
//! # What it does
//! It accepts connections of any [`Listener`], tells HTTP/1.1 and HTTP/2 by their first bytes, and serves one
//! service to all of them, upgrades and extended CONNECT included. TLS goes [in between](Serve::with_handshake).
//!
//! | what happens | limit ([`ServeSettings`]) | what the peer sees | who else notices |
//! |---|---|---|---|
//! | the TLS handshake does not end | `handshake`, 10 s | the end of the connection | nobody |
//! | it fails | | what the handshake says of it | nobody |
//! | nothing comes | `first_byte`, 30 s | the end of the connection | nobody |
//! | a head drips | `request_head`, 15 s from its first byte | the end of the connection | over HTTP/2 all its requests |
//! | no request is in progress, nor was one begun | `keep_alive_idle`, 120 s | the end of the connection, over HTTP/2 after GOAWAY | nobody |
//! | the peer acknowledges nothing | `slow_clients`, as [`connection`](crate::connection) | a reset | all requests of the connection |
//! | an answer is not read, HTTP/1.1 | the [guard](crate::slow_client_guard)'s stall | a reset, so that no answer looks complete | nobody |
//! | an answer is not read, HTTP/2 | the same | `RST_STREAM(CANCEL)` | nobody: the other streams go on |
//! | it has used up the window of its whole connection | the same | the same, for the stream that has taken most | the others wait for as long as the stall, and then go on |
//! | that was no help within another stall | | a reset of the connection | all its requests |
//! | an answer breaks off, HTTP/1.0 | | a reset, so that it does not look complete | nobody |
//! | streams are opened and reset in a flood | `h2_max_resets`, 20 not yet looked at | GOAWAY(ENHANCE_YOUR_CALM) | nobody |
//! | there are too many connections | `max_connections`, 10 000 | it waits in the system's backlog | |
//! | there are no more files | | it waits in the system's backlog, and the server tries again each half second | |
//!
//! A limit that cuts is said as [`Event::ConnectionTimedOut`](crate::Event::ConnectionTimedOut) or
//! [`Event::ClientTooSlow`](crate::Event::ClientTooSlow), a handshake that fails as
//! [`Event::HandshakeFailed`](crate::Event::HandshakeFailed). When it begins, the server writes to its log which
//! protection is at work and which is not, as it found by trying: see [`Serve::report`].
//!
//! An HTTP/1.1 answer is judged by what the peer has acknowledged, where that can be seen: the guard's stall does not
//! cut a client that empties the buffers between it and the body. Over HTTP/2 a reader is known by its windows, which
//! it gives back in halves: a stall has to be longer than `window / 2 / rate`, which is 6.5 s for 64 KiB and 5 KB/s,
//! and eleven minutes for 6 MiB.
//!
//! The streams of one connection that stall are told apart like this. While others of it get on, a stalled stream is
//! stalled by itself, and goes at once. When none gets on, the first to stall goes, and of several that stalled
//! together the one that has taken most: that is a guess, for hyper does not say whose bytes fill a window, and it is
//! wrong where a neighbour that reads has taken more than the hog.
//!
//! # Memory
//! A client that reads nothing holds at most, beside what its handler has and one frame of its answer's body for each
//! request: `h1_write_buffer` or, for each stream, `h2_write_buffer` and 16 KiB; what the system queues, which with the
//! default [`SocketSettings`](crate::connection::SocketSettings) is about 90 KiB more than its window; and some 10 to
//! 20 KiB for tasks and for hyper's own buffers. `examples/stalled_clients.rs` measures it.
//!
//! Over HTTP/2 a frame of a body is handed out in pieces of 16 KiB, and its request is in progress until the last
//! piece has been. An answer that is one large frame is not over when it is made, and it is taken away whole from
//! whoever does not read it. Its last piece, and an answer that is no larger, belong to the connection, where
//! `keep_alive_idle` is all that bounds them.
//!
//! # Drain
//! From [`ServeHandle::drain`] or [`Serve::with_shutdown`] on: [`is_ready`](ServeHandle::is_ready) is false; after
//! `drain_delay` no more connections are accepted; each connection is told within `drain_spread` to take no new requests
//! (`Connection: close`, GOAWAY), and idle ones end; when all of them have been told, [`at_drain`](Serve::at_drain) is
//! called; whoever is left after `drain` is reset. [`Drained`] says how many. A server that is dropped instead of drained stops to
//! accept, and its connections go on by themselves.
//!
//! # Cost
//! For each connection one task, one entry in a map and one place on a watchdog's list beside those of
//! [`connection`](crate::connection); for each request one allocation (two over HTTP/2), an entry in its extensions
//! and some uncontended atomics; for each frame of a request over HTTP/2 an uncontended lock. No timer for any of
//! these limits: they are looked at, at an eighth of the shortest and each quarter of a second at least, so that each
//! may come that much late. `tests/throughput` compares it with `axum::serve`.
//!
//! # What it does not do
//! It has no limit for a request's body, an answer or a handler: those are the business of
//! [`request_body`](crate::request_body), [`phase_timeout`](crate::phase_timeout) and
//! [`slow_client_guard`](crate::slow_client_guard), without which no stream is found to stall. The beginning of a
//! pipelined head that came with the request before it falls under `keep_alive_idle`, until its next byte. An upgraded
//! connection has no limit but those of `slow_clients`. A handler that answers before it has read a request's body, and then keeps the
//! body without reading it, keeps its connection in use. Whoever closes what it sends (half-close) while its request is
//! in progress has gone, as to hyper and axum.
//!
//! # Example
//! In place of `axum::serve`:
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::routing::get;
//! use tower_lifeline::SlowClientGuardLayer;
//! use tower_lifeline::serve::ServeSettings;
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = Router::new()
//!     .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
//!     .layer(SlowClientGuardLayer::default());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let drained = tower_lifeline::serve(listener, app)
//!     .with_extension(|peer: &SocketAddr| ConnectInfo(*peer))
//!     .with_settings(ServeSettings::builder().max_connections(5000).build()?)
//!     .with_shutdown(async { drop(tokio::signal::ctrl_c().await) })
//!     .await;
//! println!("{} connections were cut", drained.cut);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/tls.rs` does it within TLS.

mod chosen;
mod connection;
mod drain;
mod exchange;
mod front;
mod heads;
mod io;
mod listener;
mod phase;
mod piece;
mod registry;
mod report;
mod request_body;
mod server;
mod settings;
mod stream;
mod talk;
mod turns;

pub use self::drain::{Drained, ServeHandle};
pub use self::listener::{Handshake, Listener, Plain, SocketKind};
pub use self::request_body::RequestBody;
pub use self::server::{Serve, serve};
pub use self::settings::{ServeSettings, ServeSettingsBuilder};
pub use crate::report::{Protection, ProtectionState, Report};
