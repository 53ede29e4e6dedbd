//! Many connections, connections that are not TCP, and listeners that fail.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::serve::{Listener, ProtectionState};
use tower_lifeline::{Event, Reporter, serve};

use super::{Held, LATE, STALL, Server, app, guard, pieces, read_all, settings, small, until};
use crate::wire;

const QUICK: &str = "GET /quick HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn who_comes_when_it_is_full_waits_for_room() {
    let server = Server::start(app(&Held::default()), settings().max_connections(2)).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let _second = TcpStream::connect(server.address).await.unwrap();
    server.has(2).await;
    let mut third = tokio::spawn(wire::raw(server.address, QUICK));
    assert!(timeout(STALL / 2, &mut third).await.is_err(), "it was let in");
    drop(first);
    let answer = timeout(LATE, third).await.unwrap().unwrap();
    assert!(answer.ends_with("quick"));
    assert_eq!(server.handle.accepted(), 3);
}

#[tokio::test]
async fn a_drain_ends_though_it_is_full() {
    let server = Server::start(app(&Held::default()), settings().max_connections(1)).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    server.has(1).await;
    let second = tokio::spawn(wire::raw(server.address, QUICK));
    first.write_all(b"GET").await.unwrap();
    sleep(STALL / 8).await;
    first
        .write_all(b" /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let drained = timeout(LATE, server.drained()).await.unwrap();
    assert_eq!(drained.cut, 0);
    second.abort();
}

#[tokio::test]
async fn one_peer_has_only_its_share() {
    let settings = settings().max_connections_per_peer(2);
    let server = Server::start(app(&Held::default()), settings).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let _second = TcpStream::connect(server.address).await.unwrap();
    server.has(2).await;
    let (answer, _, took) = read_all(TcpStream::connect(server.address).await.unwrap()).await;
    assert!(answer.is_empty() && took < LATE);
    assert!(server.said().contains(&Event::PeerConnectionRefused));
    drop(first);
    server.has(1).await;
    assert!(wire::raw(server.address, QUICK).await.ends_with("quick"));
}

/// Its connections are pipes, and it fails now and then.
struct Pipes(VecDeque<io::Result<DuplexStream>>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        match self.0.pop_front() {
            Some(next) => Ok((next?, ())),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_listener_that_fails_is_asked_again() {
    let (mut client, there) = duplex(64 * 1024);
    let too_many = || Err(io::Error::from_raw_os_error(24));
    let listener = Pipes(VecDeque::from([
        Err(io::ErrorKind::ConnectionAborted.into()),
        too_many(),
        Ok(there),
    ]));
    let failed = super::Events::default();
    let noted = failed.clone();
    let server = serve(listener, app(&Held::default())).with_reporter(Reporter::to(move |event: &Event| {
        noted.lock().unwrap().push(*event)
    }));
    let report = server.report();
    for name in ["stalled connections", "stalled HTTP/2 streams"] {
        let mut lines = report.lines().iter();
        let line = lines.find(|line| line.name() == name).unwrap();
        assert_eq!(line.state(), ProtectionState::Partial, "{line}");
    }
    tokio::spawn(server.into_future());
    client.write_all(QUICK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LATE, client.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("quick"), "{answer}");
    let failed = failed.lock().unwrap();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(matches!(failed[0], Event::AcceptFailed { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_pipe_that_nobody_empties_is_dropped() {
    let (mut client, there) = duplex(1024);
    let held = Held::default();
    let server = serve(Pipes(VecDeque::from([Ok(there)])), app(&held).layer(guard()))
        .with_settings(settings().build().unwrap())
        .with_reporter(Reporter::silent());
    let handle = server.handle();
    tokio::spawn(server.into_future());
    client
        .write_all(b"GET /pieces/1000/0 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    until(LATE, || held.count() == 1).await;
    until(STALL + LATE, || held.count() == 0 && handle.connections() == 0).await;
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_served() {
    let path = std::env::temp_dir().join(format!("lifeline-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let held = Held::default();
    let server = serve(listener, app(&held).layer(guard()))
        .with_extension(|address: &tokio::net::unix::SocketAddr| address.is_unnamed())
        .with_settings(settings().build().unwrap())
        .with_reporter(Reporter::silent());
    let handle = server.handle();
    let task = tokio::spawn(server.into_future());
    let mut socket = tokio::net::UnixStream::connect(&path).await.unwrap();
    socket.write_all(QUICK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("quick"), "{answer}");

    let mut stalled = tokio::net::UnixStream::connect(&path).await.unwrap();
    stalled
        .write_all(b"GET /pieces/1000/0 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    until(LATE, || held.count() == 1).await;
    until(STALL + LATE, || held.count() == 0 && handle.connections() == 0).await;
    handle.drain();
    timeout(LATE, task).await.unwrap().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_panic_ends_its_own_connection() {
    let held = Held::default();
    let app = app(&held).route("/panics", get(async || -> &'static str { panic!("a bug") }));
    let server = Server::start(app, settings()).await;
    let bystander = tokio::spawn(wire::raw(
        server.address,
        "GET /pieces/10/20 HTTP/1.1\r\nhost: a\r\n\r\n",
    ));
    until(LATE, || held.count() == 1).await;
    let answer = wire::raw(server.address, "GET /panics HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(answer, "");
    server.has(1).await;
    assert_eq!((server.handle.requests(), held.count()), (1, 1));
    let request = http::Request::get("http://x/panics").body(()).unwrap();
    let (client, connection) = h2::client::handshake(small(server.address).await).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    assert!(client.send_request(request, true).unwrap().0.await.is_err());
    // Over HTTP/2 it ends its stream.
    let request = http::Request::get("http://x/quick").body(()).unwrap();
    assert_eq!(
        client
            .send_request(request, true)
            .unwrap()
            .0
            .await
            .unwrap()
            .status(),
        200
    );
    bystander.abort();
}

#[tokio::test]
async fn connections_outlive_a_server_that_is_dropped() {
    let held = Held::default();
    let server = Server::start(app(&held), settings()).await;
    let mut socket = small(server.address).await;
    socket
        .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    let read = socket.read(&mut some).await.unwrap();
    assert!(some[..read].ends_with(b"quick"));
    server.task.abort();
    until(LATE, || server.task.is_finished()).await;
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody listens"
    );
    socket.write_all(QUICK.as_bytes()).await.unwrap();
    let (answer, ..) = read_all(socket).await;
    assert!(answer.ends_with("quick"), "{answer}");
    server.has(0).await;
}

#[tokio::test]
async fn a_crowd_that_reads_nothing_is_cut_and_nobody_waits_for_it() {
    const CROWD: usize = 400;
    let held = Held::default();
    let holding = held.clone();
    let app = app(&held)
        .route(
            "/many",
            get(async move || pieces(holding.hold(), 4096, Duration::from_millis(1))),
        )
        .layer(guard());
    let server = Server::start(app, settings()).await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut socket = small(server.address).await;
        socket
            .write_all(b"GET /many HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        crowd.push(socket);
    }
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    while server.handle.connections() > 0 {
        let asked = Instant::now();
        assert!(wire::raw(server.address, QUICK).await.ends_with("quick"));
        longest = longest.max(asked.elapsed());
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} are left",
            held.count()
        );
        sleep(Duration::from_millis(5)).await;
    }
    assert!(longest < LATE, "{longest:?}");
    until(LATE, || held.count() == 0).await;
    assert_eq!(server.handle.requests(), 0);
}
