//! Each phase of a connection has its own limit.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{Method, Request};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::connection::GuardedIo;
use tower_lifeline::serve::ServeSettingsBuilder;
use tower_lifeline::{ConnectionPhase, Event, Reporter, serve};

use super::{Held, LATE, STALL, Server, app, read_all, settings, small};

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(60);

/// Every limit is long but for those that a test is about.
fn long() -> ServeSettingsBuilder {
    settings()
        .handshake(LONG)
        .first_byte(LONG)
        .request_head(LONG)
        .keep_alive_idle(LONG)
}

/// Sends `bytes`, then a dot each 50 ms, until the server has enough: what came, and when.
async fn drip(server: &Server, bytes: &str, dot: &str) -> (String, bool, Duration) {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let start = Instant::now();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = socket.into_split();
    let dot = dot.to_owned();
    let drips = tokio::spawn(async move {
        while !dot.is_empty() && writing.write_all(dot.as_bytes()).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        // Not closed before the server does.
        sleep(LONG).await;
    });
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(10), reading.read_to_end(&mut answer))
        .await
        .unwrap_or_else(|_| {
            let came = String::from_utf8_lossy(&answer).into_owned();
            panic!(
                "it never ends: {came:?}, {:#?}, {:?}",
                server.handle,
                server.said()
            )
        });
    drips.abort();
    (String::from_utf8(answer).unwrap(), end.is_ok(), start.elapsed())
}

fn timed_out(server: &Server) -> Vec<ConnectionPhase> {
    let phases = server.said().into_iter().filter_map(|event| match event {
        Event::ConnectionTimedOut { phase, after, .. } => {
            assert!(after >= SHORT && after < SHORT + LATE, "{after:?}");
            Some(phase)
        }
        _ => None,
    });
    phases.collect()
}

fn in_time(took: Duration) {
    assert!(took >= SHORT && took < SHORT + LATE, "{took:?}");
}

#[tokio::test]
async fn who_says_nothing_is_closed() {
    let server = Server::start(app(&Held::default()), long().first_byte(SHORT)).await;
    for first in ["", "PRI * HTTP/2.0\r\n"] {
        let (answer, _, took) = drip(&server, first, "").await;
        assert_eq!(answer, "");
        in_time(took);
    }
    server.has(0).await;
    assert_eq!(timed_out(&server), [ConnectionPhase::FirstByte; 2]);
}

#[tokio::test]
async fn a_slow_head_is_closed_from_its_first_byte() {
    let server = Server::start(app(&Held::default()), long().request_head(SHORT)).await;
    let (_, _, took) = drip(&server, "GET / HTTP/1.1\r\nhost: a\r\n", "x").await;
    in_time(took);
    // Not from the end of the request before it.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket
        .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    assert!(socket.read(&mut some).await.unwrap() > 0);
    sleep(SHORT * 2).await;
    socket.write_all(b"GET /quick HT").await.unwrap();
    sleep(SHORT / 2).await;
    socket.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(socket.read(&mut some).await.unwrap() > 0);
    socket.write_all(b"G").await.unwrap();
    let (rest, _, took) = read_all(socket).await;
    assert_eq!(rest, "");
    in_time(took);
    assert_eq!(timed_out(&server), [ConnectionPhase::RequestHead; 2]);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A head over HTTP/2, in the words of its static table: `GET /pieces/10/20` of nobody, whole or not.
fn get_pieces(stream: u8, flags: u8) -> Vec<u8> {
    let path = b"/pieces/10/20";
    let head = [&[0x82, 0x86, 0x04, 13], &path[..], &[0x41, 1, b'a']].concat();
    frame(1, flags, stream, &head)
}

#[tokio::test]
async fn a_slow_head_over_http2_is_closed_whatever_else_goes_on() {
    let held = Held::default();
    let server = Server::start(app(&held), long().request_head(SHORT)).await;
    let (end_headers, end_stream) = (4, 1);
    for is_busy in [false, true] {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let (mut reading, mut writing) = socket.into_split();
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        opening.extend(frame(4, 0, 0, &[]));
        if is_busy {
            opening.extend(get_pieces(1, end_headers | end_stream));
        }
        writing.write_all(&opening).await.unwrap();
        let end = tokio::spawn(async move {
            let mut some = [0; 4096];
            while let Ok(1..) = reading.read(&mut some).await {}
            Instant::now()
        });
        // Longer than a head may take, but no head is there yet.
        sleep(SHORT * 2).await;
        assert!(!end.is_finished());
        assert_eq!(held.count(), u32::from(is_busy));
        let start = Instant::now();
        writing.write_all(&get_pieces(3, end_stream)).await.unwrap();
        // One frame more, in which a literal field has a long value.
        let literal = [&[0, 1, b'a', 100], &[b'x'; 100][..]].concat();
        writing
            .write_all(&frame(9, end_headers, 3, &literal)[..14])
            .await
            .unwrap();
        let drips = tokio::spawn(async move {
            while writing.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        });
        in_time(timeout(SHORT + LATE, end).await.unwrap().unwrap() - start);
        drips.abort();
    }
    server.has(0).await;
    assert_eq!(timed_out(&server), [ConnectionPhase::RequestHead; 2]);
    assert_eq!(held.count(), 0);
}

#[tokio::test]
async fn heads_over_http2_that_come_one_after_the_other_are_not_one() {
    let server = Server::start(app(&Held::default()), long().request_head(SHORT)).await;
    let (client, connection) = h2::client::handshake(small(server.address).await).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let start = Instant::now();
    while start.elapsed() < SHORT * 3 {
        let large = "x".repeat(3000);
        let request = Request::get("http://x/quick").header("large", large).body(());
        let (response, _) = client.send_request(request.unwrap(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        sleep(Duration::from_millis(2)).await;
    }
    assert!(timed_out(&server).is_empty());
}

#[tokio::test]
async fn the_rest_of_what_was_pipelined_is_a_slow_head_or_idle() {
    let server = Server::start(
        app(&Held::default()),
        long().request_head(SHORT).keep_alive_idle(SHORT),
    )
    .await;
    let two = "GET /quick HTTP/1.1\r\nhost: a\r\n\r\nGET /quick HTTP/1.1\r\nhost: a\r\n\r\nGET /qui";
    let (answer, _, took) = drip(&server, two, "").await;
    assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
    // Idle at the latest: then it is told, and has the time of a goodbye.
    assert!(took < SHORT * 2 + LATE, "{took:?}");
    server.has(0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let server = Server::start(app(&Held::default()), long().keep_alive_idle(SHORT)).await;
    let (answer, is_end, took) = drip(&server, "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n", "").await;
    assert!(answer.ends_with("quick") && is_end, "{answer}");
    in_time(took);
    assert_eq!(timed_out(&server), [ConnectionPhase::Idle]);
}

#[tokio::test]
async fn an_idle_http2_connection_hears_goaway() {
    let server = Server::start(app(&Held::default()), long().keep_alive_idle(SHORT)).await;
    let (client, connection) = h2::client::handshake(small(server.address).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = Request::get("http://x/quick").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    response.await.unwrap();
    let start = Instant::now();
    timeout(SHORT + LATE, connection).await.unwrap().unwrap().unwrap();
    in_time(start.elapsed());
    drop(client);

    // Whoever does not answer is not waited for.
    let mut mute = TcpStream::connect(server.address).await.unwrap();
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let (_, _, took) = read_all(mute).await;
    assert!(took < SHORT * 2 + LATE, "{took:?}");
    server.has(0).await;
    assert_eq!(timed_out(&server), [ConnectionPhase::Idle; 2]);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = async |_: GuardedIo<TcpStream>| std::future::pending::<std::io::Result<TcpStream>>().await;
    let server = serve(listener, app(&Held::default()))
        .with_handshake(move |io| {
            let never = &never;
            let done = never(io);
            Box::pin(done) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        })
        .with_reporter(Reporter::silent())
        .with_settings(long().handshake(SHORT).build().unwrap());
    let handle = server.handle();
    tokio::spawn(server.into_future());
    let (_, _, took) = read_all(TcpStream::connect(address).await.unwrap()).await;
    in_time(took);
    assert_eq!(handle.connections(), 0);
}

#[tokio::test]
async fn a_handshake_that_fails_is_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let events = super::Events::default();
    let noted = events.clone();
    let server = serve(listener, app(&Held::default()))
        .with_handshake(|_: GuardedIo<TcpStream>| {
            std::future::ready(Err::<TcpStream, _>(std::io::ErrorKind::InvalidData.into()))
        })
        .with_reporter(Reporter::to(move |event: &Event| {
            noted.lock().unwrap().push(*event)
        }))
        .with_settings(long().build().unwrap());
    tokio::spawn(server.into_future());
    let (_, _, took) = read_all(TcpStream::connect(address).await.unwrap()).await;
    assert!(took < LATE, "{took:?}");
    let events = events.lock().unwrap();
    assert!(
        matches!(
            events[..],
            [Event::HandshakeFailed {
                error: std::io::ErrorKind::InvalidData,
                ..
            }]
        ),
        "{events:?}"
    );
}

#[tokio::test]
async fn requests_in_progress_are_not_idle() {
    let app = Router::new().route("/slow", get(async || sleep(SHORT * 4).await));
    let server = Server::start(app, long().keep_alive_idle(SHORT).request_head(SHORT)).await;
    let (answer, ..) = drip(&server, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_upload_that_goes_on_after_its_answer_is_not_idle() {
    let later = async |request: axum::extract::Request| {
        tokio::spawn(async move {
            let (mut body, mut read) = (request.into_body(), 0);
            while !body.is_end_stream() {
                read += body.frame().await.unwrap().unwrap().data_ref().unwrap().len();
            }
            assert_eq!(read, 32);
        });
    };
    let app = Router::new().route("/", post(later));
    let server = Server::start(app, long().keep_alive_idle(SHORT).request_head(SHORT)).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 32\r\n\r\n";
    let (answer, _, took) = drip(&server, head, ".").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // 32 times 50 ms, and then what looks like a head.
    assert!(took > SHORT * 4, "{took:?}");
}

#[tokio::test]
async fn the_rest_of_an_answer_on_its_way_to_a_slow_reader_is_not_idle() {
    let whole = 400_000;
    let app = Router::new().route("/", get(move || async move { vec![b'x'; whole] }));
    let server = Server::start(app, long().keep_alive_idle(SHORT)).await;
    let mut socket = small(server.address).await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let (mut read, mut bytes, start) = (0, vec![0; 4000], Instant::now());
    loop {
        match socket.read(&mut bytes).await {
            Ok(some @ 1..) => read += some,
            end => break assert!(end.is_ok(), "after {read} bytes"),
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(read > whole, "{read}");
    assert!(start.elapsed() > SHORT * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_tunnel_over_http2_is_not_idle() {
    let echo = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        })
    };
    let app = Router::new().route("/", any(echo));
    let server = Server::start(app, long().keep_alive_idle(SHORT)).await;
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake::<_, Empty<Bytes>>(TokioIo::new(small(server.address).await))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    // The peer has to say first that it takes such requests.
    sleep(SHORT / 4).await;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://x/")
        .header("sec-websocket-version", "13")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    sleep(SHORT * 4).await;
    tunnel.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'a']).await.unwrap();
    let mut echo = [0; 3];
    tunnel.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, [0x81, 1, b'a']);
    assert!(timed_out(&server).is_empty());
    drop(tunnel);
    timeout(SHORT * 2 + LATE, connection)
        .await
        .expect("now it is")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_connection_grows_old_in_order() {
    let app = app(&Held::default());
    let server = Server::start(app, long().max_connection_age(STALL)).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let (start, mut some) = (Instant::now(), [0; 1024]);
    let last = loop {
        socket
            .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let read = socket.read(&mut some).await.unwrap();
        if read == 0 {
            break start.elapsed();
        }
        assert!(some[..read].ends_with(b"quick"));
        sleep(Duration::from_millis(40)).await;
    };
    assert!(last > STALL / 2 && last < STALL + LATE, "{last:?}");
}
