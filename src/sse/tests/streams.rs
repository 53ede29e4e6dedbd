//! Event streams to try: mostly well formed, with every oddity that the rules allow.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const LINES: &[&[u8]] = &[
    b"data: {\"a\": [1, 2]}",
    b"data: x",
    b"data:x:y",
    b"data:  two spaces",
    b"data: ",
    b"data:",
    b"data",
    b"data ",
    b"datas: x",
    b"dat",
    b"Data: x",
    b" data: x",
    b"data: \xF0\x9F\x8C\x8D caf\xC3\xA9 \xE2\x80\xA8",
    b"data: 0123456789012345678901234567890123456789\t0123456789012345678901234567890123456789",
    b"id: 7",
    b"id:",
    b"id",
    b"id: a\0b",
    b"id ",
    b"idx: 1",
    b"i",
    b"event: add",
    b"event:",
    b"event",
    b"retry: 250",
    b"retry: soon",
    b": note",
    b":",
    b": data: x",
    b":id: 3",
    b" ",
    b"\t",
    b"\0",
    b"\xEF\xBB\xBFdata: x",
    b"",
    b"",
    b"",
];
const BROKEN_TEXT: &[&[u8]] = &[
    b"data: \xE2\x80",
    b"data: \xFF",
    b"\xEF",
    b"\xEF\xBB",
    b"id: \xC3",
];
const ENDS: &[&[u8]] = &[
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\r",
    b"\n\n",
    b"\r\n\r\n",
    b"\r\r",
    b"",
];
const FRONTS: &[&[u8]] = &[b"", b"", b"", b"\xEF\xBB\xBF", b"\xEF\xBB\xBF\xEF\xBB\xBF"];
const BROKEN_FRONTS: &[&[u8]] = &[b"\xEF", b"\xEF\xBB", b"\xEF\xEF\xBB\xBF", b"\xEF\xBB\n"];

/// Streams whose text is UTF-8, for parsers that insist on it.
pub(super) fn of_text() -> impl Strategy<Value = Vec<u8>> {
    assembled(select(FRONTS), select(LINES))
}

pub(super) fn of_any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let front = prop_oneof![3 => select(FRONTS), 1 => select(BROKEN_FRONTS)];
    let line = prop_oneof![9 => select(LINES), 1 => select(BROKEN_TEXT)];
    let soup = vec(select(b"\n\n\r\r::  dataid\xEF\xBB\xBFx".to_vec()), 0..24);
    prop_oneof![4 => assembled(front, line), 1 => soup]
}

fn assembled(
    front: impl Strategy<Value = &'static [u8]>,
    line: impl Strategy<Value = &'static [u8]>,
) -> impl Strategy<Value = Vec<u8>> {
    (front, vec((line, select(ENDS)), 0..7)).prop_map(|(front, lines)| {
        let mut stream = front.to_vec();
        for (line, end) in lines {
            stream.extend_from_slice(line);
            stream.extend_from_slice(end);
        }
        stream
    })
}
