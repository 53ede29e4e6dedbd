//! PhaseTimeout over real sockets: what a client sees of a refusal, a goodbye and a cut.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, service_fn};
use tower_lifeline::{PhaseLimits, PhaseTimeoutLayer, Reporter};

use crate::scripted::{Scripted, Step, data};
use crate::wire::{h2, raw, serve};

const GOODBYE: &str = ": the read phase took ";

fn layer() -> PhaseTimeoutLayer {
    let limit = Duration::from_millis(200);
    let limits = PhaseLimits::builder()
        .read(limit)
        .total(20 * limit)
        .build()
        .unwrap();
    PhaseTimeoutLayer::new(limits).with_reporter(Reporter::silent())
}

fn stream(steps: impl IntoIterator<Item = Step>) -> Response<AxumBody> {
    let body = AxumBody::new(Scripted::new(steps));
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap()
}

fn app() -> Router {
    Router::new()
        .route("/hangs", get(std::future::pending::<()>))
        .route("/text", get(async || "12345"))
        .route(
            "/stream",
            get(async || stream([data(1, "data: a\n\n"), Step::Hang])),
        )
        .route(
            "/burst",
            get(async || stream([data(1, vec![b':'; 300_000]), data(0, "\n\n"), Step::Hang])),
        )
        .route(
            "/resumable",
            get(async || stream([data(1, "id: 1\ndata: a\n\n"), Step::Hang])),
        )
        .route(
            "/plain",
            get(async || AxumBody::new(Scripted::new([data(1, "a"), Step::Hang]))),
        )
        .layer(layer())
}

fn get_h1(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

fn get_h2(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://x{path}"))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn h1_a_refusal_is_a_whole_answer() {
    let answer = raw(serve(app()).await, &get_h1("/hangs")).await;
    assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
    assert!(
        answer.contains("content-length: ") && answer.contains("the head phase took"),
        "{answer}"
    );
}

#[tokio::test]
async fn h1_a_known_length_stays_known() {
    let answer = raw(serve(app()).await, &get_h1("/text")).await;
    assert!(
        answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n12345"),
        "{answer}"
    );
}

#[tokio::test]
async fn h1_a_goodbye_arrives_and_the_answer_looks_cut() {
    let address = serve(app()).await;
    let answer = raw(address, &get_h1("/stream")).await;
    assert!(
        answer.contains("data: a\n\n") && answer.contains(GOODBYE),
        "{answer}"
    );
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    let answer = raw(address, &get_h1("/burst")).await;
    assert!(
        answer.contains(GOODBYE) && !answer.ends_with("0\r\n\r\n"),
        "of {} bytes",
        answer.len()
    );
    let answer = raw(address, &get_h1("/plain")).await;
    assert!(answer.ends_with("1\r\na\r\n"), "{answer}");
}

#[tokio::test]
async fn h1_a_resumable_stream_looks_complete() {
    let answer = raw(serve(app()).await, &get_h1("/resumable")).await;
    assert!(answer.ends_with("id: 1\ndata: a\n\n\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn h1_without_chunks_a_cut_cannot_be_seen() {
    // What the layer's documentation says that it cannot do. The goodbye is all there is.
    let answer = raw(serve(app()).await, "GET /stream HTTP/1.0\r\nhost: x\r\n\r\n").await;
    assert!(
        answer.contains("data: a\n\n") && answer.contains(GOODBYE),
        "{answer}"
    );
}

#[tokio::test]
async fn h2_a_refusal_is_a_whole_answer() {
    let response = h2(serve(app()).await, get_h2("/hangs")).await;
    assert_eq!(response.status(), 504);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"the head phase took"), "{text:?}");
}

#[tokio::test]
async fn h2_a_goodbye_arrives_and_the_stream_is_reset() {
    let address = serve(app()).await;
    for (path, goodbye) in [("/stream", true), ("/burst", true), ("/plain", false)] {
        let mut body = h2(address, get_h2(path)).await.into_body();
        let mut said = Vec::new();
        let error = loop {
            match body.frame().await.expect("a reset, not an end") {
                Ok(frame) => said.extend_from_slice(frame.data_ref().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(
            String::from_utf8_lossy(&said).contains(GOODBYE),
            goodbye,
            "{path}"
        );
        let reset = std::error::Error::source(&error).unwrap().to_string();
        assert!(reset.contains("stream error received"), "{reset}");
    }
}

#[tokio::test]
async fn h2_a_resumable_stream_looks_complete() {
    let body = h2(serve(app()).await, get_h2("/resumable")).await.into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "id: 1\ndata: a\n\n");
}

#[tokio::test]
async fn a_bare_hyper_service_needs_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = layer().layer(service_fn(async |request: Request<hyper::body::Incoming>| {
        if request.uri().path() == "/hangs" {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("here"))))
    }));
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
        }
    });
    assert!(raw(address, &get_h1("/")).await.ends_with("\r\n\r\nhere"));
    assert!(raw(address, &get_h1("/hangs")).await.starts_with("HTTP/1.1 504"));
}

#[tokio::test]
async fn an_upgraded_connection_outlives_every_phase() {
    let echo = async |mut request: Request<AxumBody>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut socket = TokioIo::new(upgrade.await.unwrap());
            let mut byte = [0];
            while socket.read_exact(&mut byte).await.is_ok() {
                socket.write_all(&byte).await.unwrap();
            }
        });
        let switching = Response::builder()
            .status(101)
            .header("upgrade", "echo")
            .header("connection", "upgrade");
        switching.body(AxumBody::empty()).unwrap()
    };
    let limit = Duration::from_millis(100);
    let limits = PhaseLimits::builder().read(limit).total(limit).build().unwrap();
    let address = serve(
        Router::new()
            .route("/", any(echo))
            .layer(PhaseTimeoutLayer::new(limits)),
    )
    .await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    tokio::time::sleep(3 * limit).await;
    socket.write_all(b"x").await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'x');
}
