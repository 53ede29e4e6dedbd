//! What is left of clients that go away, and of answers that were written to the end.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::{SeenBy, SlowClientLimits};

use super::clients::{Protocol, ask, send};
use super::{Server, Watch, limits};

/// How many sockets of the server's side of its connections are in somebody's hands.
#[cfg(target_os = "linux")]
fn held(server: SocketAddr) -> usize {
    const LISTENS: &str = "0A";
    let port = format!(":{:04X}", server.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words[1].ends_with(&port) && words[3] != LISTENS && words[9] != "0")
        .count()
}

#[cfg(not(target_os = "linux"))]
fn held(_: SocketAddr) -> usize {
    0
}

/// How a client leaves that does not read.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Closing,
    Half,
    Reset,
}

async fn leaves(watch: Watch, how: Leaves) {
    // Whoever is gone is let go long before the stall of whoever might still read.
    let (stall, freed) = match how {
        Leaves::Half => (3, 12),
        Leaves::Closing | Leaves::Reset => (30, 10),
    };
    let server = Server::new(watch, limits(Duration::from_secs(stall))).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(ask(server.address, "/events/2000/1").await);
    }
    let all = async {
        while server.seen.live() < 8 || (cfg!(target_os = "linux") && held(server.address) < 8) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(3), all).await.unwrap();
    // Now what is produced finds no room any more.
    sleep(Duration::from_millis(500)).await;
    for client in &mut clients {
        match how {
            Leaves::Closing => {}
            Leaves::Half => client.shutdown().await.unwrap(),
            Leaves::Reset => SockRef::from(&*client).set_linger(Some(Duration::ZERO)).unwrap(),
        }
    }
    if !matches!(how, Leaves::Half) {
        clients.clear();
    }
    server.is_free_within(Duration::from_secs(freed)).await;
    nothing_is_held(server.address).await;
    let cuts = server.seen.cuts();
    assert_eq!(cuts.is_empty(), !matches!(how, Leaves::Half), "{how:?}: {cuts:?}");
}

async fn nothing_is_held(server: SocketAddr) {
    let closed = async {
        while held(server) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), closed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_whoever_goes_away_in_a_stall() {
    let cases = [Leaves::Closing, Leaves::Half, Leaves::Reset].map(|how| leaves(Watch::LayerAndIo, how));
    futures::future::join_all(cases).await;
}

/// Its answer is written, and the server's part is done; but the client does not fetch it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_fetches_does_not_stay_in_the_system() {
    let server = Server::new(Watch::Io, limits(Duration::from_secs(3))).await;
    let mut client = ask(server.address, "/file/30000").await;
    let start = Instant::now();
    while server.seen.live() > 0 || server.seen.produced() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.io.watched(), 1, "it is still on the way");
    server.is_free_within(Duration::from_secs(12)).await;
    assert!(start.elapsed() > Duration::from_millis(2700));
    assert_eq!(
        (held(server.address), server.seen.cuts()[0].0),
        (0, SeenBy::Connection)
    );
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap_err();
}

/// The same, but the client goes away instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_client_is_gone_is_let_go_without_a_word() {
    let server = Server::new(Watch::Io, limits(Duration::from_secs(30))).await;
    let client = ask(server.address, "/file/30000").await;
    while server.seen.live() > 0 || server.seen.produced() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.io.watched(), 1, "it is still on the way");
    drop(client);
    server.is_free_within(Duration::from_secs(10)).await;
    nothing_is_held(server.address).await;
    assert_eq!(*server.seen.events.lock().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_fetched_late_is_whole() {
    let server = Server::new(Watch::Io, limits(Duration::from_secs(3))).await;
    let mut client = ask(server.address, "/file/30000").await;
    sleep(Duration::from_millis(1200)).await;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > 30_000);
    server.is_free_within(Duration::from_secs(3)).await;
    assert_eq!(server.seen.cuts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_only_reported_is_left_alone() {
    let limits = SlowClientLimits::builder()
        .stall(Duration::from_millis(500))
        .report_only()
        .build()
        .unwrap();
    let server = Server::new(Watch::LayerAndIo, limits).await;
    let _h1 = ask(server.address, "/events/2000/0").await;
    let _h2 = send(server.address, Protocol::H2, "/events/2000/0")
        .await
        .unwrap();
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(server.seen.live(), 2);
    let events = server.seen.events.lock().unwrap();
    let would = events
        .iter()
        .filter(|event| format!("{event:?}").contains("WouldHaveCut"))
        .count();
    // The first by its body and by its connection, the second by its body.
    assert_eq!(would, 3, "{events:?}");
}
