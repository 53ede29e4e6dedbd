//! A client of a language model that can tell a slow model from a dead one.
//!
//! `cargo run --example llm_client --features reqwest`
//!
//! A small fake model streams OpenAI-like chunks in five tempers, and the client holds each of them to its
//! phases. All times are scaled down by 150: a real client waits 10 s for a connection, 90 s for the first byte
//! and between two, and 120 s in all, which are the defaults of `PhaseLimits`.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{Stream, StreamExt, future, stream};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tower_lifeline::outgoing::OutgoingError;
use tower_lifeline::outgoing::reqwest::PhasedClient;
use tower_lifeline::{Event, PhaseExpired, PhaseLimits, Reporter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let model = serve_model().await?;
    let limits = PhaseLimits::builder()
        .connect(Duration::from_millis(67))
        .head(Duration::from_millis(600))
        .read(Duration::from_millis(600))
        .total(Duration::from_millis(800))
        .build()?;
    let events = Reporter::to(|event: &Event| println!("    event: {event:?}"));
    let client = PhasedClient::reporting(reqwest::Client::builder().no_proxy(), limits, events)?;

    for (temper, what) in [
        (
            "healthy",
            "thinks for long behind its keep-alive comments, then answers",
        ),
        ("silent", "says nothing at all, not even a response head"),
        (
            "hung",
            "stops in the middle of its answer, but its comments go on",
        ),
        ("endless", "never comes to an end"),
        ("gone", "is not reachable"),
    ] {
        println!("{temper}: a model that {what}");
        let started = Instant::now();
        let host = if temper == "gone" {
            unreachable_host().await?
        } else {
            model
        };
        let (text, outcome) = ask(&client, host, temper).await;
        let took = started.elapsed().as_millis();
        let words = text.split_whitespace().count();
        match outcome {
            Ok(()) => println!("    complete after {took} ms: {text:?}"),
            Err(error) => match error.expired() {
                Some(expired) => println!("    cut after {took} ms and {words} words: {expired}"),
                None => println!("    failed after {took} ms: {error}"),
            },
        }
    }
    Ok(())
}

/// Asks the model, and gives back what it said and how that ended.
async fn ask(client: &PhasedClient, host: SocketAddr, temper: &str) -> (String, Result<(), Failure>) {
    let mut text = String::new();
    let question = r#"{"model":"fake","stream":true,"messages":[{"role":"user","content":"Why?"}]}"#;
    let request = client
        .client()
        .post(format!("http://{host}/{temper}/v1/chat/completions"))
        .header("content-type", "application/json")
        .body(question);
    let mut response = match client.send(request).await {
        Ok(response) => response,
        Err(error) => return (text, Err(error.into())),
    };
    let mut lines = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => lines.extend_from_slice(&bytes),
            Ok(None) => return (text, Ok(())),
            Err(error) => return (text, Err(error.into())),
        }
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            if let Some(word) = word_of(&line) {
                text.push_str(&word);
            }
        }
    }
}

/// The word in a line such as `data: {"choices":[{"delta":{"content":"word"}}]}`.
fn word_of(line: &[u8]) -> Option<String> {
    let json = line.strip_prefix(b"data: ")?;
    let chunk: serde_json::Value = serde_json::from_slice(json).ok()?;
    chunk["choices"][0]["delta"]["content"]
        .as_str()
        .map(str::to_owned)
}

/// What went wrong, before or after the response head.
#[derive(Debug)]
struct Failure(Box<dyn Error + Send + Sync>);

impl Failure {
    fn expired(&self) -> Option<&PhaseExpired> {
        PhaseExpired::find(&*self.0)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<OutgoingError> for Failure {
    fn from(error: OutgoingError) -> Self {
        Self(error.into())
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self(error.into())
    }
}

// === the fake model ===

async fn serve_model() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/{temper}/v1/chat/completions", post(answer));
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(Path(temper): Path<String>) -> Response {
    let done = stream::once(future::ready("data: [DONE]\n\n".to_owned()));
    let stops = words(3).chain(comments(usize::MAX));
    let events = match temper.as_str() {
        "silent" => future::pending().await,
        "hung" => stops.boxed(),
        "endless" => words(usize::MAX).boxed(),
        _ => comments(6).chain(words(5)).chain(done).boxed(),
    };
    let body = Body::from_stream(events.map(Ok::<_, Infallible>));
    ([("content-type", "text/event-stream")], body).into_response()
}

fn words(count: usize) -> impl Stream<Item = String> + Send {
    stream::iter(0..count).then(|n| async move {
        sleep(Duration::from_millis(20)).await;
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word{n} \"}}}}]}}\n\n")
    })
}

fn comments(count: usize) -> impl Stream<Item = String> + Send {
    stream::iter(0..count).then(|_| async {
        sleep(Duration::from_millis(60)).await;
        ": OPENROUTER PROCESSING\n\n".to_owned()
    })
}

/// An address at which connecting hangs, as behind a firewall that drops: a listener whose queue is full.
async fn unreachable_host() -> std::io::Result<SocketAddr> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    for _ in 0..8 {
        tokio::spawn(tokio::net::TcpStream::connect(address));
    }
    tokio::spawn(async move {
        let _listener = listener;
        future::pending::<()>().await;
    });
    sleep(Duration::from_millis(20)).await;
    Ok(address)
}
