//! A server that does what a script says, byte by byte.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// What is done with one connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(String),
    /// Says it every so many milliseconds, until nobody listens.
    Repeat(String, u64),
    /// Says nothing more, and keeps the connection.
    Hang,
}

/// The server. Each connection gets the next script; the last one stays.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    gone: Arc<AtomicU32>,
}

/// The head of an event stream that ends with its connection.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

pub(crate) fn say(text: impl Into<String>) -> Step {
    Step::Say(text.into())
}

pub(crate) fn token(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// A response with a body of a known length.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![say(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))]
}

// === impl Fake ===

impl Fake {
    pub(crate) async fn serve(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let gone = Arc::new(AtomicU32::new(0));
        let (seen, left) = (Arc::clone(&requests), Arc::clone(&gone));
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let script = scripts[number.min(scripts.len() - 1)].clone();
                tokio::spawn(play(stream, script, Arc::clone(&seen), Arc::clone(&left)));
            }
        });
        Self { url, requests, gone }
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until a client has closed a connection that was still being written to, or held.
    pub(crate) async fn someone_left(&self) {
        for _ in 0..200 {
            if self.gone.load(Ordering::SeqCst) > 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody left");
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>, seen: Arc<Mutex<Vec<String>>>, gone: Arc<AtomicU32>) {
    let request = read(&mut stream).await;
    seen.lock().unwrap().push(request);
    for step in script {
        let done = match step {
            Step::Say(text) => stream.write_all(text.as_bytes()).await,
            Step::Repeat(text, millis) => loop {
                if let Err(error) = stream.write_all(text.as_bytes()).await {
                    break Err(error);
                }
                sleep(Duration::from_millis(millis)).await;
            },
            Step::Hang => stream.read_u8().await.map(drop),
        };
        if done.is_err() {
            gone.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap_or(0);
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = |head: &str| -> Option<usize> {
            let head = head.to_ascii_lowercase();
            head.lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        };
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if body.len() >= length(head).unwrap_or(0) => return text,
            _ if count == 0 => return text,
            _ => (),
        }
    }
}
