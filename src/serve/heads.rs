//! Where request heads begin and end in what an HTTP/2 peer sends.
//!
//! hyper tells of a head when it is whole. Nothing else may come between its frames, so that the headers of frames are
//! all that has to be read, and a peer that lets one drip keeps nobody waiting but itself.

/// Follows the frames of one connection, from behind the preface on.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// As much as there is of the header of the frame that begins.
    header: [u8; HEADER],
    known: usize,
    /// What is left of a frame whose header was whole.
    left: usize,
    is_open: bool,
    /// How many have begun.
    begun: u32,
}

const HEADER: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

// === impl Heads ===

impl Heads {
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
            } else {
                let some = (HEADER - self.known).min(bytes.len());
                self.header[self.known..self.known + some].copy_from_slice(&bytes[..some]);
                self.known += some;
                bytes = &bytes[some..];
                if self.known == HEADER {
                    self.begin();
                }
            }
            if self.left == 0 && self.known == HEADER {
                self.end();
            }
        }
    }

    /// Which head is open, by its number: its first byte that tells it from other frames has come, and its last has
    /// not.
    pub(super) fn open(&self) -> Option<u32> {
        self.is_open.then_some(self.begun)
    }

    fn begin(&mut self) {
        let [high, middle, low, kind, ..] = self.header;
        self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
        if kind == HEADERS && !self.is_open {
            self.is_open = true;
            self.begun = self.begun.wrapping_add(1);
        }
    }

    fn end(&mut self) {
        let [_, _, _, kind, flags, ..] = self.header;
        self.known = 0;
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            self.is_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut frame = vec![0, high, low, kind, flags, 0, 0, 0, 1];
        // What would be a header if somebody took it for one.
        frame.extend((0..length).map(|n| if n % 9 == 3 { HEADERS } else { 0 }));
        frame
    }

    fn after(bytes: &[u8]) -> Heads {
        let mut heads = Heads::default();
        heads.read(bytes);
        heads
    }

    #[test]
    fn a_head_is_open_from_its_header_to_the_end_of_its_last_frame() {
        let settings = frame(4, 0, 18);
        assert_eq!(after(&settings).open(), None);
        let whole = frame(HEADERS, END_HEADERS | 1, 20);
        assert_eq!(after(&whole[..8]).open(), None, "it may be anything");
        assert_eq!(after(&whole[..9]).open(), Some(1));
        assert_eq!(after(&whole[..28]).open(), Some(1));
        assert_eq!(after(&whole).open(), None);
        let two = [&settings[..], &frame(HEADERS, 1, 20), &frame(CONTINUATION, 0, 0)].concat();
        assert_eq!(after(&two).open(), Some(1));
        let last = frame(CONTINUATION, END_HEADERS, 3);
        assert_eq!(after(&[&two[..], &last[..11]].concat()).open(), Some(1));
        assert_eq!(after(&[&two[..], &last].concat()).open(), None);
        let next = [&two[..], &last, &whole[..10]].concat();
        assert_eq!(after(&next).open(), Some(2), "another one");
        assert_eq!(
            after(&frame(HEADERS, END_HEADERS, 0)).open(),
            None,
            "an empty one"
        );
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            frames in prop::collection::vec((0u8..11, any::<u8>(), 0u16..40), 0..12),
            cuts in prop::collection::vec(1usize..30, 1..40),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
            let whole = after(&bytes);
            let (mut heads, mut rest) = (Heads::default(), &bytes[..]);
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                heads.read(piece);
                rest = later;
            }
            prop_assert_eq!((heads.open(), heads.begun, heads.known), (whole.open(), whole.begun, 0));
        }
    }
}
