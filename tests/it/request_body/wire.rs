//! Real HTTP/1.1 sockets: what slow clients get, and what healthy ones do not notice.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::request_body::{RequestBodyLayer, RequestBodyLimits};
use tower_lifeline::rpc::CallSlot;
use tower_lifeline::{Event, Outcome};

use super::{Log, ms, secs};

const IDLE: Duration = ms(300);

async fn echo_length(body: Bytes) -> String {
    body.len().to_string()
}

/// Ten times `idle` between its first two reads.
async fn ponder(request: Request) -> Result<String, StatusCode> {
    let mut body = request.into_body();
    let first = body
        .frame()
        .await
        .and_then(Result::ok)
        .and_then(|frame| frame.into_data().ok());
    sleep(IDLE * 10).await;
    let rest = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok((first.map_or(0, |first| first.len()) + rest.to_bytes().len()).to_string())
}

async fn whose_call(request: Request) -> String {
    let slot = request.extensions().get::<CallSlot>().cloned();
    let read = request.into_body().collect().await.is_ok();
    let id = slot.as_ref().and_then(CallSlot::call).and_then(|call| call.id());
    format!(
        "{read} {} {}",
        slot.is_some(),
        id.map_or("none", |id| id.as_json())
    )
}

async fn upgrade(request: Request) -> Response {
    tokio::spawn(async {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let mut io = TokioIo::new(upgraded);
        // Longer than any clock: they have no say here.
        sleep(IDLE * 2).await;
        io.write_all(b"talk").await.unwrap();
    });
    let response = Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "x");
    response.body(Body::empty()).unwrap()
}

pub(super) async fn serve(log: &Log) -> SocketAddr {
    let limits = RequestBodyLimits::builder()
        .idle(IDLE)
        .total(secs(3))
        .min_rate(20, ms(400))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", post(echo_length))
        .route("/ponder", post(ponder))
        .route("/call", post(whose_call))
        .route("/upgrade", get(upgrade))
        .route("/never-reads", post(async || StatusCode::FORBIDDEN))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(RequestBodyLayer::new(limits).with_reporter(log.reporter()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    at
}

async fn start(at: SocketAddr, head_and_more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(head_and_more.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    timeout(secs(10), stream.read_to_end(&mut all))
        .await
        .expect("the connection ends")
        .unwrap();
    String::from_utf8(all).unwrap()
}

pub(super) fn refused(log: &Log) -> usize {
    let refused = |event: &Event| matches!(event, Event::PhaseExpired { outcome, .. } if *outcome == Outcome::Refused(408));
    log.events().iter().filter(|event| refused(event)).count()
}

#[tokio::test]
async fn a_slow_upload_gets_408_in_its_own_language_and_the_connection_ends() {
    let log = Log::default();
    let at = serve(&log).await;
    for (accept, content_type, body) in [
        ("text/html", "text/plain; charset=utf-8", "the request_"),
        (
            "application/problem+json",
            "application/problem+json",
            r#"{"type":"about:blank","title":"Request Timeout","status":408,"#,
        ),
        (
            "application/json, text/event-stream",
            "application/problem+json",
            r#""reason":"request_timeout","phase":"request_"#,
        ),
    ] {
        for framing in [
            "content-length: 1000\r\n\r\n{\"jsonrpc\"",
            "transfer-encoding: chunked\r\n\r\n5\r\n{\"jso\r\n",
        ] {
            let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
            let began = Instant::now();
            let answer = rest(start(at, &format!("{head}\r\naccept: {accept}\r\n{framing}")).await).await;
            assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert!(
                answer.contains(&format!("content-type: {content_type}\r\n")),
                "{answer}"
            );
            assert!(answer.contains("content-length: "), "{answer}");
            assert!(answer.contains(body), "{answer}");
            assert!(
                began.elapsed() >= IDLE && began.elapsed() < IDLE * 5,
                "{:?}",
                began.elapsed()
            );
        }
    }
    assert_eq!(refused(&log), 6);
}

#[tokio::test]
async fn dripping_is_cut_by_the_rate() {
    let log = Log::default();
    let at = serve(&log).await;
    let mut stream = start(at, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await;
    let (mut read, mut write) = stream.split();
    let drip = async {
        while write.write_all(b"x").await.is_ok() {
            sleep(ms(100)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = read.read_to_end(&mut answer) => {}
    }
    assert!(
        String::from_utf8(answer)
            .unwrap()
            .contains("the request_rate phase")
    );
}

#[tokio::test]
async fn healthy_clients_and_slow_handlers_are_left_alone() {
    let log = Log::default();
    let at = serve(&log).await;
    let slow_but_healthy = async {
        let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 120\r\n\r\n";
        let mut stream = start(at, head).await;
        for _ in 0..12 {
            sleep(IDLE / 2).await;
            stream.write_all(b"0123456789").await.unwrap();
        }
        assert!(rest(stream).await.ends_with("120"));
    };
    let slow_handler = async {
        let head =
            "POST /ponder HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut stream = start(at, head).await;
        for _ in 0..2 {
            stream.write_all(b"3\r\nabc\r\n").await.unwrap();
            sleep(IDLE / 3).await;
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(rest(stream).await.ends_with('6'));
    };
    tokio::join!(slow_but_healthy, slow_handler);
    assert_eq!(log.events(), []);
}

#[tokio::test]
async fn large_bodies_garbage_and_broken_chunks_are_the_handlers() {
    let log = Log::default();
    let at = serve(&log).await;
    let request = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let call = |text: usize| {
        let text = "x".repeat(text);
        format!(r#"{{"params":{{"t":"{text}"}},"jsonrpc":"2.0","method":"ping","id":"big"}}"#)
    };
    const MIB: usize = 1024 * 1024;
    for (body, found) in [
        (call(10), "true true \"big\""),
        (call(4 * MIB - 200), "true true \"big\""),
        (call(5 * MIB), "true true none"),
        ("\u{0}garbage{{{".to_owned(), "true true none"),
        (String::new(), "true false none"),
    ] {
        let answer = rest(start(at, &request("/call", &body)).await).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with(found),
            "{answer}"
        );
    }
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let broken = rest(start(at, &format!("{chunked}zz\r\n")).await).await;
    assert!(!broken.contains("408"), "{broken}");
    assert_eq!(log.events(), []);
}

#[tokio::test]
async fn expectations_and_upgrades_go_on_as_before() {
    let log = Log::default();
    let at = serve(&log).await;
    let expecting = |path| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        )
    };
    let refused = rest(start(at, &expecting("/never-reads")).await).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");

    let mut stream = start(at, &expecting("/")).await;
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").await.unwrap();
    let answer = rest(stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with('2'),
        "{answer}"
    );

    let head = "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let talk = rest(start(at, head).await).await;
    assert!(
        talk.starts_with("HTTP/1.1 101") && talk.ends_with("\r\n\r\ntalk"),
        "{talk}"
    );
    assert_eq!(log.events(), []);
}
