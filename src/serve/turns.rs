//! Which stream of a connection goes, where one keeps the others waiting.
//!
//! A client that stops reading one stream over HTTP/2 can use up the window of the whole connection with it. Then all
//! of its streams stall, and only one of them is to blame: the first to stall, since it had taken what the others now
//! lack. That one is cut, and the others begin to wait afresh.

use std::time::{Duration, Instant};

use crate::cut::Turn;

/// Decides for the streams of one connection.
#[derive(Debug)]
pub(super) struct Turns {
    stall: Duration,
    /// Who has asked in this round: several streams found too slow at the same look.
    candidate: Option<Candidate>,
    last_cut: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    since: Instant,
    stream: u64,
    taken: u64,
}

// === impl Turns ===

impl Turns {
    pub(super) const fn new(stall: Duration) -> Self {
        Self {
            stall,
            candidate: None,
            last_cut: None,
        }
    }

    /// `stream` is too slow, at a look that happens at `now`.
    ///
    /// Streams that become too slow at the same look are told apart at the next: the one goes that has taken most.
    pub(super) fn ask(&mut self, stream: u64, taken: u64, now: Instant) -> Turn {
        if self
            .last_cut
            .is_some_and(|cut| now.saturating_duration_since(cut) < self.stall)
        {
            return Turn::Afresh;
        }
        // A round that nobody came back to is over: its candidate took something, or went.
        let stale = |candidate: &Candidate| now.saturating_duration_since(candidate.since) > self.stall;
        match self.candidate.filter(|candidate| !stale(candidate)) {
            Some(best) if now > best.since && best.stream == stream => {
                self.candidate = None;
                self.last_cut = Some(now);
                Turn::Now
            }
            Some(best) if now > best.since || best.taken >= taken => Turn::Later,
            _ => {
                self.candidate = Some(Candidate {
                    since: now,
                    stream,
                    taken,
                });
                Turn::Later
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    const STALL: Duration = Duration::from_secs(8);

    #[test]
    fn one_that_stands_alone_goes_at_the_second_look() {
        let (mut turns, at) = (Turns::new(STALL), now());
        assert_eq!(turns.ask(1, 10, at), Turn::Later);
        assert_eq!(turns.ask(1, 10, at + STALL / 8), Turn::Now);
    }

    #[test]
    fn of_those_who_ask_at_one_look_the_greediest_goes_and_the_others_wait_afresh() {
        let (mut turns, at) = (Turns::new(STALL), now());
        for (stream, taken) in [(1, 200), (3, 65_535), (5, 400)] {
            assert_eq!(turns.ask(stream, taken, at), Turn::Later);
        }
        let next = at + STALL / 8;
        assert_eq!(turns.ask(1, 200, next), Turn::Later);
        assert_eq!(turns.ask(3, 65_535, next), Turn::Now);
        assert_eq!(turns.ask(5, 400, next), Turn::Afresh);
        assert_eq!(turns.ask(1, 200, next + STALL / 2), Turn::Afresh);
        assert_eq!(turns.ask(1, 200, next + STALL), Turn::Later);
        assert_eq!(turns.ask(1, 200, next + STALL + STALL / 8), Turn::Now);
    }

    #[test]
    fn the_first_to_be_too_slow_goes_first() {
        let (mut turns, at) = (Turns::new(STALL), now());
        assert_eq!(turns.ask(1, 10, at), Turn::Later);
        assert_eq!(turns.ask(3, 1000, at + STALL / 8), Turn::Later);
        assert_eq!(turns.ask(1, 10, at + STALL / 8), Turn::Now);
    }

    #[test]
    fn a_candidate_that_recovers_keeps_nobody_else_from_being_cut() {
        let (mut turns, at) = (Turns::new(STALL), now());
        assert_eq!(turns.ask(1, 10, at), Turn::Later);
        let mut cut = None;
        for look in 1..40 {
            if turns.ask(3, 5, at + STALL / 8 * look) == Turn::Now {
                cut.get_or_insert(look);
            }
        }
        assert!(cut.is_some_and(|look| look <= 10), "{cut:?}");
    }
}
