//! What the check found: how bad it is, what, why, at which hop, and what to set.

use std::fmt;

use crate::platform::row::Platform;

/// Something that will not work as it was meant.
///
/// It is displayed in a few lines:
///
/// ```text
/// warning[heartbeat-idle] heroku: a heartbeat comes every 60 s, and heroku cuts a response that is silent for 55 s
///   why: … (https://devcenter.heroku.com/articles/request-timeout, as of 2024-05-07, verified)
///   set: the heartbeat interval to 15 s
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(super) code: &'static str,
    severity: Severity,
    remedy: Remedy,
    hop: Option<&'static str>,
    what: String,
    why: String,
    set: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// It works, with less margin than it should have, or depends on what cannot be seen from here.
    Note,
    /// It will fail for some requests, by what is known of the platform or of other parts; what is known may be
    /// outdated.
    Warning,
    /// Settings that were chosen contradict one another, or what was said to be expected, whatever the platform does.
    Contradiction,
}

/// Where a [`Finding`] is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// In the settings of the server.
    Settings,
    /// At the platform, or in what is asked of the server: no setting of the server helps.
    Elsewhere,
}

// === impl Finding ===

impl Finding {
    pub(super) const fn new(severity: Severity, what: String) -> Self {
        Self {
            code: "",
            severity,
            remedy: Remedy::Settings,
            hop: None,
            what,
            why: String::new(),
            set: String::new(),
        }
    }

    pub(super) const fn at(mut self, hop: &Platform) -> Self {
        self.hop = Some(hop.name());
        self
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn set_to(mut self, set: impl Into<String>) -> Self {
        self.set = set.into();
        self
    }

    pub(super) fn elsewhere(mut self, set: impl Into<String>) -> Self {
        self.remedy = Remedy::Elsewhere;
        self.set = set.into();
        self
    }

    /// Writes it to `tracing`: warnings and worse as `WARN`, notes as `INFO`.
    pub fn log(&self) {
        let (code, hop) = (self.code, self.hop);
        if self.severity >= Severity::Warning {
            tracing::warn!(target: "tower_lifeline", code, hop, why = self.why, set = self.set, "{}", self.what);
        } else {
            tracing::info!(target: "tower_lifeline", code, hop, why = self.why, set = self.set, "{}", self.what);
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// A short name that stays the same from version to version, to search for and to silence by: `heartbeat-idle`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The hop whose limit it is about, by its name. `None`: it is between settings of the server.
    #[must_use]
    pub const fn hop(&self) -> Option<&'static str> {
        self.hop
    }

    /// What was found, with both numbers.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why that is a failure, and where a platform's number comes from.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What puts it right.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.set
    }

    /// Where that is done.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        self.remedy
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] ", self.severity, self.code)?;
        if let Some(hop) = self.hop {
            write!(f, "{hop}: ")?;
        }
        write!(f, "{}\n  why: {}\n  set: {}", self.what, self.why, self.set)
    }
}

// === impl Severity ===

impl Severity {
    /// `note`, `warning` or `contradiction`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Contradiction => "contradiction",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
