//! Metrics of a real server: what hyper does with bodies decides how requests end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_lifeline::metrics::MetricsLayer;
use tower_lifeline::{SlowClientGuardLayer, SseHeartbeatLayer};

use crate::wire::serve;

struct Server {
    address: SocketAddr,
    page: PrometheusHandle,
}

/// Two pieces, and `rest`.
fn pieces(rest: impl Stream<Item = &'static str> + Send + 'static) -> Body {
    let pieces = futures::stream::iter(["ab", "c"]).chain(rest);
    Body::from_stream(pieces.map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes()))))
}

async fn server() -> Server {
    let recorder = PrometheusBuilder::new().build_recorder();
    let layer = ::metrics::with_local_recorder(&recorder, MetricsLayer::new);
    let page = recorder.handle();
    let sized = || async {
        // hyper asks for nothing behind the length, so this body never gets to say that it has ended.
        let mut response = Response::new(pieces(futures::stream::pending()));
        response.headers_mut().insert("content-length", 3.into());
        response
    };
    let app = Router::new()
        .route("/full", get(async || "hello"))
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/sized", get(sized))
        .route("/chunked", get(async || pieces(futures::stream::empty())))
        .route("/hangs", get(async || pieces(futures::stream::pending())))
        .route(
            "/silent",
            get(async || std::future::pending::<StatusCode>().await),
        )
        .layer(SseHeartbeatLayer::default())
        .layer(SlowClientGuardLayer::default())
        .layer(layer);
    let address = serve(app).await;
    Server { address, page }
}

impl Server {
    async fn get(&self, method: &str, path: &str, end: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(end) {
            assert_ne!(
                stream.read_buf(&mut said).await.unwrap(),
                0,
                "{path}: {}",
                String::from_utf8_lossy(&said)
            );
        }
        stream
    }

    fn value(&self, series: &str) -> f64 {
        let page = self.page.render();
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(f64::NAN, |value| value.trim().parse().unwrap())
    }

    async fn reaches(&self, series: &str, value: f64) {
        let reached = async {
            while self.value(series) != value {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
        assert!(reached.is_ok(), "{series} {value}: {}", self.page.render());
    }
}

const COMPLETE: &str = "lifeline_requests_ended_total{stage=\"body\",ending=\"complete\"}";
const DROPPED: &str = "lifeline_requests_ended_total{stage=\"body\",ending=\"dropped\"}";
const DROPPED_BEFORE: &str = "lifeline_requests_ended_total{stage=\"head\",ending=\"dropped\"}";
const IN_FLIGHT: &str = "lifeline_requests_in_flight";

#[tokio::test]
async fn answers_that_a_real_server_has_sent_are_complete() {
    let server = server().await;
    let mut open = Vec::new();
    for (count, (method, path, end)) in [
        ("GET", "/full", "hello"),
        ("GET", "/empty", "\r\n\r\n"),
        ("GET", "/sized", "abc"),
        ("GET", "/chunked", "0\r\n\r\n"),
        ("HEAD", "/full", "\r\n\r\n"),
        ("HEAD", "/chunked", "\r\n\r\n"),
        ("GET", "/nowhere", "\r\n\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        open.push(server.get(method, path, end).await);
        server.reaches(COMPLETE, count as f64 + 1.0).await;
        server.reaches(IN_FLIGHT, 0.0).await;
    }
    assert_eq!((server.value(DROPPED), server.value(DROPPED_BEFORE)), (0.0, 0.0));
    let ours = "lifeline_responses_total{status_class=\"4xx\",origin=\"handler\"}";
    assert_eq!(server.value(ours), 1.0);
}

#[tokio::test]
async fn peers_that_vanish_are_counted_with_their_silence() {
    let server = server().await;
    let peer = server.get("GET", "/hangs", "c").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.value(IN_FLIGHT), 1.0);
    drop(peer);
    server.reaches(DROPPED, 1.0).await;
    let silence = server.value("lifeline_vanished_silence_seconds_sum{stage=\"body\"}");
    assert!((0.25..5.0).contains(&silence), "{silence}");

    let peer = server.get("GET", "/silent", "").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(peer);
    server.reaches(DROPPED_BEFORE, 1.0).await;
    let silence = server.value("lifeline_vanished_silence_seconds_sum{stage=\"head\"}");
    assert!((0.25..5.0).contains(&silence), "{silence}");
    server.reaches(IN_FLIGHT, 0.0).await;
}
