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
//!
//! The JSON-RPC codes are from the range that MCP 2026-07-28 leaves to implementations (-32000 to -32019).

mod form;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::StatusCode;

use crate::error::{ConfigError, Phase, PhaseExpired};

pub(crate) use self::form::{Caller, json_rpc_error};

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A phase ran out.
    PhaseExpired(PhaseExpired),
}

/// A request that is not served: the reason, and the status of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    status: StatusCode,
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
        }
    }

    const fn json_rpc_code(self) -> i32 {
        match self {
            Self::PhaseExpired(expired) => match expired.phase() {
                Phase::RequestIdle | Phase::RequestRate | Phase::RequestTotal => -32002,
                _ => -32001,
            },
        }
    }

    const fn grpc_status(self) -> u8 {
        match self {
            Self::PhaseExpired(_) => 4,
        }
    }

    pub(crate) fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::PhaseExpired(expired) => Cow::Owned(expired.to_string()),
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
