//! What the layers tell whoever watches: copied values without strings, built only where something happens.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Bound, PhaseExpired};
use crate::refusal::Reason;
use crate::slow_client::SlowClient;

/// Something that a layer did or refused to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A phase ran out.
    #[non_exhaustive]
    PhaseExpired {
        /// Whose phase it was.
        side: Side,
        /// Which one, and how.
        expired: PhaseExpired,
        /// What came of it.
        outcome: Outcome,
    },
    /// A piece of work under [`Deadline::call`](crate::Deadline::call) is over.
    #[non_exhaustive]
    CallEnded {
        /// The name that it was given.
        name: &'static str,
        /// How it ended.
        outcome: CallOutcome,
        /// How long it took.
        elapsed: Duration,
    },
    /// A caller's deadline header was not understood, and was ignored.
    #[non_exhaustive]
    DeadlineHeaderIgnored {
        /// Which header.
        header: DeadlineHeader,
    },
    /// Somebody was refused at a gate, or would have been.
    #[non_exhaustive]
    GateRefused {
        /// The name of the gate.
        gate: &'static str,
        /// The class that was asked for.
        class: &'static str,
        /// Why.
        reason: Reason,
        /// What came of it: [`Outcome::Refused`] (a response), [`Outcome::Failed`] (an error, without HTTP) or
        /// [`Outcome::WouldHaveRefused`].
        outcome: Outcome,
    },
    /// Somebody has a seat after a wait. Without a wait there is no event, only a figure.
    #[non_exhaustive]
    GateWaited {
        /// The name of the gate.
        gate: &'static str,
        /// The class of the seat.
        class: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Somebody who waited for a seat went away.
    #[non_exhaustive]
    GateAbandoned {
        /// The name of the gate.
        gate: &'static str,
        /// The class that was asked for.
        class: &'static str,
        /// After how long.
        waited: Duration,
    },
    /// A gate was closed for a drain.
    #[non_exhaustive]
    GateClosed {
        /// The name of the gate.
        gate: &'static str,
    },
    /// An event stream was silent, and got its first heartbeat for that.
    #[non_exhaustive]
    FirstHeartbeat {
        /// How long it had been silent.
        silence: Duration,
    },
    /// A request was answered with an event stream before its service had answered.
    #[non_exhaustive]
    CommittedEarly {
        /// How long the service had been waited for.
        waited: Duration,
    },
    /// Something of an answer was lost, because it came after its stream had begun.
    #[non_exhaustive]
    CommitLost {
        /// What it was.
        lost: Lost,
    },
    /// A stream ended because the server shuts down.
    #[non_exhaustive]
    Farewell {
        /// How it ended.
        outcome: Outcome,
    },
    /// A client has taken nothing of what waits for it for half of the time that it may.
    #[non_exhaustive]
    ClientStalled {
        /// Who saw it.
        seen: SeenBy,
        /// For how long.
        idle: Duration,
        /// The bytes that it had taken before.
        taken: u64,
    },
    /// A client that was stalled takes something again.
    #[non_exhaustive]
    ClientRecovered {
        /// Who saw it.
        seen: SeenBy,
        /// How long it had taken nothing.
        after: Duration,
        /// The bytes that it has taken.
        taken: u64,
    },
    /// A client was too slow, and what waited for it was taken away, or would have been.
    #[non_exhaustive]
    ClientTooSlow {
        /// Who saw it.
        seen: SeenBy,
        /// What it did.
        slow: SlowClient,
        /// What came of it: [`Outcome::Cut`] or [`Outcome::WouldHaveCut`].
        outcome: Outcome,
    },
    /// The system refused a setting of a socket, and the connection goes on without it. Said once for each
    /// setting.
    #[non_exhaustive]
    SocketSettingRefused {
        /// The name of the socket option.
        setting: &'static str,
        /// What the system said.
        error: io::ErrorKind,
    },
}

/// By what a client's slowness was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SeenBy {
    /// The body of its answer, which the server does not poll.
    Body,
    /// Its connection, on which the peer acknowledges nothing.
    Connection,
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

/// Somebody to whom every layer reports.
///
/// It is called where the event happens, on the request's own task: it must not block.
pub trait Observer: Send + Sync + 'static {
    /// Takes notice of one event.
    fn on_event(&self, event: &Event);
}

/// A layer's way to its [`Observer`], if it has one.
#[derive(Clone, Default)]
pub struct Reporter(To);

#[derive(Clone, Default)]
enum To {
    #[default]
    Nobody,
    Static(&'static dyn Observer),
    Shared(Arc<dyn Observer>),
}

// === impl Reporter ===

impl Reporter {
    /// Reports to nobody, at no cost.
    #[must_use]
    pub const fn silent() -> Self {
        Self(To::Nobody)
    }

    /// Reports to `observer`.
    #[must_use]
    pub fn to(observer: impl Observer) -> Self {
        Self(To::Shared(Arc::new(observer)))
    }

    /// Reports to an observer that many layers share.
    #[must_use]
    pub fn shared(observer: Arc<dyn Observer>) -> Self {
        Self(To::Shared(observer))
    }

    /// Reports to an observer that lives for ever, so that no reference needs counting.
    #[must_use]
    pub const fn to_static(observer: &'static dyn Observer) -> Self {
        Self(To::Static(observer))
    }

    /// Hands `event` to the observer, if there is one.
    pub fn report(&self, event: &Event) {
        match &self.0 {
            To::Nobody => {}
            To::Static(observer) => observer.on_event(event),
            To::Shared(observer) => observer.on_event(event),
        }
    }

    pub(crate) fn phase_expired(&self, side: Side, expired: PhaseExpired, outcome: Outcome) {
        self.report(&Event::PhaseExpired {
            side,
            expired,
            outcome,
        });
    }

    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self.0, To::Nobody)
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_silent() {
            "Reporter(silent)"
        } else {
            "Reporter(..)"
        })
    }
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
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
