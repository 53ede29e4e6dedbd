//! One request from its coming to its ending, and what is counted of it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use metrics::{Counter, Gauge, Histogram};

use super::register::{Handle, describe};
use super::table as t;
use crate::clock::now;

/// The handles of one layer.
pub(super) struct Meters {
    in_flight: Gauge,
    responses: [[Counter; 6]; 2],
    ended: [[Counter; 3]; 2],
    head: Histogram,
    first_byte: Histogram,
    duration: Histogram,
    silence: [Histogram; 2],
}

/// A request whose ending is yet to be counted: dropping it is one.
#[derive(Debug)]
pub(super) struct Exchange {
    meters: Arc<Meters>,
    began: Instant,
    stage: Stage,
    /// Somebody waits, and nothing has gone out since then.
    silent_since: Option<Instant>,
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Head,
    Body,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Complete,
    Failed,
    Dropped,
}

/// Who made a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Handler,
    Lifeline,
}

const STAGES: [&str; 2] = ["head", "body"];
const ENDINGS: [&str; 3] = ["complete", "failed", "dropped"];
const ORIGINS: [&str; 2] = ["handler", "lifeline"];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

// === impl Meters ===

impl Meters {
    pub(super) fn new() -> Self {
        describe();
        let ended = |stage| ENDINGS.map(|ending| Counter::register(&t::REQUESTS_ENDED, &[stage, ending]));
        let responses = |origin| CLASSES.map(|class| Counter::register(&t::RESPONSES, &[class, origin]));
        Self {
            in_flight: Gauge::register(&t::REQUESTS_IN_FLIGHT, &[]),
            responses: ORIGINS.map(responses),
            ended: STAGES.map(ended),
            head: Histogram::register(&t::RESPONSE_HEAD, &[]),
            first_byte: Histogram::register(&t::RESPONSE_FIRST_BYTE, &[]),
            duration: Histogram::register(&t::REQUEST_DURATION, &[]),
            silence: STAGES.map(|stage| Histogram::register(&t::VANISHED_SILENCE, &[stage])),
        }
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn begin(meters: Arc<Meters>) -> Self {
        meters.in_flight.increment(1.0);
        Self {
            meters,
            began: now(),
            stage: Stage::Head,
            silent_since: None,
            is_over: false,
        }
    }

    /// The head is waited for: it is silent since the request came.
    #[inline]
    pub(super) fn waits_for_head(&mut self) {
        self.silent_since = Some(self.began);
    }

    pub(super) fn head(&mut self, status: StatusCode, origin: Origin) -> Instant {
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1).min(5);
        self.meters.responses[origin as usize][class].increment(1);
        let now = now();
        self.meters.head.record(now.saturating_duration_since(self.began));
        self.stage = Stage::Body;
        self.silent_since = None;
        now
    }

    /// A frame is waited for: one look at the clock for each wait.
    #[inline]
    pub(super) fn waits_for_frame(&mut self) {
        if self.silent_since.is_none() {
            self.silent_since = Some(now());
        }
    }

    #[inline]
    pub(super) fn goes_on(&mut self) {
        self.silent_since = None;
    }

    /// The moment is handed on, to end with the same where the first byte was the last.
    #[inline(never)]
    pub(super) fn first_byte(&self) -> Instant {
        let now = now();
        self.meters
            .first_byte
            .record(now.saturating_duration_since(self.began));
        now
    }

    pub(super) fn end(mut self, ending: Ending, now: Instant) {
        self.count(ending, now);
    }

    fn count(&mut self, ending: Ending, now: Instant) {
        self.is_over = true;
        let (meters, stage) = (&self.meters, self.stage as usize);
        if let (Ending::Dropped, Some(since)) = (ending, self.silent_since) {
            meters.silence[stage].record(now.saturating_duration_since(since));
        }
        meters.ended[stage][ending as usize].increment(1);
        meters.duration.record(now.saturating_duration_since(self.began));
        meters.in_flight.decrement(1.0);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            self.count(Ending::Dropped, now());
        }
    }
}
