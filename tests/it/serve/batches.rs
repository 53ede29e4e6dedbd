//! Answers of one HTTP/2 connection that are ready together are written together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::routing::get;
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::{sleep, timeout};
use tower_lifeline::serve::Listener;
use tower_lifeline::{Reporter, serve};

use super::{Held, LATE, app};

/// A pipe that counts what is written to it.
struct Counted {
    pipe: DuplexStream,
    writes: Arc<AtomicU32>,
}

struct One(Option<Counted>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Listener for One {
    type Io = Counted;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(Counted, ())> {
        match self.0.take() {
            Some(io) => Ok((io, ())),
            None => std::future::pending().await,
        }
    }
}

/// Only the runtime with several threads runs at once whoever is woken last.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_that_are_ready_together_are_written_together() {
    const STREAMS: u32 = 40;
    let (client, pipe) = duplex(1 << 20);
    let writes = Arc::<AtomicU32>::default();
    let counted = Counted {
        pipe,
        writes: writes.clone(),
    };
    let slow = get(async || sleep(Duration::from_millis(100)).await);
    let server = serve(One(Some(counted)), app(&Held::default()).route("/slow", slow));
    tokio::spawn(server.with_reporter(Reporter::silent()).into_future());
    let (client, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    // The settings of both sides are known after this.
    let request = |path: &str| Request::get(format!("http://x{path}")).body(()).unwrap();
    client
        .send_request(request("/quick"), true)
        .unwrap()
        .0
        .await
        .unwrap();
    let before = writes.load(Ordering::Relaxed);
    // One that is not ready holds up nobody.
    let (slow, _) = client.send_request(request("/slow"), true).unwrap();
    let answers: Vec<_> = (0..STREAMS)
        .map(|_| client.send_request(request("/quick"), true).unwrap().0)
        .collect();
    for answer in answers {
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "quick");
    }
    let quick = writes.load(Ordering::Relaxed) - before;
    assert!(quick <= STREAMS / 8, "{quick} writes for {STREAMS} answers");
    timeout(LATE, slow).await.unwrap().unwrap();
}
