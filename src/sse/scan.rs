//! The search for a line end, where most of this module's time goes.
//!
//! Plain code that compilers turn into vector instructions: whole blocks are skipped while no byte of them is below
//! 0x0E, then single words show the exact place. Of those bytes, JSON and most text hold line ends only.

pub(super) const LF: u8 = b'\n';
pub(super) const CR: u8 = b'\r';

const BLOCK: usize = 64;
const WORD: usize = size_of::<u64>();

/// The index of the first CR or LF, or the length of `text` if it has none.
pub(super) fn until_line_end(text: &[u8]) -> usize {
    let mut at = 0;
    for block in text.chunks_exact(BLOCK) {
        // A minimum rather than two comparisons, since compilers know one instruction for 16 minima.
        if block.iter().fold(u8::MAX, |least, &byte| least.min(byte)) <= CR {
            let within = until_line_end_by_words(block);
            if within < BLOCK {
                return at + within;
            }
        }
        at += BLOCK;
    }
    at + until_line_end_by_words(&text[at..])
}

#[inline]
pub(super) const fn is_line_end(byte: u8) -> bool {
    byte == LF || byte == CR
}

#[inline]
fn until_line_end_by_words(text: &[u8]) -> usize {
    let mut at = 0;
    for bytes in text.chunks_exact(WORD) {
        let mut word = [0; WORD];
        word.copy_from_slice(bytes);
        let within = until_line_end_in_word(word);
        if within < WORD {
            return at + within;
        }
        at += WORD;
    }
    // A last word that overlaps what is known to hold none is cheaper than up to seven single steps.
    match text.last_chunk::<WORD>() {
        Some(&word) => text.len() - WORD + until_line_end_in_word(word),
        None => text
            .iter()
            .position(|&byte| is_line_end(byte))
            .unwrap_or(text.len()),
    }
}

#[inline]
const fn until_line_end_in_word(word: [u8; WORD]) -> usize {
    let word = u64::from_le_bytes(word);
    if below(word, CR + 1) == 0 {
        return WORD;
    }
    // Bits above the lowest one may be wrong, since a borrow runs upwards, but the lowest one never is.
    let line_ends = below(word ^ every(LF), 1) | below(word ^ every(CR), 1);
    line_ends.trailing_zeros() as usize / 8
}

/// The high bit of each byte that is below `limit`, itself at most 0x80; right up to the lowest bit set.
#[inline]
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(every(limit)) & !word & every(0x80)
}

#[inline]
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD])
}
