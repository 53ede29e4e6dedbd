//! The keys that matter, and where.

/// Room for the longest key of interest, `progressToken`, and one byte more to tell longer ones.
const ROOM: usize = 14;

/// A key that matters at its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Other,
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
    Name,
    Uri,
    Meta,
    Token,
}

/// A short text, decoded piece by piece; a longer one stays different from all that are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    bytes: [u8; ROOM],
    len: usize,
}

// === impl Key ===

impl Key {
    /// Keys that make two requests out of one when they come twice, whatever the method.
    pub(super) const UNIQUE: u16 = Self::Version.bit()
        | Self::Id.bit()
        | Self::Method.bit()
        | Self::Params.bit()
        | Self::Meta.bit()
        | Self::Token.bit();

    /// The key that `word` is in an object at `level`: 1 is the message, 2 its `params`, 3 their `_meta`.
    pub(super) const fn find(level: u8, word: &[u8]) -> Self {
        match (level, word) {
            (1, b"jsonrpc") => Self::Version,
            (1, b"id") => Self::Id,
            (1, b"method") => Self::Method,
            (1, b"params") => Self::Params,
            (1, b"result") => Self::Result,
            (1, b"error") => Self::Error,
            (2, b"name") => Self::Name,
            (2, b"uri") => Self::Uri,
            (2, b"_meta") => Self::Meta,
            (3, b"progressToken") => Self::Token,
            _ => Self::Other,
        }
    }

    pub(super) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

// === impl Word ===

impl Word {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; ROOM],
            len: 0,
        }
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let fits = room.len().min(text.len());
        room[..fits].copy_from_slice(&text[..fits]);
        self.len += fits;
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
