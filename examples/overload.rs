//! Overload with streaming answers: what is served at 1, 2, 5 and 10 times of what a server can, with no gate, with
//! tower's limits, and with `AdmissionGate`. It prints the tables of `docs/overload.md`.
//!
//! `cargo run --release --example overload` (paused clock), `… --example overload sockets` (real time, HTTP/1.1).
#![expect(clippy::unwrap_used, reason = "an example that fails has nothing to tell")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, GateLimits};

/// What the server can do at once. More slow each other down, as on a processor or a graphics card.
pub(crate) const CAPACITY: u32 = 8;
/// Pieces of an answer: the first is the time to the head, the others are streamed.
const PIECES: u32 = 10;

/// The clock of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long an answer takes when the server is not overloaded.
    pub(crate) answer: Duration,
    /// How long a client waits for the whole.
    pub(crate) patience: Duration,
    /// How long requests come in.
    pub(crate) span: Duration,
}

/// What stands before the server.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    Nothing,
    Limit,
    ShedAndLimit,
    Gate(AdmissionGate),
}

/// What became of the requests of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u32,
    pub(crate) served: u32,
    pub(crate) refused: u32,
    pub(crate) gave_up: u32,
    /// The most that were worked on at once.
    pub(crate) most: u32,
    /// Of those who were served, how long it took until the head came.
    pub(crate) heads: Vec<Duration>,
    /// Of those who were refused with 503, how long it took.
    pub(crate) refusals: Vec<Duration>,
    pub(crate) elapsed: Duration,
}

/// Work that is done at the pace of the whole server.
#[derive(Clone, Debug)]
struct Work {
    busy: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    piece: Duration,
}

struct Busy(Arc<AtomicU32>);

impl Work {
    fn new(pace: Pace, most: &Arc<AtomicU32>) -> Self {
        Self {
            busy: Arc::default(),
            most: most.clone(),
            piece: pace.answer / PIECES,
        }
    }

    async fn answer(self) -> Response<Body> {
        let now = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let busy = Busy(self.busy.clone());
        self.piece().await;
        let pieces = futures::stream::unfold((self, busy, 1), |(work, busy, n)| async move {
            if n == PIECES {
                return None;
            }
            work.piece().await;
            Some((
                Ok::<_, Infallible>(Bytes::from_static(b"data: token\n\n")),
                (work, busy, n + 1),
            ))
        });
        Response::new(Body::from_stream(pieces))
    }

    async fn piece(&self) {
        let slower = f64::from(self.busy.load(Ordering::Relaxed)) / f64::from(CAPACITY);
        sleep(self.piece.mul_f64(slower.max(1.0))).await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Before {
    pub(crate) fn gate(queue_timeout: Duration) -> Self {
        let limits = GateLimits::builder(CAPACITY)
            .queue_timeout(queue_timeout)
            .build()
            .unwrap();
        let gate = AdmissionGate::builder(limits).reporter(tower_lifeline::Reporter::silent());
        Self::Gate(gate.build().unwrap())
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Limit => "ConcurrencyLimit",
            Self::ShedAndLimit => "LoadShed + ConcurrencyLimit",
            Self::Gate(_) => "AdmissionGate",
        }
    }

    pub(crate) fn router(&self, pace: Pace, most: &Arc<AtomicU32>) -> Router {
        let work = Work::new(pace, most);
        let router = Router::new().route("/", get(move || work.clone().answer()));
        let limit = GlobalConcurrencyLimitLayer::new(CAPACITY as usize);
        match self {
            Self::Nothing => router,
            Self::Limit => router.layer(limit),
            Self::ShedAndLimit => {
                let shed = tower::ServiceBuilder::new()
                    .layer(axum::error_handling::HandleErrorLayer::new(|_: BoxError| async {
                        StatusCode::SERVICE_UNAVAILABLE
                    }))
                    .layer(LoadShedLayer::new())
                    .layer(limit);
                router.layer(shed)
            }
            Self::Gate(gate) => router.layer(AdmissionGateLayer::new(gate.clone())),
        }
    }
}

/// Sends requests for `pace.span`, `load` times as many as can be served, and waits for what becomes of them.
pub(crate) async fn offer<F, B>(load: u32, pace: Pace, send: impl Fn() -> F) -> Tally
where
    F: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data: Send, Error: Send> + Send + Unpin + 'static,
{
    let tally = Arc::new(Mutex::new(Tally::default()));
    let (start, mut clients, mut sent) = (Instant::now(), JoinSet::new(), 0);
    let every = pace.answer / (CAPACITY * load);
    while start.elapsed() < pace.span {
        let (request, tally) = (send(), tally.clone());
        clients.spawn(async move {
            let begun = Instant::now();
            let whole = timeout(pace.patience, async {
                let response = request.await;
                let (head, status) = (begun.elapsed(), response.status());
                let is_whole = response.into_body().collect().await.is_ok();
                (head, status, is_whole)
            });
            let ended = whole.await;
            let mut tally = tally.lock().unwrap();
            match ended {
                Ok((head, StatusCode::OK, true)) => {
                    tally.served += 1;
                    tally.heads.push(head);
                }
                Ok((_, status, _)) => {
                    tally.refused += 1;
                    if status == StatusCode::SERVICE_UNAVAILABLE {
                        tally.refusals.push(begun.elapsed());
                    }
                }
                Err(_) => tally.gave_up += 1,
            }
        });
        sent += 1;
        tokio::time::sleep_until(start + every * sent).await;
    }
    // What is served after the last request has come in counts, and so does the time that it takes.
    clients.join_all().await;
    let mut tally = Arc::into_inner(tally).unwrap().into_inner().unwrap();
    (tally.sent, tally.elapsed) = (sent, start.elapsed());
    tally
}

/// On the paused clock, without sockets.
pub(crate) async fn in_process(before: &Before, load: u32, pace: Pace) -> Tally {
    let most = Arc::default();
    let router = before.router(pace, &most);
    let mut tally = offer(load, pace, move || {
        let response = router
            .clone()
            .oneshot(Request::get("/").body(Body::empty()).unwrap());
        async move { response.await.unwrap() }
    })
    .await;
    tally.most = most.load(Ordering::Relaxed);
    tally
}

/// Over sockets: a server of its own, and clients that keep their connections.
pub(crate) async fn over_sockets(before: &Before, load: u32, pace: Pace) -> Tally {
    type Client =
        hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, Body>;
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let most = Arc::default();
    let router = before.router(pace, &most);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let client: Client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let mut tally = offer(load, pace, move || {
        let request = Request::get(format!("http://{address}/"))
            .body(Body::empty())
            .unwrap();
        let response = client.request(request);
        async move {
            match response.await {
                Ok(response) => response,
                Err(_) => pending().await,
            }
        }
    })
    .await;
    server.abort();
    tally.most = most.load(Ordering::Relaxed);
    tally
}

/// What this machine can serve in a second over sockets: timers are late by a millisecond or two there, and the
/// machine has other things to do. As many clients as the capacity, each of which asks again at once, and nothing
/// before the server.
pub(crate) async fn capacity_over_sockets(pace: Pace) -> f64 {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let router = Before::Nothing.router(pace, &Arc::default());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let (start, served, mut clients) = (Instant::now(), Arc::new(AtomicU32::new(0)), JoinSet::new());
    for _ in 0..CAPACITY {
        let served = served.clone();
        clients.spawn(async move {
            let builder = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
            let client = builder.build_http();
            while start.elapsed() < pace.span {
                let request = Request::get(format!("http://{address}/"))
                    .body(Body::empty())
                    .unwrap();
                client
                    .request(request)
                    .await
                    .unwrap()
                    .into_body()
                    .collect()
                    .await
                    .unwrap();
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    clients.join_all().await;
    server.abort();
    f64::from(served.load(Ordering::Relaxed)) / start.elapsed().as_secs_f64()
}

/// What can be served in a second where nothing is ever late.
pub(crate) fn capacity(pace: Pace) -> f64 {
    f64::from(CAPACITY) / pace.answer.as_secs_f64()
}

impl Tally {
    /// What was served, as a part of what can be served in the time.
    pub(crate) fn goodput(&self, capacity: f64) -> f64 {
        f64::from(self.served) / (self.elapsed.as_secs_f64() * capacity)
    }

    pub(crate) fn slowest(times: &[Duration]) -> Duration {
        times.iter().max().copied().unwrap_or_default()
    }
}

#[allow(dead_code, reason = "the tests use all but this")]
fn main() {
    let sockets = std::env::args().any(|arg| arg == "sockets");
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(!sockets).build().unwrap();
    let ms = Duration::from_millis;
    // Over sockets everything is five times as fast.
    let (pace, queue_timeout) = match sockets {
        false => (
            Pace {
                answer: ms(1000),
                patience: ms(10_000),
                span: ms(60_000),
            },
            ms(5000),
        ),
        true => (
            Pace {
                answer: ms(200),
                patience: ms(2000),
                span: ms(5000),
            },
            ms(1000),
        ),
    };
    println!(
        "| before the server | load | goodput | served | refused | gave up | most at once | slowest head | slowest 503 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut rows = HashMap::new();
    for load in [1, 2, 5, 10] {
        for before in [
            Before::Nothing,
            Before::Limit,
            Before::ShedAndLimit,
            Before::gate(queue_timeout),
        ] {
            let (tally, capacity) = runtime.block_on(async {
                match sockets {
                    false => (in_process(&before, load, pace).await, capacity(pace)),
                    true => {
                        let short = Pace {
                            span: pace.span / 3,
                            ..pace
                        };
                        let earlier = capacity_over_sockets(short).await;
                        let tally = over_sockets(&before, load, pace).await;
                        (tally, f64::midpoint(earlier, capacity_over_sockets(short).await))
                    }
                }
            });
            let row = format!(
                "| {} | {load}× | {:.0} % | {} | {} | {} | {} | {:?} | {:?} |",
                before.name(),
                tally.goodput(capacity) * 100.0,
                tally.served,
                tally.refused,
                tally.gave_up,
                tally.most,
                ms(Tally::slowest(&tally.heads).as_millis() as u64),
                ms(Tally::slowest(&tally.refusals).as_millis() as u64),
            );
            rows.entry(before.name()).or_insert_with(Vec::new).push(row);
        }
    }
    for name in [
        "nothing",
        "ConcurrencyLimit",
        "LoadShed + ConcurrencyLimit",
        "AdmissionGate",
    ] {
        rows.remove(name)
            .unwrap_or_default()
            .iter()
            .for_each(|row| println!("{row}"));
    }
}
