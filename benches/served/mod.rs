//! A server in a process of its own, bare, under the peers' stack or under ours, and what it uses.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]
#![allow(dead_code, reason = "each bench uses a part of it")]

mod app;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

pub(crate) use self::app::Stack;

/// What Linux counts processor time in, nearly everywhere.
const TICK: Duration = Duration::from_millis(10);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program again, as a server. `pace` is the interval of its beats and the stall of its clients.
    pub(crate) fn start(stack: Stack, pace: Duration) -> Self {
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["--serve", stack.name(), &pace.as_millis().to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let mut port = String::new();
        let said = process.stdout.take().expect("its output is piped");
        BufReader::new(said).read_line(&mut port).expect("its port");
        let port = port.trim().parse().expect("a port");
        Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// The bytes of memory that are its own.
    pub(crate) fn resident(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.and_then(|kib| kib.parse::<f64>().ok()).expect("its memory") * 1024.0
    }

    /// The time that processors have spent on it, in its code and in the system for it.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let after_name = stat.rsplit(')').next().expect("the fields after its name");
        let fields = after_name.split_whitespace().skip(11).take(2);
        TICK * fields
            .map(|ticks| ticks.parse::<u32>().expect("ticks"))
            .sum::<u32>()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("Linux tells of processes")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where this program is to be a server it is one, until it is killed.
pub(crate) fn serve_if_asked() {
    let mut arguments = env::args().skip_while(|argument| argument != "--serve").skip(1);
    if let (Some(stack), Some(pace)) = (arguments.next(), arguments.next()) {
        let pace = Duration::from_millis(pace.parse().expect("milliseconds"));
        app::run(Stack::named(&stack).expect("the name of a stack"), pace);
    }
}

pub(crate) fn is_quick() -> bool {
    env::args().any(|argument| argument == "--quick")
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
