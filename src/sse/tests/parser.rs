//! A strict parser for whole streams, after WHATWG HTML 9.2.5 and 9.2.6, written for clearness alone.

use std::mem;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) data: String,
    pub(super) last_event_id: String,
}

/// All that the standard lets a stream do to an `EventSource`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) events: Vec<Event>,
    pub(super) last_event_id: String,
    pub(super) reconnection_times: Vec<u64>,
}

#[derive(Default)]
struct Buffers {
    data: String,
    kind: String,
    last_event_id: String,
}

pub(super) fn parse(stream: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut buffers = Buffers::default();
    for line in whole_lines(&decode(stream)) {
        if line.is_empty() {
            dispatch(&mut parsed, &mut buffers);
        } else if !line.starts_with(':') {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            process_field(&mut parsed, &mut buffers, name, value);
        }
    }
    parsed
}

fn decode(stream: &[u8]) -> String {
    let text = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    String::from_utf8_lossy(text).into_owned()
}

/// The lines that have an end: what follows the last one is discarded at the end of the stream.
fn whole_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(mem::take(&mut line));
            }
            '\n' => lines.push(mem::take(&mut line)),
            _ => line.push(character),
        }
    }
    lines
}

fn process_field(parsed: &mut Parsed, buffers: &mut Buffers, name: &str, value: &str) {
    match name {
        "event" => buffers.kind = value.to_owned(),
        "data" => {
            buffers.data.push_str(value);
            buffers.data.push('\n');
        }
        "id" if !value.contains('\0') => buffers.last_event_id = value.to_owned(),
        "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
            parsed.reconnection_times.push(value.parse().unwrap_or(u64::MAX));
        }
        _ => {}
    }
}

fn dispatch(parsed: &mut Parsed, buffers: &mut Buffers) {
    parsed.last_event_id.clone_from(&buffers.last_event_id);
    let data = mem::take(&mut buffers.data);
    let kind = mem::take(&mut buffers.kind);
    let Some(data) = data.strip_suffix('\n') else {
        return;
    };
    parsed.events.push(Event {
        kind: if kind.is_empty() {
            "message".to_owned()
        } else {
            kind
        },
        data: data.to_owned(),
        last_event_id: parsed.last_event_id.clone(),
    });
}

#[test]
fn parser_agrees_with_the_examples_of_the_standard() {
    let events = |stream: &str| -> Vec<(String, String, String)> {
        let events = parse(stream.as_bytes()).events;
        events
            .into_iter()
            .map(|event| (event.kind, event.data, event.last_event_id))
            .collect()
    };
    let event = |kind: &str, data: &str, id: &str| (kind.to_owned(), data.to_owned(), id.to_owned());

    assert_eq!(
        events("data: YHOO\ndata: +2\ndata: 10\n\n"),
        [event("message", "YHOO\n+2\n10", "")]
    );
    assert_eq!(
        events(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"),
        [
            event("message", "first event", "1"),
            event("message", "second event", "")
        ],
    );
    assert_eq!(
        events("data\n\ndata\ndata\n\ndata:"),
        [event("message", "", ""), event("message", "\n", "")]
    );
    assert_eq!(
        events("data:test\n\ndata: test\n\n"),
        [event("message", "test", ""), event("message", "test", "")]
    );
    assert_eq!(
        events("event: add\ndata: 73857293\n\n"),
        [event("add", "73857293", "")]
    );
}
