//! Places by the last bytes against places by all bytes, and the mark in every cut.

use proptest::prelude::*;

use super::*;

fn place_after(chunks: &[&[u8]]) -> Option<Place> {
    let mut position = Position::new();
    chunks.iter().for_each(|chunk| position.follow(chunk));
    position.place()
}

#[test]
fn a_beat_fits_its_place() {
    let beat = |chunks: &[&[u8]], framing| {
        let mut position = Position::new();
        chunks.iter().for_each(|chunk| position.follow(chunk));
        position.beat(framing)
    };
    let (block, ping) = (Framing::COMMENT_BLOCK, Framing::PING_EVENT);
    for framing in [block, ping, Framing::COMMENT_LINE] {
        assert_eq!(beat(&[], framing), Some(framing.as_bytes()));
        assert_eq!(beat(&[b"data: a\n\n"], framing), Some(framing.as_bytes()));
        assert_eq!(beat(&[b"data: a\r\n\r\n"], framing), Some(framing.as_bytes()));
        for nowhere in [
            &b"data: a"[..],
            b"data: a\n\ndata",
            b"data: a\r",
            b"\xEF",
            b"\xEF\xBB",
        ] {
            assert_eq!(beat(&[nowhere], framing), None, "{nowhere:?}");
        }
    }
    assert_eq!(beat(&[b"data: a\n"], block), Some(LINE));
    assert_eq!(beat(&[b"data: a\n"], ping), None);
}

#[test]
fn what_was_lost_is_found_at_the_next_blank_line() {
    let mut position = Position {
        lines: Tracker::new(),
        known: Known::Not,
    };
    assert_eq!(position.beat(Framing::COMMENT_BLOCK), None);
    position.follow(&&b"data: a\n\n"[..]);
    assert!(position.is_between_events());
}

proptest! {
    #[test]
    fn the_short_look_knows_what_the_long_one_knows(
        chunks in proptest::collection::vec("(d|data: x|:|\n|\r|\n\n|\r\n\r\n|\u{feff}){0,4}", 0..6)
    ) {
        let mut tracker = Tracker::new();
        chunks.iter().for_each(|chunk| { tracker.feed(chunk.as_bytes()); });
        let chunks: Vec<_> = chunks.iter().map(String::as_bytes).collect();
        prop_assert_eq!(place_after(&chunks), Some(tracker.place()));
    }

    #[test]
    fn the_mark_comes_off_however_it_is_cut(
        front in "(\u{feff}|\u{fefe}|\u{f000}|a){0,3}",
        cuts in proptest::collection::vec(0usize..10, 0..4),
        hidden in any::<bool>(),
    ) {
        let whole = front.into_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| Bytes::copy_from_slice(&whole[pair[0]..pair[1]]));
        let out = if hidden { without_mark(pieces.map(Pieces)) } else { without_mark(pieces) };
        prop_assert_eq!(out.as_slice(), whole.strip_prefix(MARK).unwrap_or(&whole));
    }
}

fn without_mark<D: Buf + From<Bytes>>(pieces: impl Iterator<Item = D>) -> Vec<u8> {
    let mut mark = Mark::Goes(0);
    let mut out = Vec::new();
    for mut piece in pieces {
        if mark.take_off(&mut piece) {
            out.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
        }
    }
    // What is held back at the end is the beginning of a line without an end, which nobody reads.
    if let Mark::Goes(held) = mark {
        out.extend_from_slice(&MARK[..usize::from(held)]);
    }
    out
}

/// Shows one byte at a time and hides the others.
struct Pieces(Bytes);

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.0[..self.0.len().min(1)]
    }

    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}
