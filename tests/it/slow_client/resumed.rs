//! Clients that read again at the moment at which they are cut.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::clients::{End, Protocol, read_on, send_with};
use super::{Server, Watch, limits};

const STALL: Duration = Duration::from_millis(100);
const CLIENTS: u32 = 40;
/// More than all buffers on the way.
const BYTES: u64 = 1_500_000;

/// Pauses of up to three stalls. What arrives is whole, or known to be broken; and each byte is right.
async fn race(watch: Watch, protocol: Protocol, form: &'static str) -> (u32, u32) {
    let server = Server::new(watch, limits(STALL)).await;
    let (mut whole, mut cut) = (0, 0);
    for round in 0..4 {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS / 4 {
            let address = server.address;
            clients.spawn(async move {
                let Ok(answer) = send_with(address, 65_536, protocol, &format!("/{form}/{BYTES}")).await
                else {
                    return (End::Cut, 0);
                };
                sleep(STALL * 3 * (client * 4 + round) / CLIENTS).await;
                let mut read = 0;
                (read_on(answer.into_body(), &mut read).await, read)
            });
        }
        for (end, read) in clients.join_all().await {
            match end {
                End::Whole => {
                    assert_eq!(
                        read, BYTES,
                        "{watch:?} {protocol:?} {form}: looks whole, and is not"
                    );
                    whole += 1;
                }
                End::Cut => cut += 1,
            }
        }
    }
    server.is_free_within(Duration::from_secs(6)).await;
    (whole, cut)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_again_gets_the_whole_or_knows_that_it_was_cut() {
    let mut races = JoinSet::new();
    for watch in [Watch::LayerAndSmallBuffers, Watch::LayerAndIo] {
        for protocol in [Protocol::H1, Protocol::H2] {
            for form in ["file", "chunked"] {
                races.spawn(async move { (watch, race(watch, protocol, form).await) });
            }
        }
    }
    let ends = races.join_all().await;
    for watch in [Watch::LayerAndSmallBuffers, Watch::LayerAndIo] {
        let of_watch = ends.iter().filter(|(by, _)| *by == watch);
        let (whole, cut) = of_watch.fold((0, 0), |(all_whole, all_cut), (_, (whole, cut))| {
            (all_whole + whole, all_cut + cut)
        });
        assert!(whole > 5 && cut > 5, "{watch:?}: {ends:?}");
    }
}
