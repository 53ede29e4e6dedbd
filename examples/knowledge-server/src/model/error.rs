//! Why there is no answer, or not all of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tower_lifeline::outgoing::OutgoingError;
use tower_lifeline::{Bound, CallExpired, Phase, PhaseExpired};

/// Why a model did not answer, or not to the end. Its text is fit to be shown to whoever asked: it holds no
/// secret, and of what the model's server said no more than a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// More ask than the model can serve: here, or where it is.
    #[error("the model is busy: {reason}")]
    Busy {
        /// Who says so.
        reason: String,
        /// When to come back, if it was said.
        retry_after: Option<Duration>,
    },
    /// The time was up.
    #[error("{wait} took longer than {limit:?}{}", whose(*bound))]
    Expired {
        /// What was waited for.
        wait: Wait,
        /// The limit that was reached.
        limit: Duration,
        /// Whether that was this wait's own limit or what was left of the request's time.
        bound: Bound,
    },
    /// There is no connection to the model.
    #[error("the model cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke in the middle of the answer.
    #[error("the connection to the model broke off: {0}")]
    BrokeOff(String),
    /// The model's server refused the request.
    #[error("the model refused the request ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The model reported an error instead of the rest of its answer.
    #[error("the model failed: {0}")]
    Reported(String),
    /// What came is not what a model says.
    #[error("the model's answer cannot be understood: {0}")]
    Garbage(String),
    /// The stream ended before the answer did.
    #[error("the model's answer ended in the middle")]
    EndedEarly,
    /// The answer is longer than is allowed.
    #[error("the model's answer was cut off at {limit} characters")]
    TooLong {
        /// The most characters.
        limit: usize,
    },
    /// The model is not set up rightly.
    #[error("the model is not configured rightly: {0}")]
    Settings(String),
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// A connection.
    Connection,
    /// The head of the answer.
    Head,
    /// The first token.
    FirstToken,
    /// A further token.
    NextToken,
    /// All of the answer.
    Whole,
}

fn whose(bound: Bound) -> &'static str {
    match bound {
        Bound::Deadline => ", which is what was left of the request's time",
        _ => "",
    }
}

// === impl ModelError ===

impl ModelError {
    pub(crate) const fn late(wait: Wait, expired: CallExpired) -> Self {
        Self::Expired {
            wait,
            limit: expired.limit(),
            bound: expired.bound(),
        }
    }

    const fn phase(expired: &PhaseExpired) -> Self {
        Self::Expired {
            wait: match expired.phase() {
                Phase::Connect => Wait::Connection,
                Phase::Head => Wait::Head,
                Phase::Read => Wait::NextToken,
                _ => Wait::Whole,
            },
            limit: expired.limit(),
            bound: expired.bound(),
        }
    }

    /// The error of a request that got no response.
    pub(super) fn of_send(error: &OutgoingError) -> Self {
        match error.expired() {
            Some(expired) => Self::phase(expired),
            None => Self::Unreachable(root(error)),
        }
    }

    /// The error of a response's body.
    pub(super) fn of_body(error: &reqwest::Error) -> Self {
        match PhaseExpired::find(error) {
            Some(expired) => Self::phase(expired),
            None => Self::BrokeOff(root(error)),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection to the model",
            Self::Head => "the beginning of the model's answer",
            Self::FirstToken => "the first word of the model",
            Self::NextToken => "the next word of the model",
            Self::Whole => "the model's answer",
        })
    }
}

/// The innermost cause: those around it repeat the URL.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
