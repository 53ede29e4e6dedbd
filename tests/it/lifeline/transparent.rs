//! An application as those of axum's and tower-http's examples behaves the same with the stack around it.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use http::{HeaderMap, Method, Request, StatusCode, header};
use proptest::prelude::*;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_lifeline::Lifeline;

use super::{ask, quiet, secs};

type Store = Arc<RwLock<BTreeMap<String, Bytes>>>;

async fn look_up(Path(key): Path<String>, State(store): State<Store>) -> impl IntoResponse {
    let found = store.read().unwrap().get(&key).cloned();
    found.ok_or(StatusCode::NOT_FOUND)
}

async fn keep(Path(key): Path<String>, State(store): State<Store>, value: Bytes) -> StatusCode {
    match store.write().unwrap().insert(key, value) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::CREATED,
    }
}

async fn forget(Path(key): Path<String>, State(store): State<Store>) -> StatusCode {
    match store.write().unwrap().remove(&key) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn list(State(store): State<Store>) -> String {
    let keys: Vec<_> = store.read().unwrap().keys().cloned().collect();
    keys.join("\n")
}

/// A store of keys and values with what such an application usually wears; and with the stack, or without.
fn store(lifeline: Option<&Lifeline>) -> Router {
    let routes = Router::new()
        .route("/keys", on_get(list))
        .route("/keys/{key}", on_get(look_up).post(keep).delete(forget))
        .layer(DefaultBodyLimit::max(64))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            secs(10),
        ));
    let routes = match lifeline {
        Some(lifeline) => routes.layer(lifeline.layer()),
        None => routes,
    };
    routes
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http())
        .with_state(Store::default())
}

#[derive(Clone, Debug)]
struct Ask {
    method: Method,
    path: String,
    value: Vec<u8>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Ask {
    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(self.value.clone())).unwrap()
    }
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let methods = ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"];
    let method = prop::sample::select(methods.map(|name| name.parse::<Method>().unwrap()).to_vec());
    let path = prop::sample::select(vec![
        "/keys",
        "/keys/a",
        "/keys/b",
        "/keys/",
        "/nowhere",
        "/keys/%FF",
    ]);
    // Up to more than the store takes.
    let value = prop::collection::vec(any::<u8>(), 0..80);
    let header = prop::sample::select(vec![
        ("accept", "application/json"),
        ("accept", "text/event-stream"),
        ("accept-encoding", "gzip"),
        ("content-type", "application/json"),
        ("expect", "100-continue"),
        ("mcp-method", "ping"),
    ]);
    let ask = (method, path, value, prop::collection::vec(header, 0..3));
    let ask = ask.prop_map(|(method, path, value, headers)| Ask {
        method,
        path: path.into(),
        value,
        headers,
    });
    prop::collection::vec(ask, 1..12)
}

async fn answers(app: &Router, asks: &[Ask]) -> Vec<(StatusCode, HeaderMap, Bytes)> {
    let mut answers = Vec::new();
    for each in asks {
        let (head, body) = ask(app, each.request()).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        answers.push((head.status, head.headers, body));
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_application_answers_as_it_did(asks in asks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
            let with = answers(&store(Some(&lifeline)), &asks).await;
            prop_assert_eq!(with, answers(&store(None), &asks).await);
            // Each of them had its seat, and gave it back.
            let figures = lifeline.gate().figures();
            prop_assert_eq!((figures.admitted as usize, figures.in_flight), (asks.len(), 0));
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn but_for_the_refusals() {
    let lifeline = quiet().max_in_flight(1).max_queue(0).build().unwrap();
    let app = store(Some(&lifeline));
    let _held = lifeline.gate().try_enter().unwrap();
    let response = ask(&app, super::get("/keys")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}
