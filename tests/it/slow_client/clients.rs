//! Clients whose reading a test decides about.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use super::pattern;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    H1,
    H2,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Cut,
}

/// A receive buffer so small that the server soon notices.
const SMALL: u32 = 4096;

/// A connection with a small receive buffer.
pub(super) async fn connect(address: SocketAddr) -> TcpStream {
    connect_with(address, SMALL).await
}

async fn connect_with(address: SocketAddr, receive_buffer: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(receive_buffer).unwrap();
    socket.connect(address).await.unwrap()
}

/// Asks for `path` over HTTP/1.1 and reads nothing.
pub(super) async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut socket = connect(address).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Sends a request as hyper does. The body is read by whoever polls it, and no further than hyper's buffers.
pub(super) async fn send(
    address: SocketAddr,
    protocol: Protocol,
    path: &str,
) -> hyper::Result<Response<Incoming>> {
    send_with(address, SMALL, protocol, path).await
}

/// The same, with a receive buffer of that size.
pub(super) async fn send_with(
    address: SocketAddr,
    receive_buffer: u32,
    protocol: Protocol,
    path: &str,
) -> hyper::Result<Response<Incoming>> {
    let socket = TokioIo::new(connect_with(address, receive_buffer).await);
    let request = Request::get(format!("http://x{path}"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    match protocol {
        Protocol::H1 => {
            let (mut client, connection) = hyper::client::conn::http1::Builder::new()
                .max_buf_size(8192)
                .handshake(socket)
                .await?;
            tokio::spawn(connection);
            client.send_request(request).await
        }
        Protocol::H2 => {
            let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(65_535)
                .initial_connection_window_size(65_535)
                .handshake(socket)
                .await?;
            tokio::spawn(connection);
            client.send_request(request).await
        }
    }
}

/// Reads a body to its end, after so many bytes of it: each must be what it should be.
pub(super) async fn read_on(mut body: Incoming, read: &mut u64) -> End {
    loop {
        match body.frame().await {
            None => return End::Whole,
            Some(Err(_)) => return End::Cut,
            Some(Ok(frame)) => {
                let piece = frame.into_data().unwrap();
                assert!(piece == pattern(*read, piece.len()), "a wrong byte after {read}");
                *read += piece.len() as u64;
            }
        }
    }
}

/// Reads `rate` bytes a second for so long, in pieces as they come each 20 ms, with a pause of so much in the middle
/// of each second. How many were read; an error: the connection ended.
pub(super) async fn read_slowly(
    mut socket: impl AsyncRead + Unpin,
    rate: usize,
    time: Duration,
    pause: Duration,
) -> Result<usize, usize> {
    let (mut total, start, mut paused_at) = (0, Instant::now(), Instant::now());
    let mut bytes = vec![0; rate / 50];
    while start.elapsed() < time {
        sleep(Duration::from_millis(20)).await;
        if paused_at.elapsed() > Duration::from_secs(1) {
            sleep(pause).await;
            paused_at = Instant::now();
        }
        match socket.read_exact(&mut bytes).await {
            Ok(_) => total += bytes.len(),
            Err(_) => return Err(total),
        }
    }
    Ok(total)
}
