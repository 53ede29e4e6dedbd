//! Clients that ask for an endless answer and read nothing: what they hold, and when it is free again.
//!
//! `cargo bench --all-features --bench stalled_clients`: 2000 clients over HTTP/1.1, a stall of 3 s, each stack in a
//! process of its own (`--quick`: 50). `examples/stalled_clients.rs` looks closer at `serve` alone, over HTTP/2 too.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

mod record;
mod served;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use self::record::record;
use self::served::{Server, Stack, is_quick, serve_if_asked};

const STACKS: [Stack; 4] = [Stack::Bare, Stack::Peers, Stack::Lifeline, Stack::Served];
/// For so many stalls it is waited until all is free.
const PATIENCE: u32 = 4;

fn main() {
    serve_if_asked();
    let (clients, stall) = match is_quick() {
        true => (50, Duration::from_secs(1)),
        false => (2000, Duration::from_secs(3)),
    };
    println!("{clients} clients that read nothing, a stall of {stall:?}");
    println!("| | KiB of the server each | still held after {PATIENCE} stalls | all free after |");
    println!("|---|---|---|---|");
    for stack in STACKS {
        measure(stack, clients, stall);
    }
    record("stalled_clients", "clients", "all", "clients", &[clients as f64]);
    record(
        "stalled_clients",
        "stall",
        "all",
        "seconds",
        &[stall.as_secs_f64()],
    );
}

#[tokio::main(flavor = "current_thread")]
async fn measure(stack: Stack, clients: usize, stall: Duration) {
    let server = Server::start(stack, stall);
    held(server.address).await;
    let before = server.resident();
    let mut sockets = Vec::new();
    for _ in 0..clients {
        let mut socket = TcpStream::connect(server.address).await.expect("a connection");
        let request = b"GET /endless HTTP/1.1\r\nhost: bench\r\n\r\n";
        socket.write_all(request).await.expect("a request");
        sockets.push(socket);
    }
    let start = Instant::now();
    let (mut most, mut left) = (0.0_f64, clients);
    while left > 0 && start.elapsed() < stall * PATIENCE {
        sleep(Duration::from_millis(50)).await;
        most = most.max(server.resident() - before);
        left = held(server.address).await;
    }
    let (free, name) = (start.elapsed(), stack.name());
    let kib = most / 1024.0 / clients as f64;
    let after = if left == 0 {
        format!("{free:.1?}")
    } else {
        "not".to_owned()
    };
    println!("| {name} | {kib:.0} | {left} | {after} |");
    record("stalled_clients", "memory", name, "KiB", &[kib]);
    record("stalled_clients", "held", name, "clients", &[left as f64]);
    let seconds = (left == 0).then_some(free.as_secs_f64());
    record("stalled_clients", "free", name, "seconds", seconds.as_slice());
}

/// How many of the endless answers are alive.
async fn held(server: SocketAddr) -> usize {
    let mut socket = TcpStream::connect(server).await.expect("a connection");
    let request = b"GET /held HTTP/1.0\r\n\r\n";
    socket.write_all(request).await.expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let body = answer.split("\r\n\r\n").nth(1).and_then(|body| body.parse().ok());
    body.expect("a number")
}
