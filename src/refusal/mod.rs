//! Answers to requests that will not be served, in the form that the caller understands.
//!
//! | caller | how it is known | form |
//! |---|---|---|
//! | gRPC | `Content-Type: application/grpc…` | status 200, trailers-only: `grpc-status` and `grpc-message` in the head |
//! | JSON-RPC (MCP) | the [scanner](crate::rpc) read the id of one whole request | the HTTP status, and an error object with that id |
//! | HTTP API | `Accept` names `application/problem+json` or `application/json` | the HTTP status, and RFC 9457 problem details |
//! | others | | the HTTP status, and one line of text |
//!
//! A JSON-RPC error is never written with `id: null`: there are clients that wait for ever then. Where the id
//! is not known the answer is plain.
//!
//! # Codes
//! | reason | status (default) | JSON-RPC code | gRPC status |
//! |---|---|---|---|
//! | a phase of the response ran out | 504 | -32001 | 4 `DEADLINE_EXCEEDED` |
//! | the request body came too slowly | 408 | -32002 | 4 `DEADLINE_EXCEEDED` |
//! | the gate and its queue are full | 503 | -32010 | 14 `UNAVAILABLE` |
//! | the wait for a seat took too long | 504 | -32011 | 4 `DEADLINE_EXCEEDED` |
//! | one key has its share of the seats | 429 | -32012 | 8 `RESOURCE_EXHAUSTED` |
//! | the server drains | 503 | -32013 | 14 `UNAVAILABLE` |
//!
//! The JSON-RPC codes are from the range that MCP 2026-07-28 leaves to implementations (-32000 to -32019).
//!
//! # Telling them from a handler's
//! Every such response has a [`MadeByLifeline`] in its extensions, for access logs and metrics of your own.

mod form;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;

use crate::error::{Bound, ConfigError, Phase, PhaseExpired};

pub(crate) use self::form::{Caller, json_rpc_error};

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A phase ran out.
    PhaseExpired(PhaseExpired),
    /// Every seat is taken and every place in the queue as well.
    QueueFull,
    /// A place in the queue did not become a seat in time.
    QueueTimeout {
        /// Whether the queue's own limit ran out, or the request's deadline, which came first.
        bound: Bound,
        /// How long the wait was allowed to take.
        limit: Duration,
        /// How long it had taken when that was noticed.
        waited: Duration,
    },
    /// The caller has its share of the seats already; others may find one.
    KeyShare,
    /// The gate was closed: the server lets nobody in before it stops.
    Draining,
}

/// A request that is not served: the reason, and the status of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    status: StatusCode,
}

/// In the extensions of a response whose head a layer of this crate made, and not the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MadeByLifeline {
    /// It is a refusal.
    Refused(Refusal),
    /// It is an event stream that was [committed](crate::sse_heartbeat) before the service had answered.
    CommittedEarly,
}

/// The status of a refusal, known to be one of a failure (400 to 599).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefusalStatus(StatusCode);

// === impl Reason ===

impl Reason {
    /// One word for logs, metrics and the `reason` member of an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhaseExpired(expired) => match expired.phase() {
                Phase::RequestIdle | Phase::RequestRate | Phase::RequestTotal => "request_timeout",
                _ => "timeout",
            },
            Self::QueueFull => "queue_full",
            Self::QueueTimeout { .. } => "queue_timeout",
            Self::KeyShare => "key_share",
            Self::Draining => "draining",
        }
    }

    const fn json_rpc_code(self) -> i32 {
        match self {
            Self::PhaseExpired(expired) => match expired.phase() {
                Phase::RequestIdle | Phase::RequestRate | Phase::RequestTotal => -32002,
                _ => -32001,
            },
            Self::QueueFull => -32010,
            Self::QueueTimeout { .. } => -32011,
            Self::KeyShare => -32012,
            Self::Draining => -32013,
        }
    }

    const fn grpc_status(self) -> u8 {
        match self {
            Self::PhaseExpired(_) | Self::QueueTimeout { .. } => 4,
            Self::KeyShare => 8,
            Self::QueueFull | Self::Draining => 14,
        }
    }

    pub(crate) fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::PhaseExpired(expired) => Cow::Owned(expired.to_string()),
            Self::QueueFull => Cow::Borrowed("the server is at capacity and its queue is full"),
            Self::QueueTimeout {
                bound: Bound::Limit,
                limit,
                ..
            } => Cow::Owned(format!(
                "the server is at capacity; no seat came free within {limit:?}"
            )),
            Self::QueueTimeout {
                bound: Bound::Deadline,
                limit,
                ..
            } => Cow::Owned(format!(
                "the server is at capacity; no seat came free within the {limit:?} that the request's deadline left"
            )),
            Self::KeyShare => {
                Cow::Borrowed("this caller has its share of the server's capacity in use already")
            }
            Self::Draining => Cow::Borrowed("the server is going down and takes no new work"),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    pub(crate) const fn new(reason: Reason, status: RefusalStatus) -> Self {
        Self {
            reason,
            status: status.0,
        }
    }

    /// Why the request is not served.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The status of the answer. gRPC carries it in a header of its own kind instead.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

// === impl RefusalStatus ===

impl RefusalStatus {
    pub(crate) const GATEWAY_TIMEOUT: Self = Self(StatusCode::GATEWAY_TIMEOUT);
    pub(crate) const REQUEST_TIMEOUT: Self = Self(StatusCode::REQUEST_TIMEOUT);
    pub(crate) const SERVICE_UNAVAILABLE: Self = Self(StatusCode::SERVICE_UNAVAILABLE);
    pub(crate) const TOO_MANY_REQUESTS: Self = Self(StatusCode::TOO_MANY_REQUESTS);

    pub(crate) fn new(status: StatusCode) -> Result<Self, ConfigError> {
        if status.is_client_error() || status.is_server_error() {
            return Ok(Self(status));
        }
        Err(ConfigError::new(format!(
            "a refusal with status {status} would look like an answer: choose one from 400 to 599"
        )))
    }

    pub(crate) const fn get(self) -> StatusCode {
        self.0
    }
}
