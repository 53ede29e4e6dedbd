//! What any server does: requests over both versions, upgrades apart, and an orderly end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower_lifeline::serve::{Drained, ServeHandle, ServeSettings, ServeSettingsBuilder};
use tower_lifeline::{Reporter, serve};

use crate::wire;

pub(super) fn settings() -> ServeSettingsBuilder {
    ServeSettings::builder()
        .drain_delay(Duration::ZERO)
        .drain_spread(Duration::ZERO)
}

pub(super) async fn start(
    app: Router,
    settings: ServeSettingsBuilder,
) -> (SocketAddr, ServeHandle, JoinHandle<Drained>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, app)
        .with_settings(settings.build().unwrap())
        .with_extension(|peer: &SocketAddr| ConnectInfo(*peer))
        .with_reporter(Reporter::silent());
    let handle = server.handle();
    (address, handle, tokio::spawn(server.into_future()))
}

fn app() -> Router {
    let version = |request: axum::extract::Request| async move { format!("{:?}", request.version()) };
    Router::new().route("/", get(version)).route(
        "/peer",
        get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
    )
}

#[tokio::test]
async fn both_versions_are_served_and_told_apart_by_their_first_bytes() {
    let (address, handle, server) = start(app(), settings()).await;
    let answer = wire::raw(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("HTTP/1.1"),
        "{answer}"
    );
    let answer = wire::raw(address, "GET /peer HTTP/1.0\r\n\r\n").await;
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
    // A method that begins as the preface of HTTP/2 does.
    let answer = wire::raw(address, "PRI / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");

    let request = Request::get(format!("http://{address}/")).version(Version::HTTP_2);
    let response = wire::h2(address, request.body(Empty::<Bytes>::new()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "HTTP/2.0"
    );

    assert!(handle.is_ready());
    assert_eq!(handle.accepted(), 4);
    handle.drain();
    let drained = server.await.unwrap();
    assert_eq!((drained.cut, drained.requests_cut), (0, 0));
    assert!(!handle.is_ready());
}

#[tokio::test]
async fn the_protocol_is_told_byte_by_byte() {
    let (address, ..) = start(app(), settings()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for byte in "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".bytes() {
        socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("HTTP/1.1"), "{answer}");
}

#[test]
fn contradictory_settings_are_refused_with_a_sentence() {
    const SECOND: Duration = Duration::from_secs(1);
    let new = ServeSettings::builder;
    for (settings, word) in [
        (new().h2_ping(Duration::ZERO, SECOND), "`h2_ping` each 0ns"),
        (new().h2_ping(SECOND, Duration::ZERO), "answered within 0ns"),
        (
            new().max_connections(8).max_connections_per_peer(9),
            "one peer could have all",
        ),
        (
            new().drain(SECOND).drain_spread(SECOND * 2),
            "`drain_spread` of 2s",
        ),
        (new().first_byte(Duration::ZERO), "`first_byte` is zero"),
        (new().h2_max_resets(0), "`h2_max_resets` is zero"),
        (new().h1_write_buffer(100), "of 100 bytes is less"),
    ] {
        let sentence = settings.build().unwrap_err().to_string();
        assert!(sentence.contains(word), "{sentence}");
    }
    if let Ok(size) = usize::try_from(u64::from(u32::MAX) + 1) {
        let sentence = new().h2_write_buffer(size).build().unwrap_err().to_string();
        assert!(sentence.contains("more than HTTP/2 can count"), "{sentence}");
        assert!(new().h2_write_buffer(size - 1).build().is_ok());
    }
    assert!(
        new()
            .max_connections(9)
            .max_connections_per_peer(9)
            .build()
            .is_ok()
    );
}
