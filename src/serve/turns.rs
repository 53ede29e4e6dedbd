//! Which stream of a connection goes, where one keeps the others waiting.
//!
//! A client that stops reading one stream over HTTP/2 can use up the window of the whole connection with it. Then all
//! of its streams stall, and only one of them is to blame: the first to stall, since it had taken what the others now
//! lack. That one is cut, and the others begin to wait afresh. If that was no help, the connection goes. Where other
//! streams get on, a stream is stalled by itself, and goes at once.

use std::time::{Duration, Instant};

use crate::cut::Turn;

/// Decides for the streams of one connection.
#[derive(Debug)]
pub(super) struct Turns {
    stall: Duration,
    /// Two earlier moments, and how many frames had been taken of all streams: the older is the older by a quarter
    /// of a stall at least.
    marks: [Option<Mark>; 2],
    /// Who has asked in this round: several streams found too slow at the same look.
    candidate: Option<Candidate>,
    last_cut: Option<Mark>,
}

/// What becomes of a stream that is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stream(Turn),
    /// To cut one stream was no help.
    Connection,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    frames: u64,
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
            marks: [None; 2],
            candidate: None,
            last_cut: None,
        }
    }

    /// Takes notice of how many frames were taken until now, of all streams.
    pub(super) fn note(&mut self, frames: u64, now: Instant) {
        let [_, newer] = self.marks;
        if newer.is_none_or(|mark| now.saturating_duration_since(mark.at) >= self.stall / 4) {
            self.marks = [newer, Some(Mark { at: now, frames })];
        }
    }

    /// `stream` is too slow, at a look that happens at `now`, while there are so many `others`.
    ///
    /// Streams that become too slow at the same look are told apart at the next: the one goes that has taken most.
    pub(super) fn ask(&mut self, stream: u64, taken: u64, others: u64, frames: u64, now: Instant) -> Verdict {
        self.note(frames, now);
        // A stream that was silent has a byte of the window in advance, and with that its next frame is taken though
        // nothing gets on: one for each says nothing.
        let gets_on = |since: Mark| frames.saturating_sub(since.frames) > others;
        let recent = |mark: &Mark| now.saturating_duration_since(mark.at) <= self.stall / 4 * 3;
        if others == 0 || self.marks[0].filter(recent).is_some_and(gets_on) {
            return Verdict::Stream(Turn::Now);
        }
        if let Some(cut) = self.last_cut {
            let since = now.saturating_duration_since(cut.at);
            if since < self.stall {
                return Verdict::Stream(Turn::Afresh);
            }
            if since < self.stall.saturating_mul(3) && !gets_on(cut) {
                return Verdict::Connection;
            }
        }
        Verdict::Stream(self.round(stream, taken, frames, now))
    }

    fn round(&mut self, stream: u64, taken: u64, frames: u64, now: Instant) -> Turn {
        // A round that nobody came back to is over: its candidate took something, or went.
        let stale = |candidate: &Candidate| now.saturating_duration_since(candidate.since) > self.stall;
        match self.candidate.filter(|candidate| !stale(candidate)) {
            Some(best) if now > best.since && best.stream == stream => {
                self.candidate = None;
                self.last_cut = Some(Mark { at: now, frames });
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
    const LOOK: Duration = Duration::from_secs(1);
    const NOW: Verdict = Verdict::Stream(Turn::Now);
    const LATER: Verdict = Verdict::Stream(Turn::Later);
    const AFRESH: Verdict = Verdict::Stream(Turn::Afresh);

    /// At a moment when nothing has got on for long.
    fn stuck(frames: u64) -> (Turns, Instant) {
        let (mut turns, start) = (Turns::new(STALL), now());
        for look in 0..9 {
            turns.note(frames, start + LOOK * look);
        }
        (turns, start + LOOK * 9)
    }

    #[test]
    fn one_that_stands_alone_goes_at_once() {
        let (mut turns, at) = stuck(5);
        assert_eq!(turns.ask(1, 10, 0, 5, at), NOW);
    }

    #[test]
    fn those_who_stall_while_others_get_on_go_at_once() {
        let (mut turns, start) = (Turns::new(STALL), now());
        for look in 0..9 {
            turns.note(u64::from(look) * 3, start + LOOK * look);
        }
        let at = start + LOOK * 9;
        assert_eq!(turns.ask(1, 10, 2, 27, at), NOW);
        assert_eq!(turns.ask(3, 10, 1, 27, at), NOW);
    }

    #[test]
    fn of_those_who_ask_at_one_look_the_greediest_goes_and_the_others_wait_afresh() {
        let (mut turns, at) = stuck(5);
        for (stream, taken) in [(1, 200), (3, 65_535), (5, 400)] {
            assert_eq!(turns.ask(stream, taken, 2, 5, at), LATER);
        }
        let next = at + LOOK;
        assert_eq!(turns.ask(1, 200, 2, 5, next), LATER);
        assert_eq!(turns.ask(3, 65_535, 2, 5, next), NOW);
        assert_eq!(turns.ask(5, 400, 1, 5, next), AFRESH);
        assert_eq!(turns.ask(1, 200, 1, 5, next + STALL / 2), AFRESH);
    }

    #[test]
    fn where_nothing_gets_on_after_a_cut_the_connection_goes() {
        let (mut turns, at) = stuck(5);
        assert_eq!(turns.ask(3, 65_535, 2, 5, at), LATER);
        assert_eq!(turns.ask(3, 65_535, 2, 5, at + LOOK), NOW);
        // One frame of a window that was granted before is no sign of life.
        assert_eq!(turns.ask(1, 200, 1, 6, at + LOOK + STALL), Verdict::Connection);
    }

    #[test]
    fn where_the_others_got_on_after_a_cut_they_have_their_own_turns() {
        let (mut turns, at) = stuck(5);
        assert_eq!(turns.ask(3, 65_535, 2, 5, at), LATER);
        assert_eq!(turns.ask(3, 65_535, 2, 5, at + LOOK), NOW);
        for look in 2..12 {
            turns.note(50, at + LOOK * look);
        }
        assert_eq!(turns.ask(1, 200, 1, 50, at + LOOK * 12), LATER);
        assert_eq!(turns.ask(1, 200, 1, 50, at + LOOK * 13), NOW);
    }

    #[test]
    fn a_candidate_that_recovers_keeps_nobody_else_from_being_cut() {
        let (mut turns, at) = stuck(5);
        assert_eq!(turns.ask(1, 10, 1, 5, at), LATER);
        let mut cut = None;
        for look in 1..40 {
            if turns.ask(3, 5, 1, 5, at + LOOK * look) == NOW {
                cut.get_or_insert(look);
            }
        }
        assert!(cut.is_some_and(|look| look <= 10), "{cut:?}");
    }
}
