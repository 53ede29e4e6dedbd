//! How outgoing work fails: its time ran out, or it failed by itself.

use std::error::Error;
use std::fmt;
use std::io;

use crate::error::{BoxError, Phase, PhaseExpired};

/// Why an outgoing request, or the body of its response, failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutgoingError {
    /// A phase ran out: of this exchange, or of the connection that it waited for.
    Expired(PhaseExpired),
    /// The client service, its connector or its body failed by itself.
    Service(BoxError),
}

// === impl OutgoingError ===

impl OutgoingError {
    /// The phase that ran out, also where an error of the client wraps it.
    #[must_use]
    pub fn expired(&self) -> Option<&PhaseExpired> {
        PhaseExpired::find(self)
    }

    /// An error of what is wrapped. One of our own comes out as it went in, and so does the `connect` phase,
    /// which reaches us inside of the client's own error.
    pub(crate) fn from_service(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(own) => *own,
            Err(error) => match PhaseExpired::find(&*error) {
                Some(expired) if expired.phase() == Phase::Connect => Self::Expired(*expired),
                _ => Self::Service(error),
            },
        }
    }

    /// The error for clients that know a timeout only as an `io::Error` of kind `TimedOut`.
    pub(crate) fn into_timed_out(self) -> BoxError {
        match self {
            Self::Expired(_) => io::Error::new(io::ErrorKind::TimedOut, self).into(),
            Self::Service(error) => error,
        }
    }
}

impl From<PhaseExpired> for OutgoingError {
    fn from(expired: PhaseExpired) -> Self {
        Self::Expired(expired)
    }
}

impl fmt::Display for OutgoingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(expired) => write!(f, "outgoing work timed out in its {} phase", expired.phase()),
            Self::Service(_) => f.write_str("outgoing work failed"),
        }
    }
}

impl Error for OutgoingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Expired(expired) => Some(expired),
            Self::Service(error) => Some(&**error),
        }
    }
}
