//! The routes of the example, and everything around them.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Json, Request};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, body::Body};
use futures::{Stream, StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tower_lifeline::platform::Chain;
use tower_lifeline::{ConfigError, Lifeline};

/// Who may call. Yours come from wherever you keep them.
pub(crate) const TOKEN: &str = "Bearer let-me-in";
pub(crate) const HEALTH: &str = "/healthz";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Behind Cloudflare and an nginx with `proxy_read_timeout 300s`, with eight seats.
pub(crate) fn lifeline() -> Result<Lifeline, ConfigError> {
    let chain: Chain = "cloudflare,nginx(read=300s)".parse()?;
    Lifeline::behind(chain).max_in_flight(8).health(HEALTH).build()
}

/// Outermost first. `docs/ordering.md` has the reasons at length.
pub(crate) fn around(routes: Router, lifeline: &Lifeline) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        // A script may read a refusal's advice only if it is exposed.
        .expose_headers([RETRY_AFTER, REQUEST_ID]);
    let span = |request: &http::Request<Body>| {
        let id = request.headers().get(REQUEST_ID);
        tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id = ?id)
    };
    let stack = ServiceBuilder::new()
        // The id first: what is logged and what is answered from here on carries it, refusals too.
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        // Outside of whatever refuses, so that refusals are seen, and what is logged inside is in the request's span.
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        // Outside of whatever refuses: a browser shows a script no 401, 503 or 504 without these headers. And a
        // preflight takes no seat.
        .layer(cors)
        // Whoever may not call gets a 401, and neither a seat nor an early 200.
        .layer(from_fn(authenticate))
        // Outside of the heartbeats, which cannot go between the bytes of a compressed stream, and of late answers,
        // which are written into an event as text.
        .layer(CompressionLayer::new())
        .layer(lifeline.layer())
        // Innermost: a handler that panics gives its seat back either way, but only a 500 that comes from inside
        // can still become the JSON-RPC error of a stream that was opened early.
        .layer(CatchPanicLayer::new());
    // No other timeout: a `TimeoutLayer` would cut healthy streams and answer with nobody's id.
    routes.layer(stack)
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/mcp", post(call))
        .route("/tokens", get(tokens))
        .route("/ws", get(echo))
        .route(HEALTH, get(|| async { "well" }))
}

async fn authenticate(request: Request, next: Next) -> Response {
    let token = request.headers().get(AUTHORIZATION);
    if request.uri().path() == HEALTH || token.is_some_and(|token| token == TOKEN) {
        return next.run(request).await;
    }
    let scheme = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, scheme, "who are you?\n").into_response()
}

/// An MCP server as small as can be: one tool, which takes as many seconds as it is asked to.
async fn call(Json(call): Json<Value>) -> Json<Value> {
    let seconds = call["params"]["arguments"]["seconds"]
        .as_u64()
        .unwrap_or_default();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let text = format!("that took {seconds} s");
    Json(json!({
        "jsonrpc": "2.0",
        "id": call["id"],
        "result": { "content": [{ "type": "text", "text": text }] },
    }))
}

/// A model that thinks for twenty seconds before each word.
async fn tokens() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let words = stream::iter(["never", "gonna", "time", "out"]);
    Sse::new(words.then(|word| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(Event::default().data(word))
    }))
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let is_said = matches!(message, Message::Text(_) | Message::Binary(_));
            if is_said && socket.send(message).await.is_err() {
                return;
            }
        }
    })
}
