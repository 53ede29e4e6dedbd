//! The forms of a refusal, and which of them a caller understands.

use std::fmt::Write;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use super::{MadeByLifeline, Reason, Refusal};
use crate::media;
use crate::request_head::RequestHead;
use crate::rpc::{self, CallSlot};

/// The form of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// One line of plain text.
    Text,
    /// Problem details for HTTP APIs (RFC 9457).
    Problem,
    /// gRPC's trailers-only response.
    Grpc,
}

/// What is remembered of a request to refuse it in a form that its caller understands.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    form: Form,
    accepts_event_stream: bool,
    call: Option<CallSlot>,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

// === impl Caller ===

impl Caller {
    /// Remembers whose request this is. Cheap where the request says nothing of itself.
    #[inline]
    pub(crate) fn of(head: &RequestHead<'_>) -> Self {
        let mut caller = Self {
            form: Form::Text,
            accepts_event_stream: false,
            call: head.extensions().get::<CallSlot>().cloned(),
        };
        media::for_each_accepted(head.headers(), |range| {
            if range.eq_ignore_ascii_case(media::EVENT_STREAM.as_bytes()) {
                caller.accepts_event_stream = true;
            } else if ["application/problem+json", "application/json"]
                .iter()
                .any(|json| range.eq_ignore_ascii_case(json.as_bytes()))
            {
                caller.form = Form::Problem;
            }
        });
        // gRPC knows no other method.
        if head.method() == Method::POST && media::is_grpc(head.headers()) {
            caller.form = Form::Grpc;
        }
        caller
    }

    /// Whether the caller names event streams among what it accepts.
    pub(crate) const fn accepts_event_stream(&self) -> bool {
        self.accepts_event_stream
    }

    /// The call that the request's body was found to make, as far as the handler has read it.
    pub(crate) fn call(&self) -> Option<&CallSlot> {
        self.call.as_ref()
    }

    pub(crate) fn into_call(self) -> Option<CallSlot> {
        self.call
    }

    /// The refusal as a response, marked as one.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        let mut response = self.response(refusal);
        response
            .extensions_mut()
            .insert(MadeByLifeline::Refused(*refusal));
        response
    }

    fn response(&self, refusal: &Refusal) -> Response<Bytes> {
        if let Some(id) = self
            .call
            .as_ref()
            .and_then(CallSlot::call)
            .and_then(rpc::Message::request_id)
        {
            return response(
                refusal.status,
                "application/json",
                json_rpc_error(id, refusal.reason),
            );
        }
        match self.form {
            Form::Grpc => grpc(refusal),
            Form::Problem => response(refusal.status, "application/problem+json", problem(refusal)),
            Form::Text => {
                let text = format!("{}\n", refusal.reason.sentence());
                response(refusal.status, "text/plain; charset=utf-8", text.into())
            }
        }
    }
}

/// The JSON-RPC error that says why the call `id` is not served, or not to its end.
pub(crate) fn json_rpc_error(id: &rpc::Id, reason: Reason) -> Bytes {
    rpc::error_message(
        id,
        reason.json_rpc_code(),
        &reason.sentence(),
        Some(&data(reason)),
    )
}

/// The members that a machine can read, as a JSON object.
fn data(reason: Reason) -> String {
    let mut object = format!("{{\"reason\":\"{}\"", reason.as_str());
    match reason {
        Reason::PhaseExpired(expired) => {
            let (limit, elapsed) = (expired.limit().as_millis(), expired.elapsed().as_millis());
            let phase = expired.phase();
            let _ = write!(
                object,
                ",\"phase\":\"{phase}\",\"limitMs\":{limit},\"elapsedMs\":{elapsed}"
            );
        }
        Reason::QueueTimeout { limit, waited, .. } => {
            let (limit, waited) = (limit.as_millis(), waited.as_millis());
            let _ = write!(object, ",\"limitMs\":{limit},\"waitedMs\":{waited}");
        }
        Reason::QueueFull | Reason::KeyShare | Reason::Draining => {}
    }
    object.push('}');
    object
}

fn problem(refusal: &Refusal) -> Bytes {
    let title = refusal.status.canonical_reason().unwrap_or("Refused");
    let members = data(refusal.reason);
    format!(
        "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{},\"detail\":\"{}\",{}",
        refusal.status.as_u16(),
        refusal.reason.sentence(),
        &members[1..],
    )
    .into()
}

fn grpc(refusal: &Refusal) -> Response<Bytes> {
    let mut response = response(StatusCode::OK, "application/grpc", Bytes::new());
    let headers = response.headers_mut();
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from(u16::from(refusal.reason.grpc_status())),
    );
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&refusal.reason.sentence())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// As gRPC over HTTP/2 has it: printable ASCII but for the percent sign stands for itself.
pub(super) fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(byte.into()),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
