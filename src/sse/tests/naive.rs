//! What the tracker says, worked out from a whole stream by looking back at all of it, one byte at a time.

use super::super::Place;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One line: its bytes without the end, and where it and its end lie in the stream.
struct Row<'s> {
    text: &'s [u8],
    /// The index behind the first byte of its end, or `None` if the stream ends first.
    ended: Option<usize>,
}

fn mark_length(stream: &[u8]) -> usize {
    if stream.starts_with(BOM) { BOM.len() } else { 0 }
}

fn rows(stream: &[u8]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut from = mark_length(stream);
    let mut at = from;
    while at < stream.len() {
        if stream[at] == b'\n' || stream[at] == b'\r' {
            rows.push(Row {
                text: &stream[from..at],
                ended: Some(at + 1),
            });
            if stream[at..].starts_with(b"\r\n") {
                at += 1;
            }
            from = at + 1;
        }
        at += 1;
    }
    rows.push(Row {
        text: stream.get(from..).unwrap_or_default(),
        ended: None,
    });
    rows
}

fn is_field(row: &Row<'_>) -> bool {
    !row.text.is_empty() && row.text[0] != b':'
}

fn has_name(row: &Row<'_>, name: &[u8]) -> bool {
    let text = row.text;
    match text.iter().position(|&byte| byte == b':') {
        Some(colon) => &text[..colon] == name,
        None => row.ended.is_some() && text == name,
    }
}

/// The whole lines since the last blank one.
fn open_rows(stream: &[u8]) -> Vec<Row<'_>> {
    let mut rows = rows(stream);
    rows.retain(|row| row.ended.is_some());
    let blank = rows.iter().rposition(|row| row.text.is_empty());
    rows.split_off(blank.map_or(0, |blank| blank + 1))
}

pub(super) fn unfinished(prefix: &[u8]) -> bool {
    open_rows(prefix).iter().any(is_field)
}

/// Whether parsers keep anything of the lines of the unfinished event.
pub(super) fn unfinished_and_effective(prefix: &[u8]) -> bool {
    let effective: [&[u8]; 3] = [b"data", b"event", b"id"];
    open_rows(prefix)
        .iter()
        .any(|row| effective.iter().any(|name| has_name(row, name)))
}

pub(super) fn place(prefix: &[u8]) -> Place {
    match prefix {
        [] => Place::Start,
        _ if prefix.len() < BOM.len() && BOM.starts_with(prefix) => Place::MidLine,
        [.., b'\r'] => Place::AfterCr,
        [.., b'\n'] if unfinished(prefix) => Place::LineEnd,
        [.., b'\n'] => Place::BetweenEvents,
        _ if prefix == BOM => Place::BetweenEvents,
        _ => Place::MidLine,
    }
}

pub(super) fn sent_id(prefix: &[u8]) -> bool {
    let mut sent = false;
    for row in rows(prefix).iter().filter(|row| has_name(row, b"id")) {
        let value = row.text.get(3..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        sent = match value {
            [] if row.ended.is_some() => false,
            [] | [0, ..] => sent,
            _ => true,
        };
    }
    sent
}

/// Whether byte `at` ends an event that parsers dispatch.
pub(super) fn ends_event(stream: &[u8], at: usize) -> bool {
    let ends_blank_line = rows(stream)
        .iter()
        .any(|row| row.text.is_empty() && row.ended == Some(at + 1));
    ends_blank_line && open_rows(&stream[..at]).iter().any(|row| has_name(row, b"data"))
}

/// Whether byte `at` belongs to a field line, the first byte of its end included.
pub(super) fn in_field(stream: &[u8], at: usize) -> bool {
    let prefix = &stream[..=at];
    let maybe_mark = prefix.len() < BOM.len() && BOM.starts_with(prefix);
    let offset = |row: &Row<'_>| row.text.as_ptr() as usize - stream.as_ptr() as usize;
    let rows = rows(stream);
    let row = rows.iter().find(|row| {
        let from = offset(row);
        (from..row.ended.unwrap_or(stream.len())).contains(&at)
    });
    !maybe_mark && row.is_some_and(is_field)
}
