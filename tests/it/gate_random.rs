//! Random clients on the paused clock, behind the layer and without HTTP, with the promises checked all along.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::admission_gate::Key;
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, ClassLimits, GateLimits};

use crate::scripted::{Scripted, Step, data};

/// A sequence that looks random and is the same in every run.
#[derive(Clone, Debug)]
struct Random(Arc<AtomicU64>);

impl Random {
    fn below(&self, n: u64) -> u64 {
        let mut x = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % n
    }
}

const CLIENTS: u64 = if cfg!(debug_assertions) { 40 } else { 200 };
const ROUNDS: u64 = if cfg!(debug_assertions) { 100 } else { 1000 };

#[tokio::test(start_paused = true)]
async fn random_clients_never_break_the_promises() {
    let random = Random(Arc::new(AtomicU64::new(1)));
    let mut builder =
        AdmissionGate::builder(GateLimits::builder(5).max_queue(9).key_share(4).build().unwrap());
    let class = builder.class("few", ClassLimits::inside(2));
    let gate = builder.list_seats().build().unwrap();
    let (most, inside) = (Arc::new(AtomicU32::new(8)), Arc::new(AtomicU32::new(0)));

    let (chance, working) = (random.clone(), inside.clone());
    let handler = service_fn(move |_: Request<Full<Bytes>>| {
        let (chance, working) = (chance.clone(), working.clone());
        async move {
            working.fetch_add(1, Ordering::SeqCst);
            let _done = Done(working);
            sleep(Duration::from_millis(chance.below(30))).await;
            if chance.below(30) == 0 {
                // As a panic, but for the message on the console.
                std::panic::resume_unwind(Box::new("a handler that panics"));
            }
            if chance.below(10) == 0 {
                return Err(Broken);
            }
            let (a, b) = (chance.below(20), chance.below(20));
            let end = if chance.below(8) == 0 {
                Step::Error(1)
            } else {
                Step::End(1)
            };
            let steps = if chance.below(4) == 0 {
                vec![Step::End(0)]
            } else {
                vec![data(a, "x"), data(b, "y"), end]
            };
            Ok::<_, Broken>(Response::new(Scripted::new(steps)))
        }
    });
    let chance = random.clone();
    let layer = AdmissionGateLayer::new(gate.clone())
        .classify(
            move |head: &tower_lifeline::RequestHead<'_>| match head.uri().path() {
                "/few" => class,
                _ => tower_lifeline::Class::STANDARD,
            },
        )
        .key(move |_| (chance.below(2) == 0).then(|| Key::of(chance.below(3))));
    let service = layer.layer(handler);

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (service, gate, random) = (service.clone(), gate.clone(), random.clone());
        clients.spawn(async move {
            for _ in 0..ROUNDS {
                sleep(Duration::from_millis(random.below(60))).await;
                let patience = Duration::from_millis(1 + random.below(120));
                if client % 4 == 0 {
                    let enter = gate.enter().key(Key::of(client));
                    if let Ok(Ok(_seat)) = timeout(patience, enter).await {
                        sleep(Duration::from_millis(random.below(20))).await;
                    }
                    continue;
                }
                let path = if random.below(3) == 0 { "/few" } else { "/" };
                let request = Request::get(path).body(Full::default()).unwrap();
                let service = service.clone();
                // A task of its own, since handlers panic; aborted where the client is out of patience.
                let mut task = tokio::spawn(async move {
                    if let Ok(response) = service.oneshot(request).await {
                        let _ = response.into_body().collect().await;
                    }
                });
                if timeout(patience, &mut task).await.is_err() {
                    task.abort();
                    let _ = task.await;
                }
            }
        });
    }
    let watch = {
        let (gate, most, random) = (gate.clone(), most.clone(), random.clone());
        tokio::spawn(async move {
            let mut waited = 0;
            loop {
                sleep(Duration::from_millis(7)).await;
                let figures = gate.figures();
                // Limits change here alone: whoever has come since the last look found these.
                assert!(figures.waiting <= figures.max_queue.max(waited), "{figures:?}");
                waited = figures.waiting;
                assert!(
                    figures.in_flight <= most.load(Ordering::SeqCst) && figures.waiting <= 12,
                    "{figures:?}"
                );
                assert!(gate.class_figures(class).unwrap().in_flight <= 2);
                // Whoever was just called has a seat, and is not on the list before they have come for it.
                assert!(gate.seats().len() <= figures.in_flight as usize);
                if random.below(20) == 0 {
                    // Whoever is in stays, so the most there can be shrinks with those who leave.
                    let seats = 1 + random.below(8) as u32;
                    gate.set_max_in_flight(seats).unwrap();
                    gate.set_max_queue(4 + random.below(9) as u32).unwrap();
                    gate.set_class(class, 2, random.below(9) as u32).unwrap();
                }
            }
        })
    };
    let all = clients.join_all();
    tokio::select! { _ = all => {}, broken = watch => broken.unwrap() }
    gate.close().await;
    let figures = gate.figures();
    assert_eq!(
        (figures.in_flight, figures.waiting, inside.load(Ordering::SeqCst)),
        (0, 0, 0),
        "{figures:?}"
    );
    assert!(
        figures.refused_full > 0 && figures.abandoned > 0 && figures.refused_key_share > 0,
        "{figures:?}"
    );
}

#[derive(Debug)]
struct Broken;

struct Done(Arc<AtomicU32>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
