//! What a stream costs on which nothing happens: memory, and processor time for its beats.
//!
//! `cargo bench --all-features --bench idle_streams`. The streams are as many as the limit of open files allows, at
//! most 19 000; each stack serves them from a process of its own. With `--quick`: 200.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

mod record;
mod served;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::record::record;
use self::served::{Server, Stack, is_quick, median, serve_if_asked};

const STACKS: [Stack; 4] = [Stack::Bare, Stack::KeepAlive, Stack::Heartbeat, Stack::Lifeline];
const STREAMS: usize = 19_000;
/// Files that are not streams.
const OTHER_FILES: usize = 500;
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Found {
    bytes_per_stream: Vec<f64>,
    cpu_seconds_per_million_beats: Vec<f64>,
}

fn main() {
    serve_if_asked();
    let (streams, rounds, span) = match is_quick() {
        true => (200, 1, INTERVAL * 2),
        false => (
            STREAMS.min(open_files().saturating_sub(OTHER_FILES)),
            3,
            INTERVAL * 8,
        ),
    };
    println!("{streams} idle streams, a beat each {INTERVAL:?}");
    println!("| | bytes of the server each | CPU seconds for a million beats |");
    println!("|---|---|---|");
    let mut found = STACKS.map(|_| Found::default());
    for _ in 0..rounds {
        for (stack, found) in STACKS.iter().zip(&mut found) {
            measure(*stack, streams, span, found);
        }
    }
    for (stack, found) in STACKS.iter().zip(found) {
        let (bytes, cpu) = (&found.bytes_per_stream, &found.cpu_seconds_per_million_beats);
        println!("| {} | {:.0} | {:.1} |", stack.name(), median(bytes), median(cpu));
        record("idle_streams", "memory", stack.name(), "bytes", bytes);
        record("idle_streams", "beats", stack.name(), "CPU seconds", cpu);
    }
    record("idle_streams", "streams", "all", "streams", &[streams as f64]);
}

#[tokio::main(flavor = "current_thread")]
async fn measure(stack: Stack, streams: usize, span: Duration, found: &mut Found) {
    let server = Server::start(stack, INTERVAL);
    let beats = Arc::new(AtomicU64::new(0));
    // What the first ones need is none of the others' cost.
    let mut clients = JoinSet::new();
    for _ in 0..64 {
        clients.spawn(open(server.address).await.listen(beats.clone()));
    }
    let before = server.resident();
    for _ in 0..streams {
        clients.spawn(open(server.address).await.listen(beats.clone()));
    }
    sleep(INTERVAL * 2).await;
    let (cpu, sent) = (server.cpu(), beats.load(Ordering::Relaxed));
    sleep(span).await;
    let (cpu, sent) = (server.cpu() - cpu, beats.load(Ordering::Relaxed) - sent);
    let bytes = (server.resident() - before) / streams as f64;
    found.bytes_per_stream.push(bytes);
    if sent > 0 {
        let seconds = cpu.as_secs_f64() / sent as f64 * 1e6;
        found.cpu_seconds_per_million_beats.push(seconds);
    }
}

struct Client(TcpStream);

/// Asks for a stream and waits for its first event.
async fn open(server: SocketAddr) -> Client {
    let mut socket = TcpStream::connect(server).await.expect("a connection");
    let request = b"GET /events HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n";
    socket.write_all(request).await.expect("a request");
    let mut said = Vec::new();
    while !said.windows(5).any(|window| window == b"first") {
        let read = socket.read_buf(&mut said).await.expect("a stream");
        assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&said));
    }
    Client(socket)
}

impl Client {
    /// Beats are a second apart, so each comes by itself.
    async fn listen(mut self, beats: Arc<AtomicU64>) {
        let mut beat = [0; 64];
        while self.0.read(&mut beat).await.is_ok_and(|read| read > 0) {
            beats.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("Linux tells of limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let limit = line.and_then(|line| line.split_whitespace().nth(3));
    limit.and_then(|limit| limit.parse().ok()).unwrap_or(STREAMS)
}
