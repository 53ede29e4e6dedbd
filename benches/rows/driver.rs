//! One row, and how it is driven: requests one after the other, or one body frame by frame.
#![expect(clippy::expect_used, reason = "a row that fails has no costs")]

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{unconstrained, yield_now};
use tokio::time::sleep;
use tower::{Layer, Service};

use super::BARE;
use super::parts::{Handler, Script};

/// What happens so many times in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What one of them is.
    pub(crate) unit: &'static str,
    /// Whether an MCP client calls a tool and accepts a stream. Else it is a GET without a word.
    is_call: bool,
    /// Whether the request (else: each frame) is there at the first poll.
    waits: bool,
    /// Whether no earlier timer lives, so that each timer that is armed is the soonest and wakes the driver.
    is_cold: bool,
    chunk: &'static [u8],
    is_event_stream: bool,
}

/// All that a row is measured in.
pub(crate) const SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "GET ready",
        ..REQUEST
    },
    Scenario {
        name: "GET pending once",
        waits: true,
        ..REQUEST
    },
    Scenario {
        name: "GET ready, cold",
        is_cold: true,
        ..REQUEST
    },
    Scenario {
        name: "GET pending once, cold",
        waits: true,
        is_cold: true,
        ..REQUEST
    },
    Scenario {
        name: "call ready",
        ..CALL
    },
    Scenario {
        name: "call pending once",
        waits: true,
        ..CALL
    },
    Scenario {
        name: "call ready, cold",
        is_cold: true,
        ..CALL
    },
    Scenario {
        name: "call pending once, cold",
        waits: true,
        is_cold: true,
        ..CALL
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
    is_call: false,
    waits: false,
    is_cold: false,
    chunk: b"sixteen bytes ok",
    is_event_stream: false,
};
const CALL: Scenario = Scenario {
    is_call: true,
    chunk: br#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"42"}]}}"#,
    ..REQUEST
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
const EARLIER: Duration = Duration::from_secs(5);

/// Called once in a run, to do what it is given and to measure that.
pub(crate) type Measure<'a> = dyn FnMut(&mut dyn FnMut()) + 'a;

/// The request of every row.
pub(crate) type Asked = Request<Full<Bytes>>;

/// What an MCP client sends to have a tool called.
const TOOL_CALL: &[u8] =
    br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"query":"life"}}}"#;

/// Who made what a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Nobody,
    Peers,
    Ours,
}

type Run = dyn Fn(Scenario, usize, &mut Measure<'_>);

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The row whose costs are those of the handler alone.
    pub(crate) against: &'static str,
    pub(crate) whose: Whose,
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
        Self::new(name, Handler)
    }

    /// The handler under one layer, or under a stack of them.
    pub(crate) fn layer<L, B>(name: &'static str, layer: L) -> Self
    where
        L: Layer<Handler> + 'static,
        L::Service: Service<Asked, Response = Response<B>, Error: Debug>,
        B: Body<Error: Debug>,
    {
        Self::new(name, move |script| layer.layer(Handler(script)))
    }

    /// A service that answers as its script says.
    pub(crate) fn new<S, B>(name: &'static str, service: impl Fn(Script) -> S + 'static) -> Self
    where
        S: Service<Asked, Response = Response<B>, Error: Debug>,
        B: Body<Error: Debug>,
    {
        let run = move |scenario: Scenario, n: usize, measure: &mut Measure<'_>| {
            scenario.run(&mut service(scenario.script(n)), n, measure);
        };
        Self {
            name,
            against: BARE,
            whose: Whose::Nobody,
            run: Box::new(run),
        }
    }

    pub(crate) fn against(self, against: &'static str) -> Self {
        Self { against, ..self }
    }

    pub(crate) fn of(self, whose: Whose) -> Self {
        Self { whose, ..self }
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

    fn request(self) -> Asked {
        if !self.is_call {
            return Request::default();
        }
        let mut request = Request::new(Full::new(Bytes::from_static(TOOL_CALL)));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        request
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
        S: Service<Asked, Response = Response<B>, Error: Debug>,
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
                exchange(self, service, cx);
                let requests = if self.is_request() { n } else { 1 };
                measure(&mut || (0..requests).for_each(|_| exchange(self, service, cx)));
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
fn exchange<S, B>(scenario: Scenario, service: &mut S, cx: &mut Context<'_>)
where
    S: Service<Asked, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    until_ready(|| service.poll_ready(cx)).expect("a service that is ready");
    let mut answer = pin!(service.call(black_box(scenario.request())));
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
