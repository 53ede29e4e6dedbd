//! Clients that read slowly, and are never cut for it.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::clients::{Protocol, ask, read_slowly, send};
use super::delay::delayed;
use super::{Server, Watch, limits};

const STALL: Duration = Duration::from_secs(4);
const TIME: Duration = Duration::from_secs(6);

/// What is read is about what can be read: nobody was cut, and nobody starved.
fn check(case: &str, read: Result<usize, usize>, rate: usize, server: &Server) {
    assert!(
        read.is_ok_and(|read| read > rate * 2),
        "{case} at {rate} B/s: {read:?}, {:?}",
        server.seen.events.lock().unwrap()
    );
    assert_eq!(server.seen.cuts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_are_left_alone() {
    let mut cases = JoinSet::new();
    for (watch, piece, rate) in [
        (Watch::Io, 65_536, 5_000),
        (Watch::Io, 65_536, 40_000),
        (Watch::Io, 200, 5_000),
        (Watch::Io, 200, 320_000),
        (Watch::LayerAndIo, 65_536, 40_000),
        (Watch::LayerAndIo, 65_536, 320_000),
        (Watch::LayerAndIo, 200, 40_000),
        (Watch::LayerAndSmallBuffers, 65_536, 320_000),
    ] {
        cases.spawn(async move {
            let server = Server::new(watch, limits(STALL)).await;
            let client = ask(server.address, &format!("/events/{piece}/0")).await;
            let read = read_slowly(client, rate, TIME, Duration::ZERO).await;
            check(&format!("{watch:?} {piece}"), read, rate, &server);
        });
    }
    cases.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_pauses_for_less_than_a_stall_is_left_alone() {
    let server = Server::new(Watch::LayerAndIo, limits(STALL)).await;
    let client = ask(server.address, "/events/200/0").await;
    let read = read_slowly(client, 40_000, TIME, Duration::from_millis(1400)).await;
    check("pauses", read, 20_000, &server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_way_is_no_stall() {
    let server = Server::new(Watch::LayerAndIo, limits(Duration::from_millis(2500))).await;
    let way = delayed(server.address, Duration::from_millis(200)).await;
    let client = ask(way, "/events/1000/0").await;
    let read = read_slowly(client, 40_000, TIME, Duration::ZERO).await;
    check("far away", read, 20_000, &server);
}

/// Something each two thirds of a stall, and nothing between: it is all taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_are_left_alone() {
    let stall = Duration::from_millis(900);
    let mut cases = JoinSet::new();
    for watch in [Watch::Layer, Watch::Io, Watch::LayerAndIo] {
        for protocol in [Protocol::H1, Protocol::H2] {
            cases.spawn(async move {
                let server = Server::new(watch, limits(stall)).await;
                let answer = send(server.address, protocol, "/events/20/600").await.unwrap();
                let mut read = 0;
                let whole = super::clients::read_on(answer.into_body(), &mut read);
                timeout(stall * 5, whole).await.unwrap_err();
                assert!(read >= 80, "{watch:?} {protocol:?}: {read}");
                assert_eq!(server.seen.cuts(), []);
            });
        }
    }
    // And one that has nothing to say for three stalls.
    cases.spawn(async move {
        let server = Server::new(Watch::LayerAndIo, limits(stall)).await;
        let mut client = ask(server.address, "/events/20/60000").await;
        timeout(stall * 3, async {
            let mut head = [0; 4096];
            while client.read(&mut head).await.unwrap() > 0 {}
        })
        .await
        .unwrap_err();
        assert_eq!((server.seen.cuts(), server.seen.live()), (Vec::new(), 1));
    });
    cases.join_all().await;
}
