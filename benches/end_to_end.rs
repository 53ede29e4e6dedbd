//! Requests over sockets: by `wrk` and `h2load`, to servers in processes of their own, in turns.
//!
//! `cargo bench --all-features --bench end_to_end` (`--quick`: one round of a second each). In each round every server is
//! asked for the same time, one after the other; what counts is the ratio to the bare one of the same round. The bare
//! one is there twice: how far the two are apart is noise. `--loops ROUNDS SECONDS` compares the loops alone, which is
//! what `tests/throughput` does.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

mod record;
mod served;

use std::env;
use std::process::Command;
use std::time::Duration;

use self::record::record;
use self::served::{Server, Stack, is_quick, median, serve_if_asked};

/// The load of one measurement.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    tool: &'static str,
    options: &'static [&'static str],
    path: &'static str,
}

/// What a server did under it.
#[derive(Clone, Copy, Debug)]
struct Done {
    per_second: f64,
    /// Microseconds of processor time for each request, in the server.
    cpu: f64,
}

const H1_GET: Load = Load {
    name: "HTTP/1.1 GET",
    tool: "wrk",
    options: &["-t1", "-c32"],
    path: "/",
};
const H2_GET: Load = Load {
    name: "HTTP/2 GET",
    tool: "h2load",
    options: &["-t1", "-c8", "-m16"],
    path: "/",
};
const H1_CALL: Load = Load {
    name: "HTTP/1.1 MCP call",
    tool: "h2load",
    options: &[
        "--h1",
        "-t1",
        "-c32",
        "-Hcontent-type: application/json",
        "-Haccept: application/json, text/event-stream",
        "-dbenches/call.json",
    ],
    path: "/call",
};

fn main() {
    serve_if_asked();
    let missing = ["wrk", "h2load"].map(|tool| Command::new(tool).arg("--version").output().is_err());
    if missing.contains(&true) {
        println!(
            "NOT CHECKED: end to end, which needs wrk and h2load (Debian: apt-get install wrk nghttp2-client)"
        );
        return;
    }
    let layers = [Stack::Bare, Stack::Again, Stack::Peers, Stack::Lifeline];
    let more = [Stack::Stamped, Stack::Serve, Stack::Served];
    let large = |load, name| Load {
        path: "/large",
        name,
        ..load
    };
    let loops: Vec<String> = env::args().skip_while(|it| it != "--loops").skip(1).collect();
    if let [rounds, seconds, ..] = &loops[..] {
        let loads = [
            H1_GET,
            large(H1_GET, "HTTP/1.1 GET of 1 MiB"),
            H2_GET,
            large(H2_GET, "HTTP/2 GET of 1 MiB"),
        ];
        let stacks = [Stack::Bare, Stack::Again, Stack::Serve];
        let (rounds, seconds) = (
            rounds.parse().expect("a number"),
            seconds.parse().expect("a number"),
        );
        compare(&loads, &stacks, rounds, seconds);
    } else if is_quick() {
        compare(&[H1_GET, H2_GET, H1_CALL], &layers, 1, 1);
    } else {
        compare(&[H1_GET, H2_GET, H1_CALL], &[&layers[..], &more].concat(), 5, 2);
    }
}

fn compare(loads: &[Load], stacks: &[Stack], rounds: usize, seconds: u32) {
    let pace = Duration::from_secs(60);
    let servers: Vec<Server> = stacks.iter().map(|stack| Server::start(*stack, pace)).collect();
    println!("| | | of bare | from | to | requests/s | CPU µs each |");
    println!("|---|---|---|---|---|---|---|");
    for load in loads {
        let rounds: Vec<Vec<Done>> = (0..rounds)
            .map(|round| load.put_on_each(&servers, round, seconds))
            .collect();
        for (at, stack) in stacks.iter().enumerate() {
            let each = |of: fn(&[Done], usize) -> f64| -> Vec<f64> {
                rounds.iter().map(|round| of(round, at)).collect()
            };
            let ratios = each(|round, at| round[at].per_second / round[0].per_second);
            let per_second = each(|round, at| round[at].per_second);
            let cpu = each(|round, at| round[at].cpu);
            let (from, to) = ratios.iter().fold((f64::INFINITY, 0.0_f64), |(from, to), it| {
                (from.min(*it), to.max(*it))
            });
            println!(
                "| {} | {} | {:.3} | {from:.2} | {to:.2} | {:.0} | {:.1} |",
                load.name,
                stack.name(),
                median(&ratios),
                median(&per_second),
                median(&cpu)
            );
            record("end_to_end", load.name, stack.name(), "ratio", &ratios);
            record("end_to_end", load.name, stack.name(), "requests/s", &per_second);
            record("end_to_end", load.name, stack.name(), "CPU µs", &cpu);
        }
    }
}

impl Load {
    /// Each round begins with another one, so that none is always first after a pause.
    fn put_on_each(&self, servers: &[Server], round: usize, seconds: u32) -> Vec<Done> {
        let first = round % servers.len();
        let turns = servers[first..].iter().chain(&servers[..first]);
        let mut done: Vec<Done> = turns.map(|server| self.put_on(server, seconds)).collect();
        done.rotate_right(first);
        done
    }

    fn put_on(&self, server: &Server, seconds: u32) -> Done {
        let span = if self.tool == "wrk" {
            format!("-d{seconds}s")
        } else {
            format!("-D{seconds}")
        };
        let before = server.cpu();
        let run = Command::new(self.tool)
            .args(self.options)
            .args([span, format!("http://{}{}", server.address, self.path)])
            .output()
            .expect("the tool runs");
        let cpu = server.cpu() - before;
        let said = String::from_utf8_lossy(&run.stdout);
        let is_whole = match self.tool {
            "wrk" => !said.contains("Socket errors") && !said.contains("Non-2xx"),
            _ => said.contains(" 0 failed, 0 errored, 0 timeout") && said.contains(" 0 4xx, 0 5xx"),
        };
        assert!(
            run.status.success() && is_whole,
            "{self:?}: {said}{}",
            String::from_utf8_lossy(&run.stderr)
        );
        let word = |after: &str, at: usize| {
            let line = said.lines().find(|line| line.trim_start().starts_with(after));
            let word = line.and_then(|line| line.split_whitespace().nth(at));
            word.and_then(|word| word.parse::<f64>().ok()).expect("a figure")
        };
        let per_second = match self.tool {
            "wrk" => word("Requests/sec:", 1),
            _ => word("finished in", 3),
        };
        Done {
            per_second,
            cpu: cpu.as_secs_f64() * 1e6 / (per_second * f64::from(seconds)),
        }
    }
}
