//! What a client did that was too slow.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::error::find;

/// In which way a client is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slowness {
    /// It took nothing for longer than the limit.
    Stalled,
    /// It takes something now and then, but less than the least rate.
    BelowMinRate,
}

/// A client was too slow, and what waited for it was taken away.
///
/// It is the error of a response body that a [`SlowClientGuard`](crate::slow_client_guard) cut, and is inside the
/// `io::Error` of a connection that a `GuardedIo` cut. [`SlowClient::find`] finds it in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowClient {
    slowness: Slowness,
    idle: Duration,
    taken: u64,
}

// === impl Slowness ===

impl Slowness {
    /// One word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::BelowMinRate => "below_min_rate",
        }
    }
}

// === impl SlowClient ===

impl SlowClient {
    pub(super) const fn new(slowness: Slowness, idle: Duration, taken: u64) -> Self {
        Self {
            slowness,
            idle,
            taken,
        }
    }

    /// In which way it was too slow.
    #[must_use]
    pub const fn slowness(&self) -> Slowness {
        self.slowness
    }

    /// For how long it had been seen to take nothing.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// The bytes that it had been seen to take. A layer sees what the server took of a body, a connection what
    /// the peer's system acknowledged.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Finds it among an error and its sources, as hyper and axum wrap them.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        find(error)
    }
}

impl fmt::Display for SlowClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            slowness,
            idle,
            taken,
        } = self;
        match slowness {
            Slowness::Stalled => write!(
                f,
                "the client took nothing for {idle:?}, after {taken} bytes of its answer"
            ),
            Slowness::BelowMinRate => write!(
                f,
                "the client took its answer more slowly than the least rate: {taken} bytes so far"
            ),
        }
    }
}

impl Error for SlowClient {}
