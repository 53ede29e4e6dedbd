//! What the layer is set to: values that were checked when they were built.

use std::time::Duration;

use super::Framing;
use crate::error::ConfigError;
use crate::request_head::RequestHead;

/// How a stream is kept alive, and when a slow answer becomes one.
///
/// | setting | default | reason for the default |
/// |---|---|---|
/// | `interval` | 15 s, less up to an eighth of it | half of the tightest idle limit that is common, 30 s, so that one beat may be late or lost; the figure of the WHATWG note on event streams |
/// | `framing` | a comment and a blank line | see [`Framing`] |
/// | first beat | at once, where the stream has nothing to say at once | proxies that hold the head back until the first byte of the body let it go |
/// | headers | `X-Accel-Buffering: no`, `Cache-Control: no-cache, no-transform` | what proxies are told by to neither hold nor change a stream; a handler's own are kept |
/// | `commit` | [JSON-RPC requests](EarlyCommit::JsonRpcRequests), after 10 s | the tightest limits to a first byte are 25 s (Vercel's edge) and 30 s (Heroku, API Gateway, Google's load balancer), and an answer within 10 s keeps its status |
/// | `max_late_body` | 4 MiB | the largest message that rmcp takes, so what serves one end serves the other |
/// | goodbye | no | it ends streams: the client has to be one that comes back |
///
/// Guides recommend 25 s, too, which is enough for 30 s where nothing is ever late: one beat that waits five
/// seconds for a retransmission, or for a busy server, is one too few. And where they send it as `// heartbeat`,
/// that is no comment: comments of event streams begin with a colon. It is a field with an unknown name, which
/// conforming parsers do ignore, and which leaves an event unfinished for everybody else who counts lines.
///
/// A value of this type has passed the checks of [`HeartbeatSettingsBuilder::build`]. In a request's extensions it
/// overrides the settings of the layer for that request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatSettings {
    interval: Duration,
    framing: Framing,
    commit: EarlyCommit,
    commit_after: Duration,
    max_late_body: usize,
    pub(super) jitter: bool,
    pub(super) first_beat: bool,
    pub(super) accel_header: bool,
    pub(super) cache_header: bool,
    pub(super) goodbye: bool,
    is_off: bool,
}

/// Builds [`HeartbeatSettings`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "settings come out of `build`"]
pub struct HeartbeatSettingsBuilder {
    settings: HeartbeatSettings,
}

/// Which requests may be answered with an event stream before the service has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EarlyCommit {
    /// None.
    Never,
    /// A POST that accepts `text/event-stream` and whose body is one JSON-RPC request with an id, other than
    /// `initialize`. It takes a [`RequestBodyLayer`](crate::RequestBodyLayer) outside of this layer to know.
    JsonRpcRequests,
    /// Whatever accepts `text/event-stream`, other than HEAD, CONNECT, and JSON-RPC messages of which it is known
    /// that they are `initialize` or no requests.
    ///
    /// Clients then have to take a failure from an event named `error`: see the
    /// [module docs](super#what-becomes-of-a-late-answer).
    AnyRequest,
}

/// Chooses the settings of a request: fixed [`HeartbeatSettings`], or any function of the request's head.
pub trait HeartbeatPolicy {
    /// The settings of this request.
    fn settings(&self, head: &RequestHead<'_>) -> HeartbeatSettings;

    /// The settings, where they are the same for every request: then nobody asks for each.
    fn fixed(&self) -> Option<&HeartbeatSettings> {
        None
    }
}

const DEFAULTS: HeartbeatSettings = HeartbeatSettings {
    interval: Duration::from_secs(15),
    framing: Framing::COMMENT_BLOCK,
    commit: EarlyCommit::JsonRpcRequests,
    commit_after: Duration::from_secs(10),
    max_late_body: 4 * 1024 * 1024,
    jitter: true,
    first_beat: true,
    accel_header: true,
    cache_header: true,
    goodbye: false,
    is_off: false,
};

// === impl HeartbeatSettings ===

impl HeartbeatSettings {
    /// The defaults of the table above.
    #[must_use]
    pub const fn new() -> Self {
        DEFAULTS
    }

    /// No beats, no headers and no early commit: for routes whose streams are to be left alone.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            commit: EarlyCommit::Never,
            is_off: true,
            ..DEFAULTS
        }
    }

    /// Whether they leave every answer alone.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.is_off
    }

    /// A builder that starts from the defaults.
    pub const fn builder() -> HeartbeatSettingsBuilder {
        DEFAULTS.to_builder()
    }

    /// A builder that starts from these settings, to derive those of one route.
    pub const fn to_builder(self) -> HeartbeatSettingsBuilder {
        HeartbeatSettingsBuilder { settings: self }
    }

    /// The longest silence before a beat.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// What a beat looks like.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Which requests may be answered early.
    #[must_use]
    pub const fn commit(&self) -> EarlyCommit {
        self.commit
    }

    /// How long their service has time for an answer of its own.
    #[must_use]
    pub const fn commit_after(&self) -> Duration {
        self.commit_after
    }

    /// The most bytes of a late answer that becomes one event.
    #[must_use]
    pub const fn max_late_body(&self) -> usize {
        self.max_late_body
    }

    /// Whether beats of streams that began together are spread.
    #[must_use]
    pub const fn has_jitter(&self) -> bool {
        self.jitter
    }

    /// Whether a stream that has nothing to say begins with a beat.
    #[must_use]
    pub const fn has_first_beat(&self) -> bool {
        self.first_beat
    }

    /// Whether `X-Accel-Buffering: no` is added.
    #[must_use]
    pub const fn has_accel_header(&self) -> bool {
        self.accel_header
    }

    /// Whether `Cache-Control: no-cache, no-transform` is added.
    #[must_use]
    pub const fn has_cache_header(&self) -> bool {
        self.cache_header
    }

    /// Whether streams are ended by a [`Farewells`](super::Farewells).
    #[must_use]
    pub const fn has_goodbye(&self) -> bool {
        self.goodbye
    }
}

impl Default for HeartbeatSettings {
    fn default() -> Self {
        Self::new()
    }
}

// === impl HeartbeatSettingsBuilder ===

impl HeartbeatSettingsBuilder {
    /// Lets no silence last longer than this while somebody listens.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval;
        self
    }

    /// Beats at the interval itself, on every stream: for tests, and for servers with few streams. Without it
    /// streams that began together beat at times up to an eighth of the interval apart.
    pub const fn without_jitter(mut self) -> Self {
        self.settings.jitter = false;
        self
    }

    /// Sends beats as these bytes.
    pub const fn framing(mut self, framing: Framing) -> Self {
        self.settings.framing = framing;
        self
    }

    /// Sends no beat before the first interval has passed.
    pub const fn without_first_beat(mut self) -> Self {
        self.settings.first_beat = false;
        self
    }

    /// Adds no `X-Accel-Buffering: no`.
    pub const fn without_accel_header(mut self) -> Self {
        self.settings.accel_header = false;
        self
    }

    /// Adds no `Cache-Control: no-cache, no-transform`.
    pub const fn without_cache_header(mut self) -> Self {
        self.settings.cache_header = false;
        self
    }

    /// Answers these requests with an event stream where the service has not answered after `after`, counted
    /// from the first poll of the response future.
    pub const fn commit(mut self, which: EarlyCommit, after: Duration) -> Self {
        self.settings.commit = which;
        self.settings.commit_after = after;
        self
    }

    /// Leaves every answer to the service, whenever it comes.
    pub const fn without_commit(mut self) -> Self {
        self.settings.commit = EarlyCommit::Never;
        self
    }

    /// Takes so many bytes of a late answer that is no event stream. It is held in memory until it is whole,
    /// because an event cannot be taken back once it has begun.
    pub const fn max_late_body(mut self, bytes: usize) -> Self {
        self.settings.max_late_body = bytes;
        self
    }

    /// Ends these streams when [`Farewells::say_goodbye`](super::Farewells::say_goodbye) is called.
    pub const fn with_goodbye(mut self) -> Self {
        self.settings.goodbye = true;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Refuses an interval, a time to commit or a size of zero.
    pub fn build(self) -> Result<HeartbeatSettings, ConfigError> {
        let refuse = |sentence: &str| Err(ConfigError::new(sentence.to_owned()));
        let HeartbeatSettings {
            interval,
            commit,
            commit_after,
            max_late_body,
            ..
        } = self.settings;
        if interval.is_zero() {
            return refuse(
                "an `interval` of zero would send beats without end; to have none, leave the layer out",
            );
        }
        if commit != EarlyCommit::Never && commit_after.is_zero() {
            return refuse(
                "to commit after no time at all takes every answer's status and headers away; to commit never, use \
                 `without_commit`",
            );
        }
        if commit != EarlyCommit::Never && max_late_body == 0 {
            return refuse(
                "a `max_late_body` of zero makes an error of every late answer that is no event stream; to commit \
                 never, use `without_commit`",
            );
        }
        Ok(self.settings)
    }
}

// === impl HeartbeatPolicy ===

impl HeartbeatPolicy for HeartbeatSettings {
    fn settings(&self, _: &RequestHead<'_>) -> HeartbeatSettings {
        *self
    }

    fn fixed(&self) -> Option<&HeartbeatSettings> {
        Some(self)
    }
}

impl<F: Fn(&RequestHead<'_>) -> HeartbeatSettings> HeartbeatPolicy for F {
    fn settings(&self, head: &RequestHead<'_>) -> HeartbeatSettings {
        self(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_with_a_sentence() {
        let builder = HeartbeatSettings::builder();
        let zero = Duration::ZERO;
        for (refused, word) in [
            (builder.interval(zero), "`interval`"),
            (builder.commit(EarlyCommit::AnyRequest, zero), "status"),
            (builder.max_late_body(0), "`max_late_body`"),
        ] {
            assert!(refused.build().unwrap_err().to_string().contains(word));
        }
        let without = builder
            .commit(EarlyCommit::AnyRequest, zero)
            .max_late_body(0)
            .without_commit();
        assert_eq!(without.build().unwrap().commit(), EarlyCommit::Never);
        assert_eq!(builder.build(), Ok(HeartbeatSettings::new()));
    }
}
