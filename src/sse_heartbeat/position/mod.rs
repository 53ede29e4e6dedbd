//! Where in its structure a stream stands, as far as that decides what may be inserted.

use bytes::{Buf, Bytes};

use super::framing::{Framing, LINE};
use crate::peek;
use crate::sse::{Place, Sink, Tracker};

#[cfg(test)]
mod tests;

/// Follows a stream, and mostly by its last bytes alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    lines: Tracker,
    known: Known,
}

/// The byte order mark at the front of a stream, which has to go once something was inserted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It may stay, or is past.
    Stays,
    /// It has to go, and so many bytes of it have been held back.
    Goes(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// `lines` has followed.
    Exactly,
    /// `lines` has not followed, but the last thing seen was a blank line.
    BetweenEvents,
    /// Bytes went by unseen.
    Not,
}

const MARK: &[u8] = b"\xEF\xBB\xBF";

// === impl Position ===

impl Position {
    pub(super) const fn new() -> Self {
        Self {
            lines: Tracker::new(),
            known: Known::Exactly,
        }
    }

    /// Follows the stream through `data`. Two line ends in a row end any line and any event, whatever came
    /// before, so what ends with them need not be read.
    #[inline]
    pub(super) fn follow(&mut self, data: &impl Buf) {
        let chunk = data.chunk();
        if chunk.len() == data.remaining() && ends_blank(chunk) {
            self.known = Known::BetweenEvents;
        } else {
            self.follow_lines(data);
        }
    }

    #[inline(never)]
    fn follow_lines(&mut self, data: &impl Buf) {
        self.read(data, &mut ());
    }

    /// Follows the stream through every byte, and shows what is in its `data` fields to `sink`. False: some of it
    /// could not be seen.
    pub(super) fn read(&mut self, data: &impl Buf, sink: &mut impl Sink) -> bool {
        if self.known == Known::BetweenEvents {
            self.lines.feed(b"\n\n");
            self.known = Known::Exactly;
        }
        let lines = &mut self.lines;
        let all_seen = peek::chunks(data, |chunk| {
            lines.feed_with(chunk, sink);
        });
        if !all_seen {
            self.known = Known::Not;
        }
        all_seen
    }

    /// Something of ours goes out here, where it may.
    pub(super) fn insert(&mut self, mark: &mut Mark) {
        if self.place() == Some(Place::Start) {
            *mark = Mark::Goes(0);
            // So that a second mark is not taken for the one that parsers would take off.
            self.lines.feed(b"\n");
        }
    }

    /// What `framing` may send here.
    pub(super) fn beat(&self, framing: Framing) -> Option<&'static [u8]> {
        match self.place()? {
            Place::Start | Place::BetweenEvents => Some(framing.as_bytes()),
            Place::LineEnd => framing.is_comment().then_some(LINE),
            _ => None,
        }
    }

    /// Whether whole events may be inserted here.
    pub(super) fn is_between_events(&self) -> bool {
        matches!(self.place(), Some(Place::Start | Place::BetweenEvents))
    }

    /// What ends the line that the stream is in, where whole events may follow and nothing else will.
    pub(super) fn before_goodbye(&self) -> Option<&'static [u8]> {
        match self.known {
            Known::Exactly => self.lines.before_goodbye(),
            Known::BetweenEvents => Some(b""),
            Known::Not => None,
        }
    }

    /// The stream has ended but for its end.
    pub(super) fn lose(&mut self) {
        self.known = Known::Not;
    }

    /// Whether the client can come back for the rest. Known only where every byte was [read](Self::read).
    pub(super) const fn is_resumable(&self) -> bool {
        self.lines.sent_id()
    }

    fn place(&self) -> Option<Place> {
        match self.known {
            Known::Exactly => Some(self.lines.place()),
            Known::BetweenEvents => Some(Place::BetweenEvents),
            Known::Not => None,
        }
    }
}

#[inline]
fn ends_blank(chunk: &[u8]) -> bool {
    matches!(chunk, [.., b'\n', b'\n'] | [.., b'\r', b'\n', b'\r', b'\n'])
}

// === impl Mark ===

impl Mark {
    /// Takes the mark off `data`, the next bytes of the stream. False: all of it is, or may be, a part of the mark.
    pub(super) fn take_off<D: Buf + From<Bytes>>(&mut self, data: &mut D) -> bool {
        let Self::Goes(held) = *self else {
            return true;
        };
        if !data.has_remaining() {
            return true;
        }
        let mut first = [0; MARK.len()];
        let Some(seen) = peek_front(data, &mut first) else {
            // Pieces that cannot be looked at from outside are made one piece that can.
            let mut whole = data.copy_to_bytes(data.remaining());
            let goes_out = self.take_off(&mut whole);
            *data = whole.into();
            return goes_out;
        };
        let rest = MARK.get(usize::from(held)..).unwrap_or_default();
        let same = rest
            .iter()
            .zip(&first[..seen])
            .take_while(|(a, b)| a == b)
            .count();
        if same == rest.len() {
            *self = Self::Stays;
            data.advance(same);
            return data.has_remaining();
        }
        if same == seen {
            *self = Self::Goes(held + same as u8);
            return false;
        }
        *self = Self::Stays;
        if held > 0 {
            // What was held back is no mark after all. It is one or two bytes, once in a stream.
            let mut whole = MARK[..usize::from(held)].to_vec();
            whole.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            *data = Bytes::from(whole).into();
        }
        true
    }
}

/// Copies the first bytes of `data`, and says how many there are. `None`: they are hidden.
fn peek_front(data: &impl Buf, first: &mut [u8; MARK.len()]) -> Option<usize> {
    let mut seen = 0;
    let all = peek::chunks(data, |chunk| {
        let room = &mut first[seen..];
        let count = chunk.len().min(room.len());
        room[..count].copy_from_slice(&chunk[..count]);
        seen += count;
    });
    all.then_some(seen)
}
