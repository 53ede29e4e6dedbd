//! How slow a client may be: values that were checked when they were built.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::ConfigError;
use crate::pace::MinRate;

/// How slow a client may be in taking its answer.
///
/// | limit | counts | default | reason for the default |
/// |---|---|---|---|
/// | `stall` | the time for which bytes wait and the client is seen to take none | 60 s | a reader of 5 KB/s over HTTP/1.1 shows progress once in 33 s behind a [watched connection](crate::slow_client_guard#what-is-to-be-seen), and one of 40 KB/s once in 46 s where the layer stands alone, since buffers are refilled in large steps; and TCP tries again at doubling intervals: a phone that was in a tunnel for 25 s may hear nothing for as long again |
/// | `min_rate` | bytes per second, as a balance of waiting time that progress refills (below) | 240 B/s | what Kestrel holds to be too slow; a 2G telephone takes ten times as much |
/// | `grace` | waiting that is free of charge before `min_rate` is held against anybody | as `stall` | whoever takes nothing from the start is stalled, not slow |
///
/// Only time in which bytes wait for the client is counted. A stream that has nothing to say is never slow,
/// however long it lasts.
///
/// Each byte pays for `1/min_rate` seconds of waiting, and whoever has used up the grace and what was paid in is
/// too slow. What is paid in can grow to twice the grace, so that no burst at the beginning forgives an hour of
/// dripping; and whoever has caught up with the server owes nothing. A client that takes one byte now and then makes
/// progress, and is never stalled: this is the limit for it. Buffers hide progress from it as they do from `stall`: twice
/// the grace has to be longer than a healthy client can show none.
///
/// A value of this type has passed the checks of [`SlowClientLimitsBuilder::build`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowClientLimits {
    stall: Duration,
    rate: Option<MinRate>,
    report_only: bool,
}

/// Builds [`SlowClientLimits`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "limits come out of `build`"]
pub struct SlowClientLimitsBuilder {
    stall: Duration,
    min_rate: Option<u32>,
    grace: Option<Duration>,
    report_only: bool,
}

const STALL: Duration = Duration::from_secs(60);
const MIN_RATE: NonZeroU32 = NonZeroU32::new(240).unwrap();

/// A shorter stall could not be told from a busy runtime.
const LEAST_STALL: Duration = Duration::from_millis(50);

/// A stall is noticed up to two looks late.
const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const LOOKS_IN_A_STALL: u32 = 8;

// === impl SlowClientLimits ===

impl SlowClientLimits {
    /// The defaults of the table above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stall: STALL,
            rate: Some(MinRate::new(MIN_RATE, STALL, double(STALL))),
            report_only: false,
        }
    }

    /// A builder that starts from the defaults.
    pub const fn builder() -> SlowClientLimitsBuilder {
        SlowClientLimitsBuilder {
            stall: STALL,
            min_rate: Some(MIN_RATE.get()),
            grace: None,
            report_only: false,
        }
    }

    /// How long bytes may wait without the client taking any.
    #[must_use]
    pub const fn stall(&self) -> Duration {
        self.stall
    }

    /// The least rate in bytes per second.
    #[must_use]
    pub const fn min_rate(&self) -> Option<u32> {
        match self.rate {
            Some(rate) => Some(rate.bytes_per_second()),
            None => None,
        }
    }

    /// The waiting that is free of charge before the least rate is held against anybody.
    #[must_use]
    pub const fn grace(&self) -> Option<Duration> {
        match self.rate {
            Some(rate) => Some(rate.grace()),
            None => None,
        }
    }

    /// Whether slow clients are only reported.
    #[must_use]
    pub const fn is_report_only(&self) -> bool {
        self.report_only
    }

    pub(super) const fn rate(&self) -> Option<MinRate> {
        self.rate
    }

    /// How often a client is looked at: an eighth of the stall, at most 0.25 s.
    pub(crate) fn between_looks(&self) -> Duration {
        (self.stall / LOOKS_IN_A_STALL).min(LONGEST_BETWEEN_LOOKS)
    }
}

impl Default for SlowClientLimits {
    fn default() -> Self {
        Self::new()
    }
}

// === impl SlowClientLimitsBuilder ===

impl SlowClientLimitsBuilder {
    /// How long bytes may wait without the client taking any.
    pub const fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// The least rate, in bytes per second.
    pub const fn min_rate(mut self, bytes_per_second: u32) -> Self {
        self.min_rate = Some(bytes_per_second);
        self
    }

    /// Leaves clients that take something now and then alone, however little it is.
    pub const fn without_min_rate(mut self) -> Self {
        self.min_rate = None;
        self
    }

    /// The waiting that is free of charge before the least rate is held against anybody. Unless this is called,
    /// it is as long as a stall.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Only reports slow clients ("would have cut") and lets them go on: the dry run of new limits.
    pub const fn report_only(mut self) -> Self {
        self.report_only = true;
        self
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// Refuses a `stall` of less than 50 ms, which no busy runtime could tell from its own delays; a least rate of
    /// zero; and a `grace` without a least rate, or of zero, with which the first byte that waits would be late.
    pub fn build(self) -> Result<SlowClientLimits, ConfigError> {
        let Self {
            stall,
            min_rate,
            grace,
            report_only,
        } = self;
        if stall < LEAST_STALL {
            return Err(ConfigError::new(format!(
                "a `stall` of {stall:?} is less than {LEAST_STALL:?}, so that a busy moment of the server itself \
                 would look like a client that does not read"
            )));
        }
        if grace == Some(Duration::ZERO) {
            return Err(ConfigError::new(
                "a `grace` of zero would cut a client at the first byte that it does not take at once"
                    .to_owned(),
            ));
        }
        let rate = match min_rate.map(NonZeroU32::new) {
            Some(Some(rate)) => {
                let grace = grace.unwrap_or(stall);
                Some(MinRate::new(rate, grace, double(grace)))
            }
            Some(None) => {
                return Err(ConfigError::new(
                    "a `min_rate` of zero allows everything: leave it out with `without_min_rate`".to_owned(),
                ));
            }
            None if grace.is_some() => {
                return Err(ConfigError::new(
                    "`grace` belongs to `min_rate`, which is switched off".to_owned(),
                ));
            }
            None => None,
        };
        Ok(SlowClientLimits {
            stall,
            rate,
            report_only,
        })
    }
}

const fn double(time: Duration) -> Duration {
    time.saturating_mul(2)
}
