//! The parts of events: who, what and how it ended.

use std::fmt;

use crate::error::Bound;

/// By what a client's slowness was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SeenBy {
    /// The body of its answer, which the server does not poll.
    Body,
    /// Its connection, on which the peer acknowledges nothing.
    Connection,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionPhase {
    /// The TLS handshake, or whatever comes before the first byte of HTTP.
    Handshake,
    /// The first bytes, which tell the protocol.
    FirstByte,
    /// A request, on a connection without one.
    Idle,
    /// The rest of a request's head, whose first byte has come.
    RequestHead,
    /// Nothing of its own: requests are in progress, which have limits of theirs, or it was upgraded.
    Busy,
}

/// What of a late answer no client will see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// This status, in whose stead the client has seen 200.
    Status(u16),
    /// So many headers, names counted once.
    Headers(u16),
    /// The error of the service itself, in whose stead the client has got an error event.
    ServiceError,
    /// The rest of a body that broke off; the client has got an error event.
    BodyFailed,
    /// A body that was larger than this many bytes; the client has got an error event.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A body that has no place in an event stream, because it is compressed or no text; the client has got an
    /// error event.
    Format,
}

/// Whose phase ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// That of a request which this server answers.
    Server,
    /// That of a request which goes out.
    Outgoing,
}

/// What came of a phase that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The request was answered with a refusal of this status.
    Refused(u16),
    /// The body was cut: it yields a goodbye, and then an error.
    SaidGoodbye,
    /// The body was cut: it yields an error.
    Cut,
    /// A resumable event stream was ended cleanly between two events; the client comes back.
    EndedResumable,
    /// The error was given to the caller of outgoing work, or to the reader of a request body.
    Failed,
    /// Nothing: the phase only reports.
    WouldHaveCut,
    /// Nothing: the gate is in a dry run.
    WouldHaveRefused,
}

/// How a piece of work under [`Deadline::call`](crate::Deadline::call) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallOutcome {
    /// With a result, whatever that is.
    Completed,
    /// By running out of time.
    Expired(Bound),
    /// By being dropped before either.
    Dropped,
}

/// A header in which a caller says what time it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineHeader {
    /// `grpc-timeout`: digits and a unit.
    GrpcTimeout,
    /// `x-envoy-expected-rq-timeout-ms`: milliseconds.
    EnvoyExpectedTimeout,
}

// === impl ConnectionPhase ===

impl ConnectionPhase {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::FirstByte => "first_byte",
            Self::Idle => "idle",
            Self::RequestHead => "request_head",
            Self::Busy => "busy",
        }
    }
}

// === impl SeenBy ===

impl SeenBy {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Connection => "connection",
        }
    }
}

// === impl Side ===

impl Side {
    /// The name of the side in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Outgoing => "outgoing",
        }
    }
}

// === impl DeadlineHeader ===

impl DeadlineHeader {
    /// The header's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrpcTimeout => "grpc-timeout",
            Self::EnvoyExpectedTimeout => "x-envoy-expected-rq-timeout-ms",
        }
    }
}

// === impl Lost ===

impl Lost {
    /// One word for logs, metrics and the `reason` member of an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status(_) => "late_status",
            Self::Headers(_) => "late_headers",
            Self::ServiceError => "service_error",
            Self::BodyFailed => "body_failed",
            Self::TooLarge { .. } => "too_large",
            Self::Format => "format",
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(
                f,
                "the service answered with status {status} after this stream had begun"
            ),
            Self::Headers(count) => write!(f, "the service set {count} headers after this stream had begun"),
            Self::ServiceError => f.write_str("the service failed after this stream had begun"),
            Self::BodyFailed => f.write_str("the answer broke off after this stream had begun"),
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "the answer has more than the {limit} bytes that fit into one event of this stream"
                )
            }
            Self::Format => f.write_str("the answer is in a format that does not fit into an event stream"),
        }
    }
}
