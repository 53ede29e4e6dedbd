//! The grammar of JSON as a machine that bytes are pushed into, in whatever pieces they come.
//!
//! It remembers one bit per open container, never the text; whoever wants text is a [`Listen`].

use super::listen::{Container, Listen, Scalar};
use super::number::Part;
use super::text::{Utf8, plain_run};

/// Deepest nesting that is still read: `serde_json`'s own limit, so that both give up on the same bodies.
pub(super) const MAX_DEPTH: u8 = 127;

/// See the module docs.
#[derive(Clone, Debug)]
pub(super) struct Grammar {
    state: State,
    /// The innermost container is the lowest bit: 1 for an object.
    objects: u128,
    depth: u8,
    in_key: bool,
    /// The first half of a surrogate pair whose second half must follow; 0 if there is none.
    high: u16,
    utf8: Utf8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Value,
    ItemOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    After,
    Text,
    Escape,
    Hex { left: u8, value: u16 },
    LowBackslash,
    LowU,
    Number(Part),
    Literal(&'static [u8]),
    Failed,
}

/// Whether `bytes` are one JSON text.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let mut grammar = Grammar::new();
    grammar.feed(bytes, &mut ());
    grammar.is_complete()
}

// === impl Grammar ===

impl Grammar {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Value,
            objects: 0,
            depth: 0,
            in_key: false,
            high: 0,
            utf8: Utf8::new(),
        }
    }

    /// Whether all that was fed is one JSON text.
    pub(super) const fn is_complete(&self) -> bool {
        match self.state {
            State::After => self.depth == 0,
            State::Number(part) => self.depth == 0 && part.is_whole(),
            _ => false,
        }
    }

    /// Whether nothing that may follow can make it one.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], out: &mut impl Listen) {
        while let Some(&first) = bytes.first() {
            let taken = match self.state {
                State::Text => self.text(bytes, out),
                State::Escape | State::LowBackslash | State::LowU => self.escape(first, out),
                State::Hex { left, value } => self.hex(left, value, bytes, out),
                State::Number(part) => self.number(part, bytes, out),
                State::Literal(rest) => self.literal(rest, bytes, out),
                State::Failed => return,
                State::Value
                | State::ItemOrEnd
                | State::KeyOrEnd
                | State::Key
                | State::Colon
                | State::After => self.structure(bytes, out),
            };
            match taken.and_then(|taken| bytes.get(taken..)) {
                Some(rest) => bytes = rest,
                None => self.state = State::Failed,
            }
        }
    }

    fn structure(&mut self, bytes: &[u8], out: &mut impl Listen) -> Option<usize> {
        let blank = bytes
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let Some(blank) = blank else {
            return Some(bytes.len());
        };
        let byte = bytes[blank];
        match self.state {
            State::ItemOrEnd if byte == b']' => self.close(out),
            State::Value | State::ItemOrEnd => return self.value(byte, out).map(|taken| blank + taken),
            State::KeyOrEnd if byte == b'}' => self.close(out),
            State::KeyOrEnd | State::Key if byte == b'"' => {
                self.in_key = true;
                self.state = State::Text;
                out.key(self.depth);
            }
            State::Colon if byte == b':' => self.state = State::Value,
            State::After if self.depth > 0 => match (byte, self.in_object()) {
                (b',', true) => self.state = State::Key,
                (b',', false) => self.state = State::Value,
                (b'}', true) | (b']', false) => self.close(out),
                _ => return None,
            },
            _ => return None,
        }
        Some(blank + 1)
    }

    /// Starts a value, and says whether its first byte was taken with it.
    fn value(&mut self, byte: u8, out: &mut impl Listen) -> Option<usize> {
        let (scalar, state, taken) = match byte {
            b'{' => return self.open(Container::Object, out),
            b'[' => return self.open(Container::Array, out),
            b'"' => (Scalar::Text, State::Text, 1),
            b'-' | b'0'..=b'9' => (Scalar::Number, State::Number(Part::Start), 0),
            b't' => (Scalar::Bool, State::Literal(b"true"), 0),
            b'f' => (Scalar::Bool, State::Literal(b"false"), 0),
            b'n' => (Scalar::Null, State::Literal(b"null"), 0),
            _ => return None,
        };
        out.scalar(scalar, self.depth);
        if scalar == Scalar::Text {
            out.raw(b"\"");
            self.in_key = false;
        }
        self.state = state;
        Some(taken)
    }

    fn open(&mut self, container: Container, out: &mut impl Listen) -> Option<usize> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        let object = container == Container::Object;
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.state = if object { State::KeyOrEnd } else { State::ItemOrEnd };
        out.open(container, self.depth);
        Some(1)
    }

    fn close(&mut self, out: &mut impl Listen) {
        out.close(self.depth);
        self.depth -= 1;
        self.objects >>= 1;
        self.state = State::After;
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn text(&mut self, bytes: &[u8], out: &mut impl Listen) -> Option<usize> {
        let run = plain_run(bytes);
        let (plain, rest) = bytes.split_at(run.len);
        if !run.ascii || !self.utf8.is_whole() {
            self.utf8.take(plain)?;
        }
        out.raw(plain);
        out.decoded(plain);
        let Some(&stop) = rest.first() else {
            return Some(run.len);
        };
        if !self.utf8.is_whole() {
            return None;
        }
        match stop {
            b'"' => {
                out.raw(b"\"");
                out.end();
                self.state = if self.in_key { State::Colon } else { State::After };
            }
            b'\\' => {
                out.raw(b"\\");
                self.state = State::Escape;
            }
            _ => return None,
        }
        Some(run.len + 1)
    }

    fn escape(&mut self, byte: u8, out: &mut impl Listen) -> Option<usize> {
        out.raw(&[byte]);
        self.state = match (self.state, byte) {
            (State::Escape | State::LowU, b'u') => State::Hex { left: 4, value: 0 },
            (State::LowBackslash, b'\\') => State::LowU,
            (State::Escape, _) => {
                let plain = match byte {
                    b'"' | b'\\' | b'/' => byte,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => return None,
                };
                out.decoded(&[plain]);
                State::Text
            }
            _ => return None,
        };
        Some(1)
    }

    fn hex(&mut self, left: u8, value: u16, bytes: &[u8], out: &mut impl Listen) -> Option<usize> {
        let taken = bytes.len().min(usize::from(left));
        let digits = &bytes[..taken];
        let mut value = value;
        for &digit in digits {
            value = value << 4 | char::from(digit).to_digit(16)? as u16;
        }
        out.raw(digits);
        let left = left - taken as u8;
        self.state = if left == 0 {
            self.code_unit(value, out)?
        } else {
            State::Hex { left, value }
        };
        Some(taken)
    }

    /// What follows a `\uXXXX`: it may be half of a character that only the next one completes.
    fn code_unit(&mut self, unit: u16, out: &mut impl Listen) -> Option<State> {
        if self.high == 0 && matches!(unit, 0xd800..0xdc00) {
            self.high = unit;
            return Some(State::LowBackslash);
        }
        let decoded = if self.high == 0 {
            char::from_u32(u32::from(unit))?
        } else {
            char::decode_utf16([self.high, unit]).next()?.ok()?
        };
        self.high = 0;
        out.decoded(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        Some(State::Text)
    }

    fn number(&mut self, mut part: Part, bytes: &[u8], out: &mut impl Listen) -> Option<usize> {
        let mut taken = 0;
        while let Some(next) = bytes.get(taken).and_then(|&byte| part.next(byte)) {
            part = next;
            taken += 1;
            if part.is_run() {
                let rest = &bytes[taken..];
                taken += rest
                    .iter()
                    .position(|byte| !byte.is_ascii_digit())
                    .unwrap_or(rest.len());
            }
        }
        out.raw(&bytes[..taken]);
        self.state = State::Number(part);
        if taken < bytes.len() {
            if !part.is_whole() {
                return None;
            }
            out.end();
            self.state = State::After;
        }
        Some(taken)
    }

    fn literal(&mut self, rest: &'static [u8], bytes: &[u8], out: &mut impl Listen) -> Option<usize> {
        let taken = rest.len().min(bytes.len());
        let (expected, rest) = rest.split_at(taken);
        if expected != &bytes[..taken] {
            return None;
        }
        self.state = State::Literal(rest);
        if rest.is_empty() {
            out.end();
            self.state = State::After;
        }
        Some(taken)
    }
}
