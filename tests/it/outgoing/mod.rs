//! Outgoing work: scripted clients on a paused clock, real ones on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod connect;
mod header;
mod hyper_client;
mod model;
mod phases;
#[cfg(feature = "reqwest")]
mod reqwest;
mod scripted;
mod server;
mod transparency;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::{Instant, sleep};
use tower_lifeline::{Event, Outcome, PhaseExpired, PhaseLimits, Reporter, Side};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a scripted body does when it is polled for its next frame.
#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    Data(&'static str),
    Trailers,
    Fail,
    Hang,
}

/// Counts what is being held.
#[derive(Clone, Debug, Default)]
struct Alive(Arc<AtomicUsize>);

/// Counts while it exists.
#[derive(Debug)]
struct Held(Alive);

/// An observer that keeps what it was told.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl Alive {
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn hold(&self) -> Held {
        self.0.fetch_add(1, SeqCst);
        Held(self.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

impl Seen {
    /// That this phase ran out, on this side, is all there was to report.
    fn assert_failed_once(&self, phase: PhaseExpired) {
        let events = self.take();
        let is_it = |event: &Event| {
            matches!(event, Event::PhaseExpired { side: Side::Outgoing, expired, outcome: Outcome::Failed, .. }
                if *expired == phase)
        };
        assert!(events.len() == 1 && is_it(&events[0]), "{events:?}");
    }

    fn reporter(&self) -> Reporter {
        let seen = self.clone();
        Reporter::to(move |event: &Event| seen.0.lock().unwrap().push(*event))
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// connect 10 s, head and read 90 s, total 120 s.
fn limits() -> PhaseLimits {
    PhaseLimits::new()
}

fn body(steps: Vec<Step>, alive: &Alive) -> Body {
    let held = alive.hold();
    let frames = stream::iter(steps).filter_map(move |step| {
        let _held = &held;
        async move {
            match step {
                Step::Wait(time) => {
                    sleep(time).await;
                    None
                }
                Step::Data(data) => Some(Ok(Frame::data(Bytes::from(data)))),
                Step::Trailers => Some(Ok(Frame::trailers(HeaderMap::new()))),
                Step::Fail => Some(Err(std::io::Error::other("reset"))),
                Step::Hang => pending().await,
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

fn events(body: Body) -> Response<Body> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap()
}

async fn elapsed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let done = work.await;
    (done, started.elapsed())
}

type Never = Infallible;
