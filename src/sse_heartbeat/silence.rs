//! When a stream has been silent for long enough.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long nothing has come, counted from the first poll that found nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    since: Option<Instant>,
}

/// What a look at a silence found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It has lasted for so long, which is enough.
    Over(Duration),
    /// It is over then, or never.
    Wait(Option<Instant>),
}

/// A stream's share of an eighth of the interval, which its beats come earlier by, in 256ths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter(u8);

/// Each next stream's share, as far away from those before it as can be: the golden ratio in 32 bits.
const STEP: u32 = 0x9E37_79B9;

static NEXT: AtomicU32 = AtomicU32::new(0);

// === impl Silence ===

impl Silence {
    pub(super) const NONE: Self = Self { since: None };

    /// Something came.
    #[inline]
    pub(super) const fn end(&mut self) {
        self.since = None;
    }

    /// Whether it has been noticed, so that it has a beginning.
    #[inline]
    pub(super) const fn lasts(&self) -> bool {
        self.since.is_some()
    }

    /// Nothing is there.
    pub(super) fn look(&mut self, now: Instant, limit: Duration) -> Look {
        let since = *self.since.get_or_insert(now);
        match since.checked_add(limit) {
            Some(end) if end <= now => Look::Over(now.saturating_duration_since(since)),
            end => Look::Wait(end),
        }
    }
}

// === impl Jitter ===

impl Jitter {
    pub(super) const NONE: Self = Self(0);

    /// The share of the next stream.
    pub(super) fn next() -> Self {
        let [.., share] = NEXT.fetch_add(STEP, Ordering::Relaxed).to_le_bytes();
        Self(share)
    }

    /// `interval`, or up to an eighth less.
    pub(super) fn shorten(self, interval: Duration) -> Duration {
        interval - interval / (8 * 256) * u32::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_silence_begins_when_it_is_noticed_and_ends_with_whatever_comes() {
        let start = now();
        let mut silence = Silence::NONE;
        assert!(!silence.lasts());
        assert_eq!(
            silence.look(start, 3 * SECOND),
            Look::Wait(Some(start + 3 * SECOND))
        );
        assert_eq!(
            silence.look(start + 2 * SECOND, 3 * SECOND),
            Look::Wait(Some(start + 3 * SECOND))
        );
        assert_eq!(
            silence.look(start + 3 * SECOND, 3 * SECOND),
            Look::Over(3 * SECOND)
        );
        silence.end();
        assert_eq!(
            silence.look(start + 9 * SECOND, 3 * SECOND),
            Look::Wait(Some(start + 12 * SECOND))
        );
        assert_eq!(
            silence.look(start + 99 * SECOND, 3 * SECOND),
            Look::Over(90 * SECOND),
            "noticed late"
        );
        assert_eq!(silence.look(start, Duration::MAX), Look::Wait(None));
    }

    #[test]
    fn jitter_spreads_streams_over_an_eighth_of_the_interval() {
        let interval = 16 * SECOND;
        let mut intervals: Vec<_> = (0..64).map(|_| Jitter::next().shorten(interval)).collect();
        intervals.sort();
        assert!(
            intervals.iter().all(|one| *one <= interval && *one > 14 * SECOND),
            "{intervals:?}"
        );
        let widest = intervals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(
            widest < SECOND / 4,
            "64 streams share two seconds evenly, so no gap of {widest:?}"
        );
        assert_eq!(Jitter::NONE.shorten(interval), interval);
        let _ = Jitter(255).shorten(Duration::MAX);
    }
}
