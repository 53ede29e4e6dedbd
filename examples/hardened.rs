//! The server that `tests/slowhttptest` puts under load: the same application under this loop
//! or under axum's.
//!
//! `cargo run --release --features serve --example hardened -- lifeline 3000` or `… -- axum 3000`.
#![expect(clippy::unwrap_used, reason = "an example that fails has nothing to tell")]

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::{
    Reporter, RequestBodyLayer, RequestBodyLimits, SlowClientGuardLayer, SlowClientLimits, serve,
};

fn app() -> Router {
    Router::new()
        .route(
            "/",
            get(async || "hello").post(async |body: Bytes| body.len().to_string()),
        )
        .route("/large", get(async || vec![b'l'; 1 << 20]))
        .route("/upload", post(async |body: Bytes| body.len().to_string()))
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [which, port] = &arguments[..] else {
        panic!("hardened lifeline|layers|axum PORT")
    };
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap()))
        .await
        .unwrap();
    let slow = SlowClientLimits::builder()
        .stall(Duration::from_secs(8))
        .build()
        .unwrap();
    let uploads = RequestBodyLimits::builder()
        .idle(Duration::from_secs(8))
        .build()
        .unwrap();
    let settings = ServeSettings::builder()
        .first_byte(Duration::from_secs(8))
        .request_head(Duration::from_secs(8))
        .slow_clients(slow)
        .build()
        .unwrap();
    match which.as_str() {
        "axum" => axum::serve(listener, app()).await.unwrap(),
        // The loop alone, which is what is to be compared with axum's.
        "lifeline" => println!("{:?}", serve(listener, app()).with_settings(settings).await),
        _ => {
            let app = app()
                .layer(RequestBodyLayer::new(uploads))
                .layer(SlowClientGuardLayer::new(slow).with_reporter(Reporter::silent()));
            let drained = serve(listener, app)
                .with_settings(settings)
                .with_reporter(Reporter::silent())
                .await;
            println!("{drained:?}");
        }
    }
}
