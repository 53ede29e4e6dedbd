//! `serve`, over real sockets.

mod basics;
mod batches;
mod crowd;
mod drain;
mod files;
mod hostile;
mod large;
mod mcp;
mod phases;
mod ported;
mod report;
mod stalls;
mod streams;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::serve::{Drained, ServeHandle, ServeSettings, ServeSettingsBuilder};
use tower_lifeline::{Event, Reporter, SlowClientGuardLayer, SlowClientLimits, serve};

/// Long against the scheduling of a busy machine, short for a test.
const STALL: Duration = Duration::from_millis(800);

/// How late anything may be.
const LATE: Duration = Duration::from_millis(1500);

/// What a server says.
type Events = Arc<Mutex<Vec<Event>>>;

struct Server {
    address: SocketAddr,
    handle: ServeHandle,
    task: JoinHandle<Drained>,
    events: Events,
}

/// Counts what is held.
#[derive(Clone, Debug, Default)]
struct Held(Arc<AtomicU32>);

#[derive(Debug)]
struct Hold(Arc<AtomicU32>);

impl Server {
    async fn start(app: Router, settings: ServeSettingsBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let events = Events::default();
        let noted = events.clone();
        let server = serve(listener, app)
            .with_settings(settings.build().unwrap())
            .with_reporter(Reporter::to(move |event: &Event| {
                noted.lock().unwrap().push(*event)
            }));
        Self {
            address,
            handle: server.handle(),
            task: tokio::spawn(server.into_future()),
            events,
        }
    }

    fn said(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until there are so many connections.
    async fn has(&self, connections: usize) {
        until(LATE, || self.handle.connections() == connections).await;
    }

    async fn drained(self) -> Drained {
        self.handle.drain();
        self.task.await.unwrap()
    }
}

impl Held {
    fn hold(&self) -> Hold {
        self.0.fetch_add(1, Ordering::SeqCst);
        Hold(self.0.clone())
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn settings() -> ServeSettingsBuilder {
    ServeSettings::builder()
        .drain_delay(Duration::ZERO)
        .drain_spread(Duration::ZERO)
        .slow_clients(limits())
}

fn limits() -> SlowClientLimits {
    SlowClientLimits::builder().stall(STALL).build().unwrap()
}

fn guard() -> SlowClientGuardLayer {
    SlowClientGuardLayer::new(limits()).with_reporter(Reporter::silent())
}

async fn until(within: Duration, is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(within, so).await.expect("it is not so in time");
}

/// Pieces of that size for ever, one each `every`.
fn pieces(hold: Hold, size: usize, every: Duration) -> Body {
    let piece = Bytes::from(vec![b'x'; size]);
    Body::from_stream(futures::stream::unfold(hold, move |hold| {
        let piece = piece.clone();
        async move {
            if !every.is_zero() {
                sleep(every).await;
            }
            Some((Ok::<_, Infallible>(piece), hold))
        }
    }))
}

/// `/pieces/SIZE/MILLIS` never ends, `/quick` does.
fn app(held: &Held) -> Router {
    let held = held.clone();
    Router::new()
        .route(
            "/pieces/{size}/{millis}",
            get(async move |Path((size, millis)): Path<(usize, u64)>| {
                pieces(held.hold(), size, Duration::from_millis(millis))
            }),
        )
        .route("/quick", get(async || "quick"))
}

/// With a receive buffer so small that the server soon notices.
async fn small(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

/// What comes until the end, how that looks, and when it was.
async fn read_all(mut socket: TcpStream) -> (String, bool, Duration) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let end = timeout(Duration::from_secs(20), socket.read_to_end(&mut bytes))
        .await
        .expect("it never ends");
    (
        String::from_utf8_lossy(&bytes).into_owned(),
        end.is_ok(),
        start.elapsed(),
    )
}
