//! Looks on while a body flows by.

use super::fields::Fields;
use super::grammar::Grammar;
use super::message::{Kind, Message};

/// Bytes that are looked at by default, 4 MiB: the limit that rmcp's server sets on a request's body.
pub const MAX_SCAN: usize = 4 * 1024 * 1024;

/// Learns who a JSON-RPC message is while its bytes flow, in whatever pieces; see the [module docs](super).
#[derive(Debug)]
pub struct Scanner {
    grammar: Grammar,
    fields: Fields,
    max_scan: usize,
    /// Bytes that may still come; `None` once there were too many.
    left: Option<usize>,
}

// === impl Scanner ===

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner that looks at [`MAX_SCAN`] bytes. It allocates nothing until there is something to keep.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            grammar: Grammar::new(),
            fields: Fields::new(),
            max_scan: MAX_SCAN,
            left: Some(MAX_SCAN),
        }
    }

    /// Looks at `bytes` bytes of each message instead, and gives up on longer ones. Set it before the first byte.
    #[must_use]
    pub const fn with_max_scan(mut self, bytes: usize) -> Self {
        self.max_scan = bytes;
        self.left = Some(bytes);
        self
    }

    /// Takes the next bytes of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.has_given_up() {
            return;
        }
        self.left = self.left.and_then(|left| left.checked_sub(bytes.len()));
        if self.left.is_some() {
            self.grammar.feed(bytes, &mut self.fields);
        }
    }

    /// Whether this is no message whatever may follow, so that nobody needs to wait for more.
    #[must_use]
    pub const fn has_given_up(&self) -> bool {
        self.left.is_none() || self.grammar.has_failed() || self.fields.has_refused()
    }

    /// The message, if all the bytes since the start or the last [`reset`](Self::reset) are exactly one.
    #[must_use]
    pub fn finish(&self) -> Option<Message> {
        self.is_one_text().then(|| self.fields.message()).flatten()
    }

    /// As [`finish`](Self::finish), but without the allocation that a [`Message`] takes.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.is_one_text().then(|| self.fields.kind()).flatten()
    }

    /// Starts over with the next message, and keeps the buffer.
    pub fn reset(&mut self) {
        self.grammar = Grammar::new();
        self.fields.reset();
        self.left = Some(self.max_scan);
    }

    const fn is_one_text(&self) -> bool {
        self.left.is_some() && self.grammar.is_complete()
    }
}
