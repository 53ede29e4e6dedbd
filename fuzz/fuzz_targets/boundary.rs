//! The boundary machine: what it calls legal, no strict parser notices, however the stream is cut.
//!
//! The bytes 1 to 3 cut the stream; all others are the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_lifeline::sse::{Place, Tracker, comment_block, comment_line};

#[path = "../../src/sse/tests/parser.rs"]
mod parser;

fuzz_target!(|script: &[u8]| {
    let pieces = script.split(|byte| matches!(byte, 1..=3));
    let stream: Vec<u8> = pieces.clone().flatten().copied().collect();
    let (mut tracker, mut by_bytes) = (Tracker::new(), Tracker::new());
    let mut with = Vec::new();
    for piece in pieces {
        tracker.feed(piece);
        piece.iter().for_each(|byte| drop(by_bytes.feed(&[*byte])));
        assert_eq!(tracker.place(), by_bytes.place());
        assert_eq!(tracker.sent_id(), by_bytes.sent_id());
        with.extend_from_slice(piece);
        match tracker.place() {
            Place::BetweenEvents => with.extend_from_slice(&comment_block("a\nb")),
            Place::LineEnd => with.extend_from_slice(&comment_line("a\nb")),
            _ => {}
        }
    }
    assert_eq!(parser::parse(&with), parser::parse(&stream));
});
