//! A long way to the server: what passes in either direction arrives late, and not evenly so.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

use super::clients::connect;

/// So much is on the way at most, as by a window.
const WINDOW: usize = 32 * 1024;

/// A way to `server` on which everything takes `delay`, and up to half as long again.
pub(super) async fn delayed(server: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = connect(server).await.into_split();
            tokio::spawn(pass(from_client, to_server, delay));
            tokio::spawn(pass(from_server, to_client, delay));
        }
    });
    address
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let mut on_the_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let (mut held, mut jitter, mut is_open) = (0, 7_u32, true);
    let mut bytes = [0; 4096];
    while is_open || !on_the_way.is_empty() {
        let due = on_the_way.front().map_or_else(Instant::now, |(due, _)| *due);
        tokio::select! {
            read = from.read(&mut bytes), if is_open && held < WINDOW => match read {
                Ok(read @ 1..) => {
                    jitter = jitter.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    let late = delay.mul_f64(f64::from(jitter >> 16 & 0xFF) / 512.0);
                    // Nothing overtakes anything.
                    let last = on_the_way.back().map_or_else(Instant::now, |(due, _)| *due);
                    let due = last.max(Instant::now() + delay + late);
                    held += read;
                    on_the_way.push_back((due, bytes[..read].to_vec()));
                }
                _ => is_open = false,
            },
            () = sleep_until(due), if !on_the_way.is_empty() => {
                let (_, piece) = on_the_way.pop_front().unwrap();
                held -= piece.len();
                if to.write_all(&piece).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.shutdown().await;
}
