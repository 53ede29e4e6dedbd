//! The tracker against the naive reference, for every chunking.

use proptest::prelude::*;

use super::super::{Place, Seen, Sink, Tracker};
use super::{cases, naive, parser, streams};

/// What a sink was told, with the pieces of a value joined and so independent of the chunking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    value: Vec<u8>,
    values: Vec<Vec<u8>>,
    events: Vec<Vec<Vec<u8>>>,
}

impl Sink for Told {
    fn data(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty piece");
        self.value.extend_from_slice(bytes);
    }

    fn data_line_end(&mut self) {
        self.values.push(std::mem::take(&mut self.value));
    }

    fn event_end(&mut self) {
        assert!(self.value.is_empty(), "a value without an end");
        self.events.push(std::mem::take(&mut self.values));
    }
}

fn fed(stream: &[u8]) -> Tracker {
    let mut tracker = Tracker::new();
    for byte in stream {
        tracker.feed(&[*byte]);
    }
    tracker
}

fn facts(seen: Seen) -> (bool, bool) {
    (seen.progress(), seen.events())
}

#[test]
fn tracker_is_tiny() {
    assert_eq!(size_of::<Tracker>(), 2);
    assert_eq!(size_of::<Option<Tracker>>(), 2);
}

#[test]
fn places_of_a_plain_stream() {
    let places = |stream: &str| -> Vec<Place> {
        let stream = stream.as_bytes();
        (0..=stream.len())
            .map(|length| fed(&stream[..length]).place())
            .collect()
    };
    use Place::{AfterCr, BetweenEvents, LineEnd, MidLine, Start};

    assert_eq!(
        places("d:\n\n:\n"),
        [
            Start,
            MidLine,
            MidLine,
            LineEnd,
            BetweenEvents,
            MidLine,
            BetweenEvents
        ]
    );
    assert_eq!(
        places("d\n:\n\n"),
        [Start, MidLine, LineEnd, MidLine, LineEnd, BetweenEvents]
    );
    assert_eq!(
        places("d\r\n\r\n"),
        [Start, MidLine, AfterCr, LineEnd, AfterCr, BetweenEvents]
    );
    assert_eq!(places("d\r\r:"), [Start, MidLine, AfterCr, AfterCr, MidLine]);
    assert_eq!(places("\n\n"), [Start, BetweenEvents, BetweenEvents]);
    assert_eq!(
        places("\u{FEFF}\n"),
        [Start, MidLine, MidLine, BetweenEvents, BetweenEvents]
    );
    assert_eq!(
        places("\u{FEFF}\u{FEFF}\n"),
        [
            Start,
            MidLine,
            MidLine,
            BetweenEvents,
            MidLine,
            MidLine,
            MidLine,
            LineEnd
        ]
    );
    assert_eq!(fed(b"\xEF\xBB\n").place(), LineEnd);
}

#[test]
fn nothing_changes_without_a_byte() {
    for stream in ["", "\u{FEFF}", "data", "data:", "id", "d\r", "d\n", ": c"] {
        let mut tracker = fed(stream.as_bytes());
        assert_eq!(tracker.feed(b""), Seen::default());
        assert_eq!(tracker, fed(stream.as_bytes()));
    }
}

#[test]
fn ids_that_count() {
    for stream in [
        "id: 7\n",
        "id:7",
        "id:  ",
        "\u{FEFF}id:7",
        "data: x\n\nid: 7\n",
        "d\rid:7\r",
        "id:7\nid:\0\n",
        "id:7\nid",
        "id:7\nid: ",
        "id:\nid:7",
        ":\nid:7",
    ] {
        assert!(fed(stream.as_bytes()).sent_id(), "{stream:?}");
    }
    for stream in [
        "id",
        "id:",
        "id: ",
        "id:\0\n",
        "id:7\nid\n",
        "id:7\nid:\r",
        "id:7\nid: \n",
        "idx: 7\n",
        "id : 7\n",
        ":id: 7\n",
        "data: id: 7\n",
        " id: 7\n",
        "Id: 7\n",
        "i\nd\n",
        "d\n\u{FEFF}id: 7\n",
    ] {
        assert!(!fed(stream.as_bytes()).sent_id(), "{stream:?}");
    }
}

#[test]
fn what_is_progress() {
    let seen = |stream: &str| facts(Tracker::new().feed(stream.as_bytes()));
    for stream in [
        "",
        "\n",
        "\r\n\r\n",
        ":\n\n",
        ": data: x\n\n",
        "\u{FEFF}",
        "\u{FEFF}\n\n:\n",
    ] {
        assert_eq!(seen(stream), (false, false), "{stream:?}");
    }
    for stream in [
        "d",
        "data: x\n",
        "event: ping\n\n",
        "retry: 1\n\n",
        " \n\n",
        "foo\n\n",
        ":\nx",
        "\u{FEFF}x",
        "datas\n\n",
    ] {
        assert_eq!(seen(stream), (true, false), "{stream:?}");
    }
    for stream in [
        "data\n\n",
        "data:\r\r",
        ":\ndata: x\n:\nid: 1\n\n:",
        "\u{FEFF}data:\r\n\r\n",
        "x\ndata:\nx\n\n",
    ] {
        assert_eq!(seen(stream), (true, true), "{stream:?}");
    }
}

#[test]
fn an_event_that_ends_is_progress_even_where_only_its_blank_line_is_new() {
    assert_eq!(facts(fed(b"data: x\n").feed(b"\n")), (true, true));
    assert_eq!(facts(fed(b"event: x\n").feed(b"\n")), (false, false));
    assert_eq!(facts(fed(b"data: x\r").feed(b"\n")), (false, false));
    assert_eq!(facts(fed(b"data: x").feed(b"\n")), (true, false));
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn equals_the_reference_after_every_byte(stream in streams::of_any_bytes()) {
        let mut tracker = Tracker::new();
        for at in 0..stream.len() {
            let seen = tracker.feed(&stream[at..=at]);
            let prefix = &stream[..=at];
            prop_assert_eq!(tracker.place(), naive::place(prefix), "after byte {}", at);
            prop_assert_eq!(tracker.sent_id(), naive::sent_id(prefix), "after byte {}", at);
            let ends_event = naive::ends_event(&stream, at);
            prop_assert_eq!(seen.events(), ends_event, "byte {}", at);
            prop_assert_eq!(seen.progress(), ends_event || naive::in_field(&stream, at), "byte {}", at);
        }
    }

    // Any chunk from any state gives the state and the report that its bytes give one by one: by induction the same is
    // true of every sequence of chunks.
    #[test]
    fn chunking_makes_no_difference(stream in streams::of_any_bytes()) {
        let mut states = vec![(Tracker::new(), Told::default())];
        let mut reports = Vec::new();
        for byte in &stream {
            let (mut tracker, mut told) = states[states.len() - 1].clone();
            reports.push(tracker.feed_with(&[*byte], &mut told));
            states.push((tracker, told));
        }
        for from in 0..stream.len() {
            for to in from..=stream.len() {
                let (mut tracker, mut told) = states[from].clone();
                let mut without_sink = tracker;
                let seen = tracker.feed_with(&stream[from..to], &mut told);
                prop_assert_eq!(seen, without_sink.feed(&stream[from..to]), "{}..{}", from, to);
                prop_assert_eq!(tracker, without_sink, "{}..{}", from, to);
                prop_assert_eq!(&(tracker, told), &states[to], "{}..{}", from, to);
                let expected = reports[from..to].iter().fold((false, false), |(progress, events), seen| {
                    (progress | seen.progress(), events | seen.events())
                });
                prop_assert_eq!(facts(seen), expected, "{}..{}", from, to);
            }
        }
    }

    #[test]
    fn a_sink_learns_the_data_of_every_event(stream in streams::of_any_bytes()) {
        let mut told = Told::default();
        Tracker::new().feed_with(&stream, &mut told);
        let dispatched = told.events.iter().filter(|values| !values.is_empty());
        let data: Vec<_> = dispatched.map(|values| String::from_utf8_lossy(&values.join(&b'\n')).into_owned()).collect();
        let parsed: Vec<_> = parser::parse(&stream).events.into_iter().map(|event| event.data).collect();
        prop_assert_eq!(data, parsed);
    }
}
