//! The same phases for work that goes out: to a model, a database, another service.
//!
//! # Failure it stops
//! One timeout for a whole outgoing call kills a slow but healthy answer, or lets a dead one hold the request
//! that waits for it. A model may be silent for a minute before its first token and then stream for another;
//! one that hangs behind its own keep-alive comments looks just as alive.
//!
//! # What it does
//! | layer | around | what it adds |
//! |---|---|---|
//! | [`ConnectTimeoutLayer`] | a connector: hyper-util's, tonic's, reqwest's | the `connect` phase |
//! | [`OutgoingTimeoutLayer`] | a client: `Service<http::Request<B>, Response = http::Response<_>>` | the `head`, `read` and `total` phases |
//! | [`DeadlineHeaderLayer`] | a client | tells the callee how much time is left |
//! | `reqwest::PhasedClient` (feature `reqwest`) | reqwest's client | all of these |
//!
//! What each clock measures, from which event to which:
//!
//! | phase | from | to | does not count |
//! |---|---|---|---|
//! | `connect` | the first poll of the connector's future | its connection: name lookup, TCP and, where the connector does it, TLS | a connection that the pool has ready |
//! | `head` | the first poll of the response future that has to wait | the response head; so it includes `connect`, sending the request body, and redirects that the client follows | |
//! | `read` | a poll of the body that found nothing | the next byte; on event streams the next byte *of an event* | the time in which nobody polls the body; comments and empty frames, which neither stop nor restart it |
//! | `total` | the first poll of the response future that has to wait, or the response head where that was there at once | the end of the body, whatever flows | |
//!
//! `total` ends early where the [`Deadline`](crate::Deadline) of the request does, and the error says so
//! ([`Bound::Deadline`](crate::Bound::Deadline)). The deadline is the one in the extensions of the *outgoing*
//! request, else that of the task that sends it ([`Deadline::current`](crate::Deadline::current)). Where it
//! has passed already, nothing is sent. [`OutgoingLimits`] in the extensions of a request replace
//! those of the layer for that request, but for `connect`: a connection outlives the request that
//! asked for it, which is also why no deadline bounds it.
//!
//! What is here beats a clock that has just run out: a head or a frame is never thrown away. When a phase runs
//! out, the client's future or body is dropped in that moment, and its connection or stream with it; then
//! comes one [`OutgoingError::Expired`], from the response future or from the body, which ends there.
//!
//! An event stream is an answer with `Content-Type: text/event-stream` and no content encoding: what was
//! compressed and not unpacked by the client is measured as any other body.
//!
//! [`DeadlineHeaderLayer`] writes what is left of the deadline as `grpc-timeout` or
//! `x-envoy-expected-rq-timeout-ms`. A smaller value of the caller's own stays; without a deadline nothing is
//! written; after the deadline nothing is sent.
//!
//! Limits that [only report](crate::PhaseLimitsBuilder::report_only) tell the
//! [`Observer`](crate::Observer) and let the exchange go on.
//!
//! # Place in the stack
//! [`OutgoingTimeoutLayer`] goes outermost, around retries and whatever else belongs to one call, so that
//! `total` is the whole of it; or inside a retry layer, where each attempt should have limits of its own.
//! [`DeadlineHeaderLayer`] goes anywhere inside or outside of it, but inside of retries, whose later attempts
//! have less time. [`ConnectTimeoutLayer`] goes around the connector, TLS included.
//!
//! # Cost
//! One allocation per request that has to wait: the timer, which moves from head to body and is never reset
//! per frame. One look at the clock per wait; without waiting, one per 32 frames or 64 KiB, and one where a
//! body of unknown or large size begins. One look before sending, where there is a deadline. One timer for each
//! new connection. Event streams are also looked through, byte by byte at most.
//!
//! # What it does not do
//! - It is not polled by itself: a body that nobody reads is not cut, and holds its connection.
//! - Waiting in `poll_ready`, such as for a concurrency limit, is not counted. Put such layers inside a
//!   [`Deadline::call`](crate::Deadline::call) or under `tower::util::Oneshot`, if their wait should be.
//! - The request body has no clock of its own; a long upload is part of `head`.
//! - Dropping an HTTP/1 exchange closes its connection: HTTP/1 has no other way to cancel.
//! - Once an upgrade (101, or a successful CONNECT) has happened, the connection is nobody's business here.
//! - Where a [`Buf`](bytes::Buf) does not show all of its bytes without being consumed, an event stream is
//!   measured as any other body from there on. `Bytes` always shows them.
//!
//! # Example
//! hyper-util's client; for reqwest see `outgoing::reqwest`.
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Empty};
//! use hyper_util::client::legacy::{Client, connect::HttpConnector};
//! use hyper_util::rt::TokioExecutor;
//! use tower::{Layer, Service, ServiceBuilder};
//! use tower_lifeline::outgoing::{ConnectTimeoutLayer, DeadlineHeaderLayer, OutgoingError, OutgoingTimeoutLayer};
//! use tower_lifeline::{Deadline, DeadlineHeader, Phase, PhaseLimits};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let model = format!("http://{}/hangs", listener.local_addr()?);
//! # let hangs = || async {
//! #     let beats = futures::stream::unfold((), |()| async {
//! #         tokio::time::sleep(Duration::from_millis(30)).await;
//! #         Some((Ok::<_, std::convert::Infallible>(": still here\n\n"), ()))
//! #     });
//! #     ([("content-type", "text/event-stream")], axum::body::Body::from_stream(beats))
//! # };
//! # let server = axum::Router::new().route("/hangs", axum::routing::get(hangs));
//! # tokio::spawn(async { axum::serve(listener, server).await });
//! // In earnest: connect 10 s, read 90 s, total 120 s, which are the defaults.
//! let limits = PhaseLimits::builder()
//!     .connect(Duration::from_millis(100))
//!     .read(Duration::from_millis(200))
//!     .total(Duration::from_secs(1))
//!     .build()?;
//!
//! let connector = ConnectTimeoutLayer::new(limits).layer(HttpConnector::new());
//! let mut client = ServiceBuilder::new()
//!     .layer(OutgoingTimeoutLayer::new(limits))
//!     .layer(DeadlineHeaderLayer::new(DeadlineHeader::EnvoyExpectedTimeout))
//!     .service(Client::builder(TokioExecutor::new()).build(connector));
//!
//! let mut request = Request::get(model).body(Empty::<Bytes>::new())?;
//! // In a handler: the deadline out of the extensions of the request that is being served.
//! request.extensions_mut().insert(Deadline::after(Duration::from_secs(30)));
//!
//! // The head comes at once, and comments keep coming; but no event ever does.
//! let response = client.call(request).await?;
//! match response.into_body().collect().await {
//!     Err(OutgoingError::Expired(expired)) => {
//!         assert_eq!(expired.phase(), Phase::Read);
//!         assert_eq!(expired.limit(), Duration::from_millis(200));
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```

mod body;
mod connect;
mod due;
mod error;
mod future;
mod header;
mod layer;
mod progress;
mod service;

#[cfg(feature = "reqwest")]
pub mod reqwest;

pub use self::body::OutgoingBody;
pub use self::connect::{ConnectTimeout, ConnectTimeoutFuture, ConnectTimeoutLayer};
pub use self::error::OutgoingError;
pub use self::future::OutgoingTimeoutFuture;
pub use self::header::{DeadlineHeaderFuture, DeadlineHeaderLayer, WithDeadlineHeader};
pub use self::layer::OutgoingTimeoutLayer;
pub use self::service::{OutgoingLimits, OutgoingTimeout};
