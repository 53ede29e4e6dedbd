//! What may be inserted into an event stream.

use std::iter;

use bytes::Bytes;

use super::scan::{CR, LF, is_line_end, until_line_end};

/// A comment, `: text\n`, which is legal wherever a line has ended, inside an unfinished event too.
///
/// A text of several lines becomes as many comment lines, so that no line of it can become a field.
#[must_use]
pub fn comment_line(text: impl AsRef<[u8]>) -> Bytes {
    comment(text.as_ref(), b"")
}

/// A comment and a blank line, `: text\n\n`, which is legal between events only.
///
/// Some clients take nothing in before a blank line, and lose the event after a comment that has none.
#[must_use]
pub fn comment_block(text: impl AsRef<[u8]>) -> Bytes {
    comment(text.as_ref(), b"\n")
}

/// A whole event, which is legal between events only and which parsers dispatch with exactly this data, but for CR and
/// CRLF in it: they arrive as LF.
///
/// Line ends in the name of the event become spaces; without a name, or with an empty one, it is a `message`.
#[must_use]
pub fn message_event(data: impl AsRef<[u8]>, event: Option<&str>) -> Bytes {
    const EVENT: &[u8] = b"event: ";
    const DATA: &[u8] = b"data: ";

    let data = data.as_ref();
    let name = event.unwrap_or_default();
    let name_length = if name.is_empty() {
        0
    } else {
        EVENT.len() + name.len() + 1
    };
    let mut frame = Vec::with_capacity(name_length + length_of_lines(DATA, data) + 1);
    if !name.is_empty() {
        frame.extend_from_slice(EVENT);
        frame.extend(
            name.bytes()
                .map(|byte| if is_line_end(byte) { b' ' } else { byte }),
        );
        frame.push(LF);
    }
    push_lines(&mut frame, DATA, data);
    frame.push(LF);
    frame.into()
}

fn comment(text: &[u8], ending: &[u8]) -> Bytes {
    const COMMENT: &[u8] = b": ";

    let mut frame = Vec::with_capacity(length_of_lines(COMMENT, text) + ending.len());
    push_lines(&mut frame, COMMENT, text);
    frame.extend_from_slice(ending);
    frame.into()
}

fn push_lines(frame: &mut Vec<u8>, prefix: &[u8], text: &[u8]) {
    for line in lines(text) {
        frame.extend_from_slice(prefix);
        frame.extend_from_slice(line);
        frame.push(LF);
    }
}

// A frame of exactly the right capacity becomes `Bytes` without a second allocation.
fn length_of_lines(prefix: &[u8], text: &[u8]) -> usize {
    lines(text).map(|line| prefix.len() + line.len() + 1).sum()
}

/// The lines as a parser would divide them, at least one; a line end at the very end leaves an empty last one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest?;
        let (line, ending) = text.split_at(until_line_end(text));
        rest = match ending {
            [CR, LF, tail @ ..] | [_, tail @ ..] => Some(tail),
            [] => None,
        };
        Some(line)
    })
}
