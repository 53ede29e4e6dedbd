//! What a scan found, and the error that is written in answer to it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;

use super::fields::{MAX_TEXT, Span};
use super::grammar::is_json;

/// What a JSON-RPC message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A method and an id: it waits for an answer.
    Request,
    /// A method without an id.
    Notification,
    /// A `result` or an `error`: the answer to a request.
    Response,
}

/// Whose message it is; see the [module docs](super) for what may be absent and why.
#[derive(Clone, Debug)]
pub struct Message {
    kind: Kind,
    id: Option<Id>,
    method: Option<Piece>,
    target: Option<Piece>,
    progress_token: Option<Id>,
}

/// A JSON-RPC id or progress token: the JSON text of a string or number just as it was written, so that it goes back
/// unchanged.
///
/// Two ids are equal if they are written alike: `1` and `1.0` differ, as do `"a"` and `"\u0061"`. A clone is a
/// reference count.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Piece);

/// A part of the one text that a scan caught.
#[derive(Clone)]
struct Piece {
    text: Arc<str>,
    span: Span,
}

/// Writes the JSON-RPC error that answers `id`, in one line and without a line end.
///
/// `data` is a JSON text that says more; line breaks in it become spaces. One that is not valid JSON is left out,
/// since it would make the whole message unreadable and leave the client waiting.
#[must_use]
pub fn error_message(id: &Id, code: i32, message: &str, data: Option<&str>) -> Bytes {
    let id = id.as_json();
    let data = data.filter(|data| is_json(data.as_bytes()));
    let mut out =
        String::with_capacity(64 + id.len() + message.len() + data.map_or(0, |data| data.len() + 8));
    out.push_str(r#"{"jsonrpc":"2.0","id":"#);
    out.push_str(id);
    // Writing to a String cannot fail.
    let _ = write!(out, r#","error":{{"code":{code},"message":""#);
    push_escaped(&mut out, message);
    out.push('"');
    if let Some(data) = data {
        out.push_str(r#","data":"#);
        out.extend(
            data.chars()
                .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }),
        );
    }
    out.push_str("}}");
    Bytes::from(out)
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}

// === impl Message ===

impl Message {
    /// The id of a request, which is what an answer to it has to carry. A response that was posted has an id
    /// too, and waits for nothing.
    #[must_use]
    pub fn request_id(&self) -> Option<&Id> {
        self.id().filter(|_| self.kind == Kind::Request)
    }

    pub(super) fn new(
        kind: Kind,
        text: &str,
        id: Option<Span>,
        method: Option<Span>,
        target: Option<Span>,
        token: Option<Span>,
    ) -> Self {
        let text: Arc<str> = Arc::from(text);
        let piece = |span: Option<Span>| {
            let text = Arc::clone(&text);
            span.map(|span| Piece { text, span })
        };
        Self {
            kind,
            id: piece(id).map(Id),
            method: piece(method),
            target: piece(target),
            progress_token: piece(token).map(Id),
        }
    }

    /// Request, notification or response.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The id: always there in a request, never in a notification, and absent in an error that answers a request
    /// whose id the server could not read.
    #[must_use]
    pub const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The method, decoded: always there but in a response.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_ref().map(Piece::as_str)
    }

    /// What the method is about, decoded: the tool of `tools/call`, the prompt of `prompts/get`, the URI of
    /// `resources/read`. It is what MCP's `Mcp-Name` header says, and absent for every other method.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_ref().map(Piece::as_str)
    }

    /// The [`target`](Self::target) of a `tools/call`.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.target().filter(|_| self.method() == Some("tools/call"))
    }

    /// The token with which the client asked for progress notifications.
    #[must_use]
    pub const fn progress_token(&self) -> Option<&Id> {
        self.progress_token.as_ref()
    }
}

// === impl Id ===

impl Id {
    /// The id that `json` writes: one JSON string or number of at most [`MAX_TEXT`] bytes, without whitespace around
    /// it; `None` for anything else.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        let bytes = json.as_bytes();
        let scalar = matches!(bytes.first(), Some(b'"' | b'-' | b'0'..=b'9'));
        let ends = !bytes.last().is_some_and(u8::is_ascii_whitespace);
        if !scalar || !ends || bytes.len() > MAX_TEXT || !is_json(bytes) {
            return None;
        }
        let span = Span {
            start: 0,
            end: bytes.len() as u16,
        };
        Some(Self(Piece {
            text: Arc::from(json),
            span,
        }))
    }

    /// The JSON text, a string's quotes included.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.as_json())
    }
}

// === impl Piece ===

impl Piece {
    fn as_str(&self) -> &str {
        let Span { start, end } = self.span;
        self.text
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Piece {}

impl std::hash::Hash for Piece {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
