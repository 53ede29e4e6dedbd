//! The phases around [reqwest]'s client. A public dependency: a new major version of reqwest is one
//! of this crate.
//!
//! # Failure it stops
//! reqwest's `timeout` covers the whole body, so one that lets a long stream live lets a dead call hang for as
//! long. Its `read_timeout` takes the comments of a hung event stream for life. Neither knows of the deadline
//! of the request that the call is made for, and both fail with an error that does not tell which it was.
//!
//! # What it does
//! [`PhasedClient`] is a client of reqwest's with every phase limited, for those who build their requests with
//! [`RequestBuilder`](::reqwest::RequestBuilder) and want a [`Response`](::reqwest::Response) back:
//!
//! | reqwest's | here |
//! |---|---|
//! | `ClientBuilder::connect_timeout` | `connect`, by [`ConnectTimeoutLayer`](super::ConnectTimeoutLayer) as the outermost `connector_layer` |
//! | `ClientBuilder::timeout` | `total` |
//! | `ClientBuilder::read_timeout` | `head` until the response is there, then `read` |
//! | `RequestBuilder::timeout` | a deadline of that request, so it can only shorten `total` |
//! | `Client::execute`, `RequestBuilder::send` | [`PhasedClient::execute`], [`PhasedClient::send`] |
//!
//! The three timeouts of the builder that it is given are switched off. `text`, `json`, `bytes`, `chunk`,
//! `bytes_stream` and whatever else reads the response fail with reqwest's own error, `is_timeout` of which is
//! true and in which [`PhaseExpired::find`](crate::PhaseExpired::find) finds the phase.
//!
//! [`ReqwestService`] is a client of reqwest's as a `Service<http::Request<reqwest::Body>>`, for
//! [`OutgoingTimeoutLayer`](super::OutgoingTimeoutLayer), [`DeadlineHeaderLayer`](super::DeadlineHeaderLayer)
//! and any other layer to wrap. There the request's extensions carry
//! [`OutgoingLimits`](super::OutgoingLimits) and [`Deadline`](crate::Deadline); a [`reqwest::Request`]
//! has no extensions for us to read, so [`PhasedClient`] takes them with
//! [`with_limits`](PhasedClient::with_limits) and [`with_deadline`](PhasedClient::with_deadline).
//!
//! # Cost
//! Besides [that of the layers](super): one box for the response body, in addition to reqwest's own, and the
//! two timers that stand for "no timeout" in reqwest, the second of which reqwest resets per frame.
//!
//! # What it does not do
//! - A timeout that reqwest itself has set, on the client in a [`ReqwestService`] or by
//!   `http::Request`s that were made out of reqwest's with a timeout of their own, stays in force there.
//! - HTTP/3 has a connector of its own, which no layer reaches: there `head` alone limits the wait for a
//!   connection.
//! - `Response::upgrade` still works; what happens on the upgraded connection has no clock.
//! - The feature enables reqwest without TLS: enable that of your choice on your own dependency on reqwest.
//!
//! # Example
//! ```
//! use std::time::Duration;
//!
//! use tower_lifeline::outgoing::{OutgoingError, reqwest::PhasedClient};
//! use tower_lifeline::{Deadline, Phase, PhaseExpired, PhaseLimits};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # let hangs = || async { axum::body::Body::from_stream(futures::stream::pending::<Result<String, std::io::Error>>()) };
//! # let server = axum::Router::new()
//! #     .route("/silent", axum::routing::get(std::future::pending::<String>))
//! #     .route("/hangs", axum::routing::get(hangs));
//! # tokio::spawn(async { axum::serve(listener, server).await });
//! // In earnest: connect 10 s, read 90 s, total 120 s, which are the defaults.
//! let limits = PhaseLimits::builder()
//!     .connect(Duration::from_millis(100))
//!     .read(Duration::from_millis(100))
//!     .total(Duration::from_secs(1))
//!     .build()?;
//! let client = PhasedClient::new(reqwest::Client::builder(), limits)?;
//!
//! // No answer at all: the error comes out of `send`.
//! let request = client.client().get(format!("{url}/silent"));
//! match client.send(request).await {
//!     Err(OutgoingError::Expired(expired)) => assert_eq!(expired.phase(), Phase::Head),
//!     other => panic!("{other:?}"),
//! }
//!
//! // An answer that stops: the error comes out of the response. In a handler the deadline is the one in
//! // the extensions of the request that is being served.
//! let client = client.with_deadline(Deadline::after(Duration::from_secs(30)));
//! let request = client.client().get(format!("{url}/hangs"));
//! let error = client.send(request).await?.text().await.unwrap_err();
//! assert!(error.is_timeout());
//! assert_eq!(PhaseExpired::find(&error).unwrap().phase(), Phase::Read);
//! # Ok(())
//! # }
//! ```

mod body;
mod client;
mod service;

pub use self::client::PhasedClient;
pub use self::service::{ReqwestFuture, ReqwestService};
