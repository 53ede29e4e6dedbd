//! Answers over HTTP/2 that are one large frame, and windows that do not hold it.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::Event;
use tower_lifeline::serve::ServeSettingsBuilder;

use super::{Held, LATE, STALL, Server, guard, settings, small, until};

/// One frame that is held for as long as any of its bytes.
struct Frame {
    bytes: Vec<u8>,
    _hold: super::Hold,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// `/SIZE` is one frame of so many bytes.
async fn start(held: &Held, settings: ServeSettingsBuilder) -> Server {
    let held = held.clone();
    let whole = async move |axum::extract::Path(size): axum::extract::Path<usize>| {
        let (bytes, hold) = (vec![b'x'; size], held.hold());
        axum::body::Body::from(Bytes::from_owner(Frame { bytes, _hold: hold }))
    };
    let app = Router::new().route("/{size}", get(whole)).layer(guard());
    Server::start(app, settings).await
}

async fn connect(server: &Server, window: u32) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 20)
        .handshake(small(server.address).await)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

async fn open(client: &mut SendRequest<Bytes>, size: usize) -> RecvStream {
    let request = Request::get(format!("http://x/{size}")).body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    response.await.unwrap().into_body()
}

/// Reads `rate` bytes a second to the end.
async fn read(mut body: RecvStream, rate: usize) -> usize {
    let (start, mut read) = (Instant::now(), 0);
    while let Some(piece) = timeout(LATE * 4, body.data()).await.expect("a piece") {
        let length = piece
            .unwrap_or_else(|error| panic!("cut after {read} bytes: {error:?}"))
            .len();
        read += length;
        let due = Duration::from_secs_f64(read as f64 / rate as f64);
        sleep(due.saturating_sub(start.elapsed())).await;
        body.flow_control().release_capacity(length).unwrap();
    }
    read
}

#[tokio::test]
async fn who_has_no_room_for_it_is_reset_and_all_of_it_is_free() {
    let held = Held::default();
    let server = start(&held, settings()).await;
    let mut clients = Vec::new();
    for (window, size) in [(0, 64 * 1024), (1, 64 * 1024), (0, 1 << 20), (1, 1 << 20)] {
        let mut client = connect(&server, window).await;
        let body = open(&mut client, size).await;
        clients.push((client, body));
    }
    assert_eq!((server.handle.requests(), held.count()), (4, 4));
    let began = Instant::now();
    until(STALL + LATE, || {
        held.count() == 0 && server.handle.requests() == 0
    })
    .await;
    assert!(began.elapsed() >= STALL / 2, "{:?}", began.elapsed());
    for (_client, mut body) in clients {
        let reset = timeout(LATE, async {
            loop {
                match body.data().await {
                    Some(Ok(_)) => {}
                    end => break end,
                }
            }
        });
        let reset = reset.await.expect("it is reset").unwrap().unwrap_err();
        assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
    }
}

#[tokio::test]
async fn who_reads_it_slowly_is_not_idle_and_not_stalled() {
    const SIZE: usize = 400_000;
    let held = Held::default();
    let settings = settings()
        .keep_alive_idle(Duration::from_millis(400))
        .max_connection_age(Duration::from_secs(1));
    let server = start(&held, settings).await;
    let mut client = connect(&server, 65_535).await;
    let body = open(&mut client, SIZE).await;
    assert_eq!(read(body, 80_000).await, SIZE);
    let said = server.said();
    let cut = |event: &Event| {
        matches!(
            event,
            Event::ConnectionTimedOut { .. } | Event::ClientTooSlow { .. }
        )
    };
    assert!(!said.iter().any(cut), "{said:?}");
}

#[tokio::test]
async fn who_stops_in_the_middle_of_it_is_reset() {
    let held = Held::default();
    let server = start(&held, settings()).await;
    let mut client = connect(&server, 65_535).await;
    let mut body = open(&mut client, 1 << 20).await;
    let start = Instant::now();
    while start.elapsed() < STALL * 3 {
        let piece = body.data().await.unwrap().unwrap();
        sleep(Duration::from_secs_f64(piece.len() as f64 / 100_000.0)).await;
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    assert_eq!((held.count(), server.handle.requests()), (1, 1));
    let stopped = Instant::now();
    until(STALL + LATE, || {
        held.count() == 0 && server.handle.requests() == 0
    })
    .await;
    assert!(stopped.elapsed() > STALL / 2, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_drain_waits_for_it() {
    const SIZE: usize = 300_000;
    let held = Held::default();
    let settings = settings().keep_alive_idle(Duration::from_millis(400));
    let server = start(&held, settings).await;
    let mut client = connect(&server, 65_535).await;
    let body = open(&mut client, SIZE).await;
    let (handle, reading) = (server.handle.clone(), tokio::spawn(read(body, 100_000)));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(handle.requests(), 1);
    drop(client);
    let drained = server.drained().await;
    assert_eq!(reading.await.unwrap(), SIZE);
    assert_eq!((drained.cut, drained.requests_cut), (0, 0));
}
