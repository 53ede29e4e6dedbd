//! From the limits of a chain to the settings of a server behind it.

use std::time::Duration;

use super::chain::Chain;
use super::limit::Limit;

/// The settings that keep a server clear of the limits of a [`Chain`].
///
/// | setting | value | without such a limit | reason |
/// |---|---|---|---|
/// | [`heartbeat`](Self::heartbeat) | a third of the tightest idle limit, at most 15 s | 15 s | two beats may be late or lost; 15 s is what the WHATWG's note on event streams asks for |
/// | [`commit_after`](Self::commit_after) | half of the tightest limit to the first byte, or of the idle limit where that is shorter, at most 10 s | 10 s | most idle timers run before the first byte, too; a platform counts from another moment than the server, with its own queue and the network between; and an answer within 10 s keeps its status |
/// | [`total`](Self::total) | nine tenths of the tightest cap | none | who ends a stream before the platform does can say goodbye |
/// | [`keep_alive`](Self::keep_alive) | the neighbour's time for idle connections, and 15 s | 75 s | a connection that the server closes while the neighbour sends on it is a 502 |
/// | [`drain`](Self::drain) | four fifths of the time to SIGKILL | none | what is still running then has time for its goodbye |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derived {
    heartbeat: Duration,
    commit_after: Duration,
    total: Option<Duration>,
    keep_alive: Duration,
    drain: Option<Duration>,
}

/// The interval of heartbeats that needs no platform for a reason.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Below the tightest limits to a first byte that streams can live with: 25 s and 30 s.
const COMMIT_AFTER: Duration = Duration::from_secs(10);
/// What nginx gives to connections of clients, and longer than the 60 s that most neighbours give to theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For the difference between two clocks that start at two ends of a connection, and a late timer.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(15);

// === impl Derived ===

impl Derived {
    /// What follows from the chain.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        let tightest = |limit| chain.tightest(limit).map(|(duration, _)| duration);
        let idle = tightest(Limit::Idle);
        let first_byte = chain.first_byte().map(|(duration, _)| duration);
        let first_byte = first_byte.into_iter().chain(idle).min();
        let kept = chain
            .neighbour()
            .and_then(|hop| hop.limit(Limit::UpstreamKeepAlive));
        Self {
            heartbeat: idle.map_or(HEARTBEAT, |idle| HEARTBEAT.min(idle / 3)),
            commit_after: first_byte.map_or(COMMIT_AFTER, |first_byte| COMMIT_AFTER.min(first_byte / 2)),
            total: tightest(Limit::Total).map(|cap| part(cap, 9, 10)),
            keep_alive: kept.map_or(KEEP_ALIVE, |kept| kept.saturating_add(KEEP_ALIVE_MARGIN)),
            drain: tightest(Limit::Kill).map(|kill| part(kill, 4, 5)),
        }
    }

    /// The interval of heartbeats.
    #[must_use]
    pub const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// How long an answer may take before its stream is opened without it.
    #[must_use]
    pub const fn commit_after(&self) -> Duration {
        self.commit_after
    }

    /// How long a response may last before the server ends it itself.
    #[must_use]
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }

    /// How long the server keeps a connection open between requests.
    #[must_use]
    pub const fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// How long a server that is being stopped may wait for what is still running.
    #[must_use]
    pub const fn drain(&self) -> Option<Duration> {
        self.drain
    }
}

/// Divides first: a duration may be as long as there are any.
pub(super) fn part(of: Duration, times: u32, by: u32) -> Duration {
    (of / by).saturating_mul(times)
}
