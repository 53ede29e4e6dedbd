//! `Lifeline`: what it is built to, and the whole stack at work.

mod built;
#[cfg(feature = "serde")]
mod config;
#[cfg(feature = "serve")]
mod defaults;
mod edges;
#[path = "../../../examples/full_stack/app.rs"]
mod example;
mod live;
mod neighbours;
mod order;
mod pieces;
#[cfg(feature = "serve")]
mod served;
mod short;
mod transparent;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::{Lifeline, Reporter};

/// A stack that says nothing.
fn quiet() -> LifelineBuilder {
    Lifeline::builder().reporter(Reporter::silent())
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// A `tools/call` with the id 7, by a client that takes answers of that kind.
fn call(path: &str, accept: &str, arguments: &str) -> Request<Body> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"research","arguments":{arguments}}}}}"#
    );
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("accept", accept);
    request.body(Body::from(body)).unwrap()
}

const JSON: &str = "application/json";
const EITHER: &str = "application/json, text/event-stream";

async fn ask(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.unwrap()
}

/// The status, and how long the head took.
async fn timed(app: &Router, request: Request<Body>) -> (u16, Duration) {
    let began = Instant::now();
    let status = ask(app, request).await.status().as_u16();
    (status, began.elapsed())
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// The data of each event, and how many comments there were.
fn events(stream: &str) -> (Vec<Value>, usize) {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let comments = stream.lines().filter(|line| line.starts_with(':')).count();
    (
        data.map(|data| serde_json::from_str(data).unwrap()).collect(),
        comments,
    )
}
