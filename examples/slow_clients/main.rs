//! Clients that read slowly or not at all, over real sockets: what is produced for them until somebody notices, how
//! long nothing is to be seen of one that does read, and what looking costs. It prints the figures of
//! `docs/slow-clients.md`.
//!
//! `cargo run --release --features axum --example slow_clients` (stall of 30 s, some five minutes); `… slow_clients 3`
//! (stall of 3 s, the same at a tenth of the time).
#![expect(clippy::unwrap_used, reason = "an example that fails has nothing to tell")]

mod seen;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::connection::{IoGuard, SocketSettings};
use tower_lifeline::{SeenBy, SlowClientGuardLayer, SlowClientLimits};

use self::seen::Seen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Bare,
    Layer,
    LayerAndIo,
    /// Sockets as the system makes them, but for `TCP_NODELAY`.
    LayerAndIoWithoutLowat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    H1,
    /// In segments of 1448 bytes, where loopback has 64 KiB.
    H1OverEthernet,
    H2,
}

/// What is produced: pieces of one size, at once or one each `every`.
#[derive(Clone, Copy, Debug)]
struct Feed {
    piece: usize,
    every: Duration,
}

const KIB: usize = 1024;
const AT_ONCE: Duration = Duration::ZERO;
const LARGE: Feed = Feed {
    piece: 64 * KIB,
    every: AT_ONCE,
};
const SMALL: Feed = Feed {
    piece: 200,
    every: AT_ONCE,
};
/// 100 KB/s and 10 KB/s, as of many tokens and of few.
const FLOW: Feed = Feed {
    piece: 200,
    every: Duration::from_millis(2),
};
const TRICKLE: Feed = Feed {
    piece: 200,
    every: Duration::from_millis(20),
};

// === Servers ===

fn body(feed: Feed, seen: Arc<Seen>, most: u64) -> Body {
    let piece = Bytes::from(vec![b'x'; feed.piece]);
    Body::from_stream(futures::stream::unfold(0, move |sent| {
        let (piece, seen) = (piece.clone(), seen.clone());
        async move {
            if sent >= most {
                return None;
            }
            if feed.every > AT_ONCE {
                sleep(feed.every).await;
            }
            seen.produced.fetch_add(piece.len() as u64, Ordering::Relaxed);
            let sent = sent + piece.len() as u64;
            Some((Ok::<_, Infallible>(piece), sent))
        }
    }))
}

async fn serve(
    server: Server,
    limits: SlowClientLimits,
    feed: Feed,
    seen: &Arc<Seen>,
    most: u64,
) -> SocketAddr {
    let fed = seen.clone();
    let app = Router::new().route("/", get(move || async move { body(feed, fed, most) }));
    let layer = SlowClientGuardLayer::new(limits).with_reporter(seen.reporter());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    match server {
        Server::Bare => tokio::spawn(async move { axum::serve(listener, app).await }),
        Server::Layer => tokio::spawn(async move { axum::serve(listener, app.layer(layer)).await }),
        Server::LayerAndIo | Server::LayerAndIoWithoutLowat => {
            let mut guard = IoGuard::new(limits).with_reporter(seen.reporter());
            if server == Server::LayerAndIoWithoutLowat {
                guard =
                    guard.with_settings(SocketSettings::builder().without_notsent_lowat().build().unwrap());
            }
            tokio::spawn(async move { axum::serve(guard.listen(listener), app.layer(layer)).await })
        }
    };
    address
}

// === Clients ===

/// Reads `rate` bytes a second after a burst of `burst`, for ever; with a rate of zero, nothing.
async fn read(address: SocketAddr, protocol: Protocol, burst: usize, rate: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    if protocol == Protocol::H1OverEthernet {
        SockRef::from(&socket).set_tcp_mss(1448).unwrap();
    }
    let mut socket = socket.connect(address).await.unwrap();
    if protocol != Protocol::H2 {
        socket
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut bytes = vec![0; 64 * KIB];
        let mut left = burst;
        while left > 0 {
            left = left.saturating_sub(socket.read(&mut bytes).await.unwrap());
        }
        if rate == 0 {
            return std::future::pending().await;
        }
        loop {
            sleep(Duration::from_millis(20)).await;
            if socket.read_exact(&mut bytes[..rate / 50]).await.is_err() {
                return;
            }
        }
    }
    let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(65_535)
        .handshake(TokioIo::new(socket));
    let (mut client, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://x/").body(Empty::<Bytes>::new()).unwrap();
    let mut answer = client.send_request(request).await.unwrap().into_body();
    let mut left = burst;
    while rate > 0 || left > 0 {
        let Some(Ok(frame)) = answer.frame().await else {
            break;
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        if left > 0 {
            left = left.saturating_sub(length);
        } else {
            sleep(Duration::from_secs_f64(length as f64 / rate as f64)).await;
        }
    }
    let _ = connection.await;
}

// === The tables ===

/// What a client that reads nothing costs.
async fn nothing(stall: Duration) {
    println!("# A client that reads nothing, stall {stall:?}\n");
    println!(
        "| protocol | produced | server | cut by | after | produced until then |\n|---|---|---|---|---|---|"
    );
    let mut rows = JoinSet::new();
    let feeds = [
        ("200 B at once", SMALL),
        ("64 KiB at once", LARGE),
        ("200 B each 2 ms", FLOW),
        ("200 B each 20 ms", TRICKLE),
    ];
    for (place, ((protocol, name), (fed, feed), server)) in
        [(Protocol::H1, "HTTP/1.1"), (Protocol::H2, "HTTP/2")]
            .into_iter()
            .flat_map(|protocol| feeds.map(|feed| (protocol, feed)))
            .flat_map(|(protocol, feed)| {
                [Server::Layer, Server::LayerAndIo, Server::LayerAndIoWithoutLowat]
                    .map(|server| (protocol, feed, server))
            })
            .enumerate()
    {
        rows.spawn(async move {
            let limits = SlowClientLimits::builder().stall(stall).build().unwrap();
            let seen = Seen::new();
            let address = serve(server, limits, feed, &seen, u64::MAX).await;
            let client = tokio::spawn(read(address, protocol, 0, 0));
            let end = Instant::now() + stall * 4;
            while seen.cut().is_none() && Instant::now() < end {
                sleep(Duration::from_millis(20)).await;
            }
            client.abort();
            let row = match seen.cut() {
                Some((by, after, produced)) => {
                    format!(
                        "{} | {:.1} s | {}",
                        by.as_str(),
                        after.as_secs_f64(),
                        kib(produced)
                    )
                }
                None => format!(
                    "nobody | > {:?} | {}",
                    stall * 4,
                    kib(seen.produced.load(Ordering::Relaxed))
                ),
            };
            (place, format!("| {name} | {fed} | {server:?} | {row} |"))
        });
    }
    print(rows).await;
}

/// For how long nothing is to be seen of clients that do read.
async fn gaps(span: Duration) {
    println!("\n# The longest time without visible progress of a client that reads, in {span:?}\n");
    println!(
        "| protocol | produced | reads | alone: body | with GuardedIo: body | connection |\n|---|---|---|---|---|---|"
    );
    let mut rows = JoinSet::new();
    let protocols = [
        (Protocol::H1OverEthernet, "HTTP/1.1, segments of 1448 B"),
        (Protocol::H1, "HTTP/1.1, segments of 64 KiB"),
        (Protocol::H2, "HTTP/2"),
    ];
    let feeds = [("64 KiB at once", LARGE), ("200 B at once", SMALL)];
    let readers = [
        ("5 KB/s", 0, 5_000),
        ("40 KB/s", 0, 40_000),
        ("320 KB/s", 0, 320_000),
        ("20 MB, then 5 KB/s", 20 << 20, 5_000),
    ];
    for (place, ((protocol, name), (fed, feed), (how, burst, rate))) in protocols
        .into_iter()
        .flat_map(|protocol| feeds.map(|feed| (protocol, feed)))
        .flat_map(|(protocol, feed)| readers.map(|reader| (protocol, feed, reader)))
        .enumerate()
    {
        rows.spawn(async move {
            let stall = Duration::from_millis(200);
            let limits = SlowClientLimits::builder()
                .stall(stall)
                .report_only()
                .build()
                .unwrap();
            let both = [Server::Layer, Server::LayerAndIo].map(|server| async move {
                let seen = Seen::new();
                let address = serve(server, limits, feed, &seen, u64::MAX).await;
                let client = tokio::spawn(read(address, protocol, burst, rate));
                sleep(span).await;
                client.abort();
                [SeenBy::Body, SeenBy::Connection].map(|by| seen.gap(by))
            });
            let [[alone, _], [body, connection]] = futures::future::join_all(both).await.try_into().unwrap();
            (
                place,
                format!("| {name} | {fed} | {how} | {alone} | {body} | {connection} |"),
            )
        });
    }
    print(rows).await;
}

/// What looking costs a download.
async fn throughput() {
    const BYTES: u64 = 200_000_000;
    println!("\n# A download of 200 MB on loopback, HTTP/1.1, medians of 15 interleaved runs\n");
    let servers = [
        Server::Bare,
        Server::Layer,
        Server::LayerAndIo,
        Server::LayerAndIoWithoutLowat,
    ];
    let mut times = [const { Vec::new() }; 4];
    let limits = SlowClientLimits::new();
    for _ in 0..15 {
        for (server, times) in servers.into_iter().zip(&mut times) {
            let address = serve(server, limits, LARGE, &Seen::new(), BYTES).await;
            let start = Instant::now();
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            let (mut bytes, mut total) = (vec![0; 256 * KIB], 0);
            while let Ok(read @ 1..) = socket.read(&mut bytes).await {
                total += read as u64;
            }
            assert!(total > BYTES);
            times.push(start.elapsed());
        }
    }
    let medians = times.map(|mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    });
    for (server, median) in servers.into_iter().zip(medians) {
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        println!("{server:?}: {median:.1?}, {ratio:.3} of the time");
    }
}

async fn print(mut rows: JoinSet<(usize, String)>) {
    let mut lines = Vec::new();
    while let Some(row) = rows.join_next().await {
        lines.push(row.unwrap());
    }
    lines.sort();
    for (_, line) in lines {
        println!("{line}");
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / KIB as u64)
}

#[tokio::main]
async fn main() {
    let stall = std::env::args()
        .nth(1)
        .map_or(30.0, |seconds| seconds.parse().unwrap());
    let stall = Duration::from_secs_f64(stall);
    let whole = async {
        throughput().await;
        nothing(stall).await;
        gaps(stall * 5).await;
    };
    timeout(stall * 15 + Duration::from_secs(120), whole)
        .await
        .unwrap();
}
