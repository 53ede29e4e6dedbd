//! Many clients that read nothing, and what they cost until they are gone. They are in a process of their own, whose
//! files are not the server's, and connect before the first of them asks, so that all of them are there at once.
//!
//! `cargo run --release --features serve --example stalled_clients` (10 000 clients, stall of 30 s: some minutes);
//! `… stalled_clients 2000 5` (2000 clients, stall of 5 s). Each of the two processes has to be
//! allowed as many open files (`ulimit -n`) as there are clients, and some. Linux, since it reads what memory is used from `/proc`.
#![expect(clippy::unwrap_used, reason = "an example that fails has nothing to tell")]

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tower_lifeline::serve::{ServeHandle, ServeSettings};
use tower_lifeline::{Reporter, SlowClientGuardLayer, SlowClientLimits, serve};

/// What is there, apart from the machine's other doings.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// Of this process.
    resident: u64,
    /// Of all sockets of the system, at both ends.
    sockets: u64,
    files: usize,
    tasks: usize,
}

#[derive(Default)]
struct Held {
    came: AtomicU64,
    bodies: AtomicU64,
}

struct Hold(Arc<Held>);

const KIB: u64 = 1024;

impl Used {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        let sockets = fs::read_to_string("/proc/net/sockstat").unwrap();
        let pages = sockets
            .lines()
            .find(|line| line.starts_with("TCP:"))
            .and_then(|line| line.rsplit(' ').next())
            .unwrap();
        Self {
            resident: number(resident.split_whitespace().nth(1).unwrap()) * KIB,
            sockets: number(pages) * 4 * KIB,
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }

    fn since(self, before: Self, clients: u64) -> String {
        format!(
            "{} KiB of the process and {} KiB of the system's sockets each, {} files, {} tasks",
            self.resident.saturating_sub(before.resident) / KIB / clients,
            self.sockets.saturating_sub(before.sockets) / KIB / clients,
            self.files,
            self.tasks,
        )
    }
}

impl Hold {
    fn new(held: &Arc<Held>) -> Self {
        held.came.fetch_add(1, Ordering::Relaxed);
        held.bodies.fetch_add(1, Ordering::Relaxed);
        Self(held.clone())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.bodies.fetch_sub(1, Ordering::Relaxed);
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

fn app(held: &Arc<Held>, limits: SlowClientLimits) -> Router {
    let held = held.clone();
    let events = get(async move || {
        let piece = Bytes::from(vec![b'x'; 4096]);
        let hold = Hold::new(&held);
        Body::from_stream(futures::stream::unfold(hold, move |hold| {
            let piece = piece.clone();
            async move { Some((Ok::<_, Infallible>(piece), hold)) }
        }))
    });
    Router::new()
        .route("/events", events)
        .layer(SlowClientGuardLayer::new(limits).with_reporter(Reporter::silent()))
        .route("/quick", get(async || "quick"))
}

/// The other process: clients that connect, and when all of them have, ask and read nothing.
async fn clients(address: SocketAddr, count: u64, protocol: &str) {
    let mut sockets = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        // Both ends are on this machine: their buffers together must not be what its TCP runs out of.
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        let socket = socket.connect(address).await.unwrap();
        if protocol == "h1" {
            sockets.push(socket);
        } else {
            let (client, connection) = h2::client::handshake(socket).await.unwrap();
            tokio::spawn(connection);
            let client: SendRequest<Bytes> = client.ready().await.unwrap();
            streams.push((client, None));
        }
    }
    println!("connected");
    for socket in &mut sockets {
        let request = b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
    }
    for (client, body) in &mut streams {
        let request = Request::get("http://x/events").body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        *body = Some(response.await.unwrap());
    }
    // The parent ends this.
    std::future::pending::<()>().await;
}

async fn quick(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /quick HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("quick"), "{answer}");
    start.elapsed()
}

/// The worst and the median of some, with when they were.
fn latencies(mut all: Vec<(Duration, Duration)>) -> String {
    all.sort();
    let (worst, at) = all[all.len() - 1];
    format!(
        "median {:.1?}, 99 of 100 {:.1?}, worst {worst:.1?} (after {at:.1?})",
        all[all.len() / 2].0,
        all[all.len() * 99 / 100].0,
    )
}

async fn crowd(count: u64, stall: Duration, protocol: &str) {
    let held = Arc::new(Held::default());
    let limits = SlowClientLimits::builder().stall(stall).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let most = usize::try_from(count).unwrap() + 100;
    let settings = ServeSettings::builder()
        .slow_clients(limits)
        // All are to be there before the first one asks.
        .first_byte(Duration::from_secs(600))
        .keep_alive_idle(Duration::from_secs(600))
        .max_connections(most);
    let server = serve(listener, app(&held, limits))
        .with_settings(settings.build().unwrap())
        .with_reporter(Reporter::silent());
    let handle: ServeHandle = server.handle();
    let server = tokio::spawn(server.into_future());
    let mut before_crowd = Vec::new();
    let start = Instant::now();
    for _ in 0..200 {
        before_crowd.push((quick(address).await, start.elapsed()));
    }
    let before = Used::now();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["clients", &address.to_string(), &count.to_string(), protocol])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let connected = spawn_blocking(move || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line
    });
    let start = Instant::now();
    let mut while_connecting = Vec::new();
    while !connected.is_finished() {
        while_connecting.push((quick(address).await, start.elapsed()));
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(connected.await.unwrap(), "connected\n");
    let (connecting, start) = (start.elapsed(), Instant::now());
    let (mut meanwhile, mut peak, mut most_held, mut last_came) = (Vec::new(), before, 0, start);
    let mut came_before = 0;
    while held.came.load(Ordering::Relaxed) < count || held.bodies.load(Ordering::Relaxed) > 0 {
        meanwhile.push((quick(address).await, start.elapsed()));
        let there = held.bodies.load(Ordering::Relaxed);
        most_held = most_held.max(there);
        let came = held.came.load(Ordering::Relaxed);
        if came > came_before {
            (came_before, last_came) = (came, Instant::now());
        }
        let used = Used::now();
        if used.resident + used.sockets > peak.resident + peak.sockets {
            peak = used;
        }
        assert!(
            start.elapsed() < stall * 3 + Duration::from_secs(300),
            "{there} are left"
        );
        sleep(Duration::from_millis(20)).await;
    }
    println!("## {count} clients over {protocol}, stall {stall:?}\n");
    println!(
        "- {most_held} at once; at the peak {}",
        peak.since(before, most_held)
    );
    println!(
        "- all answers gone {:.1?} after the last had come",
        last_came.elapsed()
    );
    println!(
        "- other requests: before {}; while they connected, which took {connecting:.1?}, {}; meanwhile {}",
        latencies(before_crowd),
        latencies(while_connecting),
        latencies(meanwhile)
    );
    if protocol == "h1" {
        while handle.connections() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    } else {
        println!("- {} connections left, without a stream", handle.connections());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while handle.connections() > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(stall / 4 + Duration::from_millis(500)).await;
    println!(
        "- then {}; before: {before:?}\n",
        Used::now().since(before, count)
    );
    server.abort();
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [what, address, count, protocol] = &arguments[..] {
        assert_eq!(what, "clients");
        return clients(address.parse().unwrap(), number(count), protocol).await;
    }
    let count = arguments.first().map_or(10_000, |count| number(count));
    let stall = Duration::from_secs(arguments.get(1).map_or(30, |seconds| number(seconds)));
    for protocol in ["h1", "h2"] {
        crowd(count, stall, protocol).await;
    }
}
