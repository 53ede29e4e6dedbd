//! The grammar and the fields against `serde_json`, under every chunking.

mod documents;
mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use self::documents::{damaged, json, message, sizes};
use self::oracle::{expected, found, oracle};
use super::grammar::{Grammar, MAX_DEPTH};
use super::{Message, Scanner};

fn accepts<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut grammar = Grammar::new();
    chunks.for_each(|chunk| grammar.feed(chunk, &mut ()));
    assert!(!(grammar.is_complete() && grammar.has_failed()));
    grammar.is_complete()
}

fn agrees(document: &[u8]) {
    let expected = oracle(document).is_some();
    let shown = String::from_utf8_lossy(document);
    assert_eq!(
        accepts([document].into_iter()),
        expected,
        "{shown:?} {document:02x?}"
    );
    assert_eq!(
        accepts(document.chunks(1)),
        expected,
        "byte by byte: {shown:?} {document:02x?}"
    );
}

/// Cuts by sizes that repeat.
fn cut<'a>(mut document: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().copied().unwrap_or(1).min(document.len());
        let (chunk, rest) = document.split_at(size);
        document = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// All texts of at most `length` of `parts`, between `before` and `after`.
fn every(parts: &[&[u8]], length: u32, before: &[u8], after: &[u8]) {
    for length in 0..=length {
        for number in 0..parts.len().pow(length) {
            let chosen = (0..length).flat_map(|place| parts[number / parts.len().pow(place) % parts.len()]);
            let document: Vec<u8> = before.iter().chain(chosen).chain(after).copied().collect();
            agrees(&document);
        }
    }
}

#[test]
fn numbers() {
    every(&[b"0", b"1", b"-", b"+", b".", b"e", b"E"], 5, b"", b"");
    every(&[b"0", b"7", b"-", b".", b"e"], 4, b"[", b",1]");
    for huge in [
        "1e999",
        "-1e999",
        "0e999",
        "1e-999",
        "[1e99999999999999,-1.5E+99999999999999 ]",
        "1e99999999999999.5",
        "[1e400,1e400.5]",
        "[1e4000 ,\n 2e400]",
    ] {
        agrees(huge.as_bytes());
    }
    agrees("9".repeat(400).as_bytes());
    assert!(accepts([&b"[1e999]"[..]].into_iter()));
}

#[test]
fn structure() {
    every(
        &[b"{", b"}", b"[", b"]", b",", b":", b"\"\"", b"0", b" "],
        5,
        b"",
        b"",
    );
    every(&[b"}", b"]", b",", b":", b"\"\"", b"1"], 4, b"[{\"\":[", b"");
    every(
        &[
            b"true",
            b"false",
            b"null",
            b"t",
            b"nul",
            b"\x0b",
            b"\xc2\xa0",
            b"\n",
            b"\xef\xbb\xbf",
        ],
        3,
        b"",
        b"",
    );
}

#[test]
fn utf8() {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    let all: Vec<&[u8]> = bytes.iter().map(<[u8; 1]>::as_slice).collect();
    every(&all, 2, b"\"", b"\"");
    let edges = [
        0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
    ]
    .map(|byte: u8| [byte]);
    let edges: Vec<&[u8]> = edges.iter().map(<[u8; 1]>::as_slice).collect();
    every(&edges, 4, b"\"", b"\"");
    every(&edges, 2, b"\"\xf0", b"");
    every(&[b"\xc3", b"\xa9", b"a", b"\\n"], 5, b"\"", b"\"");
    every(&edges, 2, b"{\"\xe2", b"\\n\":0}");
}

#[test]
fn escapes() {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    let all: Vec<&[u8]> = bytes.iter().map(<[u8; 1]>::as_slice).collect();
    every(&all, 1, b"\"\\", b"\"");
    every(&all, 1, b"\"\\u00e", b"\"");
    every(&all, 1, b"\"\\ud800\\udc0", b"\"");
    let units: [&[u8]; 10] = [
        b"\\ud7ff", b"\\ud800", b"\\uDBFF", b"\\udc00", b"\\uDFFF", b"\\ue000", b"udc00", b"\\u0000", b"\\n",
        b"x",
    ];
    every(&units, 3, b"\"", b"\"");
    every(&[b"\\", b"u", b"d", b"D8", b"00", b"\""], 5, b"\"", b"\"");
}

#[test]
fn depth() {
    for levels in [1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 200].map(usize::from) {
        agrees(format!("{}{}", "[".repeat(levels), "]".repeat(levels)).as_bytes());
        agrees(format!("{}0{}", r#"{"a":"#.repeat(levels), "}".repeat(levels)).as_bytes());
        let pairs = levels / 2;
        agrees(format!("{}0{}", r#"[{"":"#.repeat(pairs), "}]".repeat(pairs)).as_bytes());
    }
    let deep = usize::from(MAX_DEPTH);
    assert!(accepts(
        format!("{}{}", "[".repeat(deep), "]".repeat(deep))
            .as_bytes()
            .chunks(3)
    ));
}

fn scans_right(document: &[u8], sizes: &[usize]) {
    let mut scanner = Scanner::new();
    scanner.feed(document);
    let message = scanner.finish();
    assert_eq!(scanner.kind(), message.as_ref().map(Message::kind));
    assert!(message.is_none() || !scanner.has_given_up());
    assert_eq!(
        message.as_ref().map(found),
        expected(document),
        "{:?}",
        String::from_utf8_lossy(document)
    );
    for sizes in [&[1], sizes] {
        scanner.reset();
        cut(document, sizes).for_each(|chunk| scanner.feed(chunk));
        assert_eq!(
            format!("{:?}", scanner.finish()),
            format!("{message:?}"),
            "chunks of {sizes:?}"
        );
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        rng_seed: RngSeed::Fixed(0x11fe_11e5),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn json_is_accepted(document in json()) {
        prop_assert!(oracle(document.as_bytes()).is_some());
        agrees(document.as_bytes());
    }

    #[test]
    fn damaged_json_is_judged_alike(document in damaged(json()), sizes in sizes()) {
        agrees(&document);
        prop_assert_eq!(accepts(cut(&document, &sizes)), oracle(&document).is_some());
    }

    #[test]
    fn messages_are_read_right(document in message(), sizes in sizes()) {
        scans_right(document.as_bytes(), &sizes);
    }

    #[test]
    fn damaged_messages_are_read_right(document in damaged(message()), sizes in sizes()) {
        scans_right(&document, &sizes);
    }

    #[test]
    fn any_bytes_are_judged_alike(document in vec(any::<u8>(), 0..64), sizes in sizes()) {
        scans_right(&document, &sizes);
        agrees(&document);
    }
}
