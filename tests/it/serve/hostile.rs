//! What no honest client sends, and how each of it ends.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tower_lifeline::{RequestBodyLayer, RequestBodyLimits};

use super::{Held, LATE, STALL, Server, app, guard, read_all, settings, small, until};
use crate::wire;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// `GET http://x/`, as HPACK has it, on stream `id`; then, perhaps, its reset.
fn stream(id: u32, is_reset: bool) -> Vec<u8> {
    let block = b"\x82\x86\x84\x41\x01x";
    let mut bytes = vec![0, 0, block.len() as u8, 1, 5];
    bytes.extend(id.to_be_bytes());
    bytes.extend(block);
    if is_reset {
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(id.to_be_bytes());
        bytes.extend(8_u32.to_be_bytes());
    }
    bytes
}

async fn is_well(server: &Server) {
    let answer = timeout(LATE, wire::raw(server.address, "GET /quick HTTP/1.0\r\n\r\n"));
    assert!(answer.await.expect("in time").ends_with("quick"));
}

#[tokio::test]
async fn garbage_is_refused() {
    let server = Server::start(app(&Held::default()), settings()).await;
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n",
    ] {
        let answer = wire::raw(server.address, garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    // The preface, and then none of the frames that have to follow.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&PREFACE[..24]).await.unwrap();
    socket.write_all(&[0xff; 64]).await.unwrap();
    let (_, _, took) = read_all(socket).await;
    assert!(took < LATE, "{took:?}");
    server.has(0).await;
    is_well(&server).await;
}

#[tokio::test]
async fn heads_have_a_size() {
    let server = Server::start(app(&Held::default()), settings()).await;
    let long = "x".repeat(100_000);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET /quick HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        format!(
            "GET /quick HTTP/1.1\r\nhost: a\r\n{}\r\n",
            "x: y\r\n".repeat(2000)
        ),
    ] {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let (mut reading, mut writing) = socket.into_split();
        tokio::spawn(async move { writing.write_all(head.as_bytes()).await });
        let mut answer = [0; 16];
        // A reset may overtake the answer, since not all of the head was read.
        let read = timeout(LATE, reading.read(&mut answer)).await.expect("it ends");
        if let Ok(read @ 1..) = read {
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(
                answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"),
                "{answer}"
            );
        }
    }
    let (client, connection) = h2::client::handshake(small(server.address).await).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = Request::get("http://x/quick");
    let request = request.header("x", &long[..20_000]).body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    if let Ok(response) = response.await {
        assert_eq!(response.status(), 431);
    }
    drop(client);
    server.has(0).await;
    is_well(&server).await;
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection() {
    let held = Held::default();
    let server = Server::start(app(&held), settings()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut flood = PREFACE.to_vec();
    for id in 0..2000 {
        flood.extend(stream(id * 2 + 1, true));
    }
    let (mut reading, mut writing) = {
        socket.write_all(&flood[..9 + 24]).await.unwrap();
        socket.into_split()
    };
    let rest = flood.split_off(9 + 24);
    tokio::spawn(async move { writing.write_all(&rest).await });
    let mut answer = Vec::new();
    let _ = timeout(LATE, reading.read_to_end(&mut answer))
        .await
        .expect("it ends");
    server.has(0).await;
    assert_eq!((held.count(), server.handle.requests()), (0, 0));
    is_well(&server).await;
}

#[tokio::test]
async fn no_connection_has_more_streams_than_it_may() {
    let held = Held::default();
    let holding = held.clone();
    let hang = async move || {
        let _hold = holding.hold();
        std::future::pending::<()>().await;
    };
    let app = Router::new().route("/", get(hang));
    let server = Server::start(app, settings().h2_max_streams(7)).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(PREFACE).await.unwrap();
    for id in 0..50 {
        socket.write_all(&stream(id * 2 + 1, false)).await.unwrap();
    }
    until(LATE, || held.count() == 7).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!((held.count(), server.handle.requests()), (7, 7));
    drop(socket);
    until(LATE, || held.count() == 0).await;
    server.has(0).await;
}

#[tokio::test]
async fn who_goes_takes_its_requests_along() {
    let held = Held::default();
    let server = Server::start(app(&held), settings()).await;
    // A reset, and an end of what it says, which to hyper is the end of the connection.
    for is_reset in [true, false] {
        let mut socket = small(server.address).await;
        socket
            .write_all(b"GET /pieces/10/20 HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        until(LATE, || held.count() == 1).await;
        assert_eq!(server.handle.requests(), 1);
        if is_reset {
            socket2::SockRef::from(&socket)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(socket);
        } else {
            socket.shutdown().await.unwrap();
        }
        until(LATE, || held.count() == 0 && server.handle.requests() == 0).await;
        server.has(0).await;
    }
    // What is ready at once is still sent.
    let mut socket = small(server.address).await;
    socket
        .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    socket.shutdown().await.unwrap();
    let (answer, ..) = read_all(socket).await;
    assert!(answer.ends_with("quick"), "{answer}");
}

#[tokio::test]
async fn who_pipelines_and_reads_nothing_is_cut() {
    let app = Router::new()
        .route("/", get(async || vec![b'x'; 64 * 1024]))
        .route("/quick", get(async || "quick"));
    let server = Server::start(app.layer(guard()), settings()).await;
    let mut socket = small(server.address).await;
    let requests = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(500);
    socket.write_all(requests.as_bytes()).await.unwrap();
    until(LATE, || server.handle.connections() == 1).await;
    until(STALL + LATE, || server.handle.connections() == 0).await;
    is_well(&server).await;
}

#[tokio::test]
async fn a_body_that_drips_has_limits_of_its_own() {
    let limits = RequestBodyLimits::builder().idle(STALL / 2).build().unwrap();
    let app = Router::new()
        .route("/", post(async |_: Bytes| ()))
        .layer(RequestBodyLayer::new(limits));
    let server = Server::start(app, settings()).await;
    let mut socket = small(server.address).await;
    socket
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx")
        .await
        .unwrap();
    let (answer, _, took) = read_all(socket).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(took < STALL + LATE, "{took:?}");
    server.has(0).await;
}
