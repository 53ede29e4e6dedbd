//! Clients that read nothing, or slowly, and the escalation from a stream to its connection.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, GateLimits};

use super::{Held, LATE, STALL, Server, app, guard, pieces, read_all, settings, small, until};
use crate::wire;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    H1,
    H2,
}

/// A client that has its answer's head, and reads as its body is polled.
async fn send(server: &Server, protocol: Protocol, path: &str) -> Response<Incoming> {
    let socket = TokioIo::new(small(server.address).await);
    let request = Request::get(format!("http://x{path}"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    match protocol {
        Protocol::H1 => {
            let (mut client, connection) = hyper::client::conn::http1::Builder::new()
                .max_buf_size(8192)
                .handshake(socket)
                .await
                .unwrap();
            tokio::spawn(connection);
            client.send_request(request).await.unwrap()
        }
        Protocol::H2 => {
            let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(65_535)
                .initial_connection_window_size(65_535)
                .handshake(socket)
                .await
                .unwrap();
            tokio::spawn(connection);
            client.send_request(request).await.unwrap()
        }
    }
}

/// Reads `rate` bytes a second for so long.
async fn read_slowly(mut body: Incoming, rate: usize, time: Duration) -> usize {
    let (start, mut read) = (Instant::now(), 0);
    while start.elapsed() < time {
        let frame = body.frame().await.unwrap();
        let length = frame
            .unwrap_or_else(|error| panic!("cut after {read} bytes: {error:?}"))
            .data_ref()
            .map_or(0, Bytes::len);
        read += length;
        sleep(Duration::from_secs_f64(length as f64 / rate as f64)).await;
    }
    read
}

async fn frees_the_seat(protocol: Protocol, size: usize) {
    let held = Held::default();
    let limits = GateLimits::builder(1)
        .queue_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let gate = AdmissionGate::new(limits);
    let app = app(&held).layer(AdmissionGateLayer::new(gate)).layer(guard());
    let server = Server::start(app, settings()).await;
    let path = format!("/pieces/{size}/0");
    let stalled = send(&server, protocol, &path).await;
    let start = Instant::now();
    let quick = timeout(
        STALL * 2 + LATE,
        wire::raw(server.address, "GET /quick HTTP/1.0\r\n\r\n"),
    );
    let answer = quick.await.expect("who waits is served");
    assert!(answer.ends_with("quick"), "{answer}");
    assert!(start.elapsed() < STALL + LATE, "{:?}", start.elapsed());
    assert_eq!(held.count(), 0);
    if protocol == Protocol::H1 {
        server.has(0).await;
    }
    drop(stalled);
}

#[tokio::test]
async fn who_reads_nothing_of_small_events_gives_up_its_seat_over_http1() {
    frees_the_seat(Protocol::H1, 200).await;
}

#[tokio::test]
async fn who_reads_nothing_of_large_events_gives_up_its_seat_over_http1() {
    frees_the_seat(Protocol::H1, 64 * 1024).await;
}

#[tokio::test]
async fn who_reads_nothing_of_small_events_gives_up_its_seat_over_http2() {
    frees_the_seat(Protocol::H2, 200).await;
}

#[tokio::test]
async fn who_reads_nothing_of_large_events_gives_up_its_seat_over_http2() {
    frees_the_seat(Protocol::H2, 64 * 1024).await;
}

#[tokio::test]
async fn who_reads_slowly_is_left_alone() {
    let held = Held::default();
    let server = Server::start(app(&held).layer(guard()), settings()).await;
    let clients = [
        // Half a window, with what hyper has read ahead, in less than a stall.
        (Protocol::H2, 320_000, 64 * 1024),
        (Protocol::H2, 160_000, 2000),
        (Protocol::H1, 320_000, 64 * 1024),
        // Its buffers hide for seconds from the body that they are being read.
        (Protocol::H1, 40_000, 64 * 1024),
        (Protocol::H1, 40_000, 200),
    ];
    let clients = clients.map(async |(protocol, rate, size)| {
        let answer = send(&server, protocol, &format!("/pieces/{size}/0")).await;
        let read = read_slowly(answer.into_body(), rate, STALL * 6).await;
        assert!(read > rate, "{read} of {rate}");
    });
    futures::future::join_all(clients).await;
}

#[tokio::test]
async fn a_cut_that_no_framing_shows_is_a_reset() {
    let held = Held::default();
    let server = Server::start(app(&held).layer(guard()), settings()).await;
    let mut socket = small(server.address).await;
    socket
        .write_all(b"GET /pieces/65536/0 HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    until(STALL * 2 + LATE, || held.count() == 1).await;
    until(STALL * 2 + LATE, || held.count() == 0).await;
    server.has(0).await;
    let (answer, is_end, _) = read_all(socket).await;
    assert!(answer.starts_with("HTTP/1.0 200") && !answer.contains("chunked"));
    assert!(!is_end, "it looks complete");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_reset_where_no_framing_shows_it() {
    let broken = async || {
        Body::from_stream(
            futures::stream::iter([Ok("half"), Err("of it")]).then(async |item| {
                sleep(Duration::from_millis(50)).await;
                item
            }),
        )
    };
    let panics = async || {
        Body::from_stream(futures::stream::iter([true, false]).then(async |fine| {
            sleep(Duration::from_millis(50)).await;
            assert!(fine, "a bug of the application");
            Ok::<_, std::io::Error>("half")
        }))
    };
    let whole = async || Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>("whole")]));
    let app = Router::new()
        .route("/broken", get(broken))
        .route("/panics", get(panics))
        .route("/whole", get(whole));
    let server = Server::start(app, settings()).await;
    for (path, looks_complete) in [("broken", false), ("panics", false), ("whole", true)] {
        let mut socket = small(server.address).await;
        let request = format!("GET /{path} HTTP/1.0\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let (answer, is_end, _) = read_all(socket).await;
        assert_eq!(is_end, looks_complete, "{path}: {answer}");
        server.has(0).await;
    }
}

#[tokio::test]
async fn a_handle_of_a_request_that_is_over_does_nothing_to_the_next() {
    let old = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = old.clone();
    let app = Router::new().route(
        "/",
        get(async move |request: axum::extract::Request| {
            let cut = request
                .extensions()
                .get::<tower_lifeline::CutHandle>()
                .cloned()
                .unwrap();
            if let Some(old) = kept.lock().unwrap().replace(cut) {
                tower_lifeline::CutHandle::cut(&old);
            }
            "fine"
        }),
    );
    let server = Server::start(app, settings()).await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = wire::raw(server.address, request).await;
    assert_eq!(answer.matches("fine").count(), 2, "{answer}");
    // Nor to a connection without requests.
    let mut socket = small(server.address).await;
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    let _ = socket.read(&mut some).await.unwrap();
    old.lock().unwrap().take().unwrap().cut();
    assert!(
        timeout(STALL / 4, socket.read(&mut some)).await.is_err(),
        "it was ended"
    );
}

/// The handler's task keeps the upload: without taking it away no reset could go out.
#[tokio::test]
async fn a_stream_is_reset_though_its_request_is_held_on_to() {
    let (held, kept) = (Held::default(), Held::default());
    let (answering, reading) = (held.clone(), kept.clone());
    let app = Router::new()
        .route(
            "/",
            post(async move |request: axum::extract::Request| {
                let kept = reading.hold();
                tokio::spawn(async move {
                    let read = request.into_body().collect().await;
                    assert!(read.is_err(), "it ends as if it were whole");
                    drop(kept);
                });
                pieces(answering.hold(), 16 * 1024, Duration::ZERO)
            }),
        )
        .layer(guard());
    let server = Server::start(app, settings()).await;
    let socket = small(server.address).await;
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = Request::post("http://x/").body(()).unwrap();
    let (response, _upload) = client.send_request(request, false).unwrap();
    let mut body = response.await.unwrap().into_body();
    let reset = timeout(STALL + LATE, async {
        loop {
            // The window is not given back.
            match body.data().await {
                Some(Ok(_)) => {}
                end => break end,
            }
        }
    });
    let reset = reset.await.expect("the reset goes out").unwrap().unwrap_err();
    assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
    until(LATE, || kept.count() == 0 && held.count() == 0).await;
    assert_eq!(server.handle.connections(), 1);
}
