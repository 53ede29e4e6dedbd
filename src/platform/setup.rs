//! What a server is set to and what is expected of it, as plain data to be checked.

use std::time::Duration;

use super::derived::Derived;

/// The settings and expectations that [`check`](super::check) looks at. What is not said is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub(super) heartbeat: Known,
    pub(super) commit_after: Known,
    pub(super) total: Option<Duration>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) drain: Option<Duration>,
    pub(super) head: Option<Duration>,
    pub(super) read: Option<Duration>,
    pub(super) request_total: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) max_in_flight: Option<u32>,
    pub(super) database_pool: Option<u32>,
    pub(super) model_wait: Option<Duration>,
    pub(super) calls: Vec<(String, Duration)>,
    pub(super) expected_wait: Option<Duration>,
    pub(super) expected_duration: Option<Duration>,
    pub(super) limits_peers: bool,
    pub(super) sends_header: Option<bool>,
    pub(super) sends_progress: Option<bool>,
    derived: u8,
}

/// What is known of something that may be off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    #[default]
    Nothing,
    Off,
    At(Duration),
}

/// A setting that may come from the platform table instead of from somebody who chose it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Derivable {
    Heartbeat,
    CommitAfter,
    Total,
    KeepAlive,
    Drain,
}

// === impl Setup ===

impl Setup {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings that were derived from a chain, with the header against buffering.
    ///
    /// Whatever is set after it counts as chosen. A contradiction with a derived setting is only a
    /// [`Warning`](super::Severity::Warning): a new table in a new version must not stop a deployment.
    #[must_use]
    pub fn derived(derived: &Derived) -> Self {
        use Derivable::{CommitAfter, Drain, Heartbeat, KeepAlive, Total};
        let all = [Heartbeat, CommitAfter, Total, KeepAlive, Drain];
        Self {
            heartbeat: Known::At(derived.heartbeat()),
            commit_after: Known::At(derived.commit_after()),
            total: derived.total(),
            keep_alive: Some(derived.keep_alive()),
            drain: derived.drain(),
            sends_header: Some(true),
            derived: all.into_iter().fold(0, |bits, it| bits | it.bit()),
            ..Self::default()
        }
    }

    /// The same knowledge, with the settings that were derived from a chain.
    pub(crate) fn with_derived(self, derived: &Derived) -> Self {
        let Self {
            heartbeat,
            commit_after,
            total,
            keep_alive,
            drain,
            sends_header,
            derived,
            ..
        } = Self::derived(derived);
        Self {
            heartbeat,
            commit_after,
            total,
            keep_alive,
            drain,
            sends_header,
            derived,
            ..self
        }
    }

    /// The interval of heartbeats on event streams.
    #[must_use]
    pub const fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Known::At(interval);
        self.chosen(Derivable::Heartbeat)
    }

    /// There are no heartbeats.
    #[must_use]
    pub const fn without_heartbeat(mut self) -> Self {
        self.heartbeat = Known::Off;
        self.chosen(Derivable::Heartbeat)
    }

    /// How long an answer may take before its stream is opened without it.
    #[must_use]
    pub const fn commit_after(mut self, limit: Duration) -> Self {
        self.commit_after = Known::At(limit);
        self.chosen(Derivable::CommitAfter)
    }

    /// No stream is opened before its answer.
    #[must_use]
    pub const fn without_commit(mut self) -> Self {
        self.commit_after = Known::Off;
        self.chosen(Derivable::CommitAfter)
    }

    /// How long a response may last.
    #[must_use]
    pub const fn total(mut self, limit: Duration) -> Self {
        self.total = Some(limit);
        self.chosen(Derivable::Total)
    }

    /// How long the server keeps connections open between requests.
    #[must_use]
    pub const fn keep_alive(mut self, idle: Duration) -> Self {
        self.keep_alive = Some(idle);
        self.chosen(Derivable::KeepAlive)
    }

    /// How long a server that is being stopped waits for what is still running.
    #[must_use]
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = Some(limit);
        self.chosen(Derivable::Drain)
    }

    /// How long a response head may take.
    #[must_use]
    pub const fn head(mut self, limit: Duration) -> Self {
        self.head = Some(limit);
        self
    }

    /// How long a response body may be silent.
    #[must_use]
    pub const fn read(mut self, limit: Duration) -> Self {
        self.read = Some(limit);
        self
    }

    /// How long a request body may be waited for.
    #[must_use]
    pub const fn request_total(mut self, limit: Duration) -> Self {
        self.request_total = Some(limit);
        self
    }

    /// How long a request may wait for a seat.
    #[must_use]
    pub const fn queue_timeout(mut self, limit: Duration) -> Self {
        self.queue_timeout = Some(limit);
        self
    }

    /// How many requests are let in at once.
    #[must_use]
    pub const fn max_in_flight(mut self, seats: u32) -> Self {
        self.max_in_flight = Some(seats);
        self
    }

    /// How many connections the database pool has.
    #[must_use]
    pub const fn database_pool(mut self, connections: u32) -> Self {
        self.database_pool = Some(connections);
        self
    }

    /// How long a model may be silent before the call is given up: the shortest of the limits of its client, and of
    /// the SDK or HTTP client beneath.
    #[must_use]
    pub const fn model_wait(mut self, limit: Duration) -> Self {
        self.model_wait = Some(limit);
        self
    }

    /// The limit of a call that is made for a request: `call("embed", 10 s)`.
    #[must_use]
    pub fn call(mut self, name: impl Into<String>, limit: Duration) -> Self {
        self.calls.push((name.into(), limit));
        self
    }

    /// The longest silence of a healthy answer, before its first byte or between two events.
    #[must_use]
    pub const fn expected_wait(mut self, wait: Duration) -> Self {
        self.expected_wait = Some(wait);
        self
    }

    /// The longest that a healthy answer lasts, from request to end.
    #[must_use]
    pub const fn expected_duration(mut self, duration: Duration) -> Self {
        self.expected_duration = Some(duration);
        self
    }

    /// Something is limited per address of a peer: requests, connections, a rate.
    #[must_use]
    pub const fn limits_peers(mut self, limits: bool) -> Self {
        self.limits_peers = limits;
        self
    }

    /// Whether event streams have `X-Accel-Buffering: no`.
    #[must_use]
    pub const fn sends_header(mut self, sends: bool) -> Self {
        self.sends_header = Some(sends);
        self
    }

    /// Whether MCP calls report progress.
    #[must_use]
    pub const fn sends_progress(mut self, sends: bool) -> Self {
        self.sends_progress = Some(sends);
        self
    }

    pub(super) const fn is_derived(&self, setting: Derivable) -> bool {
        self.derived & setting.bit() != 0
    }

    const fn chosen(mut self, setting: Derivable) -> Self {
        self.derived &= !setting.bit();
        self
    }
}

impl From<Derived> for Setup {
    fn from(derived: Derived) -> Self {
        Self::derived(&derived)
    }
}

// === impl Known ===

impl Known {
    pub(super) const fn at(self) -> Option<Duration> {
        match self {
            Self::At(duration) => Some(duration),
            Self::Nothing | Self::Off => None,
        }
    }
}

// === impl Derivable ===

impl Derivable {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}
