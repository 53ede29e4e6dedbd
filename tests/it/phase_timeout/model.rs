//! Whatever the script of frames, pauses, comments and polls: the phase that runs out is the one that a simple
//! model says, to the tick of the paused clock.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::{Phase, PhaseExpired, PhaseLimits, PhaseTimeoutLayer, Reporter};

use crate::scripted::{Scripted, Step, after};

const EVENT: &str = "data: x\n\n";
const COMMENT: &str = ": x\n\n";
const PIECE: &str = "data: x";
const GRACE: u64 = 50;
const FRAMES_BETWEEN_LOOKS: usize = 32;

#[derive(Clone, Debug)]
struct Script {
    head_after: u64,
    frames: Vec<(u64, What, u64)>,
    is_stream: bool,
    head: u64,
    read: u64,
    total: u64,
}

/// `Piece` leaves an event unfinished, which nothing may interrupt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Event,
    Comment,
    Piece,
}

/// What a client sees: each frame and the ending with their times in milliseconds.
#[derive(Debug, PartialEq)]
struct Seen {
    frames: Vec<u64>,
    goodbye: bool,
    ending: Ending,
}

#[derive(Debug, PartialEq)]
enum Ending {
    Complete(u64),
    Refused(u64),
    Cut { at: u64, phase: Phase, elapsed: u64 },
}

fn scripts() -> impl Strategy<Value = Script> {
    let what = prop_oneof![3 => Just(What::Event), 3 => Just(What::Comment), 1 => Just(What::Piece)];
    // Small numbers, so that moments coincide often.
    let frame = (0u64..8, what, prop_oneof![4 => Just(0u64), 1 => 0u64..40]);
    let flood = proptest::collection::vec((0u64..1, Just(What::Event), 0u64..3), 0..100);
    let frames = prop_oneof![4 => proptest::collection::vec(frame, 0..12), 1 => flood];
    (0u64..14, frames, any::<bool>(), 1u64..12, 1u64..12, 0u64..60).prop_map(
        |(head_after, frames, is_stream, head, read, more)| Script {
            head_after,
            frames,
            is_stream,
            head,
            read,
            total: head.max(read) + more,
        },
    )
}

fn model(script: &Script) -> Seen {
    let mut seen = Seen {
        frames: Vec::new(),
        goodbye: false,
        ending: Ending::Complete(0),
    };
    // `head` is never more than `total`.
    if script.head_after > script.head {
        seen.ending = Ending::Refused(script.head);
        return seen;
    }
    let mut now = script.head_after;
    let mut there_at = now;
    let mut silence = 0;
    let mut frames_left = FRAMES_BETWEEN_LOOKS;
    let mut unfinished = false;
    let ends = script
        .frames
        .iter()
        .map(|frame| (frame.0, Some((frame.1, frame.2))));
    for (gap, frame) in ends.chain([(0, None)]) {
        there_at += gap;
        let waits = there_at > now;
        if waits {
            let read_at = now + script.read - silence;
            let cut_at = read_at.min(script.total).max(now);
            if cut_at < there_at {
                let (phase, elapsed) = match read_at <= script.total {
                    true => (Phase::Read, cut_at - now + silence),
                    false => (Phase::Total, cut_at),
                };
                return seen.cut(script, cut_at, phase, elapsed, unfinished);
            }
            silence += there_at - now;
            now = there_at;
        }
        let Some((what, pause)) = frame else { break };
        seen.frames.push(now);
        frames_left -= 1;
        let is_progress = !script.is_stream || what != What::Comment;
        if is_progress {
            silence = 0;
        }
        // A comment in the middle of a line is text of that line.
        let is_progress = is_progress || unfinished;
        if is_progress {
            silence = 0;
        }
        unfinished = script.is_stream && (what == What::Piece);
        if frames_left == 0 || (waits && !is_progress) {
            frames_left = FRAMES_BETWEEN_LOOKS;
            if now >= script.total {
                let elapsed = now;
                now += pause;
                return seen.cut(script, now, Phase::Total, elapsed, unfinished);
            }
        }
        now += pause;
    }
    seen.ending = Ending::Complete(now);
    seen
}

impl Seen {
    fn cut(mut self, script: &Script, at: u64, phase: Phase, elapsed: u64, unfinished: bool) -> Self {
        self.goodbye = script.is_stream && !unfinished;
        let at = if script.is_stream { at + GRACE } else { at };
        self.ending = Ending::Cut { at, phase, elapsed };
        self
    }
}

async fn play(script: &Script) -> Seen {
    let ms = Duration::from_millis;
    let limits = PhaseLimits::builder()
        .head(ms(script.head))
        .read(ms(script.read))
        .total(ms(script.total));
    let layer = PhaseTimeoutLayer::new(limits.build().unwrap()).with_reporter(Reporter::silent());
    let start = Instant::now();
    let at = || u64::try_from(start.elapsed().as_millis()).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| {
        after(script.head_after, || {
            let steps = script.frames.iter().map(|(gap, what, _)| {
                let text = match what {
                    What::Event => EVENT,
                    What::Comment => COMMENT,
                    What::Piece => PIECE,
                };
                Step::Data(*gap, Bytes::from_static(text.as_bytes()))
            });
            let mut response = Response::new(Scripted::new(steps));
            if script.is_stream {
                response
                    .headers_mut()
                    .insert("content-type", "text/event-stream".parse().unwrap());
            }
            response
        })
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let mut seen = Seen {
        frames: Vec::new(),
        goodbye: false,
        ending: Ending::Refused(at()),
    };
    if response.status() == 504 {
        return seen;
    }
    let mut body = response.into_body();
    let mut pauses = script.frames.iter().map(|frame| frame.2);
    loop {
        match body.frame().await {
            Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data.starts_with(b": the ")) => {
                assert!(!seen.goodbye, "two goodbyes");
                seen.goodbye = true;
            }
            Some(Ok(_)) => {
                seen.frames.push(at());
                let pause = pauses.next().unwrap();
                if pause > 0 {
                    sleep(ms(pause)).await;
                }
            }
            Some(Err(error)) => {
                let expired = PhaseExpired::find(error.as_ref()).expect("a typed error");
                let elapsed = u64::try_from(expired.elapsed().as_millis()).unwrap();
                seen.ending = Ending::Cut {
                    at: at(),
                    phase: expired.phase(),
                    elapsed,
                };
                assert!(body.frame().await.is_none(), "more after the error");
                return seen;
            }
            None => {
                seen.ending = Ending::Complete(at());
                return seen;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_phase_that_runs_out_is_the_one_the_model_says(script in scripts()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        prop_assert_eq!(runtime.block_on(play(&script)), model(&script));
    }
}
