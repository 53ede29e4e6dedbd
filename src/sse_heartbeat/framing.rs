//! What a beat looks like on the wire.

use crate::error::ConfigError;
use crate::sse::{Place, Tracker};

/// The bytes of one heartbeat between two events.
///
/// | framing | bytes | parsers see | breaks |
/// |---|---|---|---|
/// | [`COMMENT_BLOCK`](Self::COMMENT_BLOCK), the default | `:`, LF, LF | nothing | clients that dispatch an event at every blank line, empty or not (openai-go before 3.43) |
/// | [`COMMENT_LINE`](Self::COMMENT_LINE) | `:`, LF | nothing | clients that split at blank lines and look at the first line of a block alone: they lose the event that follows (@google/genai) |
/// | [`PING_EVENT`](Self::PING_EVENT) | `event: ping`, `data: {}`, blank line | an event named `ping` | clients that take every event for a message |
/// | [`custom`](Self::custom) | yours | what you wrote | that is yours to know |
///
/// The block is the default because it is what axum, rmcp and most servers send: a client that cannot read it has
/// failed before, and those that split a stream by hand do so at blank lines.
///
/// Inside an unfinished event only a comment line is legal. So the two comment framings send one there,
/// whichever they are, and the others, which somebody chose because comments hurt, send nothing until the
/// producer has gone on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing(&'static [u8]);

/// The one thing that is legal inside an unfinished event.
pub(super) const LINE: &[u8] = b":\n";

/// Nobody needs more, and a slip of the pen would be sent millions of times.
const LONGEST: usize = 1024;

// === impl Framing ===

impl Framing {
    /// A comment and a blank line.
    pub const COMMENT_BLOCK: Self = Self(b":\n\n");
    /// A comment without a blank line.
    pub const COMMENT_LINE: Self = Self(LINE);
    /// An event named `ping` with an empty JSON object, as some model providers send it.
    pub const PING_EVENT: Self = Self(b"event: ping\ndata: {}\n\n");

    /// Other bytes: whole lines which each end with LF, then, if there is any but comments among them, a blank
    /// line.
    ///
    /// What conforming parsers make of it is yours to answer for: this is outside the promise that a stream is
    /// parsed as if there were no beats.
    ///
    /// ```
    /// use tower_lifeline::sse_heartbeat::Framing;
    ///
    /// assert!(Framing::custom(b": still here\n\n").is_ok());
    /// assert!(Framing::custom(b"data: [WAIT]\n\n").is_ok());
    /// assert!(Framing::custom(b"data: [WAIT]\n").is_err());
    /// assert!(Framing::custom(b"// heartbeat").is_err());
    /// ```
    ///
    /// # Errors
    /// Refuses what would not stay by itself in a stream: nothing at all, text that is not UTF-8, has a NUL, a CR
    /// or a byte order mark, a last line without its LF, an event without its blank line. And what would change
    /// how a client resumes: an `id` or a `retry` field.
    pub fn custom(bytes: &'static [u8]) -> Result<Self, ConfigError> {
        match flaw(bytes) {
            Some(flaw) => Err(ConfigError::new(format!(
                "a heartbeat cannot be sent as these bytes: {flaw}"
            ))),
            None => Ok(Self(bytes)),
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'static [u8] {
        self.0
    }

    /// Whether conforming parsers see none of it.
    pub(super) fn is_comment(self) -> bool {
        !self.0.starts_with(b"\n") && lines(self.0).all(|line| line.is_empty() || line.starts_with(b":"))
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self::COMMENT_BLOCK
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

fn flaw(bytes: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("they are not UTF-8");
    };
    if text.is_empty() || text.len() > LONGEST {
        return Some("there are none of them, or more than 1024");
    }
    if text.contains(['\0', '\r', '\u{feff}']) {
        return Some(
            "a NUL, a CR or a byte order mark among them is read in different ways by different clients",
        );
    }
    if !text.ends_with('\n') {
        return Some("the last line has no LF, so what the producer sends next would become a part of it");
    }
    let mut between = Tracker::new();
    between.feed(b"\n");
    between.feed(bytes);
    if between.place() != Place::BetweenEvents {
        return Some(
            "they leave an event unfinished, which the producer's next lines would become a part of: end it with a blank line",
        );
    }
    let name = |line: &str| line.split(':').next().map(str::to_owned);
    if text
        .lines()
        .filter_map(name)
        .any(|name| name == "id" || name == "retry")
    {
        return Some("an `id` or `retry` field would change how a client resumes the stream");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_made_ones_pass_the_check_of_custom_ones() {
        for framing in [Framing::COMMENT_BLOCK, Framing::COMMENT_LINE, Framing::PING_EVENT] {
            assert_eq!(Framing::custom(framing.as_bytes()), Ok(framing));
        }
        assert!(Framing::COMMENT_BLOCK.is_comment() && Framing::COMMENT_LINE.is_comment());
        assert!(!Framing::PING_EVENT.is_comment());
    }

    #[test]
    fn what_could_break_out_is_refused() {
        let refused: [&'static [u8]; 12] = [
            b"",
            b"\xff\n",
            b": a\r\n",
            b": a\0\n",
            b"\xef\xbb\xbf: a\n",
            b": a",
            b"// heartbeat\n",
            b"data: a\n",
            b"data: a\n\ndata: b\n",
            b"id: 1\ndata:\n\n",
            b"retry: 1\n\n",
            &[b'\n'; LONGEST + 1],
        ];
        for bytes in refused {
            let error = Framing::custom(bytes).unwrap_err();
            assert!(error.to_string().starts_with("a heartbeat cannot"), "{error}");
        }
    }

    #[test]
    fn a_comment_is_known_as_one() {
        assert!(Framing::custom(b": a\n: b\n\n").unwrap().is_comment());
        assert!(!Framing::custom(b": a\ndata: b\n\n").unwrap().is_comment());
    }
}
