//! The last event before a cut.

use proptest::prelude::*;

use super::super::{Place, Tracker, message_event};
use super::parser::{Event, parse};
use super::{cases, streams};

#[test]
fn goodbye_waits_for_no_byte_that_will_not_come() {
    let before_goodbye = |stream: &str| {
        let mut tracker = Tracker::new();
        tracker.feed(stream.as_bytes());
        tracker.before_goodbye()
    };
    for stream in ["", "\n", "data: x\n\n", ": c\n", "\u{FEFF}"] {
        assert_eq!(before_goodbye(stream), Some(&b""[..]), "{stream:?}");
    }
    for stream in [
        ": half a comm",
        ":",
        "data: x\r\r",
        "data: x\r\n\r",
        "\r",
        ": c\r",
    ] {
        assert_eq!(before_goodbye(stream), Some(&b"\n"[..]), "{stream:?}");
    }
    for stream in [
        "d",
        "data: x",
        "data: x\n",
        "data: x\r",
        "data: x\n: c",
        "data: x\n: c\n",
        "foo\n",
        "event: x\n",
    ] {
        assert_eq!(before_goodbye(stream), None, "{stream:?}");
    }
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn goodbye_is_one_event_more(stream in streams::of_any_bytes()) {
        let goodbye = message_event("bye", None);
        for at in 0..=stream.len() {
            let prefix = &stream[..at];
            let mut tracker = Tracker::new();
            tracker.feed(prefix);
            match tracker.before_goodbye() {
                Some(first) => {
                    let mut expected = parse(prefix);
                    expected.events.push(Event {
                        kind: "message".to_owned(),
                        data: "bye".to_owned(),
                        last_event_id: expected.last_event_id.clone(),
                    });
                    prop_assert_eq!(parse(&[prefix, first, &goodbye].concat()), expected, "cut at {}", at);
                }
                None => prop_assert!(
                    !matches!(tracker.place(), Place::Start | Place::BetweenEvents),
                    "a legal place was missed at {}", at
                ),
            }
        }
    }
}
