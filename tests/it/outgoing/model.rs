//! For any script of frames, pauses, comments and polls, the phase that fires is the one that a simple model
//! says, to the tick of the paused clock.

use std::future::pending;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, service_fn};
use tower_lifeline::outgoing::{OutgoingError, OutgoingTimeoutLayer};
use tower_lifeline::{Bound, Deadline, Phase, PhaseLimits};

use super::{Never, ms};

#[derive(Clone, Copy, Debug)]
struct Step {
    /// How long the reader stays away before it asks for this frame.
    reader_pauses: u64,
    /// How long the frame is waited for.
    producer_waits: u64,
    is_event: bool,
}

#[derive(Clone, Debug)]
struct Script {
    head: u64,
    steps: Vec<Step>,
    ends: bool,
    limit_head: Option<u64>,
    limit_read: Option<u64>,
    limit_total: Option<u64>,
    deadline: Option<u64>,
}

/// What was read, and what happened when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    frames: usize,
    at: u64,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    Expired(Phase, Bound),
}

fn model(script: &Script) -> Run {
    let (total_ends, bound) = match (script.limit_total, script.deadline) {
        (Some(total), Some(deadline)) if deadline < total => (deadline, Bound::Deadline),
        (None, Some(deadline)) => (deadline, Bound::Deadline),
        (total, _) => (total.unwrap_or(u64::MAX), Bound::Limit),
    };
    let total_expired = End::Expired(Phase::Total, bound);
    let head_ends = script.limit_head.unwrap_or(u64::MAX);
    if script.head > head_ends.min(total_ends) {
        return match head_ends <= total_ends {
            true => Run {
                frames: 0,
                at: head_ends,
                end: End::Expired(Phase::Head, Bound::Limit),
            },
            false => Run {
                frames: 0,
                at: total_ends,
                end: total_expired,
            },
        };
    }
    let (mut now, mut silence) = (script.head, 0);
    for (index, step) in script.steps.iter().enumerate() {
        now += step.reader_pauses;
        let read_ends = script.limit_read.map_or(u64::MAX, |read| now + read - silence);
        let ends = read_ends.min(total_ends.max(now));
        let waits = step.producer_waits;
        if waits > 0 && now + waits > ends {
            let read_expired = End::Expired(Phase::Read, Bound::Limit);
            let end = if read_ends <= total_ends {
                read_expired
            } else {
                total_expired
            };
            return Run {
                frames: index,
                at: ends,
                end,
            };
        }
        now += waits;
        silence = if step.is_event { 0 } else { silence + waits };
        // A wait that ends without progress is a look at the time; the error follows the frame.
        if waits > 0 && !step.is_event && now >= total_ends {
            let heard = now + script.steps.get(index + 1).map_or(0, |next| next.reader_pauses);
            return Run {
                frames: index + 1,
                at: heard,
                end: total_expired,
            };
        }
    }
    let frames = script.steps.len();
    if script.ends {
        return Run {
            frames,
            at: now,
            end: End::Complete,
        };
    }
    let read_ends = script.limit_read.map_or(u64::MAX, |read| now + read - silence);
    match read_ends <= total_ends {
        true => Run {
            frames,
            at: read_ends,
            end: End::Expired(Phase::Read, Bound::Limit),
        },
        false => Run {
            frames,
            at: total_ends.max(now),
            end: total_expired,
        },
    }
}

async fn run(script: Script) -> Run {
    let mut limits = PhaseLimits::builder()
        .without_connect()
        .without_head()
        .without_read()
        .without_total();
    limits = script.limit_head.map_or(limits, |limit| limits.head(ms(limit)));
    limits = script.limit_read.map_or(limits, |limit| limits.read(ms(limit)));
    limits = script.limit_total.map_or(limits, |limit| limits.total(ms(limit)));
    let mut request = Request::new(());
    if let Some(deadline) = script.deadline {
        request.extensions_mut().insert(Deadline::after(ms(deadline)));
    }
    let (head, steps, ends) = (script.head, script.steps.clone(), script.ends);
    let mut client =
        OutgoingTimeoutLayer::new(limits.build().unwrap()).layer(service_fn(move |_: Request<()>| {
            let frames = stream::iter(steps.clone()).then(|step| async move {
                if step.producer_waits > 0 {
                    sleep(ms(step.producer_waits)).await;
                }
                let text: &'static [u8] = if step.is_event {
                    b"data: x\n\n"
                } else {
                    b": comment\n\n"
                };
                Ok::<_, Never>(Frame::data(Bytes::from_static(text)))
            });
            let hangs = stream::once(pending::<Result<Frame<Bytes>, Never>>()).take(usize::from(!ends));
            let frames = frames.chain(hangs);
            let response = Response::builder().header("content-type", "text/event-stream");
            let response = response.body(StreamBody::new(Box::pin(frames))).unwrap();
            async move {
                if head > 0 {
                    sleep(ms(head)).await;
                }
                Ok::<_, Never>(response)
            }
        }));
    let started = Instant::now();
    let at = || u64::try_from(started.elapsed().as_millis()).unwrap();
    let end = |error: &OutgoingError| match error {
        OutgoingError::Expired(expired) => End::Expired(expired.phase(), expired.bound()),
        other => panic!("{other:?}"),
    };
    let mut body = match client.call(request).await {
        Ok(response) => response.into_body(),
        Err(error) => {
            return Run {
                frames: 0,
                at: at(),
                end: end(&error),
            };
        }
    };
    let mut frames = 0;
    let mut pauses = script.steps.iter().map(|step| step.reader_pauses);
    loop {
        if let Some(pause) = pauses.next().filter(|pause| *pause > 0) {
            sleep(ms(pause)).await;
        }
        match body.frame().await {
            Some(Ok(_)) => frames += 1,
            Some(Err(error)) => {
                return Run {
                    frames,
                    at: at(),
                    end: end(&error),
                };
            }
            None => {
                return Run {
                    frames,
                    at: at(),
                    end: End::Complete,
                };
            }
        }
    }
}

fn script() -> impl Strategy<Value = Script> {
    let step = (
        prop_oneof![2 => Just(0), 1 => 1..40u64],
        prop_oneof![1 => Just(0), 2 => 1..40u64],
        any::<bool>(),
    )
        .prop_map(|(reader_pauses, producer_waits, is_event)| Step {
            reader_pauses,
            producer_waits,
            is_event,
        });
    let limit = |most| proptest::option::of(1..most);
    (
        prop_oneof![Just(0), 1..60u64],
        proptest::collection::vec(step, 0..12),
        any::<bool>(),
        (limit(60u64), limit(60), limit(160), limit(200)),
    )
        .prop_map(|(head, steps, ends, (limit_head, limit_read, over, deadline))| {
            // `total` is at least as long as the others, or the limits are refused.
            let least = limit_head.max(limit_read).unwrap_or(0);
            let limit_total = over.map(|over| least + over);
            let ends = ends || (limit_read.is_none() && limit_total.is_none() && deadline.is_none());
            Script {
                head,
                steps,
                ends,
                limit_head,
                limit_read,
                limit_total,
                deadline,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_phase_that_fires_is_the_one_the_model_says(script in script()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let ran = runtime.block_on(run(script.clone()));
        prop_assert_eq!(ran, model(&script));
    }
}
