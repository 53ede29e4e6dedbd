//! Where in its structure an event stream stands, chunk by chunk.

use super::line::{Line, Marks};
use super::scan::{is_line_end, until_line_end};

/// Follows an event stream through chunks of any size; see the [module docs](super).
///
/// Two bytes, `Copy`, no buffer. Feed it every byte of the stream once and in order; what is inserted at a legal
/// [place](Self::place) need not be fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracker {
    line: Line,
    marks: Marks,
}

/// What a chunk carried apart from comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    progress: bool,
    events: bool,
}

/// What is legal between the last byte fed and the next one, whatever that one will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// No byte has come yet. What goes out here is harmless only if a byte order mark is then taken off the front of
    /// the stream, since parsers know it as the very first thing alone.
    Start,
    /// A line has ended and no event is unfinished: whole events, comment blocks and comment lines are legal.
    BetweenEvents,
    /// A line has ended inside an unfinished event: comment lines are legal, but a blank line would cut the event in
    /// two.
    LineEnd,
    /// A CR has ended a line, and an LF that may follow belongs to it: nothing is legal.
    AfterCr,
    /// Inside a line, or inside what may be a byte order mark: nothing is legal.
    MidLine,
}

/// Takes the values of `data` fields as they pass, in the pieces that the chunks cut them into.
///
/// `()` takes nothing and costs nothing.
pub trait Sink {
    /// A piece of the current line's value, never empty, without the one space that may follow the colon.
    fn data(&mut self, bytes: &[u8]);

    /// A `data` line has ended, perhaps without any value. Parsers join the lines of one event with LF.
    fn data_line_end(&mut self);

    /// A blank line has ended an event, or what parsers drop because none of its lines was a `data` line.
    fn event_end(&mut self);
}

// === impl Tracker ===

impl Tracker {
    /// Before the first byte of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: Line::Start,
            marks: Marks::NONE,
        }
    }

    /// Follows the stream through `chunk`.
    pub fn feed(&mut self, chunk: &[u8]) -> Seen {
        self.feed_with(chunk, &mut ())
    }

    /// Follows the stream through `chunk` and hands the values of its `data` fields to `sink`.
    pub fn feed_with<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Seen {
        let mut now = *self;
        let mut rest = chunk;
        if now.line != Line::Begin {
            (now, rest) = now.resume(chunk, sink);
        }
        while let Some((&byte, tail)) = rest.split_first() {
            if is_line_end(byte) {
                now.marks.blank_line(sink);
                (now.line, rest) = Line::ended(byte, tail);
                continue;
            }
            let (text, ending) = rest.split_at(until_line_end(rest));
            now.line = Line::open(text, &mut now.marks, sink);
            let Some((&end, tail)) = ending.split_first() else {
                break;
            };
            now.line.close(&mut now.marks, sink);
            (now.line, rest) = Line::ended(end, tail);
        }
        let seen = Seen {
            progress: now.marks.has(Marks::PROGRESS),
            events: now.marks.has(Marks::EVENTS),
        };
        now.marks.clear(Marks::PROGRESS | Marks::EVENTS);
        *self = now;
        seen
    }

    /// What may be inserted before the next byte.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self.line {
            Line::Start => Place::Start,
            Line::Begin if self.marks.has(Marks::UNFINISHED) => Place::LineEnd,
            Line::Begin => Place::BetweenEvents,
            Line::AfterCr => Place::AfterCr,
            _ => Place::MidLine,
        }
    }

    /// What must go out first if one last event is to follow and nothing of the stream will; `None` while an event is
    /// unfinished, which that event would become a part of.
    ///
    /// Unlike [`place`](Self::place) it need not provide for a next byte, so it can end a comment or a CRLF.
    #[must_use]
    pub const fn before_goodbye(&self) -> Option<&'static [u8]> {
        match self.line {
            _ if self.marks.has(Marks::UNFINISHED) => None,
            Line::Start | Line::Begin => Some(b""),
            Line::AfterCr | Line::Comment => Some(b"\n"),
            _ => None,
        }
    }

    /// Whether the last field named exactly `id` has a value, so that a client may come back for the rest.
    ///
    /// An empty value takes the last one back, as it does for parsers. A value counts from its first byte; one that
    /// begins with a NUL does not, since parsers ignore values with a NUL (anywhere in them, which this does not see).
    #[must_use]
    pub const fn sent_id(&self) -> bool {
        self.marks.has(Marks::SENT_ID)
    }

    /// Goes on elsewhere than at the beginning of a line, until a line begins or the chunk ends.
    fn resume<'c, S: Sink>(self, chunk: &'c [u8], sink: &mut S) -> (Self, &'c [u8]) {
        let Self { mut line, mut marks } = self;
        let mut rest = chunk;
        while let Some((&byte, tail)) = rest.split_first() {
            if line == Line::Begin {
                break;
            }
            if line.holds_text() {
                let (text, ending) = rest.split_at(until_line_end(rest));
                line = line.go_on(text, &mut marks, sink);
                rest = ending;
                let Some((&end, tail)) = ending.split_first() else {
                    break;
                };
                line.close(&mut marks, sink);
                (line, rest) = Line::ended(end, tail);
            } else {
                let taken;
                (line, taken) = line.outside_text(byte);
                rest = if taken { tail } else { rest };
            }
        }
        (Self { line, marks }, rest)
    }
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Seen ===

impl Seen {
    /// Whether there was any byte of a field line, its first line-end byte included, or the end of an event.
    ///
    /// Comments, other blank lines and the byte order mark are no progress. A field whose name no parser knows is: what
    /// is not clearly a keep-alive counts as the producer's work.
    #[must_use]
    pub const fn progress(&self) -> bool {
        self.progress
    }

    /// Whether an event ended that parsers dispatch: a blank line after at least one `data` line.
    #[must_use]
    pub const fn events(&self) -> bool {
        self.events
    }
}

// === impl Sink ===

impl Sink for () {
    fn data(&mut self, _: &[u8]) {}

    fn data_line_end(&mut self) {}

    fn event_end(&mut self) {}
}
