//! What becomes of an answer that comes after its stream has begun.

use bytes::{Buf, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::event::Lost;
use crate::media;
use crate::rpc::{self, Id, Kind, Scanner};
use crate::sse;

#[cfg(test)]
mod tests;

/// A late answer, by its head.
#[derive(Debug)]
pub(super) enum Late {
    /// An event stream: it goes on as it is.
    Stream,
    /// A body that becomes one event once it is whole.
    Whole(Gather),
    /// No body that anybody could use; this was lost with it.
    Lost(Lost),
    /// Nothing at all, in answer to something that needs no answer.
    Nothing,
}

/// A body on its way to becoming one event.
#[derive(Debug)]
pub(super) struct Gather {
    /// What has come, behind room for the name of the field.
    event: Vec<u8>,
    limit: usize,
    form: Form,
    status: StatusCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Text,
}

const FIELD: &[u8] = b"data: ";
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// JSON-RPC's own code for what went wrong on the server's side.
const INTERNAL_ERROR: i32 = -32603;

/// Nobody writes a longer error.
const LONGEST_ERROR: usize = 64 * 1024;

// === impl Late ===

impl Late {
    /// Judges an answer by its head. `id` is that of the JSON-RPC request which it answers, if it is one.
    pub(super) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        size: u64,
        is_empty: bool,
        id: Option<&Id>,
        limit: usize,
    ) -> Self {
        if media::is_event_stream(headers) && !is_empty {
            return Self::Stream;
        }
        if !status.is_success() {
            let limit = limit.min(LONGEST_ERROR);
            return match Form::of(headers) {
                Some(Form::Json) if !is_empty => Self::Whole(Gather::new(limit, size, Form::Json, status)),
                _ => Self::Lost(Lost::Status(status.as_u16())),
            };
        }
        match (Form::of(headers), id) {
            (_, None) if is_empty => Self::Nothing,
            (_, Some(_)) if is_empty => Self::Lost(Lost::Status(status.as_u16())),
            (Some(Form::Json), _) => Self::Whole(Gather::new(limit, size, Form::Json, status)),
            (Some(Form::Text), None) => Self::Whole(Gather::new(limit, size, Form::Text, status)),
            _ => Self::Lost(Lost::Format),
        }
    }
}

// === impl Form ===

impl Form {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.as_bytes();
        let essence = value.split(|byte| *byte == b';').next()?;
        let essence = essence.trim_ascii().to_ascii_lowercase();
        if media::is_encoded(headers) {
            None
        } else if essence == b"application/json" || essence.ends_with(b"+json") {
            Some(Self::Json)
        } else {
            essence.starts_with(b"text/").then_some(Self::Text)
        }
    }
}

// === impl Gather ===

impl Gather {
    fn new(limit: usize, size: u64, form: Form, status: StatusCode) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(limit);
        let mut event = Vec::with_capacity(FIELD.len() + size + 2);
        event.extend_from_slice(FIELD);
        Self {
            event,
            limit,
            form,
            status,
        }
    }

    /// Takes more of the body.
    ///
    /// # Errors
    /// There was too much of it.
    pub(super) fn take(&mut self, mut data: impl Buf) -> Result<(), Lost> {
        if self.event.len() - FIELD.len() + data.remaining() > self.limit {
            return Err(self.lost_by(Lost::TooLarge { limit: self.limit }));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            match self.form {
                // In JSON they can be nothing but whitespace between two tokens.
                Form::Json => self.event.extend(chunk.iter().map(|byte| match byte {
                    b'\r' | b'\n' => b' ',
                    byte => *byte,
                })),
                Form::Text => self.event.extend_from_slice(chunk),
            }
            let taken = chunk.len();
            data.advance(taken);
        }
        Ok(())
    }

    /// The body is whole: the event that it becomes, and what was lost of the answer nevertheless.
    ///
    /// # Errors
    /// It is no answer to the request with this `id`.
    pub(super) fn finish(&mut self, id: Option<&Id>) -> Result<(Bytes, Option<Lost>), Lost> {
        if self.event[FIELD.len()..].starts_with(MARK) {
            self.event.drain(FIELD.len()..FIELD.len() + MARK.len());
        }
        let body = &self.event[FIELD.len()..];
        let lost = (self.status != StatusCode::OK).then(|| Lost::Status(self.status.as_u16()));
        if self.status.is_success() {
            if body.trim_ascii().is_empty() && id.is_some() {
                return Err(Lost::Status(self.status.as_u16()));
            }
            return Ok((self.message(), lost));
        }
        match id {
            Some(id) if answers(body, id) => Ok((self.message(), lost)),
            None if self.form == Form::Json => Ok((sse::message_event(body, Some(ERROR)), lost)),
            _ => Err(Lost::Status(self.status.as_u16())),
        }
    }

    /// The body broke off.
    pub(super) fn broken(&self) -> Lost {
        self.lost_by(Lost::BodyFailed)
    }

    /// An error is known by its status, whatever became of the rest of it.
    fn lost_by(&self, lost: Lost) -> Lost {
        if self.status.is_success() {
            lost
        } else {
            Lost::Status(self.status.as_u16())
        }
    }

    fn message(&mut self) -> Bytes {
        match self.form {
            Form::Text => sse::message_event(&self.event[FIELD.len()..], None),
            Form::Json => {
                self.event.extend_from_slice(b"\n\n");
                std::mem::take(&mut self.event).into()
            }
        }
    }
}

/// The event under which a client hears of an error that is not JSON-RPC's.
const ERROR: &str = "error";

/// Whether `body` is the one JSON-RPC response to the request with this id.
fn answers(body: &[u8], id: &Id) -> bool {
    let mut scanner = Scanner::new();
    scanner.feed(body);
    scanner
        .finish()
        .is_some_and(|message| message.kind() == Kind::Response && message.id() == Some(id))
}

/// The last event of a stream whose answer was lost.
pub(super) fn error_event(id: Option<&Id>, lost: Lost) -> Bytes {
    let sentence = lost.to_string();
    let status = match lost {
        Lost::Status(status) => status,
        _ => StatusCode::BAD_GATEWAY.as_u16(),
    };
    match id {
        Some(id) => {
            let data = match lost {
                Lost::Status(status) => format!("{{\"reason\":\"{}\",\"status\":{status}}}", lost.as_str()),
                _ => format!("{{\"reason\":\"{}\"}}", lost.as_str()),
            };
            sse::message_event(
                rpc::error_message(id, INTERNAL_ERROR, &sentence, Some(&data)),
                None,
            )
        }
        None => {
            let title = StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason());
            let title = title.unwrap_or("Error");
            let problem = format!(
                "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"detail\":\"{sentence}\",\
                 \"reason\":\"{}\"}}",
                lost.as_str()
            );
            sse::message_event(problem, Some(ERROR))
        }
    }
}
