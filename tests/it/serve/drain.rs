//! A drain, with everything on its connections that there can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::{Event, Reporter, serve};

use super::{Held, LATE, Server, app, read_all, settings, small, until};
use crate::wire;

const BOUND: Duration = Duration::from_millis(800);

fn with_web_socket(held: &Held) -> Router {
    let echo = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        })
    };
    app(held).route("/echo", any(echo))
}

async fn web_socket(server: &Server) -> TcpStream {
    let mut socket = small(server.address).await;
    let request = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    socket
}

#[tokio::test]
async fn who_does_not_end_in_time_is_cut_and_counted() {
    let held = Held::default();
    let server = Server::start(with_web_socket(&held), settings().drain(BOUND)).await;
    let mut idle = small(server.address).await;
    idle.write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    assert!(idle.read(&mut some).await.unwrap() > 0);
    let silent = small(server.address).await;
    let mut half = small(server.address).await;
    half.write_all(b"GET /quick HT").await.unwrap();
    let socket = web_socket(&server).await;
    let mut stream = small(server.address).await;
    stream
        .write_all(b"GET /pieces/10/20 HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let (h2, connection) = h2::client::handshake(small(server.address).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut h2 = h2.ready().await.unwrap();
    let request = Request::get("http://x/pieces/10/20").body(()).unwrap();
    let (response, _) = h2.send_request(request, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    until(LATE, || held.count() == 2).await;
    server.has(6).await;
    assert_eq!(server.handle.requests(), 2);

    let events = server.events.clone();
    let (handle, address, start) = (server.handle.clone(), server.address, Instant::now());
    let draining = tokio::spawn(server.drained());
    // Whoever has nothing to wait for goes at once, in order.
    for socket in [idle, silent] {
        let (rest, is_end, took) = read_all(socket).await;
        assert!(rest.is_empty() && is_end && took < BOUND, "{rest} {took:?}");
    }
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    assert!(!handle.is_ready());
    // Who was about to ask is answered, and told that this was all.
    half.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let (answer, is_end, _) = read_all(half).await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("quick") && is_end,
        "{answer}"
    );
    // New streams are not taken, old ones go on.
    until(LATE, || handle.connections() == 3).await;
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    assert!(start.elapsed() >= BOUND, "{:?}", start.elapsed());
    let drained = timeout(LATE, draining).await.unwrap().unwrap();
    assert_eq!(
        (drained.connections, drained.cut, drained.requests_cut),
        (6, 3, 2)
    );
    assert!(
        drained.took >= BOUND && drained.took < BOUND + LATE,
        "{drained:?}"
    );
    assert!(connection.await.unwrap().is_err());
    // Nothing that was cut looks complete.
    for socket in [stream, socket] {
        let (_, is_end, _) = read_all(socket).await;
        assert!(!is_end);
    }
    until(LATE, || {
        handle.connections() == 0 && handle.requests() == 0 && held.count() == 0
    })
    .await;
    let said = events.lock().unwrap().clone();
    assert!(matches!(said[0], Event::DrainBegan), "{said:?}");
    assert!(
        matches!(
            said.last(),
            Some(Event::Drained {
                cut: 3,
                requests_cut: 2,
                ..
            })
        ),
        "{said:?}"
    );
}

#[tokio::test]
async fn it_is_announced_before_the_door_is_closed() {
    let server = Server::start(app(&Held::default()), settings().drain_delay(BOUND)).await;
    let handle = server.handle.clone();
    let address = server.address;
    let mut idle = small(address).await;
    server.has(1).await;
    let start = Instant::now();
    handle.drain();
    handle.drain();
    sleep(BOUND / 2).await;
    assert!(!handle.is_ready());
    let quick = wire::raw(
        address,
        "GET /quick HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(quick.ends_with("quick"));
    idle.write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let drained = server.task.await.unwrap();
    assert_eq!((drained.connections, drained.cut), (1, 0));
    assert!(
        drained.took >= BOUND && start.elapsed() < BOUND + LATE,
        "{drained:?}"
    );
}

#[tokio::test]
async fn connections_are_told_over_a_time_and_hooks_called_after_it() {
    const SPREAD: Duration = Duration::from_millis(1000);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let said = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let [once, twice] = said.clone();
    let both = || said.iter().filter(|said| said.load(Ordering::SeqCst)).count();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let settings = ServeSettings::builder()
        .drain_delay(Duration::ZERO)
        .drain_spread(SPREAD);
    let server = serve(listener, app(&Held::default()))
        .with_settings(settings.build().unwrap())
        .with_reporter(Reporter::silent())
        .with_shutdown(async move { drop(stopped.await) })
        .at_drain(move || once.store(true, Ordering::SeqCst))
        .at_drain(|| panic!("a bug in a hook"))
        .at_drain(move || twice.store(true, Ordering::SeqCst));
    let handle = server.handle();
    let task = tokio::spawn(server.into_future());
    let mut clients = Vec::new();
    for _ in 0..24 {
        let mut socket = small(address).await;
        socket
            .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut some = [0; 1024];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        clients.push(tokio::spawn(read_all(socket)));
    }
    assert_eq!((handle.connections(), both()), (24, 0));
    stop.send(()).unwrap();
    sleep(SPREAD / 2).await;
    assert_eq!(both(), 0, "who was not told yet would be refused");
    let drained = task.await.unwrap();
    assert_eq!((drained.cut, both()), (0, 2));
    let mut ends = Vec::new();
    for client in clients {
        ends.push(client.await.unwrap().2);
    }
    let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
    assert!(*last - *first > SPREAD / 2, "{first:?} to {last:?}");
    assert!(drained.took < SPREAD + LATE, "{drained:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_holds_up_no_drain() {
    let settings = settings().keep_alive_idle(BOUND).drain(Duration::from_secs(30));
    let server = Server::start(app(&Held::default()), settings).await;
    let mut mute = small(server.address).await;
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut some = [0; 1024];
    assert!(mute.read(&mut some).await.unwrap() > 0);
    let drained = timeout(BOUND * 2 + LATE, server.drained()).await.unwrap();
    assert_eq!(drained.cut, 0, "it was ended before");
}

#[tokio::test]
async fn a_drain_without_a_bound_is_no_overflow() {
    let settings = settings()
        .drain(Duration::MAX)
        .drain_spread(Duration::MAX)
        .max_connection_age(Duration::MAX);
    let server = Server::start(app(&Held::default()), settings).await;
    let silent = small(server.address).await;
    server.has(1).await;
    let drained = server.drained();
    let mut drained = std::pin::pin!(drained);
    assert!(timeout(BOUND, &mut drained).await.is_err(), "nothing bounds it");
    drop(silent);
    let drained = timeout(LATE, drained).await.unwrap();
    assert_eq!((drained.connections, drained.cut), (1, 0));

    let settings = super::settings().drain_delay(Duration::MAX);
    let server = Server::start(app(&Held::default()), settings).await;
    server.handle.drain();
    sleep(BOUND / 4).await;
    assert!(!server.handle.is_ready() && !server.task.is_finished());
    let quick = "GET /quick HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(wire::raw(server.address, quick).await.ends_with("quick"));
}

#[tokio::test]
async fn hooks_are_called_though_somebody_stays() {
    const SPREAD: Duration = Duration::from_millis(300);
    let held = Held::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (say, said) = tokio::sync::oneshot::channel();
    let server = serve(listener, app(&held))
        .with_settings(settings().drain_spread(SPREAD).drain(BOUND * 2).build().unwrap())
        .with_reporter(Reporter::silent())
        .at_drain(move || say.send(Instant::now()).unwrap());
    let handle = server.handle();
    let task = tokio::spawn(server.into_future());
    let mut stream = small(address).await;
    stream
        .write_all(b"GET /pieces/10/20 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    until(LATE, || held.count() == 1).await;
    let start = Instant::now();
    handle.drain();
    let took = timeout(LATE, said).await.unwrap().unwrap() - start;
    assert!(took >= SPREAD && took < BOUND * 2, "{took:?}");
    let reading = tokio::spawn(read_all(stream));
    assert_eq!(task.await.unwrap().cut, 1);
    drop(reading);
}
