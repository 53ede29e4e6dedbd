//! Picks the few fields out of a JSON-RPC message that say whose it is.

use super::key::{Key, Word};
use super::listen::{Container, Listen, Scalar};
use super::message::{Kind, Message};

/// Longest id, method, target or token that is kept, in bytes; tool names are at most 128 by MCP's advice,
/// ids are numbers or UUIDs.
pub const MAX_TEXT: usize = 256;

/// Hears the grammar and keeps what matters.
#[derive(Debug)]
pub(super) struct Fields {
    /// How many levels of message → `params` → `_meta` are open: only keys of the innermost are of interest.
    tracked: u8,
    /// Whose value comes next at the tracked level.
    key: Key,
    seen: u16,
    twice: u16,
    catch: Catch,
    word: Word,
    /// All that was caught, one text after the other; kept from one message to the next.
    caught: Vec<u8>,
    spans: [Option<Span>; 5],
    refused: bool,
}

/// A caught text's place among all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) end: u16,
}

/// A text that is kept; its number is its place in `spans`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Id,
    Method,
    Name,
    Uri,
    Token,
}

/// What is done with the text that flows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Catch {
    Nothing,
    Key,
    Version,
    Raw(Slot),
    Decoded(Slot),
}

// === impl Fields ===

impl Fields {
    pub(super) const fn new() -> Self {
        Self {
            tracked: 0,
            key: Key::Other,
            seen: 0,
            twice: 0,
            catch: Catch::Nothing,
            word: Word::new(),
            caught: Vec::new(),
            spans: [None; 5],
            refused: false,
        }
    }

    /// Forgets the message but keeps the buffer.
    pub(super) fn reset(&mut self) {
        let mut caught = std::mem::take(&mut self.caught);
        caught.clear();
        *self = Self {
            caught,
            ..Self::new()
        };
    }

    /// Whether what came so far is no message whatever may follow.
    pub(super) const fn has_refused(&self) -> bool {
        self.refused
    }

    /// What kind of message the fields make; only meaningful once the JSON text is complete.
    pub(super) fn kind(&self) -> Option<Kind> {
        if self.refused || !self.has(Key::Version) {
            return None;
        }
        let answers = self.has(Key::Result) || self.has(Key::Error);
        match (self.text(Slot::Method), self.has(Key::Id)) {
            (Some(_), _) if answers || self.target_is_ambiguous() => None,
            (Some(_), true) => Some(Kind::Request),
            (Some(_), false) => Some(Kind::Notification),
            (None, true) if answers => Some(Kind::Response),
            (None, false) if answers && !self.has(Key::Result) => Some(Kind::Response),
            (None, _) => None,
        }
    }

    /// The message that the fields make, in one allocation.
    pub(super) fn message(&self) -> Option<Message> {
        let kind = self.kind()?;
        let text = std::str::from_utf8(&self.caught).ok()?;
        let target = self.target().and_then(|(_, slot)| self.span(slot));
        let [id, method, token] = [Slot::Id, Slot::Method, Slot::Token].map(|slot| self.span(slot));
        Some(Message::new(kind, text, id, method, target, token))
    }

    /// Which key of `params` names what this method is about.
    fn target(&self) -> Option<(Key, Slot)> {
        match self.text(Slot::Method)? {
            b"tools/call" | b"prompts/get" => Some((Key::Name, Slot::Name)),
            b"resources/read" => Some((Key::Uri, Slot::Uri)),
            _ => None,
        }
    }

    fn target_is_ambiguous(&self) -> bool {
        self.target().is_some_and(|(key, _)| self.twice & key.bit() != 0)
    }

    const fn has(&self, key: Key) -> bool {
        self.seen & key.bit() != 0
    }

    const fn span(&self, slot: Slot) -> Option<Span> {
        self.spans[slot as usize]
    }

    fn text(&self, slot: Slot) -> Option<&[u8]> {
        let Span { start, end } = self.span(slot)?;
        self.caught.get(usize::from(start)..usize::from(end))
    }

    fn note_key(&mut self) {
        self.key = Key::find(self.tracked, self.word.as_bytes());
        if self.key != Key::Other {
            let bit = self.key.bit();
            self.twice |= self.seen & bit;
            self.seen |= bit;
            self.refused |= self.twice & Key::UNIQUE != 0;
        }
    }

    fn start_catching(&mut self, slot: Slot, catch: Catch) {
        if self.twice & self.key.bit() != 0 {
            return;
        }
        if self.caught.capacity() == 0 {
            self.caught.reserve(MAX_TEXT / 4);
        }
        let start = self.caught.len() as u16;
        self.spans[slot as usize] = Some(Span { start, end: start });
        self.catch = catch;
    }

    fn keep(&mut self, slot: Slot, text: &[u8]) {
        let Some(span) = &mut self.spans[slot as usize] else {
            return;
        };
        let start = usize::from(span.start);
        if self.caught.len() - start + text.len() > MAX_TEXT {
            self.caught.truncate(start);
            self.spans[slot as usize] = None;
            self.catch = Catch::Nothing;
            self.refused |= matches!(slot, Slot::Id | Slot::Method);
        } else {
            self.caught.extend_from_slice(text);
            span.end = self.caught.len() as u16;
        }
    }
}

impl Listen for Fields {
    fn open(&mut self, container: Container, depth: u8) {
        if depth - 1 != self.tracked {
            return;
        }
        match (self.tracked, self.key, container) {
            (0, _, Container::Object)
            | (1, Key::Params, Container::Object)
            | (2, Key::Meta, Container::Object) => self.tracked = depth,
            (0, _, Container::Array) | (_, Key::Version | Key::Id | Key::Method, _) => self.refused = true,
            _ => {}
        }
    }

    fn close(&mut self, depth: u8) {
        if depth == self.tracked {
            self.tracked -= 1;
        }
    }

    fn key(&mut self, depth: u8) {
        if depth == self.tracked {
            self.catch = Catch::Key;
            self.word = Word::new();
        }
    }

    fn scalar(&mut self, scalar: Scalar, depth: u8) {
        if depth != self.tracked {
            return;
        }
        match (self.key, scalar) {
            _ if depth == 0 => self.refused = true,
            (Key::Version, Scalar::Text) => {
                self.catch = Catch::Version;
                self.word = Word::new();
            }
            (Key::Id, Scalar::Text | Scalar::Number) => self.start_catching(Slot::Id, Catch::Raw(Slot::Id)),
            (Key::Method, Scalar::Text) => self.start_catching(Slot::Method, Catch::Decoded(Slot::Method)),
            (Key::Name, Scalar::Text) => self.start_catching(Slot::Name, Catch::Decoded(Slot::Name)),
            (Key::Uri, Scalar::Text) => self.start_catching(Slot::Uri, Catch::Decoded(Slot::Uri)),
            (Key::Token, Scalar::Text | Scalar::Number) => {
                self.start_catching(Slot::Token, Catch::Raw(Slot::Token));
            }
            (Key::Params, Scalar::Null) => {}
            (Key::Version | Key::Id | Key::Method | Key::Params, _) => self.refused = true,
            _ => {}
        }
    }

    #[inline]
    fn raw(&mut self, json: &[u8]) {
        if let Catch::Raw(slot) = self.catch {
            self.keep(slot, json);
        }
    }

    #[inline]
    fn decoded(&mut self, text: &[u8]) {
        match self.catch {
            Catch::Nothing | Catch::Raw(_) => {}
            Catch::Key | Catch::Version => self.word.push(text),
            Catch::Decoded(slot) => self.keep(slot, text),
        }
    }

    #[inline]
    fn end(&mut self) {
        match std::mem::replace(&mut self.catch, Catch::Nothing) {
            Catch::Nothing | Catch::Raw(_) | Catch::Decoded(_) => {}
            Catch::Key => self.note_key(),
            Catch::Version => self.refused |= self.word.as_bytes() != b"2.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::grammar::Grammar;

    #[test]
    fn what_is_kept_is_bounded_and_reused() {
        let text = "x".repeat(MAX_TEXT);
        let repeated = format!(r#""uri":"{text}","name":"{text}","#).repeat(100);
        let meta = format!(r#""_meta":{{"progressToken":"{}"}}"#, "x".repeat(MAX_TEXT - 2));
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"{text}","params":{{{repeated}{meta}}}}}"#,
            "1".repeat(MAX_TEXT),
        );
        let mut fields = Fields::new();
        for _ in 0..3 {
            Grammar::new().feed(body.as_bytes(), &mut fields);
            assert_eq!(fields.kind(), Some(Kind::Request));
            assert_eq!(fields.caught.len(), 5 * MAX_TEXT);
            assert!(fields.caught.capacity() < 3 * 1024);
            fields.reset();
        }
    }

    #[test]
    fn nothing_is_allocated_where_nothing_is_caught() {
        let mut fields = Fields::new();
        let body =
            br#"{"jsonrpc":"2.0","error":{"code":1,"message":"id"},"params":{"arguments":{"name":"n"}}}"#;
        Grammar::new().feed(body, &mut fields);
        assert_eq!(
            (fields.kind(), fields.caught.capacity()),
            (Some(Kind::Response), 0)
        );
    }
}
