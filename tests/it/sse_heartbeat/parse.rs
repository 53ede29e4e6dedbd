//! Whatever the stream, its pieces and the moments in which they come: parsers see the same with beats as without.

use std::convert::Infallible;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Buf, Bytes};
use eventsource_stream::Eventsource;
use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sse_stream::SseStream;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::sse_heartbeat::{Framing, HeartbeatSettings};
use tower_lifeline::{BoxError, Reporter, SseHeartbeatLayer};

use crate::parts;

#[path = "../../../src/sse/tests/parser.rs"]
mod parser;
#[path = "../../../src/sse/tests/streams.rs"]
mod streams;

const INTERVAL: u64 = 10;

/// A stream, where it is cut, and how long each piece is waited for.
#[derive(Clone, Debug)]
struct Script {
    stream: Vec<u8>,
    cuts: Vec<(usize, u64)>,
    is_block: bool,
    first_beat: bool,
}

fn scripts(stream: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Script> {
    let cut = (
        0usize..400,
        prop_oneof![Just(0), Just(INTERVAL), 1u64..5 * INTERVAL],
    );
    (
        stream,
        proptest::collection::vec(cut, 0..14),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(stream, cuts, is_block, first_beat)| Script {
            stream,
            cuts,
            is_block,
            first_beat,
        })
}

impl Script {
    fn pieces(&self) -> Vec<(u64, Bytes)> {
        let whole = Bytes::from(self.stream.clone());
        let mut cuts: Vec<_> = self
            .cuts
            .iter()
            .map(|(at, wait)| (*at % (whole.len() + 1), *wait))
            .collect();
        cuts.sort_unstable();
        let mut begin = 0;
        let mut pieces = Vec::new();
        for (end, wait) in cuts.into_iter().chain([(whole.len(), INTERVAL + 1)]) {
            pieces.push((wait, whole.slice(begin..end)));
            begin = end;
        }
        pieces
    }

    fn layer(&self) -> SseHeartbeatLayer {
        let framing = if self.is_block {
            Framing::COMMENT_BLOCK
        } else {
            Framing::COMMENT_LINE
        };
        let settings = HeartbeatSettings::builder()
            .interval(Duration::from_millis(INTERVAL))
            .framing(framing);
        let settings = if self.first_beat {
            settings
        } else {
            settings.without_first_beat()
        };
        SseHeartbeatLayer::new(settings.build().unwrap()).with_reporter(Reporter::silent())
    }

    /// What goes out, in the pieces in which it does.
    fn play<D: Buf + From<Bytes> + 'static>(&self, make: impl Fn(Bytes) -> D) -> Vec<u8> {
        let pieces: Vec<_> = self
            .pieces()
            .into_iter()
            .map(|(wait, piece)| (wait, make(piece)))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(async {
            let frames = stream::iter(pieces).then(async |(wait, piece)| {
                if wait > 0 {
                    sleep(Duration::from_millis(wait)).await;
                }
                Ok::<_, Infallible>(Frame::data(piece))
            });
            let body = StreamBody::new(Box::pin(frames));
            let body = kept_alive(self.layer(), body).await;
            let mut body = std::pin::pin!(body);
            let mut out = Vec::new();
            while let Some(frame) = body.frame().await {
                let mut data = frame.unwrap().into_data().ok().unwrap();
                out.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
            out
        })
    }
}

async fn kept_alive<B>(layer: SseHeartbeatLayer, body: B) -> impl Body<Data = B::Data, Error = BoxError>
where
    B: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    let mut body = Some(body);
    let service = layer.layer(service_fn(move |_: Request<()>| {
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .body(body.take().unwrap());
        async move { Ok::<_, Infallible>(response.unwrap()) }
    }));
    service.oneshot(Request::new(())).await.unwrap().into_body()
}

/// Data in two buffers.
struct Two(bytes::buf::Chain<Bytes, Bytes>);

impl Two {
    fn split(mut whole: Bytes) -> Self {
        let tail = whole.split_off(whole.len() / 2);
        Self(whole.chain(tail))
    }
}

impl Buf for Two {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.0.chunk()
    }

    fn chunks_vectored<'a>(&'a self, pieces: &mut [std::io::IoSlice<'a>]) -> usize {
        self.0.chunks_vectored(pieces)
    }

    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

impl From<Bytes> for Two {
    fn from(whole: Bytes) -> Self {
        Self(whole.chain(Bytes::new()))
    }
}

/// Data that hides all but its first byte.
struct Hidden(Bytes);

impl Buf for Hidden {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.0[..self.0.len().min(1)]
    }

    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

impl From<Bytes> for Hidden {
    fn from(whole: Bytes) -> Self {
        Self(whole)
    }
}

fn pieces(
    stream: &[u8],
    length: usize,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Unpin + use<> {
    let pieces: Vec<_> = stream
        .chunks(length)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

fn by_eventsource_stream(stream: &[u8], length: usize) -> Vec<(String, String, String)> {
    let events = pieces(stream, length).eventsource().map(Result::unwrap);
    block_on(events.map(|event| (event.event, event.data, event.id)).collect())
}

fn by_sse_stream(stream: &[u8], length: usize) -> Vec<sse_stream::Sse> {
    block_on(
        SseStream::from_bytes_stream(pieces(stream, length))
            .map(Result::unwrap)
            .collect(),
    )
}

/// What eventsource-stream 0.2.3 can read: it panics at a byte order mark at the front.
fn without_marks(stream: &[u8]) -> Vec<u8> {
    let mut stream = stream;
    while let Some(rest) = stream.strip_prefix(b"\xEF\xBB\xBF") {
        stream = rest;
    }
    stream.to_vec()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn a_strict_parser_does_not_notice(script in scripts(streams::of_any_bytes())) {
        let untouched = parser::parse(&script.stream);
        let out = script.play(|piece| piece);
        prop_assert_eq!(parser::parse(&out), untouched, "{:?}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn nor_where_data_comes_in_several_buffers(script in scripts(streams::of_any_bytes()), hidden in any::<bool>()) {
        let untouched = parser::parse(&script.stream);
        let out = if hidden { script.play(Hidden) } else { script.play(Two::split) };
        prop_assert_eq!(parser::parse(&out), untouched, "{:?}", String::from_utf8_lossy(&out));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn foreign_parsers_do_not_notice(script in scripts(streams::of_text()), length in 1usize..30) {
        let script = Script { stream: without_marks(&script.stream), ..script };
        let out = script.play(|piece| piece);
        prop_assert_eq!(by_eventsource_stream(&out, length), by_eventsource_stream(&script.stream, length));
        prop_assert_eq!(by_sse_stream(&out, length), by_sse_stream(&script.stream, length));
    }
}

/// A line for `parse.mjs`: the stream in hexadecimal digits, in pieces of this length.
fn line(stream: &[u8], length: usize) -> String {
    let piece = |piece: &[u8]| piece.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    stream.chunks(length).map(piece).collect::<Vec<_>>().join(" ") + "\n"
}

#[test]
fn eventsource_parser_does_not_notice() {
    let Some(mut command) = parts::script("parse.mjs") else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let strategy = scripts(streams::of_text());
    let mut lines = String::new();
    for at in 0..400 {
        let script = strategy.new_tree(&mut runner).unwrap().current();
        let out = script.play(|piece| piece);
        lines += &line(&script.stream, 1 + at % 30);
        lines += &line(&out, 1 + at % 30);
    }
    for recorded in RECORDED {
        let script = Script {
            stream: recorded.to_vec(),
            cuts: vec![(97, 25)],
            is_block: true,
            first_beat: true,
        };
        lines += &line(recorded, 50);
        lines += &line(&script.play(|piece| piece), 50);
    }
    let mut node = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    let written = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).map(|()| lines));
    let output = node.wait_with_output().unwrap();
    let (seen, lines) = (
        String::from_utf8(output.stdout).unwrap(),
        written.join().unwrap().unwrap(),
    );
    let (seen, lines): (Vec<_>, Vec<_>) = (seen.lines().collect(), lines.lines().collect());
    assert_eq!(seen.len(), 2 * (400 + RECORDED.len()));
    let told = seen.iter().filter(|seen| seen.len() > 10).count();
    assert!(told > 150, "{told}");
    for (seen, lines) in seen.chunks(2).zip(lines.chunks(2)) {
        assert_eq!(seen[0], seen[1], "{lines:?}");
    }
}

/// Streams as they were read from sockets.
const RECORDED: [&[u8]; 4] = [
    include_bytes!("../../recorded/rmcp.sse"),
    include_bytes!("../../recorded/axum.sse"),
    include_bytes!("../../recorded/model.sse"),
    include_bytes!("../../recorded/crlf.sse"),
];

#[test]
fn recorded_streams_are_parsed_alike_wherever_they_are_cut() {
    let mut beats = 0;
    for recorded in RECORDED {
        let untouched = (
            parser::parse(recorded),
            by_eventsource_stream(recorded, 1000),
            by_sse_stream(recorded, 1000),
        );
        assert!(
            untouched.0.events.len() > 2,
            "{}",
            String::from_utf8_lossy(recorded)
        );
        for at in 0..=recorded.len() {
            let cuts = vec![(at, INTERVAL + 1), (at, 3 * INTERVAL)];
            let script = Script {
                stream: recorded.to_vec(),
                cuts,
                is_block: at % 2 == 0,
                first_beat: at % 3 == 0,
            };
            let out = script.play(|piece| piece);
            beats += (out.len() - recorded.len()) / 2;
            let seen = (
                parser::parse(&out),
                by_eventsource_stream(&out, 1000),
                by_sse_stream(&out, 1000),
            );
            assert_eq!(seen, untouched, "cut at {at}");
        }
    }
    assert!(beats > 500, "{beats}");
}
