//! The limits of the phases: values that were checked when they were built.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use crate::error::{ConfigError, Phase};

/// How long each phase of an exchange may take. `None` switches a phase off.
///
/// | limit | from | to | default | reason for the default |
/// |---|---|---|---|---|
/// | `connect` | the wish to connect | a connection that is ready | 10 s | three SYN retries (1 + 2 + 4 s) fit in; a host that needs longer is down |
/// | `head` | the first poll of the response future | the response head | as `read` | MCP servers may withhold the head for a whole silent call |
/// | `read` | a poll of the response body that found nothing | the next frame (event streams: the next bytes of an event) | 90 s | language models are silent for 10–80 s before and between tokens |
/// | `total` | the first poll of the response future | the end of the response body | 120 s | the longest healthy answer (silence plus 30 s of stream), above which a caller has given up |
/// | `endless_total` | as `total`, on endless streams | | off | a stream that nobody ends is where a deployment waits; whoever wants its clients to come back now and then says how often |
/// | `endless_read` | as `read`, on MCP's subscriptions | | off | a subscription may have nothing to say for hours |
///
/// `connect` governs outgoing work ([`outgoing`](crate::outgoing)); a server's layer has no use for it.
/// Endless streams are exempt from `total`, and from the deadline, unless `endless_total` is set; see [`phase_timeout`](crate::phase_timeout).
///
/// A value of this type has passed the checks of [`PhaseLimitsBuilder::build`]. In a request's extensions it
/// overrides the limits of the layer for that request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseLimits {
    connect: Span,
    head: Span,
    read: Span,
    total: Span,
    endless_read: Span,
    endless_total: Span,
    report_only: PhaseSet,
}

/// Builds [`PhaseLimits`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "limits come out of `build`"]
pub struct PhaseLimitsBuilder {
    connect: Option<Duration>,
    head: Option<Duration>,
    read: Option<Duration>,
    total: Option<Duration>,
    endless_read: Option<Duration>,
    endless_total: Option<Duration>,
    report_only: PhaseSet,
    head_follows_read: bool,
    foreign_phase: Option<Phase>,
}

/// A limit in nanoseconds, or none, in eight bytes: limits travel with every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(Option<NonZeroU64>);

/// What the clocks of an exchange need of its limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    pub(super) head: Span,
    pub(super) read: Span,
    pub(super) total: Span,
    pub(super) endless_read: Span,
    pub(super) endless_total: Span,
    pub(super) report_only: PhaseSet,
}

/// A set of phases, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseSet(u8);

const DEFAULTS: PhaseLimits = PhaseLimits {
    connect: Span::secs(10),
    head: Span::secs(90),
    read: Span::secs(90),
    total: Span::secs(120),
    endless_read: Span::NONE,
    endless_total: Span::NONE,
    report_only: PhaseSet::EMPTY,
};

// === impl PhaseLimits ===

impl PhaseLimits {
    /// The defaults of the table above.
    #[must_use]
    pub const fn new() -> Self {
        DEFAULTS
    }

    /// A builder that starts from the defaults.
    pub const fn builder() -> PhaseLimitsBuilder {
        PhaseLimitsBuilder {
            head_follows_read: true,
            ..DEFAULTS.to_builder()
        }
    }

    /// A builder that starts from these limits, to derive those of one route. `head` stays as it is.
    pub const fn to_builder(self) -> PhaseLimitsBuilder {
        PhaseLimitsBuilder {
            connect: self.connect.get(),
            head: self.head.get(),
            read: self.read.get(),
            total: self.total.get(),
            endless_read: self.endless_read.get(),
            endless_total: self.endless_total.get(),
            report_only: self.report_only,
            head_follows_read: false,
            foreign_phase: None,
        }
    }

    /// The limit of the `connect` phase.
    #[must_use]
    pub const fn connect(&self) -> Option<Duration> {
        self.connect.get()
    }

    /// The limit of the `head` phase.
    #[must_use]
    pub const fn head(&self) -> Option<Duration> {
        self.head.get()
    }

    /// The limit of the `read` phase.
    #[must_use]
    pub const fn read(&self) -> Option<Duration> {
        self.read.get()
    }

    /// The limit of the `total` phase.
    #[must_use]
    pub const fn total(&self) -> Option<Duration> {
        self.total.get()
    }

    /// The limit of the `read` phase on endless streams.
    #[must_use]
    pub const fn endless_read(&self) -> Option<Duration> {
        self.endless_read.get()
    }

    /// The limit of the `total` phase on endless streams.
    #[must_use]
    pub const fn endless_total(&self) -> Option<Duration> {
        self.endless_total.get()
    }

    /// Whether a limit is only reported and not enforced.
    #[must_use]
    pub const fn is_report_only(&self, phase: Phase) -> bool {
        self.report_only.contains(phase)
    }

    pub(super) const fn spans(&self) -> Spans {
        let Self {
            head,
            read,
            total,
            endless_read,
            endless_total,
            report_only,
            ..
        } = *self;
        Spans {
            head,
            read,
            total,
            endless_read,
            endless_total,
            report_only,
        }
    }
}

impl Default for PhaseLimits {
    fn default() -> Self {
        Self::new()
    }
}

// === impl PhaseLimitsBuilder ===

impl PhaseLimitsBuilder {
    /// Limits the `connect` phase.
    pub const fn connect(mut self, limit: Duration) -> Self {
        self.connect = Some(limit);
        self
    }

    /// Leaves the `connect` phase without a limit.
    pub const fn without_connect(mut self) -> Self {
        self.connect = None;
        self
    }

    /// Limits the `head` phase. Unless this or [`without_head`](Self::without_head) is called, `head` equals
    /// `read`.
    pub const fn head(mut self, limit: Duration) -> Self {
        self.head = Some(limit);
        self.head_follows_read = false;
        self
    }

    /// Leaves the `head` phase without a limit of its own.
    pub const fn without_head(mut self) -> Self {
        self.head = None;
        self.head_follows_read = false;
        self
    }

    /// Limits the `read` phase.
    pub const fn read(mut self, limit: Duration) -> Self {
        self.read = Some(limit);
        self
    }

    /// Leaves the `read` phase without a limit.
    pub const fn without_read(mut self) -> Self {
        self.read = None;
        self
    }

    /// Limits the `total` phase.
    pub const fn total(mut self, limit: Duration) -> Self {
        self.total = Some(limit);
        self
    }

    /// Leaves the whole without a limit but for the request's [`Deadline`](crate::Deadline).
    pub const fn without_total(mut self) -> Self {
        self.total = None;
        self
    }

    /// Limits the `read` phase of endless streams too, for servers whose subscriptions always have something
    /// to say.
    pub const fn endless_read(mut self, limit: Duration) -> Self {
        self.endless_read = Some(limit);
        self
    }

    /// Ends endless streams of that age, as any stream is ended whose total runs out: those that can be resumed
    /// cleanly between two events, the others after a goodbye.
    pub const fn endless_total(mut self, limit: Duration) -> Self {
        self.endless_total = Some(limit);
        self
    }

    /// Only reports when `phase` runs out ("would have cut") and lets the exchange go on.
    pub const fn report_only(mut self, phase: Phase) -> Self {
        match phase {
            Phase::Connect | Phase::Head | Phase::Read | Phase::Total => {
                self.report_only = self.report_only.with(phase);
            }
            _ => self.foreign_phase = Some(phase),
        }
        self
    }

    /// Only reports, for every phase: the dry run of a new configuration.
    pub const fn report_only_all(mut self) -> Self {
        self.report_only = PhaseSet(u8::MAX);
        self
    }

    /// Checks the limits against one another.
    ///
    /// # Errors
    /// Refuses a limit of zero; a `connect`, `head` or `read` that is longer than `total`, since the longer one
    /// could never run out (but for the default `connect`, of which a server has no use); and a report-only
    /// phase that is one of a request body.
    pub fn build(self) -> Result<PhaseLimits, ConfigError> {
        let head = if self.head_follows_read {
            self.read
        } else {
            self.head
        };
        let parts = [
            ("connect", self.connect),
            ("head", head),
            ("read", self.read),
            ("total", self.total),
            ("endless_read", self.endless_read),
            ("endless_total", self.endless_total),
        ];
        for (name, limit) in parts {
            if limit == Some(Duration::ZERO) {
                return Err(ConfigError::new(format!(
                    "`{name}` is zero, so every exchange would fail at once; to switch the limit off, leave it out"
                )));
            }
        }
        if let Some(total) = self.total {
            // A server never connects: a default of no use to it must not stand in the way of a short `total`.
            let is_untouched = self.connect == DEFAULTS.connect.get();
            let checked = if is_untouched { &parts[1..3] } else { &parts[..3] };
            for (name, limit) in checked {
                if let Some(limit) = limit.filter(|limit| *limit > total) {
                    return Err(ConfigError::new(format!(
                        "`{name}` ({limit:?}) is longer than `total` ({total:?}), so it could never run out: \
                         raise `total` or lower `{name}`"
                    )));
                }
            }
        }
        if let Some(phase) = self.foreign_phase {
            return Err(ConfigError::new(format!(
                "`report_only({phase})` names a phase of request bodies, whose limits are built by \
                 `RequestBodyLimits`"
            )));
        }
        let [connect, head, read, total, endless_read, endless_total] =
            parts.map(|(_, limit)| Span::new(limit));
        Ok(PhaseLimits {
            connect,
            head,
            read,
            total,
            endless_read,
            endless_total,
            report_only: self.report_only,
        })
    }
}

// === impl Span ===

impl Span {
    pub(crate) const NONE: Self = Self(None);

    /// Cuts what is longer at 584 years.
    const fn new(limit: Option<Duration>) -> Self {
        let Some(limit) = limit else { return Self::NONE };
        let nanos = limit.as_nanos();
        Self(NonZeroU64::new(if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            nanos as u64
        }))
    }

    const fn secs(secs: u64) -> Self {
        Self::new(Some(Duration::from_secs(secs)))
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0.is_none()
    }

    pub(crate) const fn get(self) -> Option<Duration> {
        match self.0 {
            Some(nanos) => Some(Duration::from_nanos(nanos.get())),
            None => None,
        }
    }

    /// The shorter of the two, where there are two.
    pub(crate) fn shorter(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }

    /// When it is over, if it began at `start`.
    pub(crate) fn after(self, start: Instant) -> Option<Instant> {
        self.get().and_then(|limit| start.checked_add(limit))
    }
}

// === impl PhaseSet ===

impl PhaseSet {
    pub(crate) const EMPTY: Self = Self(0);

    const fn bit(phase: Phase) -> u8 {
        1 << phase as u8
    }

    pub(crate) const fn with(self, phase: Phase) -> Self {
        Self(self.0 | Self::bit(phase))
    }

    pub(crate) const fn contains(self, phase: Phase) -> bool {
        self.0 & Self::bit(phase) != 0
    }
}
