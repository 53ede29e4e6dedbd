//! What the platforms in front of a server limit, what follows for its settings, and a check of both.
//!
//! # Failure it stops
//! A server that works alone and fails behind its platform: streams that are cut after 55 s of silence, answers that
//! never begin because 30 s to the first byte were over, answers that end after 15 minutes whatever is sent. Each
//! proxy in between has its own numbers, under its own names, and what guides say of them is often wrong.
//!
//! # What it does
//! It holds about thirty [`Platform`]s as data, each with source, date and confidence. From a [`Chain`] of them
//! (`cloudflare,nginx`, outermost first) follow the settings of a server behind it ([`Derived`]), and [`check`] holds
//! settings that somebody chose against it and against one another:
//!
//! ```
//! use std::time::Duration;
//! use tower_lifeline::platform::{Chain, Limit, Setup, Severity, check};
//!
//! let chain: Chain = "cloudflare,heroku".parse()?;
//! let (limit, hop) = chain.tightest(Limit::FirstByte).unwrap();
//! assert_eq!((limit.as_secs(), hop.name()), (30, "heroku"));
//!
//! // What follows for a server behind both.
//! let derived = chain.derived();
//! assert_eq!(derived.heartbeat(), Duration::from_secs(15));
//! assert_eq!(derived.commit_after(), Duration::from_secs(10));
//! assert!(check(&chain, &Setup::derived(&derived)).is_empty());
//!
//! // What somebody set instead.
//! let findings = check(&chain, &Setup::new().heartbeat(Duration::from_secs(60)));
//! assert_eq!((findings[0].code(), findings[0].severity()), ("heartbeat-idle", Severity::Warning));
//! assert!(findings[0].to_string().contains("heroku cuts a response that is silent for 55 s"));
//! # Ok::<(), tower_lifeline::ConfigError>(())
//! ```
//!
//! # What follows from a limit
//! | the chain | heartbeat | commit after | total | keep-alive | drain |
//! |---|---|---|---|---|---|
//! | `direct` | 15 s | 10 s | none | 75 s | none |
//! | `nginx` | 15 s | 10 s | none | 75 s | none |
//! | `heroku` | 15 s | 10 s | none | 75 s | 24 s |
//! | `fly` | 15 s | 10 s | none | 75 s | 4 s |
//! | `cloudflare` | 15 s | 10 s | none | 915 s | none |
//! | `aws-apigw-rest-stream-edge` | 10 s | 10 s | 810 s | 75 s | none |
//! | `railway` | 15 s | 10 s | 810 s | 75 s | none |
//! | `envoy` | 15 s | 7.5 s | 13.5 s | 3615 s | none |
//! | `cloudflare,nginx(read=20s)` | 6.666 s | 10 s | none | 75 s | none |
//!
//! The rules are those of [`Derived`].
//!
//! # Numbers that are wrong elsewhere
//! | it is said | it is |
//! |---|---|
//! | Fly.io cuts after 75 s | nobody documents a default; 60 s is what was documented once and what users report. 75 s is nginx's default for connections of clients |
//! | Cloudflare cuts after 100 s | 120 s by its documentation since 2025, to the first byte and between bytes; plan with 100 s |
//! | Heroku cuts after 55 s | after 30 s without a first byte; 55 s without a byte only from then on |
//! | nginx cuts after 65 s | 60 s (`proxy_read_timeout`); 65 s are `keepalive_timeout` in its sample configuration, and that never cuts a stream |
//!
//! # What refuses and what warns
//! [Contradictions](Severity::Contradiction) between settings that somebody chose refuse a configuration; they are
//! wrong on every platform. What the table says only warns, unless [`Strictness::Strict`] is asked for, because a new
//! table in a new version must not stop a deployment. For the same reason a contradiction with a setting that was
//! derived from the table is no more than a warning.
//!
//! # What it does not do
//! It knows defaults, not what somebody configured: say that with [`Platform::with`], or in text as
//! `nginx(read=300s)`. It does not look at the network. What has a total cap cannot be saved by anything that a server
//! sends; the check says so. Where a number was not verified it says that, too.
//!
//! All rows with their sources, those that are in no code, and how each proxy is configured stand in
//! `docs/platforms.md` of the repository.

mod chain;
mod check;
mod derived;
mod limit;
mod name;
mod row;
mod rows;
mod setup;
#[cfg(test)]
mod tests;

pub use self::chain::Chain;
pub use self::check::{Finding, Remedy, Severity, Strictness, check, verify};
pub use self::derived::Derived;
pub use self::limit::Limit;
#[cfg(feature = "serde")]
pub(crate) use self::limit::{Written, parse_duration};
pub use self::row::{Buffering, Confidence, Platform};
pub use self::setup::Setup;
