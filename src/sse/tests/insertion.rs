//! What the tracker calls legal, against what an insertion does to the parse.

use proptest::prelude::*;

use super::super::{Place, Tracker, comment_block, comment_line, message_event};
use super::parser::{Event, Parsed, parse};
use super::{cases, naive, streams};

fn place_after(prefix: &[u8]) -> Place {
    let mut tracker = Tracker::new();
    tracker.feed(prefix);
    tracker.place()
}

fn with_inserted(prefix: &[u8], insertion: &[u8], rest: &[u8]) -> Parsed {
    parse(&[prefix, insertion, rest].concat())
}

/// What the whole stream must parse to with one event more behind `prefix`.
fn with_event_added(prefix: &[u8], rest: &[u8], kind: &str, data: &str) -> Parsed {
    let before = parse(prefix);
    let mut parsed = with_inserted(prefix, b"", rest);
    let event = Event {
        kind: kind.to_owned(),
        data: data.to_owned(),
        last_event_id: before.last_event_id,
    };
    parsed.events.insert(before.events.len(), event);
    parsed
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn legal_insertions_change_nothing_else(stream in streams::of_any_bytes()) {
        let (line, block) = (comment_line("a\nb"), comment_block("alive"));
        let event = message_event("so\nlong", Some("end"));
        let untouched = parse(&stream);
        let mut everywhere = Vec::new();
        for at in 0..=stream.len() {
            let (prefix, rest) = stream.split_at(at);
            let place = place_after(prefix);
            if matches!(place, Place::BetweenEvents | Place::LineEnd) {
                prop_assert_eq!(&with_inserted(prefix, &line, rest), &untouched, "a line at {}", at);
                everywhere.extend_from_slice(&line);
            }
            if place == Place::BetweenEvents {
                prop_assert_eq!(&with_inserted(prefix, &block, rest), &untouched, "a block at {}", at);
                everywhere.extend_from_slice(&block);
                let added = with_event_added(prefix, rest, "end", "so\nlong");
                prop_assert_eq!(with_inserted(prefix, &event, rest), added, "an event at {}", at);
            }
            everywhere.extend(rest.first());
        }
        prop_assert_eq!(parse(&everywhere), untouched, "at all places at once");
    }
}

/// Everything that may follow, as far as it can tell a legal place from another.
const CONTINUATIONS: &[&[u8]] = &[
    b"",
    b"\n",
    b"\r",
    b"\n\n",
    b"data: c\n\n",
    b"\ndata: c\n\n",
    b"id: 9\n\n",
    b"id: 9\ndata: c\n\n",
    b": c\n\n",
    b"\xBB\xBFdata: c\n\n",
    b"\xBFdata: c\n\n",
    b"\xEF\xBB\xBFdata: c\n\n",
    b"ata: c\n\n",
    b"x\ndata: c\n\n",
];
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"data: x",
    b":",
    b"d",
    b"id: 1",
    b"event: e",
    b"retry: 5",
    b"x",
    b"\xEF",
    b"\xBB\xBF",
];

fn every_prefix(longest: usize) -> Vec<Vec<u8>> {
    let mut prefixes = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..longest {
        let shorter = from..prefixes.len();
        from = prefixes.len();
        for index in shorter {
            for piece in PIECES {
                prefixes.push([prefixes[index].as_slice(), piece].concat());
            }
        }
    }
    prefixes
}

/// The best place that is right behind `prefix` whatever follows, found by trying.
fn place_by_trial(prefix: &[u8]) -> Option<Place> {
    let unseen = |insertion: &[u8]| {
        CONTINUATIONS
            .iter()
            .all(|rest| with_inserted(prefix, insertion, rest) == with_inserted(prefix, b"", rest))
    };
    let event = message_event("bye", None);
    let event_is_just_added = || {
        CONTINUATIONS.iter().all(|rest| {
            with_inserted(prefix, &event, rest) == with_event_added(prefix, rest, "message", "bye")
        })
    };
    if !unseen(&comment_line("hb")) {
        None
    } else if unseen(&comment_block("hb")) && event_is_just_added() {
        Some(Place::BetweenEvents)
    } else {
        Some(Place::LineEnd)
    }
}

#[test]
fn legal_places_are_those_where_no_continuation_shows_an_insertion() {
    let [mut agreed, mut careful_behind_cr, mut careful_behind_idle_fields] = [0; 3];
    for prefix in every_prefix(3) {
        let place = place_after(&prefix);
        let best = place_by_trial(&prefix);
        let is_free = best == Some(Place::BetweenEvents);
        // The two exceptions which the documentation of the module names, and no other.
        if place == Place::AfterCr && is_free {
            careful_behind_cr += 1;
        } else if place == Place::LineEnd && is_free {
            assert!(naive::unfinished(&prefix) && !naive::unfinished_and_effective(&prefix));
            careful_behind_idle_fields += 1;
        } else {
            let called_legal = matches!(place, Place::LineEnd | Place::BetweenEvents).then_some(place);
            assert_eq!(
                called_legal,
                best,
                "behind {:?}",
                String::from_utf8_lossy(&prefix)
            );
            agreed += usize::from(best.is_some());
        }
    }
    let tried = [agreed, careful_behind_cr, careful_behind_idle_fields];
    assert!(tried.iter().all(|&count| count > 50), "{tried:?}");
}
