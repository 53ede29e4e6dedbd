//! Clients that never read.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::{SeenBy, SlowClientLimits, Slowness};

use super::clients::{Protocol, ask, read_slowly, send};
use super::{Server, Watch, gate_of_one, limits};

const STALL: Duration = Duration::from_secs(1);
/// A stall and two looks, and three times as much on a busy machine.
const NOTICED: Duration = Duration::from_secs(6);

/// One client holds the only seat and reads nothing; another waits for it.
async fn holds_nothing_for_long(watch: Watch, protocol: Protocol, piece: usize) {
    let server = Server::with_gate(watch, limits(STALL), Some(gate_of_one())).await;
    let held = send(server.address, protocol, &format!("/events/{piece}/0"))
        .await
        .unwrap();
    assert_eq!(server.seen.live(), 1);
    let next = send(server.address, protocol, "/quick");
    let answer = timeout(NOTICED * 2, next).await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "quick");
    // Whoever waits is told before it is reported.
    server.cuts_within(NOTICED).await;
    let last_produced = server.seen.last_produced.lock().unwrap().unwrap();
    let dropped = server.seen.last_dropped.lock().unwrap().unwrap();
    let waited = dropped.duration_since(last_produced);
    assert!(
        (STALL * 9 / 10..NOTICED).contains(&waited),
        "{watch:?} {protocol:?} {piece}: {waited:?}"
    );
    let cuts = server.seen.cuts();
    assert!(
        cuts.iter().all(|(_, slow)| slow.slowness() == Slowness::Stalled),
        "{cuts:?}"
    );
    drop(held);
    server.is_free_within(NOTICED * 2).await;
}

async fn hold_nothing_for_long(watch: Watch, protocols: &[Protocol]) {
    let clients = protocols.iter().flat_map(|protocol| {
        [200, 65_536].map(|piece| tokio::spawn(holds_nothing_for_long(watch, *protocol, piece)))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_the_layer_whoever_reads_nothing_holds_nothing() {
    hold_nothing_for_long(Watch::Layer, &[Protocol::H1, Protocol::H2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_both_whoever_reads_nothing_holds_nothing() {
    hold_nothing_for_long(Watch::LayerAndIo, &[Protocol::H1, Protocol::H2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_watched_connection_alone_whoever_reads_nothing_holds_nothing() {
    hold_nothing_for_long(Watch::Io, &[Protocol::H1]).await;
}

/// What the table of the docs says of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starved_stream_is_seen_by_the_layer_and_not_by_the_connection() {
    let blind = Server::new(Watch::Io, limits(STALL)).await;
    let both = Server::new(Watch::LayerAndIo, limits(STALL)).await;
    let _unseen = send(blind.address, Protocol::H2, "/events/200/0").await.unwrap();
    let _seen = send(both.address, Protocol::H2, "/events/200/0").await.unwrap();
    let cut = async {
        while both.seen.live() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(NOTICED, cut).await.unwrap();
    assert_eq!(both.seen.cuts()[0].0, SeenBy::Body);
    sleep(STALL).await;
    assert_eq!((blind.seen.live(), blind.seen.cuts()), (1, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trickle_into_nowhere_is_seen_long_before_buffers_are_full() {
    let server = Server::new(Watch::LayerAndIo, limits(STALL)).await;
    let start = Instant::now();
    let mut client = ask(server.address, "/events/200/5").await;
    server.cuts_within(NOTICED).await;
    let (by, slow) = server.seen.cuts()[0];
    assert_eq!((by, slow.slowness()), (SeenBy::Connection, Slowness::Stalled));
    assert!(start.elapsed() >= STALL * 9 / 10);
    let produced = server.seen.produced();
    assert!(produced < 250_000, "{produced}");
    server.is_free_within(NOTICED).await;
    // It sees a reset, and nothing that looks like an end.
    let mut rest = Vec::new();
    let error = client.read_to_end(&mut rest).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_drips_is_below_the_least_rate() {
    let limits = SlowClientLimits::builder()
        .stall(Duration::from_secs(20))
        .min_rate(50_000)
        .grace(Duration::from_secs(1))
        .build()
        .unwrap();
    let watches = [Watch::Io, Watch::LayerAndSmallBuffers].map(|watch| async move {
        let server = Server::new(watch, limits).await;
        let client = ask(server.address, "/events/2000/0").await;
        let reads = tokio::spawn(read_slowly(client, 5_000, NOTICED * 2, Duration::ZERO));
        server.cuts_within(NOTICED).await;
        assert_eq!(
            server.seen.cuts()[0].1.slowness(),
            Slowness::BelowMinRate,
            "{watch:?}"
        );
        reads.abort();
        server.is_free_within(NOTICED).await;
    });
    futures::future::join_all(watches).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_now_and_then_is_no_reading() {
    let limits = SlowClientLimits::builder()
        .stall(Duration::from_secs(20))
        .min_rate(10_000)
        .grace(Duration::from_secs(1))
        .build()
        .unwrap();
    let server = Server::new(Watch::LayerAndIo, limits).await;
    let client = ask(server.address, "/events/200/0").await;
    let reads = tokio::spawn(read_slowly(client, 50, NOTICED * 2, Duration::ZERO));
    server.cuts_within(NOTICED).await;
    server.is_free_within(NOTICED).await;
    let cuts = server.seen.cuts();
    assert!(
        cuts.iter()
            .all(|(_, slow)| slow.slowness() == Slowness::BelowMinRate),
        "{cuts:?}"
    );
    reads.abort();
}
