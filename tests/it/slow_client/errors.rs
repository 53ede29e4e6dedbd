//! What hyper and axum make of a watched connection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tower_lifeline::connection::{GuardedIo, IoGuard};
use tower_lifeline::{Reporter, SlowClient, Slowness};

use super::clients::connect;
use super::limits;

fn guard() -> IoGuard {
    IoGuard::new(limits(Duration::from_millis(400))).with_reporter(Reporter::silent())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn handlers_learn_the_peers_address() {
    let (listener, address) = listen().await;
    let app = Router::new().route(
        "/",
        get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()),
    );
    let guard = guard();
    let listener = guard.listen(listener);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let own = client.local_addr().unwrap().to_string();
    assert!(answer.ends_with(&own), "{answer} is not for {own}");
}

async fn endless(
    _: Request<Incoming>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let piece = Bytes::from_static(&[b'x'; 4096]);
    let pieces = futures::stream::repeat_with(move || Ok::<_, Infallible>(Frame::data(piece.clone())));
    Ok(Response::new(StreamBody::new(pieces)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_loop_learns_from_hypers_error_why_a_connection_was_cut() {
    let (listener, address) = listen().await;
    let guard = guard();
    let mut client = connect(address).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let io = TokioIo::new(GuardedIo::new(socket, &guard));
    let error = hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service_fn(endless))
        .await
        .unwrap_err();
    let slow = SlowClient::find(&error).unwrap();
    assert_eq!(slow.slowness(), Slowness::Stalled);
    assert!(slow.taken() > 0);
    assert_eq!(guard.watched(), 0);
}

/// The transport itself is blocked, with windows that leave it room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_2_the_kind_of_the_error_is_left_of_it() {
    let (listener, address) = listen().await;
    let guard = guard();
    let mut client = connect(address).await;
    let server = tokio::spawn({
        let guard = guard.clone();
        async move {
            let (socket, _) = listener.accept().await.unwrap();
            let io = TokioIo::new(GuardedIo::new(socket, &guard));
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service_fn(endless))
                .await
                .unwrap_err()
        }
    });
    // The preface, settings with a window of 2^31-1, a window update of the connection, and one request.
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    client
        .write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7F, 0xFF, 0xFF, 0xFF])
        .await
        .unwrap();
    client
        .write_all(&[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7F, 0, 0, 0])
        .await
        .unwrap();
    // :method GET, :scheme http, :path /, :authority x
    client
        .write_all(&[0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, b'x'])
        .await
        .unwrap();
    let error = server.await.unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(SlowClient::find(&error).is_none());
    assert!(source.contains("the client took nothing for"), "{source}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_halves_of_a_cut_connection_say_so() {
    let (listener, address) = listen().await;
    let client = connect(address).await;
    let (socket, _) = listener.accept().await.unwrap();
    let guard = guard();
    let io = GuardedIo::new(socket, &guard);
    assert!(io.ask(|socket| socket.peer_addr().unwrap()).is_some());
    let (mut reader, mut writer) = tokio::io::split(io);
    let reader = tokio::spawn(async move { reader.read_u8().await.unwrap_err() });
    let error = loop {
        if let Err(error) = writer.write_all(&[0; 4096]).await {
            break error;
        }
    };
    for error in [error, reader.await.unwrap(), writer.shutdown().await.unwrap_err()] {
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(SlowClient::find(&error).is_some(), "{error}");
    }
    drop(client);
}

/// Unix sockets count memory instead of bytes, and are judged once they are full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_sockets_are_watched_too() {
    let path = std::env::temp_dir().join(format!("tower-lifeline-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let guard = guard();
    let app = Router::new().route(
        "/",
        get(async || {
            axum::body::Body::from_stream(futures::stream::repeat_with(|| {
                Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 300]))
            }))
        }),
    );
    let served = guard.clone();
    tokio::spawn(async move { axum::serve(served.listen(listener), app).await });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        clients.push(client);
    }
    std::fs::remove_file(&path).unwrap();
    let slow = clients.pop().unwrap();
    let read = super::clients::read_slowly(slow, 300_000, Duration::from_secs(3), Duration::ZERO).await;
    assert!(read.is_ok(), "{read:?}");
    let mut rest = Vec::new();
    // The other one has read nothing for all that time: it was cut, and what was written stays.
    clients[0].read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 4_000_000);
}

/// What answers and goes is not watched for longer than it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_come_and_go() {
    let (listener, address) = listen().await;
    let guard = guard();
    let served = guard.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let io = TokioIo::new(GuardedIo::new(socket, &served));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(
                io,
                service_fn(async |_| {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"here"))))
                }),
            ));
        }
    });
    for _ in 0..50 {
        let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http1::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "here");
    }
    let gone = async {
        while guard.watched() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}
