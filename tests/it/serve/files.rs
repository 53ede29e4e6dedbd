//! A server whose process has no files left: a process of its own, since the limit is the process's.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::{Event, Reporter, serve};

use super::{Held, LATE, app};
use crate::wire;

/// The runtime and the test harness need some ten of them.
const FILES: usize = 48;
const FLOOD: usize = 120;
const IS_CHILD: &str = "LIFELINE_TEST_WITHOUT_FILES";
const QUICK: &str = "GET /quick HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// The server's process, and what it says.
struct Crowded {
    process: Child,
    said: Receiver<String>,
}

impl Crowded {
    fn start() -> Self {
        let mut process = Command::new("sh")
            .args(["-c", &format!(r#"ulimit -n {FILES} && exec "$0" "$@""#)])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "serve::files::server_without_files", "--nocapture"])
            .env(IS_CHILD, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (say, said) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(say.send(line))));
        Self { process, said }
    }

    /// What follows `what` in the next line that says it.
    fn says(&self, what: &str) -> String {
        loop {
            let line = self
                .said
                .recv_timeout(Duration::from_secs(10))
                .expect("it says so");
            // The harness may not have ended its own line.
            if let Some((_, rest)) = line.split_once(what) {
                return rest.to_owned();
            }
        }
    }

    /// How much processor time it has had, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum()
    }
}

impl Drop for Crowded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the other test starts. By itself it does nothing.
#[tokio::test]
async fn server_without_files() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ServeSettings::builder().first_byte(Duration::from_secs(60));
    let server = serve(listener, app(&Held::default()))
        .with_settings(settings.build().unwrap())
        .with_reporter(Reporter::to(|event: &Event| println!("event: {event:?}")));
    for line in server.report().lines() {
        println!("report: {line}");
    }
    println!("listens at: {address}");
    server.await;
}

async fn ask(socket: &mut TcpStream) {
    socket
        .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    let read = timeout(LATE, socket.read(&mut some)).await.unwrap().unwrap();
    assert!(some[..read].ends_with(b"quick"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_files_waits_for_some_and_goes_on() {
    let server = Crowded::start();
    let report = server.says("report: partial too many connections: ");
    assert!(report.contains(&format!("only {FILES} files")), "{report}");
    let address: SocketAddr = server.says("listens at: ").parse().unwrap();
    let mut early = TcpStream::connect(address).await.unwrap();
    ask(&mut early).await;
    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        flood.push(TcpStream::connect(address).await.unwrap());
    }
    let failed = server.says("event: AcceptFailed");
    let ticks = server.ticks();
    // Those who are in are served.
    for _ in 0..20 {
        ask(&mut early).await;
        sleep(Duration::from_millis(100)).await;
    }
    let (ticks, again) = (server.ticks() - ticks, server.said.try_iter().count());
    assert!((1..=6).contains(&again), "{failed} and {again} more in 2 s");
    assert!(ticks < 50, "{ticks} of 200 ticks for nothing");
    drop(flood);
    let answer = timeout(LATE * 2, wire::raw(address, QUICK)).await.unwrap();
    assert!(answer.ends_with("quick"), "{answer}");
    ask(&mut early).await;
}
