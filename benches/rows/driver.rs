//! One row, and how it is driven: requests one after the other, or one body frame by frame.
#![expect(clippy::expect_used, reason = "a row that fails has no costs")]

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{unconstrained, yield_now};
use tokio::time::sleep;
use tower::{Layer, Service};

use super::parts::{Handler, Script};

/// What happens so many times in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What one of them is.
    pub(crate) unit: &'static str,
    /// Whether the request (else: each frame) is there at the first poll.
    waits: bool,
    /// Whether no earlier timer lives, so that each timer that is armed is the soonest and wakes the driver.
    is_cold: bool,
    chunk: &'static [u8],
    is_event_stream: bool,
}

/// All that a row is measured in.
pub(crate) const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "ready",
        ..REQUEST
    },
    Scenario {
        name: "pending once",
        waits: true,
        ..REQUEST
    },
    Scenario {
        name: "ready, cold",
        is_cold: true,
        ..REQUEST
    },
    Scenario {
        name: "pending once, cold",
        waits: true,
        is_cold: true,
        ..REQUEST
    },
    Scenario {
        name: "frame ready",
        ..FRAME
    },
    Scenario {
        name: "frame pending",
        waits: true,
        ..FRAME
    },
    Scenario {
        name: "event ready (200 bytes)",
        ..EVENT
    },
    Scenario {
        name: "event pending (200 bytes)",
        waits: true,
        ..EVENT
    },
];

const REQUEST: Scenario = Scenario {
    name: "",
    unit: "request",
    waits: false,
    is_cold: false,
    chunk: b"sixteen bytes ok",
    is_event_stream: false,
};
const FRAME: Scenario = Scenario {
    unit: "frame",
    ..REQUEST
};
const EVENT: Scenario = Scenario {
    chunk: &SSE_EVENT,
    is_event_stream: true,
    ..FRAME
};

/// `event: message`, and one `data` line that fills it up to 200 bytes.
const SSE_EVENT: [u8; 200] = {
    let (start, mut event) = (b"event: message\ndata: ", [b'x'; 200]);
    let mut at = 0;
    while at < start.len() {
        event[at] = start[at];
        at += 1;
    }
    event[198] = b'\n';
    event[199] = b'\n';
    event
};

/// The timer that makes a warm run warm. Rows must not arm one that ends earlier.
const EARLIER: Duration = Duration::from_secs(60);

/// Called once in a run, to do what it is given and to measure that.
pub(crate) type Measure<'a> = dyn FnMut(&mut dyn FnMut()) + 'a;

type Run = dyn Fn(Scenario, usize, &mut Measure<'_>);

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    run: Box<Run>,
}

impl Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// === impl Row ===

impl Row {
    /// The handler alone.
    pub(crate) fn bare(name: &'static str) -> Self {
        Self::new(name, |handler| handler)
    }

    /// The handler under one layer, or under a stack of them.
    pub(crate) fn layer<L, B>(name: &'static str, layer: L) -> Self
    where
        L: Layer<Handler> + 'static,
        L::Service: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
        B: Body<Error: Debug>,
    {
        Self::new(name, move |handler| layer.layer(handler))
    }

    fn new<S, B>(name: &'static str, service: impl Fn(Handler) -> S + 'static) -> Self
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
        B: Body<Error: Debug>,
    {
        let run = move |scenario: Scenario, n: usize, measure: &mut Measure<'_>| {
            scenario.run(&mut service(Handler(scenario.script(n))), n, measure);
        };
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// Does what the scenario says `n` times, in a runtime of its own.
    pub(crate) fn run(&self, scenario: Scenario, n: usize, measure: &mut Measure<'_>) {
        (self.run)(scenario, n, measure);
    }
}

// === impl Scenario ===

impl Scenario {
    fn is_request(self) -> bool {
        self.unit == REQUEST.unit
    }

    fn script(self, n: usize) -> Script {
        let is_request = self.is_request();
        Script {
            head_waits: is_request && self.waits,
            frames: if is_request { 1 } else { n },
            frame_waits: !is_request && self.waits,
            chunk: self.chunk,
            is_event_stream: self.is_event_stream,
            is_sized: is_request,
        }
    }

    fn run<S, B>(self, service: &mut S, n: usize, measure: &mut Measure<'_>)
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
        B: Body<Error: Debug>,
    {
        runtime().block_on(async {
            let mut earlier = pin!(sleep(EARLIER));
            if !self.is_cold {
                let _ = poll_fn(|cx| Poll::Ready(earlier.as_mut().poll(cx))).await;
                // The driver has to go to sleep once to know of the timer.
                yield_now().await;
            }
            // One poll does it all, so tokio's budget per poll would make every 128th timer behave otherwise.
            unconstrained(poll_fn(|cx| {
                exchange(service, cx);
                let requests = if self.is_request() { n } else { 1 };
                measure(&mut || (0..requests).for_each(|_| exchange(service, cx)));
                Poll::Ready(())
            }))
            .await;
        });
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// One request and all of its response body, which is polled as hyper does: until it says that it has ended.
fn exchange<S, B>(service: &mut S, cx: &mut Context<'_>)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    until_ready(|| service.poll_ready(cx)).expect("a service that is ready");
    let mut answer = pin!(service.call(black_box(Request::new(Empty::new()))));
    let response = until_ready(|| answer.as_mut().poll(cx)).expect("a response");
    let mut body = pin!(black_box(response).into_body());
    while !body.is_end_stream() {
        let Some(frame) = until_ready(|| body.as_mut().poll_frame(cx)) else {
            break;
        };
        black_box(frame.expect("a frame").into_data().is_ok());
    }
}

/// Polls again at once what is pending: nothing here waits for the outside.
fn until_ready<T>(mut poll: impl FnMut() -> Poll<T>) -> T {
    loop {
        if let Poll::Ready(output) = poll() {
            return output;
        }
    }
}
