//! The gate under clients that vanish, over real sockets, in HTTP/1.1 and HTTP/2.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, GateLimits, Reporter};

const SEATS: u32 = 4;
const SOAK: Duration = Duration::from_millis(1500);

static RANDOM: AtomicU64 = AtomicU64::new(3);

fn below(n: u64) -> u64 {
    let mut x = RANDOM.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)) % n
}

struct Inside(Arc<AtomicU32>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A server whose handler streams for up to 60 ms, and counts who is inside.
async fn serve() -> (SocketAddr, AdmissionGate, Arc<AtomicU32>) {
    let limits = GateLimits::builder(SEATS)
        .queue_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let gate = AdmissionGate::builder(limits)
        .reporter(Reporter::silent())
        .list_seats()
        .build()
        .unwrap();
    let inside = Arc::new(AtomicU32::new(0));
    let counted = inside.clone();
    let handler = move || {
        let counted = counted.clone();
        async move {
            assert!(
                counted.fetch_add(1, Ordering::SeqCst) < SEATS,
                "more are inside than there are seats"
            );
            let inside = Inside(counted);
            sleep(Duration::from_millis(below(10))).await;
            let pieces = futures::stream::unfold((inside, below(12)), |(inside, left)| async move {
                sleep(Duration::from_millis(5)).await;
                let left = left.checked_sub(1)?;
                Some((
                    Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 2000])),
                    (inside, left),
                ))
            });
            Body::from_stream(pieces)
        }
    };
    let app = Router::new()
        .route("/", any(handler))
        .layer(AdmissionGateLayer::new(gate.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, gate, inside)
}

async fn h1_client(address: SocketAddr) {
    let Ok(mut socket) = TcpStream::connect(address).await else {
        return;
    };
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    // Some vanish in the middle of their own request.
    let sent = if below(8) == 0 {
        &request[..10]
    } else {
        &request[..]
    };
    let _ = socket.write_all(sent).await;
    let mut bytes = [0; 1024];
    for _ in 0..below(12) {
        let _ = timeout(Duration::from_millis(10), socket.read(&mut bytes)).await;
    }
    if below(2) == 0 {
        // A reset instead of an end.
        let _ = socket.set_zero_linger();
    }
}

async fn h2_client(address: SocketAddr, answers: Arc<AtomicU32>) {
    let Ok(socket) = TcpStream::connect(address).await else {
        return;
    };
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let Ok((mut sender, connection)) = handshake else {
        return;
    };
    let connection = tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for _ in 0..1 + below(5) {
        let request = Request::get("http://x/").body(Empty::<Bytes>::new()).unwrap();
        let (response, answers) = (sender.send_request(request), answers.clone());
        let patience = Duration::from_millis(below(120));
        streams.spawn(async move {
            // Dropped wherever it is then: a reset of the stream.
            let _ = timeout(patience, async {
                if let Ok(response) = response.await {
                    let status = response.status();
                    if response.into_body().collect().await.is_ok() && status == StatusCode::OK {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
            .await;
        });
    }
    if below(3) == 0 {
        sleep(Duration::from_millis(below(40))).await;
        connection.abort();
    }
    streams.join_all().await;
    connection.abort();
}

async fn soak(is_h2: bool) {
    let (address, gate, inside) = serve().await;
    let (start, answers, mut clients) = (Instant::now(), Arc::new(AtomicU32::new(0)), JoinSet::new());
    for _ in 0..24 {
        let answers = answers.clone();
        clients.spawn(async move {
            while start.elapsed() < SOAK {
                if is_h2 {
                    h2_client(address, answers.clone()).await;
                } else {
                    h1_client(address).await;
                }
            }
        });
    }
    let (watched, limit) = (gate.clone(), gate.figures());
    let watch = tokio::spawn(async move {
        while start.elapsed() < SOAK {
            let figures = watched.figures();
            assert!(
                figures.in_flight <= limit.max_in_flight && figures.waiting <= limit.max_queue,
                "{figures:?}"
            );
            sleep(Duration::from_millis(1)).await;
        }
    });
    clients.join_all().await;
    watch.await.unwrap();
    // No seat is lost: all come back, and a new client is served at once.
    let all_back = async {
        while gate.figures().in_flight > 0 || gate.figures().waiting > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), all_back)
        .await
        .unwrap_or_else(|_| panic!("{:?}", gate.seats()));
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    timeout(Duration::from_secs(5), gate.close()).await.unwrap();
    let figures = gate.figures();
    assert_eq!((inside.load(Ordering::SeqCst), figures.in_flight), (0, 0));
    assert!(
        figures.admitted > 20 && figures.waited > 10 && figures.refused_full > 10,
        "{figures:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_seat_is_lost_to_clients_that_vanish_on_http_1() {
    soak(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_seat_is_lost_to_clients_that_vanish_on_http_2() {
    soak(true).await;
}
