//! A look at the bytes of a buffer that somebody else will consume.

use std::io::IoSlice;

use bytes::Buf;

/// Pieces of a buffer that are looked at. Buffers of more pieces than that are chains of chains of chains.
const PIECES: usize = 64;

/// Shows every byte of `data` to `look`, in order. False: the buffer shows only its beginning, of which nothing
/// was shown.
pub(crate) fn chunks(data: &impl Buf, mut look: impl FnMut(&[u8])) -> bool {
    let first = data.chunk();
    if first.len() == data.remaining() {
        look(first);
        return true;
    }
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let count = data.chunks_vectored(&mut pieces);
    let pieces = &pieces[..count.min(PIECES)];
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() != data.remaining() {
        return false;
    }
    pieces.iter().for_each(|piece| look(piece));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneAtATime(&'static [u8]);

    impl Buf for OneAtATime {
        fn remaining(&self) -> usize {
            self.0.len()
        }

        fn chunk(&self) -> &[u8] {
            &self.0[..1]
        }

        fn advance(&mut self, n: usize) {
            self.0 = &self.0[n..];
        }
    }

    fn seen(data: &impl Buf) -> Option<Vec<u8>> {
        let mut seen = Vec::new();
        chunks(data, |chunk| seen.extend_from_slice(chunk)).then_some(seen)
    }

    #[test]
    fn a_chain_is_seen_whole() {
        assert_eq!(
            seen(&b"abc".chain(&b""[..]).chain(&b"def"[..])),
            Some(b"abcdef".to_vec())
        );
        assert_eq!(seen(&bytes::Bytes::new()), Some(Vec::new()));
    }

    #[test]
    fn what_a_buffer_hides_is_not_half_seen() {
        let mut count = 0;
        assert!(!chunks(&OneAtATime(b"abc"), |_| count += 1));
        assert_eq!(count, 0);
    }
}
