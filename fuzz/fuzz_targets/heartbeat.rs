//! The whole layer: a stream that is kept alive is parsed as the one that is not.
//!
//! The first byte chooses the settings. Then the bytes 1 to 3 cut the stream, with no wait, one that ends with
//! the interval, and a longer one; all others are the stream.

#![no_main]

use std::convert::Infallible;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use libfuzzer_sys::fuzz_target;
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::sse_heartbeat::{Framing, HeartbeatSettings};
use tower_lifeline::{Reporter, SseHeartbeatLayer};

#[path = "../../src/sse/tests/parser.rs"]
mod parser;

const INTERVAL: Duration = Duration::from_millis(10);

fn layer(choice: u8) -> SseHeartbeatLayer {
    let framing = if choice & 1 == 0 { Framing::COMMENT_BLOCK } else { Framing::COMMENT_LINE };
    let settings = HeartbeatSettings::builder().interval(INTERVAL).framing(framing);
    let settings = if choice & 2 == 0 { settings } else { settings.without_first_beat() };
    // A stream that agreed to a goodbye is read more closely than others.
    let settings = if choice & 4 == 0 { settings } else { settings.with_goodbye() };
    SseHeartbeatLayer::new(settings.build().expect("they are fine")).with_reporter(Reporter::silent())
}

async fn play(choice: u8, script: &[u8]) -> Vec<u8> {
    let mut steps = Vec::new();
    let mut rest = script;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, 1..=3)) {
        steps.push((Bytes::copy_from_slice(&rest[..end]), [0, 10, 25][usize::from(rest[end]) - 1]));
        rest = &rest[end + 1..];
    }
    steps.push((Bytes::copy_from_slice(rest), 11));
    let frames = stream::iter(steps).then(async |(piece, wait)| {
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        Ok::<_, Infallible>(Frame::data(piece))
    });
    let mut body = Some(StreamBody::new(Box::pin(frames)));
    let service = layer(choice).layer(service_fn(|_: Request<()>| {
        let response = Response::builder().header("content-type", "text/event-stream").body(body.take().expect("one call"));
        async move { Ok::<_, Infallible>(response.expect("a head")) }
    }));
    let response = service.oneshot(Request::new(())).await.expect("infallible");
    let mut body = std::pin::pin!(response.into_body());
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
        let mut data = frame.expect("no error").into_data().ok().expect("no trailers");
        out.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    out
}

fuzz_target!(|script: &[u8]| {
    let Some((choice, script)) = script.split_first() else { return };
    let stream: Vec<u8> = script.iter().copied().filter(|byte| !matches!(byte, 1..=3)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let out = runtime.expect("a runtime").block_on(play(*choice, script));
    assert_eq!(parser::parse(&out), parser::parse(&stream));
});
