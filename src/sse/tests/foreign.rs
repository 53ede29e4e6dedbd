//! Two parsers that were written elsewhere see the same events with comments inserted as without.

use std::convert::Infallible;

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use proptest::prelude::*;
use sse_stream::{Sse, SseStream};

use super::super::{Place, Tracker, comment_block, comment_line};
use super::{cases, parser, streams};

type Seen = (String, String, String);

fn chunks(
    stream: &[u8],
    length: usize,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Unpin + use<> {
    let chunks: Vec<_> = stream
        .chunks(length.max(1))
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    stream::iter(chunks)
}

fn eventsource_stream(stream: &[u8], length: usize) -> Vec<Seen> {
    let events = chunks(stream, length)
        .eventsource()
        .map(|event| event.expect("valid text"));
    block_on(events.map(|event| (event.event, event.data, event.id)).collect())
}

fn sse_stream(stream: &[u8], length: usize) -> Vec<Sse> {
    let blocks = SseStream::from_bytes_stream(chunks(stream, length));
    block_on(blocks.map(|block| block.expect("valid text")).collect())
}

/// The stream with a comment wherever one is legal: a block where that is legal too, if `blocks`.
fn with_comments(stream: &[u8], blocks: bool) -> Vec<u8> {
    let mut tracker = Tracker::new();
    let mut out = Vec::new();
    for byte in stream {
        out.push(*byte);
        tracker.feed(&[*byte]);
        match tracker.place() {
            Place::BetweenEvents if blocks => out.extend_from_slice(&comment_block("alive")),
            Place::BetweenEvents | Place::LineEnd => out.extend_from_slice(&comment_line("alive")),
            _ => {}
        }
    }
    out
}

/// What eventsource-stream 0.2.3 can read: it panics at a byte order mark, which it takes for one byte long.
fn without_marks(mut stream: &[u8]) -> &[u8] {
    while let Some(rest) = stream.strip_prefix(b"\xEF\xBB\xBF") {
        stream = rest;
    }
    stream
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn eventsource_stream_does_not_notice(stream in streams::of_text(), length in 1..40_usize) {
        let stream = without_marks(&stream);
        let untouched = eventsource_stream(stream, length);
        for blocks in [false, true] {
            prop_assert_eq!(&eventsource_stream(&with_comments(stream, blocks), length), &untouched);
        }
    }

    #[test]
    fn sse_stream_does_not_notice(stream in streams::of_text(), length in 1..40_usize) {
        let untouched = sse_stream(&stream, length);
        for blocks in [false, true] {
            prop_assert_eq!(&sse_stream(&with_comments(&stream, blocks), length), &untouched);
        }
    }

    #[test]
    fn parser_of_these_tests_agrees_with_both(stream in streams::of_text(), length in 1..40_usize) {
        let data: Vec<_> = parser::parse(&stream).events.into_iter().map(|event| event.data).collect();
        let blocks = sse_stream(&stream, length).into_iter();
        prop_assert_eq!(blocks.filter_map(|block| block.data).collect::<Vec<_>>(), data);

        // It also waits behind a CR for one byte more.
        let stream = [without_marks(&stream), b":"].concat();
        let events = parser::parse(&stream).events.into_iter();
        let events: Vec<_> = events.map(|event| (event.kind, event.data, event.last_event_id)).collect();
        prop_assert_eq!(eventsource_stream(&stream, length), events);
    }
}
