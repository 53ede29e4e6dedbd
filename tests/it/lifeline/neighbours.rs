//! The example with everything around it: who stands outside, and what follows from that.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::{get as on_get, post};
use futures::{SinkExt, StreamExt};
use http::{Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tower_lifeline::Lifeline;

use super::example::{self, HEALTH, TOKEN};
use super::{EITHER, JSON, ask, call, events, get, json, quiet, secs, text, timed};
use crate::wire;

/// One seat and no queue.
fn narrow() -> Lifeline {
    quiet()
        .max_in_flight(1)
        .max_queue(0)
        .health(HEALTH)
        .build()
        .unwrap()
}

fn known(mut request: Request<Body>) -> Request<Body> {
    let headers = request.headers_mut();
    headers.insert("authorization", TOKEN.parse().unwrap());
    headers.insert("origin", "https://app.example".parse().unwrap());
    request
}

fn has_cors(response: &Response<Body>) -> bool {
    response
        .headers()
        .get("access-control-allow-origin")
        .is_some_and(|origin| origin == "*")
}

#[tokio::test(start_paused = true)]
async fn of_two_routes_with_one_seat_the_second_is_refused_and_a_browser_can_read_it() {
    let lifeline = narrow();
    let app = example::around(example::routes(), &lifeline);
    let first = app.clone();
    let request = known(call("/mcp", JSON, r#"{"seconds":30}"#));
    let first = tokio::spawn(async move { ask(&first, request).await });
    sleep(secs(1)).await;
    let began = Instant::now();
    let refused = ask(&app, known(get("/tokens"))).await;
    assert_eq!((refused.status().as_u16(), began.elapsed()), (503, secs(0)));
    assert!(has_cors(&refused));
    let headers = refused.headers();
    assert!(headers.contains_key("x-request-id") && headers.contains_key("retry-after"));
    let exposed = headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("retry-after"), "{exposed}");
    // A call is refused with its id, and the probe is not.
    let refused = ask(&app, known(call("/mcp", EITHER, "{}"))).await;
    assert!(refused.status() == 503 && has_cors(&refused));
    assert_eq!(json(refused).await["id"], 7);
    assert_eq!(timed(&app, get(HEALTH)).await.0, 200);
    let first = first.await.unwrap();
    assert!(first.status() == 200 && has_cors(&first));
    assert_eq!(
        json(first).await["result"]["content"][0]["text"],
        "that took 30 s"
    );
    assert_eq!(timed(&app, known(get("/tokens"))).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_call_takes_no_seat_and_gets_no_early_200() {
    let lifeline = narrow();
    let app = example::around(example::routes(), &lifeline);
    let _held = lifeline.gate().try_enter().unwrap();
    let admitted = lifeline.gate().figures().admitted;
    let began = Instant::now();
    for mut request in [
        call("/mcp", EITHER, r#"{"seconds":30}"#),
        get("/tokens"),
        get("/ws"),
    ] {
        request
            .headers_mut()
            .insert("origin", "https://app.example".parse().unwrap());
        let response = ask(&app, request).await;
        assert_eq!(response.status(), 401);
        assert!(has_cors(&response) && response.headers().contains_key("x-request-id"));
    }
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/mcp")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let preflight = ask(&app, preflight.body(Body::empty()).unwrap()).await;
    assert!(preflight.status() == 200 && has_cors(&preflight));
    let figures = lifeline.gate().figures();
    assert_eq!((figures.admitted, figures.refused_full), (admitted, 0));
    assert_eq!(began.elapsed(), secs(0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_committed_through_all_of_them() {
    let lifeline = narrow();
    let app = example::around(example::routes(), &lifeline);
    let mut request = known(call("/mcp", EITHER, r#"{"seconds":25}"#));
    // Compression stands outside, and leaves event streams alone.
    request
        .headers_mut()
        .insert("accept-encoding", "gzip".parse().unwrap());
    let began = Instant::now();
    let response = ask(&app, request).await;
    assert_eq!((response.status().as_u16(), began.elapsed()), (200, secs(10)));
    assert!(has_cors(&response));
    assert!(!response.headers().contains_key("content-encoding"));
    let (events, comments) = events(&text(response).await);
    assert!(comments >= 1);
    assert_eq!(events[0]["result"]["content"][0]["text"], "that took 25 s");
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_in_time_is_compressed() {
    let lifeline = narrow();
    let routes = Router::new().route("/long", on_get(|| async { "abcdefgh".repeat(1000) }));
    let app = example::around(routes, &lifeline);
    let mut request = known(get("/long"));
    request
        .headers_mut()
        .insert("accept-encoding", "gzip".parse().unwrap());
    let response = ask(&app, request).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < 1000);
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_500_and_in_a_committed_stream_the_calls_own_error() {
    let lifeline = narrow();
    let panics = |_: axum::body::Bytes| async {
        sleep(secs(20)).await;
        if true {
            panic!("a bug");
        }
    };
    let app = example::around(Router::new().route("/mcp", post(panics)), &lifeline);
    assert_eq!(
        timed(&app, known(call("/mcp", JSON, "{}"))).await,
        (500, secs(20))
    );
    let response = ask(&app, known(call("/mcp", EITHER, "{}"))).await;
    assert_eq!(response.status(), 200);
    let (events, _) = events(&text(response).await);
    assert_eq!(events[0]["id"], 7);
    assert!(events[0]["error"].is_object(), "{events:?}");
    assert_eq!(lifeline.gate().figures().in_flight, 0);
}

/// Opens a WebSocket by hand, and says something.
pub(super) async fn echoes(address: SocketAddr) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: a\r\nauthorization: {TOKEN}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(
        answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{answer}"
    );
    let mut client = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
    for said in ["hello", "and again"] {
        client.send(Message::text(said)).await.unwrap();
        let heard = timeout(secs(10), client.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(heard, Message::text(said));
    }
}

#[tokio::test]
async fn a_websocket_echoes_through_it_and_needs_its_seat_for_the_upgrade_alone() {
    let lifeline = narrow();
    let address = wire::serve(example::around(example::routes(), &lifeline)).await;
    echoes(address).await;
    echoes(address).await;
    let figures = lifeline.gate().figures();
    assert_eq!((figures.admitted, figures.in_flight), (2, 0));
}

#[test]
fn the_examples_own_stack_suits_where_it_says_it_runs() {
    let lifeline = example::lifeline().unwrap();
    assert_eq!(
        lifeline.chain().to_string(),
        "cloudflare,nginx(first_byte=300s idle=300s)"
    );
    assert_eq!(lifeline.gate().figures().max_in_flight, 8);
}
