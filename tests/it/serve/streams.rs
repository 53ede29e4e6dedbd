//! Streams of one HTTP/2 connection that stall, and their neighbours.

use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use tokio::time::{Instant, sleep, timeout};

use super::{Held, LATE, STALL, Server, app, guard, settings, small, until};

async fn connect(server: &Server, connection_window: u32) -> SendRequest<Bytes> {
    let socket = small(server.address).await;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(65_535)
        .initial_connection_window_size(connection_window)
        .handshake(socket)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

async fn open(client: &mut SendRequest<Bytes>, path: &str) -> RecvStream {
    let request = Request::get(format!("http://x{path}")).body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    response.await.unwrap().into_body()
}

/// Reads for ever, and says at each piece for how long there was none.
async fn read(mut body: RecvStream, until: Instant) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    while Instant::now() < until {
        let piece = timeout(Duration::from_secs(10), body.data())
            .await
            .expect("a piece");
        let piece = piece.expect("there are more").expect("it is not cut");
        body.flow_control().release_capacity(piece.len()).unwrap();
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest
}

async fn reason(mut body: RecvStream) -> Option<h2::Reason> {
    let reset = timeout(STALL * 2 + LATE, async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                end => break end,
            }
        }
    });
    reset.await.expect("it is reset").unwrap().unwrap_err().reason()
}

#[tokio::test]
async fn a_stalled_stream_is_reset_and_its_neighbours_go_on() {
    let held = Held::default();
    let server = Server::start(app(&held).layer(guard()), settings()).await;
    let mut client = connect(&server, 1 << 20).await;
    let neighbour = open(&mut client, "/pieces/100/10").await;
    // Each has its own window, and there is enough for all of them.
    let hogs = [
        open(&mut client, "/pieces/16384/0").await,
        open(&mut client, "/pieces/16384/0").await,
        open(&mut client, "/pieces/16384/0").await,
    ];
    let start = Instant::now();
    let neighbour = tokio::spawn(read(neighbour, start + STALL * 3));
    until(LATE, || held.count() == 4).await;
    // All of them at once, and not one in each stall.
    until(STALL + LATE, || held.count() == 1).await;
    for hog in hogs {
        assert_eq!(reason(hog).await, Some(h2::Reason::CANCEL));
    }
    let longest = neighbour.await.unwrap();
    assert!(longest < STALL / 2, "{longest:?}");
    assert_eq!(server.handle.connections(), 1);
}

#[tokio::test]
async fn the_stream_goes_that_keeps_the_window_of_all() {
    let held = Held::default();
    let server = Server::start(app(&held).layer(guard()), settings()).await;
    let mut client = connect(&server, 65_535).await;
    let start = Instant::now();
    let healthy = [
        open(&mut client, "/pieces/100/20").await,
        open(&mut client, "/pieces/200/30").await,
    ];
    let healthy = healthy.map(|body| tokio::spawn(read(body, start + STALL * 5)));
    sleep(STALL / 2).await;
    let hog = open(&mut client, "/pieces/16384/0").await;
    until(LATE, || held.count() == 3).await;
    assert_eq!(reason(hog).await, Some(h2::Reason::CANCEL));
    for healthy in healthy {
        let longest = healthy.await.unwrap();
        assert!(longest > STALL / 2, "the hog was to keep it waiting: {longest:?}");
        assert!(longest < STALL * 2 + LATE, "{longest:?}");
    }
    assert_eq!(server.handle.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_reads_no_stream_goes_as_a_whole() {
    let held = Held::default();
    let server = Server::start(app(&held).layer(guard()), settings()).await;
    let mut client = connect(&server, 65_535).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(open(&mut client, "/pieces/16384/0").await);
    }
    until(LATE, || held.count() == 8).await;
    // One of them first, which might have been the hog.
    until(STALL * 2 + LATE, || held.count() == 0).await;
    server.has(0).await;
}
