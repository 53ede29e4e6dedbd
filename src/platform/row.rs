//! One platform: what it limits, how it cuts, where it is configured, and how well that is known.

use std::fmt;
use std::time::Duration;

use super::limit::{Limit, Written};
use super::name;
use crate::error::ConfigError;

/// A platform, proxy or load balancer between a server and its clients, with its limits.
///
/// The constants are what it does when nobody has configured it otherwise, with the source and the date of each.
/// Where somebody has, say so:
///
/// ```
/// use std::time::Duration;
/// use tower_lifeline::platform::{Buffering, Limit, Platform};
///
/// // proxy_read_timeout 300s; proxy_buffering off;
/// let ours = Platform::NGINX
///     .with_read_timeout(Duration::from_secs(300))
///     .with_buffering(Buffering::Streams);
/// assert_eq!(ours.limit(Limit::Idle), Some(Duration::from_secs(300)));
/// assert_eq!(ours.to_string().parse::<Platform>()?.limit(Limit::Idle), ours.limit(Limit::Idle));
/// # Ok::<(), tower_lifeline::ConfigError>(())
/// ```
///
/// As text it is its name, with the limits that differ from the row's: `nginx(first_byte=300s idle=300s)`. `read` is
/// `first_byte` and `idle` in one, as it is in most proxies. What a text cannot hold is the buffering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) first_byte: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) total: Option<Duration>,
    pub(super) request_read: Option<Duration>,
    pub(super) upstream_keep_alive: Option<Duration>,
    pub(super) kill: Option<Duration>,
    pub(super) is_http: bool,
    pub(super) buffering: Buffering,
    pub(super) takes_header: bool,
    pub(super) cut_before_head: &'static str,
    pub(super) cut_after_head: &'static str,
    pub(super) meaning: &'static str,
    pub(super) configure: &'static str,
    pub(super) source: &'static str,
    /// Source, date and confidence of `kill`, where they are not those of the others.
    pub(super) kill_source: &'static str,
    pub(super) as_of: &'static str,
    pub(super) confidence: Confidence,
    pub(super) behaviour_confidence: Confidence,
}

/// Whether a platform passes the bytes of a response on as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Buffering {
    /// It does.
    Streams,
    /// It holds them back, unless the response has `X-Accel-Buffering: no`, or it is configured not to.
    UnlessHeader,
    /// It holds them back, unless it is configured not to. No header helps.
    UnlessConfigured,
    /// It passes a response on when it is complete, and cannot do otherwise.
    Whole,
    /// Nothing was found about it.
    Unknown,
}

/// How well something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Confidence {
    /// Common knowledge, for which no source was found.
    Unverified,
    /// From reports, third parties, or an old copy of the vendor's page.
    Secondary,
    /// Read in the vendor's documentation, a specification or source code.
    Verified,
}

// === impl Platform ===

impl Platform {
    /// A platform that the crate does not know: nothing is limited until [`with`](Self::with) says so.
    ///
    /// Its text can be read again where its name is `custom`; other names that are not in [`ALL`](Self::ALL) are
    /// refused, since most of them are slips.
    #[must_use]
    pub const fn custom(name: &'static str) -> Self {
        Self {
            name,
            title: name,
            ..Self::BLANK
        }
    }

    /// The row of that name, whatever the case; `_` and spaces are as good as `-`.
    ///
    /// # Errors
    /// Refuses a name that is not known, and says which one is near and which there are.
    pub fn by_name(name: &str) -> Result<Self, ConfigError> {
        name::find(name)
    }

    /// The name by which configurations call it: `aws-alb`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The name by which its vendor calls it.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// How long it allows that to take. `None`: as long as it likes, or nothing is known; [`meaning`](Self::meaning)
    /// says which where it matters.
    #[must_use]
    pub const fn limit(&self, limit: Limit) -> Option<Duration> {
        match limit {
            Limit::FirstByte => self.first_byte,
            Limit::Idle => self.idle,
            Limit::Total => self.total,
            Limit::RequestRead => self.request_read,
            Limit::UpstreamKeepAlive => self.upstream_keep_alive,
            Limit::Kill => self.kill,
        }
    }

    /// Whether it speaks HTTP itself. What does not passes the connections of its neighbours through.
    #[must_use]
    pub const fn is_http(&self) -> bool {
        self.is_http
    }

    /// Whether it passes on what it is sent as it comes.
    #[must_use]
    pub const fn buffering(&self) -> Buffering {
        self.buffering
    }

    /// Whether it takes `X-Accel-Buffering` out of a response, so that no hop farther out sees it.
    #[must_use]
    pub const fn takes_header(&self) -> bool {
        self.takes_header
    }

    /// What a client sees when a limit runs out before the response head.
    #[must_use]
    pub const fn cut_before_head(&self) -> &'static str {
        self.cut_before_head
    }

    /// What a client sees when a limit runs out after it.
    #[must_use]
    pub const fn cut_after_head(&self) -> &'static str {
        self.cut_after_head
    }

    /// In words: what its limits count, and what else is good to know.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Where its limits are set, or that they cannot be.
    #[must_use]
    pub const fn configure(&self) -> &'static str {
        self.configure
    }

    /// Where its limits were read: pages, or files of a repository at a commit.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// The date of that, `YYYY-MM-DD` or as much of it as is known; of undated pages the day they were read.
    #[must_use]
    pub const fn as_of(&self) -> &'static str {
        self.as_of
    }

    /// How well its limits are known: as well as the worst known of them.
    #[must_use]
    pub const fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// How well it is known how it buffers and cuts.
    #[must_use]
    pub const fn behaviour_confidence(&self) -> Confidence {
        self.behaviour_confidence
    }

    /// The same, with a limit that was configured. Zero is no limit, as in the configurations of most proxies.
    #[must_use]
    pub const fn with(self, limit: Limit, duration: Duration) -> Self {
        self.set(limit, if duration.is_zero() { None } else { Some(duration) })
    }

    /// The same, without that limit.
    #[must_use]
    pub const fn without(self, limit: Limit) -> Self {
        self.set(limit, None)
    }

    /// The same, with that limit to the first byte and to silence, which are one setting in most proxies.
    #[must_use]
    pub const fn with_read_timeout(self, duration: Duration) -> Self {
        self.with(Limit::FirstByte, duration).with(Limit::Idle, duration)
    }

    /// The same, configured to buffer or not to.
    #[must_use]
    pub const fn with_buffering(mut self, buffering: Buffering) -> Self {
        self.buffering = buffering;
        self
    }

    pub(super) const fn set(mut self, limit: Limit, to: Option<Duration>) -> Self {
        match limit {
            Limit::FirstByte => self.first_byte = to,
            Limit::Idle => self.idle = to,
            Limit::Total => self.total = to,
            Limit::RequestRead => self.request_read = to,
            Limit::UpstreamKeepAlive => self.upstream_keep_alive = to,
            Limit::Kill => self.kill = to,
        }
        self
    }

    /// Where a limit's value comes from, to stand in parentheses.
    pub(super) fn evidence(&self, limit: Limit) -> String {
        match self.row() {
            Some(row) if row.limit(limit) == self.limit(limit) => {
                if limit == Limit::Kill && !self.kill_source.is_empty() {
                    return self.kill_source.to_owned();
                }
                format!("{}, as of {}, {}", self.source, self.as_of, self.confidence)
            }
            _ => "as it was configured here".to_owned(),
        }
    }

    /// The row that it was made from.
    fn row(&self) -> Option<&'static Self> {
        let named = Self::ALL.iter().find(|row| row.name == self.name);
        named.filter(|row| row.source == self.source)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let before = self.row().copied().unwrap_or(Self::BLANK);
        let mut opening = '(';
        for limit in Limit::ALL {
            let now = self.limit(*limit);
            if now == before.limit(*limit) {
                continue;
            }
            match now {
                Some(duration) => write!(f, "{opening}{limit}={}", Written(duration))?,
                None => write!(f, "{opening}{limit}=none")?,
            }
            opening = ' ';
        }
        if opening == ' ' {
            f.write_str(")")?;
        }
        Ok(())
    }
}

// === impl Buffering ===

impl Buffering {
    /// One or two words for tables: `no`, `unless header`, `unless configured`, `always`, `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Streams => "no",
            Self::UnlessHeader => "unless header",
            Self::UnlessConfigured => "unless configured",
            Self::Whole => "always",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Buffering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Confidence ===

impl Confidence {
    /// One word for tables: `verified`, `secondary`, `unverified`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Secondary => "secondary",
            Self::Verified => "verified",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
