//! The limits of a gate: values that were checked when they were built.

use std::time::Duration;

use crate::error::ConfigError;
use crate::gate::{Limits, MAX_SEATS};

/// How many may be in, how many may wait for it, and for how long.
///
/// | limit | default | reason for the default |
/// |---|---|---|
/// | `max_in_flight` | none: it has to be said | only you know what the model or the database can serve at once |
/// | `max_queue` | 2 × `max_in_flight` | with two waiting for each seat, the last one waits for two answers; a longer queue is more time than callers have |
/// | `queue_timeout` | 5 s | whoever has waited that long for a *beginning* has most often gone; a field report ran 4 seats with 8 waiting |
/// | `key_share` | off | without keys there is nothing to share |
///
/// A value of this type has passed the checks of [`GateLimitsBuilder::build`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    max_in_flight: u32,
    max_queue: u32,
    queue_timeout: Duration,
    key_share: Option<u32>,
}

/// Builds [`GateLimits`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "limits come out of `build`"]
pub struct GateLimitsBuilder {
    max_in_flight: u32,
    max_queue: Option<u32>,
    queue_timeout: Duration,
    key_share: Option<u32>,
}

/// What a refusal says in `Retry-After`.
///
/// Fractions are rounded up to whole seconds. A refusal is never cached, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// Nothing.
    Off,
    /// Always this, without a spread: all who were sent away together come back together.
    Fixed(Duration),
    /// The time in which the queue ahead is served, at the rate at which seats came free lately (once eight
    /// did; the `queue_timeout` before, and after ten seconds without a refusal), spread upwards by up to half,
    /// and within these limits. While nothing comes free it grows.
    Estimated {
        /// The least that is said. Default: 1 s, the finest step that the header has.
        min: Duration,
        /// The most that is said. Default: 60 s, after which a guess is worth nothing.
        max: Duration,
    },
}

// === impl GateLimits ===

impl GateLimits {
    /// A builder that starts from the defaults.
    pub const fn builder(max_in_flight: u32) -> GateLimitsBuilder {
        let queue_timeout = Duration::from_secs(5);
        GateLimitsBuilder {
            max_in_flight,
            max_queue: None,
            queue_timeout,
            key_share: None,
        }
    }

    /// The most that are in at once.
    #[must_use]
    pub const fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }

    /// The most that wait at once.
    #[must_use]
    pub const fn max_queue(&self) -> u32 {
        self.max_queue
    }

    /// The longest wait for a seat.
    #[must_use]
    pub const fn queue_timeout(&self) -> Duration {
        self.queue_timeout
    }

    /// The most that are in or wait at once for one key.
    #[must_use]
    pub const fn key_share(&self) -> Option<u32> {
        self.key_share
    }

    pub(super) const fn core(self) -> Limits {
        let Self {
            max_in_flight,
            max_queue,
            queue_timeout,
            key_share,
        } = self;
        Limits {
            max_in_flight,
            max_queue,
            queue_timeout,
            key_share,
        }
    }
}

// === impl GateLimitsBuilder ===

impl GateLimitsBuilder {
    /// Lets so many wait. Zero: whoever finds no seat is refused at once.
    pub const fn max_queue(mut self, places: u32) -> Self {
        self.max_queue = Some(places);
        self
    }

    /// Lets nobody wait longer than this. The request's [`Deadline`](crate::Deadline) may end a wait earlier.
    pub const fn queue_timeout(mut self, limit: Duration) -> Self {
        self.queue_timeout = limit;
        self
    }

    /// Lets so many be in or wait at once for one [`Key`](crate::admission_gate::Key), where requests have
    /// one. More are refused with 429.
    pub const fn key_share(mut self, share: u32) -> Self {
        self.key_share = Some(share);
        self
    }

    /// The limits, if they make sense.
    ///
    /// # Errors
    /// Refuses zeros (but for `max_queue`), more than 1,048,575 seats or places, and a share that is larger than
    /// all seats and places together.
    pub fn build(self) -> Result<GateLimits, ConfigError> {
        let Self {
            max_in_flight,
            queue_timeout,
            key_share,
            ..
        } = self;
        check_seats("max_in_flight", max_in_flight)?;
        let max_queue = self
            .max_queue
            .unwrap_or_else(|| max_in_flight.saturating_mul(2).min(MAX_SEATS));
        check_places("max_queue", max_queue)?;
        check_queue_timeout(queue_timeout)?;
        if let Some(share) = key_share {
            check_share(share)?;
            if share > max_in_flight + max_queue {
                return Err(ConfigError::new(format!(
                    "`key_share` ({share}) is larger than all seats and places together ({}), so it could never \
                     be reached: lower it or leave it out",
                    max_in_flight + max_queue
                )));
            }
        }
        Ok(GateLimits {
            max_in_flight,
            max_queue,
            queue_timeout,
            key_share,
        })
    }
}

// === impl RetryAfter ===

impl RetryAfter {
    /// [`Estimated`](Self::Estimated) between 1 s and 60 s: the default.
    pub const ESTIMATED: Self = Self::Estimated {
        min: Duration::from_secs(1),
        max: Duration::from_secs(60),
    };

    pub(super) fn check(self) -> Result<Self, ConfigError> {
        match self {
            Self::Estimated { min, max } if min > max => Err(ConfigError::new(format!(
                "the least `Retry-After` ({min:?}) is more than the most ({max:?}): swap them"
            ))),
            _ => Ok(self),
        }
    }
}

impl Default for RetryAfter {
    fn default() -> Self {
        Self::ESTIMATED
    }
}

pub(super) fn check_seats(name: &str, seats: u32) -> Result<(), ConfigError> {
    if seats == 0 {
        return Err(ConfigError::new(format!(
            "`{name}` is zero, so every request would be refused; to let nobody in, close the gate"
        )));
    }
    check_places(name, seats)
}

pub(super) fn check_places(name: &str, places: u32) -> Result<(), ConfigError> {
    if places > MAX_SEATS {
        return Err(ConfigError::new(format!(
            "`{name}` is {places}, and a gate counts to {MAX_SEATS} only"
        )));
    }
    Ok(())
}

pub(super) fn check_share(share: u32) -> Result<(), ConfigError> {
    if share == 0 {
        return Err(ConfigError::new(
            "`key_share` is zero, so every request with a key would be refused; to switch it off, leave it out".into(),
        ));
    }
    Ok(())
}

pub(super) fn check_queue_timeout(limit: Duration) -> Result<(), ConfigError> {
    if limit.is_zero() {
        return Err(ConfigError::new(
            "`queue_timeout` is zero, so nobody who waits could get a seat; to let nobody wait, set `max_queue` to \
             zero"
            .into(),
        ));
    }
    Ok(())
}
