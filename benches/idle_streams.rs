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
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::record::record;
use self::served::{Server, Stack, is_quick, median, serve_if_asked};

const STACKS: [Stack; 4] = [Stack::Bare, Stack::KeepAlive, Stack::Heartbeat, Stack::Lifeline];
const STREAMS: usize = 19_000;
/// Files that are not streams.
const OTHER_FILES: usize = 500;
/// How many are being opened at a time.
const AT_ONCE: usize = 64;

#[derive(Debug, Default)]
struct Found {
    bytes_per_stream: Vec<f64>,
    cpu_seconds_per_million_beats: Vec<f64>,
}

fn main() {
    serve_if_asked();
    let most = open_files().saturating_sub(OTHER_FILES);
    let (streams, rounds, interval) = match is_quick() {
        true => (200, 1, Duration::from_secs(1)),
        false => (STREAMS.min(most), 2, Duration::from_secs(3)),
    };
    println!("{streams} idle streams, a beat each {interval:?}");
    println!("| | bytes of the server each | CPU seconds for a million beats |");
    println!("|---|---|---|");
    let mut found = STACKS.map(|_| Found::default());
    for _ in 0..rounds {
        for (stack, found) in STACKS.iter().zip(&mut found) {
            measure(*stack, streams, interval, found);
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
async fn measure(stack: Stack, streams: usize, interval: Duration, found: &mut Found) {
    let server = Server::start(stack, interval);
    let beats = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    // What the first ones need once is no part of what each needs.
    open(server.address, AT_ONCE, &beats, &mut clients).await;
    let before = server.resident();
    for opened in (0..streams).step_by(AT_ONCE) {
        let count = AT_ONCE.min(streams - opened);
        open(server.address, count, &beats, &mut clients).await;
    }
    sleep(interval).await;
    let (cpu, sent) = (server.cpu(), beats.load(Ordering::Relaxed));
    sleep(interval * 3).await;
    let (cpu, sent) = (server.cpu() - cpu, beats.load(Ordering::Relaxed) - sent);
    let bytes = (server.resident() - before) / streams as f64;
    found.bytes_per_stream.push(bytes);
    if sent > 0 {
        let seconds = cpu.as_secs_f64() / sent as f64 * 1e6;
        found.cpu_seconds_per_million_beats.push(seconds);
    }
}

/// Has so many clients ask, and returns when each has its first event.
async fn open(server: SocketAddr, count: usize, beats: &Arc<AtomicU64>, clients: &mut JoinSet<()>) {
    let there = Arc::new(Semaphore::new(0));
    for _ in 0..count {
        clients.spawn(listen(server, there.clone(), beats.clone()));
    }
    let all = u32::try_from(count).expect("a small number");
    drop(there.acquire_many(all).await.expect("it is not closed"));
}

/// Beats are seconds apart, so each comes by itself.
async fn listen(server: SocketAddr, there: Arc<Semaphore>, beats: Arc<AtomicU64>) {
    let mut socket = TcpStream::connect(server).await.expect("a connection");
    let request = b"GET /events HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n";
    socket.write_all(request).await.expect("a request");
    let mut said = Vec::new();
    while !said.windows(5).any(|window| window == b"first") {
        let read = socket.read_buf(&mut said).await.expect("a stream");
        assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&said));
    }
    drop(said);
    there.add_permits(1);
    let mut beat = [0; 64];
    while socket.read(&mut beat).await.is_ok_and(|read| read > 0) {
        beats.fetch_add(1, Ordering::Relaxed);
    }
}

fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("Linux tells of limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let limit = line.and_then(|line| line.split_whitespace().nth(3));
    limit.and_then(|limit| limit.parse().ok()).unwrap_or(STREAMS)
}
