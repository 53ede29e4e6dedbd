//! `Lifeline` around a plain hyper service, without axum: a server loop of one's own, with connections that are cut
//! when their client takes nothing.
//!
//! ```sh
//! cargo run --example hyper_only --features io
//! curl -N localhost:3000 -H 'accept: text/event-stream'
//! ```
//! With the feature `serve` the loop below is `lifeline.serve(listener, service).await`, which also limits handshakes,
//! request heads and idle connections, resets the stream that was cut, and drains.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_lifeline::Lifeline;
use tower_lifeline::connection::{GuardedIo, IoGuard};

/// A count of six that takes a nap of twenty seconds before each number.
async fn count<B>(_: Request<B>) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let numbers = stream::iter(1..=6).then(|number| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(Frame::data(Bytes::from(format!("data: {number}\n\n"))))
    });
    let mut response = Response::new(StreamBody::new(numbers).boxed_unsync());
    let kind = http::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let lifeline = Lifeline::builder().max_in_flight(32).build()?;
    let service = TowerToHyperService::new(lifeline.layer().layer(service_fn(count)));
    let guard = IoGuard::default();
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (socket, _) = listener.accept().await?;
        let io = TokioIo::new(GuardedIo::new(socket, &guard));
        let service = service.clone();
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // Without a timer hyper limits no request head.
            server
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(15));
            if let Err(error) = server.serve_connection(io, service).await {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}
