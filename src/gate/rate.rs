//! When somebody who was sent away should come back.

use std::time::{Duration, Instant};

/// How fast seats come free while there are refusals, which are the only moments in which anybody asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    window: Option<Window>,
    per_second: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    freed: u64,
    last_look: Instant,
}

/// What stands between somebody who was sent away and a seat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Backlog {
    /// How many seats have to come free first.
    pub(crate) ahead: u32,
    /// How many come free in a second, once enough were seen.
    pub(crate) per_second: Option<f64>,
    /// What passes for the wait before that.
    pub(crate) otherwise: Duration,
}

/// Seats that have to come free before their rate means anything.
const ENOUGH: u64 = 8;
/// The shortest time over which they are counted, lest one burst passes for the rate.
const SHORTEST: Duration = Duration::from_millis(100);
/// After so long without a refusal there was no overload, and what came free then tells nothing.
const QUIET: Duration = Duration::from_secs(10);

// === impl Rate ===

impl Rate {
    /// Somebody is refused, after `freed` seats in all have come free (modulo `wrap`). `None`: not enough was seen
    /// since refusals began.
    pub(super) fn look(&mut self, now: Instant, freed: u64, wrap: u64) -> Option<f64> {
        let fresh = Window {
            since: now,
            freed,
            last_look: now,
        };
        let Some(window) = &mut self.window else {
            self.window = Some(fresh);
            return self.per_second;
        };
        let quiet = now.saturating_duration_since(window.last_look) > QUIET;
        window.last_look = now;
        let count = freed.wrapping_sub(window.freed) % wrap;
        let time = now.saturating_duration_since(window.since);
        if quiet {
            *self = Self {
                window: Some(fresh),
                per_second: None,
            };
        } else if count >= ENOUGH && time >= SHORTEST {
            let seen = count as f64 / time.as_secs_f64();
            // Half of what was known stays, so that one odd window does not send everybody away for a minute.
            self.per_second = Some(self.per_second.map_or(seen, |known| f64::midpoint(known, seen)));
            *window = fresh;
        } else if let Some(known) = self.per_second {
            // By now enough should have come free: what does not end must not be waited for at the old rate.
            let elapsed = time.as_secs_f64();
            if elapsed * known > ENOUGH as f64 {
                return Some(known.min((count + 1) as f64 / elapsed));
            }
        }
        self.per_second
    }
}

// === impl Backlog ===

impl Backlog {
    /// How long it takes until a seat is free for one more.
    pub(crate) fn wait(self) -> Duration {
        let seconds = self.per_second.map(|rate| (f64::from(self.ahead) + 1.0) / rate);
        seconds.map_or(self.otherwise, |seconds| {
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        })
    }
}

/// Whole seconds between `min` and `max` for a wait of about `wait`, spread upwards by half of it and by one
/// second at least, so that those who were sent away together do not come back together.
pub(crate) fn spread(wait: Duration, min: Duration, max: Duration, random: u64) -> u64 {
    let (min, max) = (whole_seconds(min), whole_seconds(max));
    // Somebody at the upper end is spread downwards, or all of them would come at `max`.
    let low = whole_seconds(wait).clamp(min, max).min(max - max / 3).max(min);
    let high = low.saturating_add((low / 2).max(1)).min(max).max(low);
    low + random % (high - low).saturating_add(1)
}

/// Fractions are rounded up.
pub(crate) const fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add((time.subsec_nanos() > 0) as u64)
}
