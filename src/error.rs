//! The ways in which a request, a phase or a call runs out of time, each with the facts of the case.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Any error of a body or of an outgoing service.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A stretch of an exchange that has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// From the wish to connect to a connection that is ready for a request.
    Connect,
    /// From the first poll of the response future to the response head.
    Head,
    /// The silence of a response body while somebody waits for it.
    Read,
    /// From the first poll of the response future to the end of the response body.
    Total,
    /// The silence of a request body while the handler waits for it.
    RequestIdle,
    /// The rate at which a request body arrives while the handler waits for it.
    RequestRate,
    /// All the time for which the handler waited for a request body.
    RequestTotal,
}

/// Whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// The limit of the phase or the call itself.
    Limit,
    /// The [`Deadline`](crate::Deadline) of the whole request, which came before that limit.
    Deadline,
}

/// A phase took longer than its limit.
///
/// On a server it is the error of a response or request body that was cut. It travels inside the boxed error
/// of the body, where [`PhaseExpired::find`] finds it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseExpired {
    phase: Phase,
    bound: Bound,
    limit: Duration,
    elapsed: Duration,
}

/// A call under [`Deadline::call`](crate::Deadline::call) took longer than it was allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallExpired {
    name: &'static str,
    bound: Bound,
    limit: Duration,
    elapsed: Duration,
}

/// A configuration that cannot work, refused when it is built.
///
/// Its message is a sentence that says what contradicts what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    sentence: String,
}

// === impl Phase ===

impl Phase {
    /// The name of the phase in logs, metrics and answers: `head`, `read`, `request_idle`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Head => "head",
            Self::Read => "read",
            Self::Total => "total",
            Self::RequestIdle => "request_idle",
            Self::RequestRate => "request_rate",
            Self::RequestTotal => "request_total",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl PhaseExpired ===

impl PhaseExpired {
    pub(crate) const fn new(phase: Phase, bound: Bound, limit: Duration, elapsed: Duration) -> Self {
        Self {
            phase,
            bound,
            limit,
            elapsed,
        }
    }

    /// The phase that ran out.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the phase's own limit ran out, or the request's deadline, which came first.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        self.bound
    }

    /// How long the phase was allowed to take. Under [`Bound::Deadline`]: what the deadline had left of it.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// How long it had taken when that was noticed.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Finds an expired phase among an error and its sources, as hyper, reqwest and axum wrap them.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        find(error)
    }
}

/// Finds an error of one type among an error and its sources.
pub(crate) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // The source of an `io::Error` is that of what it holds, which leaves out what it holds.
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

impl fmt::Display for PhaseExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            bound,
            limit,
            elapsed,
        } = self;
        match bound {
            Bound::Limit => write!(f, "the {phase} phase took {elapsed:?}, its limit is {limit:?}"),
            Bound::Deadline => {
                write!(
                    f,
                    "the {phase} phase took {elapsed:?}, the request's deadline allowed {limit:?}"
                )
            }
        }
    }
}

impl Error for PhaseExpired {}

// === impl CallExpired ===

impl CallExpired {
    pub(crate) const fn new(name: &'static str, bound: Bound, limit: Duration, elapsed: Duration) -> Self {
        Self {
            name,
            bound,
            limit,
            elapsed,
        }
    }

    /// The name that the call was given.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the call's own limit ran out, or the request's deadline, which came first.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        self.bound
    }

    /// How long the call was allowed to take. Under [`Bound::Deadline`]: what the request had left for it.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// How long it had taken when it was dropped.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for CallExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            bound,
            limit,
            elapsed,
        } = self;
        match bound {
            Bound::Limit => write!(f, "{name} took {elapsed:?}, its limit is {limit:?}"),
            Bound::Deadline => {
                write!(
                    f,
                    "{name} took {elapsed:?}, the request's deadline had {limit:?} left for it"
                )
            }
        }
    }
}

impl Error for CallExpired {}

// === impl ConfigError ===

impl ConfigError {
    pub(crate) fn new(sentence: String) -> Self {
        Self { sentence }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_phase_is_found_among_sources() {
        let expired = PhaseExpired::new(
            Phase::Read,
            Bound::Limit,
            Duration::from_secs(1),
            Duration::from_secs(2),
        );
        let wrapped = io::Error::other(io::Error::other(expired));
        assert_eq!(PhaseExpired::find(&wrapped), Some(&expired));
        assert_eq!(PhaseExpired::find(&io::Error::other("no")), None);
    }

    #[test]
    fn messages_name_the_phase_and_whose_time_ran_out() {
        let secs = Duration::from_secs;
        let own = PhaseExpired::new(Phase::Head, Bound::Limit, secs(90), secs(91));
        assert_eq!(own.to_string(), "the head phase took 91s, its limit is 90s");
        let call = CallExpired::new("db.search", Bound::Deadline, secs(3), secs(4));
        assert_eq!(
            call.to_string(),
            "db.search took 4s, the request's deadline had 3s left for it"
        );
    }
}
