//! A server on a real socket, for HTTP/1 and HTTP/2, that answers and hangs on demand.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Response, header};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

use super::{Alive, Step, body, ms};

/// Serves until the test ends; `alive` counts the bodies that are being sent.
pub(crate) async fn serve(alive: Alive) -> SocketAddr {
    let streaming = move |steps: Vec<Step>, kind: &'static str| {
        let alive = alive.clone();
        get(move || {
            let body = Body::new(body(steps.clone(), &alive).map_err(axum::Error::new));
            async move {
                Response::builder()
                    .header(header::CONTENT_TYPE, kind)
                    .body(body)
                    .unwrap()
            }
        })
    };
    let every = |millis, text| (0..200).flat_map(move |_| [Step::Data(text), Step::Wait(ms(millis))]);
    let sse = "text/event-stream";
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route(
            "/json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], r#"{"answer":42}"#) }),
        )
        .route("/echo", post(|body: String| async { body }))
        .route(
            "/headers",
            get(|headers: HeaderMap| async move { format!("{headers:?}") }),
        )
        .route("/moved", get(|| async { axum::response::Redirect::to("/hello") }))
        .route("/mute", get(std::future::pending::<String>))
        .route(
            "/stalls",
            streaming(vec![Step::Data("part"), Step::Hang], "text/plain"),
        )
        .route(
            "/drips",
            streaming(every(30, "x").take(6).collect(), "text/plain"),
        )
        .route("/endless", streaming(every(20, "data: x\n\n").collect(), sse))
        .route(
            "/hung",
            streaming(
                [Step::Data("data: x\n\n")]
                    .into_iter()
                    .chain(every(20, ": alive\n\n"))
                    .collect(),
                sse,
            ),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// Waits until the server has noticed that nobody reads any more.
pub(crate) async fn let_go(alive: &Alive, others: usize) {
    for _ in 0..200 {
        if alive.count() == others {
            return;
        }
        tokio::time::sleep(ms(10)).await;
    }
    panic!("{} bodies are still being sent", alive.count() - others);
}
