//! Clients that read slowly, not at all, or again, over real sockets: what a layer sees of them, and what a
//! connection does.

mod clients;
mod delay;
mod endings;
mod errors;
mod healthy;
mod never;
mod resumed;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use bytes::Bytes;
use http::Response;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::connection::IoGuard;
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Event, GateLimits, Outcome, Reporter, SeenBy, SlowClient,
    SlowClientGuardLayer, SlowClientLimits,
};

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// The layer, behind the buffers that the system makes.
    Layer,
    /// The layer, behind send buffers of 16 KiB.
    LayerAndSmallBuffers,
    Io,
    LayerAndIo,
}

/// What happened on a server.
#[derive(Debug, Default)]
struct Seen {
    produced: AtomicU64,
    /// Bodies that are neither over nor dropped.
    live: AtomicU32,
    last_produced: Mutex<Option<Instant>>,
    last_dropped: Mutex<Option<Instant>>,
    events: Mutex<Vec<Event>>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    layer: SlowClientGuardLayer,
    io: IoGuard,
}

/// What a body holds while it is there.
struct Producer(Arc<Seen>);

// === impl Seen ===

impl Seen {
    fn live(&self) -> u32 {
        self.live.load(Ordering::SeqCst)
    }

    fn produced(&self) -> u64 {
        self.produced.load(Ordering::SeqCst)
    }

    /// Who was cut, by whom.
    fn cuts(&self) -> Vec<(SeenBy, SlowClient)> {
        let events = self.events.lock().unwrap();
        let cuts = events.iter().filter_map(|event| match *event {
            Event::ClientTooSlow {
                seen, slow, outcome, ..
            } => {
                assert_eq!(outcome, Outcome::Cut);
                Some((seen, slow))
            }
            _ => None,
        });
        cuts.collect()
    }
}

// === impl Producer ===

impl Producer {
    fn new(seen: &Arc<Seen>) -> Self {
        seen.live.fetch_add(1, Ordering::SeqCst);
        Self(seen.clone())
    }

    fn made(&self, bytes: usize) {
        self.0.produced.fetch_add(bytes as u64, Ordering::SeqCst);
        *self.0.last_produced.lock().unwrap() = Some(Instant::now());
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        *self.0.last_dropped.lock().unwrap() = Some(Instant::now());
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl Server ===

impl Server {
    async fn new(watch: Watch, limits: SlowClientLimits) -> Self {
        Self::with_gate(watch, limits, None).await
    }

    async fn with_gate(watch: Watch, limits: SlowClientLimits, gate: Option<AdmissionGate>) -> Self {
        let seen = Arc::new(Seen::default());
        let noted = seen.clone();
        let reporter = Reporter::to(move |event: &Event| noted.events.lock().unwrap().push(*event));
        let layer = SlowClientGuardLayer::new(limits).with_reporter(reporter.clone());
        let io = IoGuard::new(limits).with_reporter(reporter);
        let app = app(&seen);
        let app = match gate {
            Some(gate) => app.layer(AdmissionGateLayer::new(gate)),
            None => app,
        };
        let app = match watch {
            Watch::Io => app,
            _ => app.layer(layer.clone()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        match watch {
            Watch::Layer => tokio::spawn(async move { axum::serve(listener, app).await }),
            Watch::LayerAndSmallBuffers => {
                let listener = listener.tap_io(|socket| {
                    SockRef::from(&*socket).set_send_buffer_size(16 * 1024).unwrap();
                });
                tokio::spawn(async move { axum::serve(listener, app).await })
            }
            Watch::Io | Watch::LayerAndIo => {
                let listener = io.listen(listener);
                tokio::spawn(async move { axum::serve(listener, app).await })
            }
        };
        Self {
            address,
            seen,
            layer,
            io,
        }
    }

    /// Waits until a client was cut.
    async fn cuts_within(&self, time: Duration) {
        let cut = async {
            while self.seen.cuts().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(time, cut)
            .await
            .unwrap_or_else(|_| panic!("{self:?} cuts nobody in {time:?}"));
    }

    /// Waits until nothing is left of any client.
    async fn is_free_within(&self, time: Duration) {
        let free = async {
            while self.seen.live() > 0 || self.layer.watched() > 0 || self.io.watched() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(time, free).await.unwrap_or_else(|_| {
            let events = self.seen.events.lock().unwrap();
            panic!("{self:?} still holds something after {time:?}: {events:?}")
        });
    }
}

/// `/events/SIZE/MILLIS` never ends; `/file/BYTES` and `/chunked/BYTES` are the [`pattern`].
fn app(seen: &Arc<Seen>) -> Router {
    let [events, file, chunked] = [seen.clone(), seen.clone(), seen.clone()];
    Router::new()
        .route(
            "/events/{size}/{millis}",
            get(async move |Path((size, millis)): Path<(usize, u64)>| {
                body(&events, u64::MAX, size, Duration::from_millis(millis))
            }),
        )
        .route(
            "/file/{bytes}",
            get(async move |Path(bytes): Path<u64>| {
                Response::builder()
                    .header("content-length", bytes)
                    .body(body(&file, bytes, 16 * 1024, Duration::ZERO))
                    .unwrap()
            }),
        )
        .route(
            "/chunked/{bytes}",
            get(async move |Path(bytes): Path<u64>| body(&chunked, bytes, 16 * 1024, Duration::ZERO)),
        )
        .route("/quick", get(async || "quick"))
}

fn body(seen: &Arc<Seen>, bytes: u64, piece: usize, every: Duration) -> Body {
    let state = (Producer::new(seen), 0);
    Body::from_stream(futures::stream::unfold(state, move |(producer, at)| async move {
        let length = u64::min(bytes - at, piece as u64);
        if length == 0 {
            return None;
        }
        if !every.is_zero() {
            sleep(every).await;
        }
        producer.made(length as usize);
        let piece = Bytes::from_static(pattern(at, length as usize));
        Some((Ok::<_, Infallible>(piece), (producer, at + length)))
    }))
}

/// What stands at a place of every body: what is lost or doubled shows.
fn pattern(at: u64, length: usize) -> &'static [u8] {
    const PERIOD: usize = 251;
    static PATTERN: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..=250).cycle().take(PERIOD + (1 << 20)).collect());
    &PATTERN[at as usize % PERIOD..][..length]
}

fn limits(stall: Duration) -> SlowClientLimits {
    SlowClientLimits::builder().stall(stall).build().unwrap()
}

fn gate_of_one() -> AdmissionGate {
    let limits = GateLimits::builder(1)
        .queue_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    AdmissionGate::builder(limits)
        .reporter(Reporter::silent())
        .build()
        .unwrap()
}
