//! One line of an event stream, and what stays known when it has ended.

use super::Sink;
use super::scan::{CR, LF};

/// Where in a line the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Before the first byte of the stream.
    Start,
    /// One byte, and two, into what may be the byte order mark.
    Mark1,
    Mark2,
    /// Before the first byte of a line.
    Begin,
    /// The same, but an LF would still belong to the CR before it.
    AfterCr,
    Comment,
    /// Of the fields only `data` and `id` matter; each of these may still turn out to be another name.
    D,
    Da,
    Dat,
    Data,
    I,
    Id,
    /// After `id:`, and after the one space that is not part of the value.
    IdColon,
    IdSpace,
    /// Behind `data:`, where one space is not part of the value.
    DataColon,
    DataValue,
    /// In a field that does not matter, or no longer.
    Other,
}

/// Flags in one byte, so that they all stay in a register while a chunk is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u8);

// === impl Line ===

impl Line {
    /// Takes the first bytes of a line: `text` is not empty and holds no line end.
    #[inline]
    pub(super) fn open<S: Sink>(text: &[u8], marks: &mut Marks, sink: &mut S) -> Self {
        // The whole name says what `go_on` would, only faster.
        match text {
            [b'd', b'a', b't', b'a', b':', value @ ..] => {
                marks.field_line();
                Self::DataColon.value(value, sink)
            }
            [b':', ..] => Self::Comment,
            [b'd' | b'i', ..] => Self::Begin.go_on(text, marks, sink),
            _ => {
                marks.field_line();
                Self::Other
            }
        }
    }

    /// Takes more bytes of a line that is no comment if it is new, or none where nothing but its end follows.
    pub(super) fn go_on<S: Sink>(self, text: &[u8], marks: &mut Marks, sink: &mut S) -> Self {
        let mut line = self;
        let mut rest = text;
        while let Some((&byte, tail)) = rest.split_first() {
            line = match (line, byte) {
                (Self::Comment | Self::Other, _) => break,
                (Self::DataColon | Self::DataValue, _) => {
                    line = line.value(rest, sink);
                    break;
                }
                (Self::Begin, b'd') => Self::D,
                (Self::D, b'a') => Self::Da,
                (Self::Da, b't') => Self::Dat,
                (Self::Dat, b'a') => Self::Data,
                (Self::Data, b':') => Self::DataColon,
                (Self::Begin, b'i') => Self::I,
                (Self::I, b'd') => Self::Id,
                (Self::Id, b':') => Self::IdColon,
                (Self::IdColon, b' ') => Self::IdSpace,
                (Self::IdColon | Self::IdSpace, 0) => Self::Other,
                (Self::IdColon | Self::IdSpace, _) => {
                    marks.set(Marks::SENT_ID);
                    Self::Other
                }
                _ => Self::Other,
            };
            rest = tail;
        }
        if line != Self::Comment {
            marks.field_line();
        }
        line
    }

    #[inline]
    fn value<S: Sink>(self, text: &[u8], sink: &mut S) -> Self {
        let Some((&first, tail)) = text.split_first() else {
            return self;
        };
        let value = if self == Self::DataColon && first == b' ' {
            tail
        } else {
            text
        };
        if !value.is_empty() {
            sink.data(value);
        }
        Self::DataValue
    }

    /// The line has reached its end.
    #[inline]
    pub(super) fn close<S: Sink>(self, marks: &mut Marks, sink: &mut S) {
        match self {
            Self::Data | Self::DataColon | Self::DataValue => {
                marks.set(Marks::HAS_DATA);
                sink.data_line_end();
            }
            // An id without a value takes the last one back.
            Self::Id | Self::IdColon | Self::IdSpace => marks.clear(Marks::SENT_ID),
            _ => {}
        }
    }

    /// Behind a line end whose first byte was `end`, and what of `tail` is not part of it.
    #[inline]
    pub(super) const fn ended(end: u8, tail: &[u8]) -> (Self, &[u8]) {
        match (end, tail) {
            (CR, []) => (Self::AfterCr, tail),
            (CR, [LF, tail @ ..]) => (Self::Begin, tail),
            _ => (Self::Begin, tail),
        }
    }

    pub(super) const fn holds_text(self) -> bool {
        !matches!(
            self,
            Self::Start | Self::Mark1 | Self::Mark2 | Self::Begin | Self::AfterCr
        )
    }

    /// Where [`holds_text`](Self::holds_text) is false: the next state, and whether `byte` was needed to get there.
    pub(super) const fn outside_text(self, byte: u8) -> (Self, bool) {
        match (self, byte) {
            (Self::Start, 0xEF) => (Self::Mark1, true),
            (Self::Mark1, 0xBB) => (Self::Mark2, true),
            (Self::Mark2, 0xBF) | (Self::AfterCr, LF) => (Self::Begin, true),
            // What began like the mark is a field with an odd name, and this byte may be its end.
            (Self::Mark1 | Self::Mark2, _) => (Self::Other, false),
            _ => (Self::Begin, false),
        }
    }
}

// === impl Marks ===

impl Marks {
    pub(super) const NONE: Self = Self(0);

    /// A field line has begun since the last blank line.
    pub(super) const UNFINISHED: u8 = 1;
    /// A `data` line has ended since the last blank line, so that the next one dispatches.
    pub(super) const HAS_DATA: u8 = 1 << 1;
    pub(super) const SENT_ID: u8 = 1 << 2;
    /// These two are about the chunk alone.
    pub(super) const PROGRESS: u8 = 1 << 3;
    pub(super) const EVENTS: u8 = 1 << 4;

    #[inline]
    pub(super) fn blank_line<S: Sink>(&mut self, sink: &mut S) {
        if self.has(Self::HAS_DATA) {
            self.set(Self::EVENTS | Self::PROGRESS);
        }
        if self.has(Self::UNFINISHED) {
            sink.event_end();
        }
        self.clear(Self::HAS_DATA | Self::UNFINISHED);
    }

    #[inline]
    const fn field_line(&mut self) {
        self.set(Self::UNFINISHED | Self::PROGRESS);
    }

    #[inline]
    pub(super) const fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    #[inline]
    const fn set(&mut self, marks: u8) {
        self.0 |= marks;
    }

    #[inline]
    pub(super) const fn clear(&mut self, marks: u8) {
        self.0 &= !marks;
    }
}
