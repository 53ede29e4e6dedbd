//! The inside of JSON strings: runs of plain bytes, and UTF-8 that chunks may cut anywhere.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 0x80;
const WORD: usize = size_of::<u64>();

/// The bytes of a string up to the next one that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) len: usize,
    /// Whether the run is certainly ASCII; it may be so even if this is false.
    pub(super) ascii: bool,
}

/// The tail of a character whose other bytes are in chunks to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utf8 {
    pending: [u8; 4],
    len: usize,
}

/// The run of bytes before the first quote, backslash or control character.
pub(super) fn plain_run(bytes: &[u8]) -> Run {
    let mut seen = 0;
    let mut len = 0;
    for chunk in bytes.chunks_exact(WORD) {
        let mut word = [0; WORD];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        seen |= word;
        let stops = stops(word);
        if stops != 0 {
            len += stops.trailing_zeros() as usize / 8;
            return Run {
                len,
                ascii: seen & HIGHS == 0,
            };
        }
        len += WORD;
    }
    for &byte in &bytes[len..] {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        seen |= u64::from(byte);
        len += 1;
    }
    Run {
        len,
        ascii: seen & HIGHS == 0,
    }
}

/// Marks the bytes that end a run; a borrow may mark too much, but only above the lowest true mark.
const fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS
}

// === impl Utf8 ===

impl Utf8 {
    pub(super) const fn new() -> Self {
        Self {
            pending: [0; 4],
            len: 0,
        }
    }

    /// Takes the next bytes of a string; `None` if they can no longer become valid.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Option<()> {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return Some(());
            };
            *self.pending.get_mut(self.len)? = byte;
            self.len += 1;
            bytes = rest;
            match std::str::from_utf8(self.pending.get(..self.len)?) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return None,
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(bytes) else {
            return Some(());
        };
        if error.error_len().is_some() {
            return None;
        }
        let tail = bytes.get(error.valid_up_to()..)?;
        self.pending.get_mut(..tail.len())?.copy_from_slice(tail);
        self.len = tail.len();
        Some(())
    }

    /// Whether no character is half done.
    pub(super) const fn is_whole(&self) -> bool {
        self.len == 0
    }
}
