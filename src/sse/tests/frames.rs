//! What the frames are, and that nothing in their texts breaks out of them.

use proptest::prelude::*;

use super::super::{comment_block, comment_line, message_event};
use super::cases;
use super::parser::{Parsed, parse};

#[test]
fn frames_as_they_go_out() {
    assert_eq!(comment_line("hb"), ": hb\n");
    assert_eq!(comment_block("hb"), ": hb\n\n");
    assert_eq!(comment_block(""), ": \n\n");
    assert_eq!(comment_line("a\nb\r\nc\rdata: d"), ": a\n: b\n: c\n: data: d\n");
    assert_eq!(message_event("{}", None), "data: {}\n\n");
    assert_eq!(message_event("", None), "data: \n\n");
    assert_eq!(
        message_event("a\n\nb\r\n", Some("x")),
        "event: x\ndata: a\ndata: \ndata: b\ndata: \n\n"
    );
    assert_eq!(message_event(b"\xFF", Some("")), b"data: \xFF\n\n"[..]);
    assert_eq!(
        message_event("a", Some("x\r\ndata: y")),
        "event: x  data: y\ndata: a\n\n"
    );
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select(vec![
            "\n", "\r", "\r\n", " ", ":", "data: x", "id: 1", "\u{FEFF}", "\0", "é",
        ]),
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn comments_are_nothing_but_comments(text in text()) {
        let line = comment_line(&text);
        prop_assert!(line.split(|&byte| byte == b'\n').rev().skip(1).all(|line| line.starts_with(b": ")));
        prop_assert!(!line.contains(&b'\r'));
        for comment in [line, comment_block(&text)] {
            prop_assert_eq!(parse(&comment), Parsed::default());
        }
    }

    #[test]
    fn events_arrive_as_they_were_given(data in text(), name in proptest::option::of(text())) {
        let parsed = parse(&message_event(&data, name.as_deref()));
        prop_assert_eq!(parsed.events.len(), 1);
        let event = &parsed.events[0];
        prop_assert_eq!(&event.data, &data.replace("\r\n", "\n").replace('\r', "\n"));
        let expected = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "message".to_owned());
        prop_assert_eq!(&event.kind, &expected.replace(['\r', '\n'], " "));
        prop_assert_eq!(&event.last_event_id, "");
    }
}
