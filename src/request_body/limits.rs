//! The limits of a request body: values that were checked when they were built.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::{ConfigError, Phase};
use crate::pace::MinRate;
use crate::phase::PhaseSet;

/// How long a handler may be kept waiting for a request's body. `None` switches a clock off.
///
/// All three clocks run only while the handler waits: from a poll of the body that found nothing to the frame
/// that follows. A handler that does something else is not charged to its client.
///
/// | limit | measures | default | reason for the default |
/// |---|---|---|---|
/// | `idle` | the waiting since the last byte | 30 s | a phone that changes networks, or five lost packets in a row (1 + 2 + 4 + 8 + 16 s), fit in |
/// | `total` | all the waiting for this body, added up | 120 s | 4 MiB, the largest body that rmcp takes, at 280 kbit/s; routes with larger uploads need more, or none |
/// | `min_rate` | the rate while there is waiting, after a grace | 240 B/s after 30 s | Kestrel's rate, years on the open internet, a twentieth of a modem's; the grace as long as `idle`, so that a pause costs nobody an upload, where Kestrel has 5 s |
///
/// The rate is an account of waiting time: it opens with the grace, each byte adds 1/rate of a second, up to the
/// longer of the grace and `idle`, and waiting spends it. So no burst, however large, buys more than that, and a
/// client that drips below the rate is cut once it has used the grace up.
///
/// A value of this type has passed the checks of [`RequestBodyLimitsBuilder::build`]. In a request's extensions
/// it overrides the limits of the layer for that request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBodyLimits {
    idle: Option<Duration>,
    total: Option<Duration>,
    min_rate: Option<(NonZeroU32, Duration)>,
    report_only: PhaseSet,
}

/// Builds [`RequestBodyLimits`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "limits come out of `build`"]
pub struct RequestBodyLimitsBuilder {
    limits: RequestBodyLimits,
    bytes_per_second: u32,
    foreign_phase: Option<Phase>,
}

/// Bytes per second.
const DEFAULT_RATE: u32 = 240;

const DEFAULTS: RequestBodyLimits = RequestBodyLimits {
    idle: Some(Duration::from_secs(30)),
    total: Some(Duration::from_secs(120)),
    min_rate: Some((
        NonZeroU32::MIN.saturating_add(DEFAULT_RATE - 1),
        Duration::from_secs(30),
    )),
    report_only: PhaseSet::EMPTY,
};

// === impl RequestBodyLimits ===

impl RequestBodyLimits {
    /// The defaults of the table above.
    #[must_use]
    pub const fn new() -> Self {
        DEFAULTS
    }

    /// A builder that starts from the defaults.
    pub const fn builder() -> RequestBodyLimitsBuilder {
        DEFAULTS.to_builder()
    }

    /// A builder that starts from these limits, to derive those of one route.
    pub const fn to_builder(self) -> RequestBodyLimitsBuilder {
        let bytes_per_second = match self.min_rate {
            Some((rate, _)) => rate.get(),
            None => DEFAULT_RATE,
        };
        RequestBodyLimitsBuilder {
            limits: self,
            bytes_per_second,
            foreign_phase: None,
        }
    }

    /// The longest that the handler waits for the next byte.
    #[must_use]
    pub const fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// The longest that the handler waits for this body, all in all.
    #[must_use]
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }

    /// The least rate, in bytes per second, and the grace before it counts.
    #[must_use]
    pub fn min_rate(&self) -> Option<(u32, Duration)> {
        self.min_rate.map(|(rate, grace)| (rate.get(), grace))
    }

    /// Whether a limit is only reported and not enforced.
    #[must_use]
    pub const fn is_report_only(&self, phase: Phase) -> bool {
        self.report_only.contains(phase)
    }

    /// Whether any body can be cut.
    pub(super) const fn can_cut(&self) -> bool {
        (self.idle.is_some() && !self.is_report_only(Phase::RequestIdle))
            || (self.total.is_some() && !self.is_report_only(Phase::RequestTotal))
            || (self.min_rate.is_some() && !self.is_report_only(Phase::RequestRate))
    }

    /// The rate with the most that its account may hold.
    pub(super) fn pace(&self) -> Option<MinRate> {
        let (rate, grace) = self.min_rate?;
        Some(MinRate::new(rate, grace, self.idle.unwrap_or(grace)))
    }
}

impl Default for RequestBodyLimits {
    fn default() -> Self {
        Self::new()
    }
}

// === impl RequestBodyLimitsBuilder ===

impl RequestBodyLimitsBuilder {
    /// Limits the waiting for the next byte.
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.limits.idle = Some(limit);
        self
    }

    /// Leaves the waiting for the next byte without a limit of its own.
    pub const fn without_idle(mut self) -> Self {
        self.limits.idle = None;
        self
    }

    /// Limits all the waiting for one body.
    pub const fn total(mut self, limit: Duration) -> Self {
        self.limits.total = Some(limit);
        self
    }

    /// Leaves the sum of the waiting without a limit: for uploads of any size.
    pub const fn without_total(mut self) -> Self {
        self.limits.total = None;
        self
    }

    /// Demands `bytes_per_second` while the handler waits, after a `grace` in which nothing need come.
    pub const fn min_rate(mut self, bytes_per_second: u32, grace: Duration) -> Self {
        self.bytes_per_second = bytes_per_second;
        self.limits.min_rate = Some((NonZeroU32::MIN, grace));
        self
    }

    /// Demands no rate.
    pub const fn without_min_rate(mut self) -> Self {
        self.limits.min_rate = None;
        self
    }

    /// Only reports when `phase` runs out ("would have cut") and lets the body go on. `phase` is one of
    /// [`Phase::RequestIdle`], [`Phase::RequestTotal`] and [`Phase::RequestRate`].
    pub const fn report_only(mut self, phase: Phase) -> Self {
        match phase {
            Phase::RequestIdle | Phase::RequestTotal | Phase::RequestRate => {
                self.limits.report_only = self.limits.report_only.with(phase);
            }
            _ => self.foreign_phase = Some(phase),
        }
        self
    }

    /// Only reports, for all three clocks: the dry run of a new configuration.
    pub const fn report_only_all(self) -> Self {
        self.report_only(Phase::RequestIdle)
            .report_only(Phase::RequestTotal)
            .report_only(Phase::RequestRate)
    }

    /// Checks the limits against one another.
    ///
    /// # Errors
    /// Refuses a limit, rate or grace of zero; an `idle` or a grace that is longer than `total`, since the longer
    /// one could never run out; and a report-only phase that is not one of a request body.
    pub fn build(self) -> Result<RequestBodyLimits, ConfigError> {
        let mut limits = self.limits;
        let grace = limits.min_rate.map(|(_, grace)| grace);
        if grace == Some(Duration::ZERO) {
            return Err(ConfigError::new(
                "`min_rate` has no grace, so every client would be too slow at its first pause: allow a second or more"
                    .to_owned(),
            ));
        }
        for (name, limit) in [("idle", limits.idle), ("total", limits.total)] {
            if limit == Some(Duration::ZERO) {
                return Err(ConfigError::new(format!(
                    "`{name}` is zero, so every body that is not there at once would fail; to switch the limit off, \
                     leave it out"
                )));
            }
        }
        if let Some((rate, _)) = &mut limits.min_rate {
            *rate = NonZeroU32::new(self.bytes_per_second).ok_or_else(|| {
                ConfigError::new(
                    "`min_rate` is zero bytes per second, which nobody can fall below; to switch it off, use \
                     `without_min_rate`"
                        .to_owned(),
                )
            })?;
        }
        if let Some(total) = limits.total {
            for (name, limit) in [("idle", limits.idle), ("the grace of `min_rate`", grace)] {
                if let Some(limit) = limit.filter(|limit| *limit > total) {
                    return Err(ConfigError::new(format!(
                        "`{name}` ({limit:?}) is longer than `total` ({total:?}), so it could never run out: raise \
                         `total` or lower the other"
                    )));
                }
            }
        }
        if let Some(phase) = self.foreign_phase {
            return Err(ConfigError::new(format!(
                "`report_only({phase})` names no clock of a request body: they are request_idle, request_total and \
                 request_rate"
            )));
        }
        Ok(limits)
    }
}
