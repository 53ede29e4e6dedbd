//! What a client is told where no session can be opened: 503, and when to come back.
//!
//! rmcp makes each error of its sessions a 500, which tells a client that the server is broken.

use std::cell::Cell;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_lifeline::rpc::{CallSlot, error_message};

tokio::task_local! {
    /// Whether the request that is being answered found no place for its session.
    static IS_FULL: Cell<bool>;
}

/// A call that holds a session ends within some seconds, most of the time.
const COME_BACK: HeaderValue = HeaderValue::from_static("5");

/// That of a gate that is full, since it is the same to a client.
const CODE: i32 = -32010;

/// The request that is being answered finds no place for its session.
pub(super) fn note() {
    // Outside of a request there is nobody to tell.
    let _told = IS_FULL.try_with(|full| full.set(true));
}

/// Tells whoever found no place.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let slot = request.extensions().get::<CallSlot>().cloned();
    let answering = async {
        let response = next.run(request).await;
        (response, IS_FULL.with(Cell::get))
    };
    let (response, is_full) = IS_FULL.scope(Cell::new(false), answering).await;
    if !is_full {
        return response;
    }
    let text = "every session has a call under way: come back later";
    let later = [(header::RETRY_AFTER, COME_BACK)];
    let call = slot.as_ref().and_then(CallSlot::call);
    match call.and_then(|call| call.request_id()) {
        Some(id) => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            let error = error_message(id, CODE, text, None);
            (StatusCode::SERVICE_UNAVAILABLE, later, json, error).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response(),
    }
}
