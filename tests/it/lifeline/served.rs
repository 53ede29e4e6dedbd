//! `Lifeline::serve`: the server's settings are the stack's, and a drain ends what the stack holds.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_lifeline::serve::{Drained, ProtectionState, ServeHandle, ServeSettings};
use tower_lifeline::sse_heartbeat::HeartbeatSettings;
use tower_lifeline::{Lifeline, SlowClientLimits};

use super::neighbours::echoes;
use super::{example, quiet, secs};
use crate::scripted::{Scripted, Step, data};
use crate::wire;

async fn start(lifeline: &Lifeline, app: Router) -> (SocketAddr, ServeHandle, JoinHandle<Drained>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = lifeline.serve(listener, app);
    let handle = server.handle();
    (address, handle, tokio::spawn(server.into_future()))
}

fn at_once() -> ServeSettings {
    ServeSettings::builder()
        .drain_delay(Duration::ZERO)
        .drain_spread(Duration::ZERO)
        .drain(secs(10))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_drain_says_goodbye_to_streams_and_closes_the_gate() {
    let goodbye = HeartbeatSettings::builder().with_goodbye().build().unwrap();
    let lifeline = quiet().heartbeat(goodbye).server(at_once()).build().unwrap();
    let stream = || async {
        let body = Scripted::new([data(0, "data: 1\n\n"), Step::Hang]);
        (
            [("content-type", "text/event-stream")],
            axum::body::Body::new(body),
        )
            .into_response()
    };
    let app = Router::new().route("/", on_get(stream)).layer(lifeline.layer());
    let (address, handle, server) = start(&lifeline, app).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("data: 1") {
        assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0);
    }
    assert_eq!(lifeline.gate().figures().in_flight, 1);
    handle.drain();
    let drained = timeout(secs(5), server).await.unwrap().unwrap();
    assert_eq!(
        (drained.connections, drained.cut),
        (1, 0),
        "the goodbye ended it, and not the bound"
    );
    assert!(lifeline.gate().is_closed());
    assert_eq!(lifeline.gate().figures().in_flight, 0);
    let rest = client.read_to_end(&mut heard).await;
    let heard = String::from_utf8_lossy(&heard);
    assert!(
        rest.is_err() || !heard.ends_with("0\r\n\r\n"),
        "it must not look whole: {heard}"
    );
}

#[tokio::test]
async fn goodbyes_of_a_drain_are_not_all_said_in_one_moment() {
    const SPREAD: Duration = Duration::from_secs(1);
    let goodbye = HeartbeatSettings::builder().with_goodbye().build().unwrap();
    let server = at_once().to_builder().drain_spread(SPREAD).build().unwrap();
    let lifeline = quiet().heartbeat(goodbye).server(server).build().unwrap();
    let stream = || async {
        let body = Scripted::new([data(0, "data: 1\n\n"), Step::Hang]);
        (
            [("content-type", "text/event-stream")],
            axum::body::Body::new(body),
        )
            .into_response()
    };
    let app = Router::new().route("/", on_get(stream)).layer(lifeline.layer());
    let (address, handle, server) = start(&lifeline, app).await;
    let mut clients = Vec::new();
    for _ in 0..24 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains("data: 1") {
            assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0);
        }
        clients.push(tokio::spawn(async move {
            let _ = client.read_to_end(&mut heard).await;
            assert!(String::from_utf8_lossy(&heard).contains("shutting down"));
            tokio::time::Instant::now()
        }));
    }
    handle.drain();
    let drained = timeout(secs(8), server).await.unwrap().unwrap();
    assert_eq!((drained.connections, drained.cut), (24, 0));
    let mut ends = Vec::new();
    for client in clients {
        ends.push(client.await.unwrap());
    }
    ends.sort();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert!(last - first > SPREAD / 2, "all within {:?}", last - first);
}

#[tokio::test]
async fn the_example_is_served_with_websockets_and_refusals() {
    let lifeline = quiet()
        .max_in_flight(1)
        .max_queue(0)
        .server(at_once())
        .build()
        .unwrap();
    let (address, handle, server) = start(&lifeline, example::around(example::routes(), &lifeline)).await;
    echoes(address).await;
    let held = lifeline.gate().try_enter().unwrap();
    let request = format!(
        "GET /tokens HTTP/1.1\r\nhost: a\r\norigin: https://app.example\r\nauthorization: {}\r\nconnection: close\r\n\r\n",
        example::TOKEN
    );
    let refused = wire::raw(address, &request).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("access-control-allow-origin: *"), "{refused}");
    drop(held);
    handle.drain();
    let drained = timeout(secs(12), server).await.unwrap().unwrap();
    assert_eq!(drained.requests_cut, 0);
}

#[tokio::test]
async fn the_report_knows_whether_stalled_streams_are_reset() {
    let only_says = SlowClientLimits::builder().report_only().build().unwrap();
    let inert = ProtectionState::Inert;
    for (lifeline, state) in [
        (quiet(), ProtectionState::Active),
        (quiet().slow_clients(only_says), inert),
        (quiet().without_slow_clients(), inert),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let report = lifeline
            .build()
            .unwrap()
            .serve(listener, Router::<()>::new())
            .report();
        let mut lines = report.lines().iter();
        let line = lines
            .find(|line| line.name() == "stalled HTTP/2 streams")
            .unwrap();
        assert_eq!(line.state(), state, "{line}");
    }
}
