//! What a session's client only says, and asks nothing with, needs no seat: the cancellation of a call must get in
//! while everything is taken.
//!
//! From 2026-07-28 on headers tell what a request is; in a session only its body does, so bodies that are short
//! enough for a notice are read here.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tower_lifeline::rpc::{Kind, Scanner};

use crate::stack::MCP;

/// In the extensions of a request that is a notification, or an answer to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice;

/// A notification has an id and a sentence in it.
const MOST_BYTES: usize = 4096;

/// Such a body is in one packet with its head.
const LIMIT: Duration = Duration::from_secs(1);

/// Marks requests that are notices.
pub(crate) async fn mark(request: Request, next: Next) -> Response {
    if !may_be_notice(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let bytes = match timeout(LIMIT, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return StatusCode::BAD_REQUEST.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let mut scanner = Scanner::new();
    scanner.feed(&bytes);
    let message = scanner.finish();
    if message.is_some_and(|message| message.kind() != Kind::Request) {
        parts.extensions.insert(Notice);
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

fn may_be_notice(request: &Request) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    request.method() == Method::POST
        && request.uri().path() == MCP
        && headers.contains_key("mcp-session-id")
        && length.is_some_and(|length: usize| length <= MOST_BYTES)
}
