//! The same frames as events of axum's `Sse`, which builds each of them, alone and kept alive.
#![expect(clippy::expect_used, reason = "what is built here is not refused")]

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::TryFutureExt;
use futures::future::MapOk;
use futures::stream::{Stream, poll_fn};
use http::Request;
use http_body::Body as _;
use tower::{Layer, Service};
use tower_lifeline::{Lifeline, SseHeartbeatLayer};

use super::driver::{Row, Whose};
use super::parts::{Answer, Frames, Handler};

const ALONE: &str = "axum Sse";

pub(super) fn rows() -> Vec<Row> {
    let alone = |script| {
        Events(Handler(script), |answer| {
            Sse::new(events(answer.into_body())).into_response()
        })
    };
    let kept_alive = |script| {
        Events(Handler(script), |answer| {
            let events = Sse::new(events(answer.into_body()));
            events.keep_alive(KeepAlive::default()).into_response()
        })
    };
    let heartbeat = SseHeartbeatLayer::default();
    let lifeline = Lifeline::builder().build().expect("a stack").layer();
    vec![
        Row::new(ALONE, alone).against(ALONE),
        Row::new("axum Sse + KeepAlive", kept_alive)
            .against(ALONE)
            .of(Whose::Peers),
        Row::new("axum Sse + SseHeartbeat", move |script| {
            heartbeat.layer(alone(script))
        })
        .against(ALONE)
        .of(Whose::Ours),
        Row::new("axum Sse + Lifeline", move |script| lifeline.layer(alone(script)))
            .against(ALONE)
            .of(Whose::Ours),
    ]
}

/// The handler of every row, whose answer is made an answer of events.
#[derive(Clone, Copy, Debug)]
struct Events(Handler, fn(http::Response<Frames>) -> Response);

impl<B: http_body::Body> Service<Request<B>> for Events {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = MapOk<Answer<B>, fn(http::Response<Frames>) -> Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request).map_ok(self.1)
    }
}

fn events(mut frames: Frames) -> impl Stream<Item = Result<Event, Infallible>> {
    poll_fn(move |cx| {
        let frame = Pin::new(&mut frames).poll_frame(cx);
        frame.map(|frame| Some(frame?.map(|frame| event(&frame.into_data().unwrap_or_default()))))
    })
}

fn event(frame: &Bytes) -> Event {
    let text = std::str::from_utf8(frame).expect("text");
    match text.strip_prefix("event: message\ndata: ") {
        Some(data) => Event::default().event("message").data(data.trim_end()),
        None => Event::default().data(text),
    }
}
