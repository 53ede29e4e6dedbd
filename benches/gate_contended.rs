//! What a seat costs when two workers contend for it, next to tokio's semaphore and tower's limits.
//!
//! `cargo bench --bench gate_contended`. Two workers, 64 tasks, seats for all, so that nobody ever waits. All rows
//! are measured in turns in the same run; a figure is the median of the rounds, and the ratio is the median of
//! the rounds' ratios. Allocations are counted in the same process.
//!
//! `--quick` measures three short rounds, to show that it works.
//!
//! With `--row <name> <ops>` one row runs on one thread, for a counter of instructions: run it with two numbers
//! of operations and divide the difference.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

mod record;

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_lifeline::admission_gate::Key;
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, Class, ClassLimits, GateLimits, RequestHead};

use self::record::record;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator that counts is the only way to count allocations"
)]
// SAFETY: everything is passed on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that is needed.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `System.alloc` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TASKS: u32 = 64;
static OPS: AtomicU32 = AtomicU32::new(4000);
const ROUNDS: usize = 31;

type Req = Request<Empty<Bytes>>;

/// The service under all the layers: ready, and answered at once.
#[derive(Clone)]
struct Bare;

impl Service<Req> for Bare {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"x")))))
    }
}

struct Row {
    name: &'static str,
    /// The row that it is divided by.
    against: Option<&'static str>,
    run: Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>>>,
    nanoseconds: Vec<f64>,
}

fn row<F>(name: &'static str, against: Option<&'static str>, run: impl Fn() -> F + 'static) -> Row
where
    F: Future<Output = ()> + Send + 'static,
{
    Row {
        name,
        against,
        run: Box::new(move || Box::pin(run())),
        nanoseconds: Vec::new(),
    }
}

fn gate() -> AdmissionGate {
    AdmissionGate::new(GateLimits::builder(TASKS).build().expect("limits"))
}

fn static_gate() -> AdmissionGate {
    AdmissionGate::builder(GateLimits::builder(TASKS).build().expect("limits"))
        .build_static()
        .expect("gate")
}

fn serve<S>(name: &'static str, against: Option<&'static str>, service: S) -> Row
where
    S: Service<Req> + Clone + Send + Sync + 'static,
    S::Response: IntoBody,
    S::Error: std::fmt::Debug,
    S::Future: Send,
{
    row(name, against, move || {
        let mut service = service.clone();
        async move {
            for _ in 0..ops() {
                let ready = service.ready().await.expect("ready");
                let response = ready.call(Request::new(Empty::new())).await.expect("answer");
                response.finish().await;
            }
        }
    })
}

/// Reads a response to its end, whatever its body is.
trait IntoBody: Send {
    fn finish(self) -> impl Future<Output = ()> + Send;
}

impl<B> IntoBody for Response<B>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin,
{
    async fn finish(self) {
        let mut body = self.into_body();
        while let Some(frame) = body.frame().await {
            black_box(frame.is_ok());
        }
    }
}

fn rows() -> Vec<Row> {
    let (semaphore, counted, forever) = (Arc::new(Semaphore::new(TASKS as usize)), gate(), static_gate());
    let mut rows = Vec::new();
    let s = semaphore.clone();
    rows.push(row("Semaphore::try_acquire", None, move || {
        let s = s.clone();
        async move { (0..ops()).for_each(|_| drop(black_box(s.try_acquire().expect("a permit")))) }
    }));
    for (name, gate) in [
        ("AdmissionGate::try_enter", &counted),
        ("AdmissionGate::try_enter, static", &forever),
    ] {
        let gate = gate.clone();
        rows.push(row(name, Some("Semaphore::try_acquire"), move || {
            let gate = gate.clone();
            async move { (0..ops()).for_each(|_| drop(black_box(gate.try_enter().expect("a seat")))) }
        }));
    }
    let s = semaphore.clone();
    rows.push(row("Semaphore::acquire().await", None, move || {
        let s = s.clone();
        async move {
            for _ in 0..ops() {
                drop(black_box(s.acquire().await.expect("a permit")));
            }
        }
    }));
    rows.push(row("Semaphore::acquire_owned().await", None, move || {
        let s = semaphore.clone();
        async move {
            for _ in 0..ops() {
                drop(black_box(s.clone().acquire_owned().await.expect("a permit")));
            }
        }
    }));
    let mut with = AdmissionGate::builder(
        GateLimits::builder(TASKS)
            .key_share(TASKS)
            .build()
            .expect("limits"),
    );
    let class = with.class("class", ClassLimits::inside(TASKS));
    let with = with.build().expect("gate");
    let enters = [
        (
            "AdmissionGate::enter().await",
            "Semaphore::acquire_owned().await",
            &counted,
            None,
        ),
        (
            "AdmissionGate::enter().await, static",
            "Semaphore::acquire().await",
            &forever,
            None,
        ),
        (
            "AdmissionGate::enter().class().key().await",
            "Semaphore::acquire_owned().await",
            &with,
            Some(class),
        ),
    ];
    for (name, against, gate, class) in enters {
        let gate = gate.clone();
        rows.push(row(name, Some(against), move || {
            let gate = gate.clone();
            async move {
                let key = Key::of(7);
                for _ in 0..ops() {
                    let enter = gate.enter();
                    let enter = match class {
                        Some(class) => enter.class(class).key(key),
                        None => enter,
                    };
                    drop(black_box(enter.await.expect("a seat")));
                }
            }
        }));
    }
    rows.push(serve("service: bare", None, Bare));
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(TASKS as usize);
    rows.push(serve(
        "service: ConcurrencyLimit",
        Some("service: bare"),
        limit.layer(Bare),
    ));
    let shed = ServiceBuilder::new().load_shed().layer(limit).service(Bare);
    rows.push(serve(
        "service: LoadShed + ConcurrencyLimit",
        Some("service: bare"),
        shed,
    ));
    let peers = Some("service: LoadShed + ConcurrencyLimit");
    rows.push(serve(
        "service: AdmissionGate",
        peers,
        AdmissionGateLayer::new(counted).layer(Bare),
    ));
    rows.push(serve(
        "service: AdmissionGate, static",
        peers,
        AdmissionGateLayer::new(forever).layer(Bare),
    ));
    let classify = move |_: &RequestHead<'_>| -> Class { class };
    let sorted = AdmissionGateLayer::new(with)
        .classify(classify)
        .key(|_| Some(Key::of(7)));
    rows.push(serve(
        "service: AdmissionGate, class and key",
        peers,
        sorted.layer(Bare),
    ));
    let listed = AdmissionGate::builder(GateLimits::builder(TASKS).build().expect("limits")).list_seats();
    let listed = AdmissionGateLayer::new(listed.build().expect("gate"));
    rows.push(serve(
        "service: AdmissionGate, listing",
        peers,
        listed.layer(Bare),
    ));
    rows
}

fn measure(runtime: &Runtime, row: &Row) -> f64 {
    runtime.block_on(async {
        let futures: Vec<_> = (0..TASKS).map(|_| (row.run)()).collect();
        let start = Instant::now();
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("the task ends");
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TASKS * ops())
    })
}

fn allocations(runtime: &Runtime, row: &Row) -> f64 {
    runtime.block_on(async {
        let future = (row.run)();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        future.await;
        (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / f64::from(ops())
    })
}

fn ops() -> u32 {
    OPS.load(Ordering::Relaxed)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let args: Vec<_> = std::env::args()
        .skip_while(|arg| arg != "--row")
        .skip(1)
        .collect();
    if let [name, count, ..] = &args[..] {
        OPS.store(count.parse().expect("a number"), Ordering::Relaxed);
        let rows = rows();
        let row = rows
            .iter()
            .find(|row| row.name == name)
            .expect("the name of a row");
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on((row.run)());
        return;
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    if is_quick {
        OPS.store(400, Ordering::Relaxed);
    }
    let mut rows = rows();
    for round in 0..if is_quick { 4 } else { ROUNDS } {
        for row in &mut rows {
            let figure = measure(&runtime, row);
            // The first round warms up.
            if round > 0 {
                row.nanoseconds.push(figure);
            }
        }
    }
    println!("| 2 workers, {TASKS} tasks, in and out without a wait | ns | ratio to | ratio | allocations |");
    println!("|---|---|---|---|---|");
    for row in &rows {
        let against = rows.iter().find(|other| Some(other.name) == row.against);
        let ratio = against.map_or_else(
            || "|".into(),
            |other| {
                let ratios = row
                    .nanoseconds
                    .iter()
                    .zip(&other.nanoseconds)
                    .map(|(row, other)| row / other);
                format!("{} | {:.2}", other.name, median(ratios.collect()))
            },
        );
        let (ns, allocations) = (median(row.nanoseconds.clone()), allocations(&runtime, row));
        println!("| {} | {ns:.0} | {ratio} | {allocations:.2} |", row.name);
        record("gate_contended", "contended", row.name, "ns", &row.nanoseconds);
    }
}
