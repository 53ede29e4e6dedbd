//! What goes through unchanged, what is cut and when, on the paused clock; and what the system makes of settings.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use proptest::prelude::*;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex, split};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::event::{Event, Outcome, Reporter, SeenBy};
use crate::slow_client::{SlowClient, SlowClientLimits};

type Events = Arc<Mutex<Vec<Event>>>;

const STALL: Duration = Duration::from_secs(60);

fn guard(limits: SlowClientLimits) -> (IoGuard, Events) {
    let events = Events::default();
    let noted = events.clone();
    let reporter = Reporter::to(move |event: &Event| noted.lock().unwrap().push(*event));
    (IoGuard::new(limits).with_reporter(reporter), events)
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_is_woken_with_the_reason_and_the_rest_is_let_go() {
    let (guard, events) = guard(SlowClientLimits::new());
    let (server, mut client) = duplex(64);
    let io = GuardedIo::without_socket(server, &guard);
    let (mut reader, mut writer) = split(io);
    let start = Instant::now();
    let reader = tokio::spawn(async move { reader.read_u8().await.unwrap_err() });
    let error = writer.write_all(&[1; 100]).await.unwrap_err();
    let waited = start.elapsed();
    assert!(
        (STALL..STALL + Duration::from_secs(1)).contains(&waited),
        "{waited:?}"
    );
    let later = writer
        .write_vectored(&[io::IoSlice::new(b"x")])
        .await
        .unwrap_err();
    let errors = [
        error,
        reader.await.unwrap(),
        later,
        writer.flush().await.unwrap_err(),
        writer.shutdown().await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(SlowClient::find(error).unwrap().taken(), 64);
    }
    // The peer reads what had got through, and then the end, while the writer is still there.
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [1; 64]);
    let events = events.lock().unwrap();
    let seen = SeenBy::Connection;
    assert!(matches!(events[0], Event::ClientStalled { seen: by, taken: 64, .. } if by == seen));
    assert!(matches!(events[1], Event::ClientTooSlow { seen: by, outcome: Outcome::Cut, .. } if by == seen));
    assert_eq!((events.len(), guard.watched()), (2, 1));
    drop(writer);
    assert_eq!(guard.watched(), 0);
}

#[tokio::test(start_paused = true)]
async fn progress_begins_a_new_stall_and_an_idle_connection_is_in_none() {
    let (guard, events) = guard(SlowClientLimits::builder().without_min_rate().build().unwrap());
    let (server, mut client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    let reading = tokio::spawn(async move {
        for _ in 0..4 {
            sleep(STALL - Duration::from_secs(2)).await;
            client.read_exact(&mut [0; 64]).await.unwrap();
        }
        client
    });
    io.write_all(&[0; 256]).await.unwrap();
    let _client = reading.await.unwrap();
    sleep(STALL * 10).await;
    io.write_all(&[0; 64]).await.unwrap();
    sleep(STALL * 10).await;
    let events = events.lock().unwrap();
    let recovered = events
        .iter()
        .filter(|event| matches!(event, Event::ClientRecovered { .. }))
        .count();
    assert_eq!((recovered, events.len()), (3, 6), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_once_what_would_have_been_cut() {
    let (guard, events) = guard(SlowClientLimits::builder().report_only().build().unwrap());
    let (server, mut client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    let reading = tokio::spawn(async move {
        sleep(STALL * 4).await;
        client.read_exact(&mut [0; 100]).await.unwrap();
    });
    io.write_all(&[0; 100]).await.unwrap();
    reading.await.unwrap();
    let events = events.lock().unwrap();
    let would_be_cut = events.iter().filter(
        |event| matches!(event, Event::ClientTooSlow { outcome, .. } if *outcome == Outcome::WouldHaveCut),
    );
    assert_eq!(would_be_cut.count(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_has_nothing_to_do_hides_no_write_that_waits() {
    let (guard, _) = guard(SlowClientLimits::new());
    let (server, _client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    let write = poll_fn(|cx| {
        while let Poll::Ready(written) = Pin::new(&mut io).poll_write(cx, &[0; 64]) {
            if let Err(error) = written {
                return Poll::Ready(error);
            }
        }
        assert!(Pin::new(&mut io).poll_flush(cx).is_ready());
        Poll::Pending
    });
    let error = timeout(STALL * 2, write).await.unwrap();
    assert!(SlowClient::find(&error).is_some());
}

/// A write that was given up, and then the end of what is written: nothing waits.
#[tokio::test(start_paused = true)]
async fn whoever_has_shut_down_waits_for_nobody() {
    let (guard, events) = guard(SlowClientLimits::new());
    let (server, _client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    timeout(Duration::from_secs(1), io.write_all(&[0; 100]))
        .await
        .unwrap_err();
    io.shutdown().await.unwrap();
    sleep(STALL * 3).await;
    assert_eq!(*events.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn questions_find_the_connection_until_it_is_cut() {
    let (guard, _) = guard(SlowClientLimits::new());
    let (server, _client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    assert_eq!(io.ask(|_| 7), Some(7));
    io.write_all(&[0; 100]).await.unwrap_err();
    assert_eq!(io.ask(|_| 7), None);
}

/// Nothing but being woken has it look again.
async fn waits_in_vain(io: &mut (impl AsyncWrite + Unpin)) {
    let start = Instant::now();
    let write = timeout(STALL * 2, io.write_all(&[0; 100]));
    let error = write.await.unwrap().unwrap_err();
    assert!(SlowClient::find(&error).is_some());
    assert!(start.elapsed() < STALL + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_keeps_nobody_waiting() {
    let reporter = Reporter::to(|event: &Event| {
        assert!(!matches!(event, Event::ClientTooSlow { .. }), "on purpose");
    });
    let guard = IoGuard::new(SlowClientLimits::new()).with_reporter(reporter);
    let (server, _client) = duplex(64);
    let mut io = GuardedIo::without_socket(server, &guard);
    waits_in_vain(&mut io).await;
    drop(io);
    assert_eq!(guard.watched(), 0);
}

/// What somebody has put into a connection.
struct Dropping<F: FnMut() + Unpin>(tokio::io::DuplexStream, F);

impl<F: FnMut() + Unpin> Drop for Dropping<F> {
    fn drop(&mut self) {
        (self.1)();
    }
}

impl<F: FnMut() + Unpin> AsyncRead for Dropping<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<F: FnMut() + Unpin> AsyncWrite for Dropping<F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_drop_panics_keeps_neither_its_place_nor_anybody_waiting() {
    let (guard, _) = guard(SlowClientLimits::new());
    let panics = || assert!(std::thread::panicking(), "on purpose");
    let (server, _client) = duplex(64);
    let io = GuardedIo::without_socket(Dropping(server, panics), &guard);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(io))).unwrap_err();
    assert_eq!(guard.watched(), 0);
    let (server, _client) = duplex(64);
    let mut io = GuardedIo::without_socket(Dropping(server, panics), &guard);
    waits_in_vain(&mut io).await;
    drop(io);
    assert_eq!(guard.watched(), 0);
}

/// What was dropped with the lock held could wait for itself.
#[cfg(feature = "serve")]
#[tokio::test]
async fn whoever_is_dropped_may_ask_the_connection() {
    let guard = IoGuard::default();
    for is_reset in [false, true] {
        let resets = Arc::new(Mutex::new(None::<Arc<dyn Resets>>));
        let dropped = resets.clone();
        let asks = move || dropped.lock().unwrap().take().unwrap().reset_when_closed();
        let (server, _client) = duplex(64);
        let io = GuardedIo::without_socket(Dropping(server, asks), &guard);
        *resets.lock().unwrap() = Some(io.resets());
        if is_reset {
            io.resets().reset_when_closed();
        }
        drop(io);
        assert!(resets.lock().unwrap().is_none());
    }
}

/// Its owner has gone, and cannot give its place back.
#[cfg(all(feature = "serve", target_os = "linux"))]
#[tokio::test(start_paused = true)]
async fn whoever_was_left_and_is_reset_is_watched_no_longer() {
    let (guard, events) = guard(SlowClientLimits::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut io = GuardedIo::new(listener.accept().await.unwrap().0, &guard);
    let resets = io.resets();
    timeout(Duration::from_secs(1), io.write_all(&vec![0; 1 << 24]))
        .await
        .unwrap_err();
    drop(io);
    sleep(STALL / 4).await;
    assert_eq!(guard.watched(), 1, "it is still on the way");
    resets.reset();
    sleep(Duration::from_secs(1)).await;
    assert_eq!((guard.watched(), events.lock().unwrap().len()), (0, 0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_so_many_are_left_and_the_next_is_reset() {
    let (guard, _) = guard(SlowClientLimits::new());
    let guard = guard.with_most_left(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let leave = async || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut io = GuardedIo::new(listener.accept().await.unwrap().0, &guard);
        timeout(Duration::from_millis(100), io.write_all(&vec![0; 1 << 24]))
            .await
            .unwrap_err();
        client
    };
    let first = leave().await;
    assert_eq!(guard.watched(), 1);
    let mut second = leave().await;
    assert_eq!(guard.watched(), 1, "there is no room for another one");
    let error = second.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    // When the first is gone, so is its place.
    SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    timeout(Duration::from_secs(10), async {
        while guard.watched() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    let _third = leave().await;
    assert_eq!(guard.watched(), 1);
}

#[tokio::test]
async fn sockets_are_set_as_the_settings_say() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let settings = SocketSettings::builder()
        .send_buffer(50_000)
        .user_timeout(Duration::from_secs(90))
        .build()
        .unwrap();
    let (guard, events) = guard(SlowClientLimits::new());
    let guard = guard.with_settings(settings);
    let io = GuardedIo::new(listener.accept().await.unwrap().0, &guard);
    io.ask(|socket| {
        let socket = SockRef::from(socket);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.send_buffer_size().unwrap() >= 50_000);
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), 64 * 1024);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(90)));
        }
    })
    .unwrap();
    let untouched = IoGuard::default().with_settings(SocketSettings::none());
    let io = GuardedIo::new(client, &untouched);
    assert!(!io.ask(|socket| socket.nodelay().unwrap()).unwrap());
    assert_eq!(*events.lock().unwrap(), []);
}

/// A socket that knows nothing of TCP.
#[derive(Debug)]
struct Datagrams(UdpSocket);

#[cfg(unix)]
impl std::os::fd::AsFd for Datagrams {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Datagrams {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

impl AsyncRead for Datagrams {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Datagrams {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_refused_setting_is_reported_once_and_stops_nothing() {
    let (guard, events) = guard(SlowClientLimits::new());
    for _ in 0..3 {
        let socket = Datagrams(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let mut io = GuardedIo::new(socket, &guard);
        io.write_all(b"goes on").await.unwrap();
    }
    let events = events.lock().unwrap();
    let settings: Vec<_> = events
        .iter()
        .map(|event| match *event {
            Event::SocketSettingRefused { setting, .. } => setting,
            _ => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(settings, ["TCP_NODELAY", "TCP_NOTSENT_LOWAT"]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let builder = SocketSettings::builder;
    for (settings, says) in [
        (builder().notsent_lowat(0), "`notsent_lowat` of zero"),
        (builder().send_buffer(4095), "`send_buffer` of 4095"),
        (
            builder().user_timeout(Duration::from_millis(4999)),
            "`user_timeout` of 4.999s",
        ),
    ] {
        let error = settings.build().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let least = builder()
        .without_notsent_lowat()
        .nodelay(false)
        .send_buffer(4096)
        .user_timeout(Duration::from_secs(5));
    assert_ne!(least.build().unwrap(), SocketSettings::none());
    assert_eq!(builder().build().unwrap(), SocketSettings::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the bytes are cut into pieces on the way, in both directions, they arrive as they are.
    #[test]
    fn bytes_pass_unchanged(
        there in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        back in prop::collection::vec(any::<u8>(), 0..2000),
        room in 1_usize..200,
        steps in prop::collection::vec(1_usize..100, 1..8),
        is_vectored in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (server, client) = duplex(room);
            let io = GuardedIo::without_socket(server, &IoGuard::default());
            let ((mut reader, mut writer), (mut there_end, mut back_start)) = (split(io), split(client));
            let sent = there.concat();
            let write = async {
                for piece in &there {
                    let (mut first, mut second) = piece.split_at(piece.len() / 3);
                    while !(first.is_empty() && second.is_empty()) {
                        let n = if is_vectored {
                            writer.write_vectored(&[io::IoSlice::new(first), io::IoSlice::new(second)]).await
                        } else {
                            writer.write(if first.is_empty() { second } else { first }).await
                        };
                        let n = n.unwrap();
                        let of_first = n.min(first.len());
                        first = &first[of_first..];
                        second = &second[n - of_first..];
                    }
                }
                writer.flush().await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let read = async {
                let (mut got, mut step) = (Vec::new(), steps.iter().cycle());
                let mut bytes = [0; 100];
                loop {
                    let most = *step.next().unwrap();
                    match there_end.read(&mut bytes[..most]).await.unwrap() {
                        0 => return got,
                        n => got.extend_from_slice(&bytes[..n]),
                    }
                }
            };
            let send_back = async {
                back_start.write_all(&back).await.unwrap();
                back_start.shutdown().await.unwrap();
            };
            let read_back = async {
                let mut got = Vec::new();
                reader.read_to_end(&mut got).await.unwrap();
                got
            };
            let ((), got, (), got_back) = tokio::join!(write, read, send_back, read_back);
            assert_eq!((got, got_back), (sent, back));
        });
    }
}
