//! What the layers tell whoever watches: copied values without strings, built only where something happens.

mod parts;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::PhaseExpired;
use crate::refusal::Reason;
use crate::slow_client::SlowClient;

pub use self::parts::{CallOutcome, ConnectionPhase, DeadlineHeader, Lost, Outcome, SeenBy, Side};

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
    /// An event stream got a heartbeat: one at its beginning, or a further one.
    Heartbeat,
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
    /// A connection stayed in a phase for too long, and was closed.
    #[non_exhaustive]
    ConnectionTimedOut {
        /// The phase. [`ConnectionPhase::Idle`] is an orderly end.
        phase: ConnectionPhase,
        /// For how long.
        after: Duration,
    },
    /// A connection was closed as soon as it was accepted, since its peer had as many as it may have.
    PeerConnectionRefused,
    /// No connection could be accepted; the listener tries again.
    #[non_exhaustive]
    AcceptFailed {
        /// What the system said.
        error: io::ErrorKind,
    },
    /// A server began to drain.
    DrainBegan,
    /// A server is drained.
    #[non_exhaustive]
    Drained {
        /// Connections that were there when it began, or came while it was announced.
        connections: usize,
        /// Those of them that had to be cut.
        cut: usize,
        /// Requests that were in progress on those.
        requests_cut: usize,
        /// How long it took.
        took: Duration,
    },
    /// What comes before HTTP on a connection, as a TLS handshake, failed, and the connection was closed. One that took
    /// too long is an [`Event::ConnectionTimedOut`].
    #[non_exhaustive]
    HandshakeFailed {
        /// What was said of it.
        error: io::ErrorKind,
    },
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
