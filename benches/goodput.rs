//! What is served at 1, 2, 5 and 10 times of what a server can: the example `overload`, recorded.
//!
//! `cargo bench --all-features --bench goodput`: on the paused clock, and over sockets in real time (not with `--quick`).
#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

#[path = "../examples/overload.rs"]
mod overload;
mod record;

use std::time::Duration;

use tokio::runtime::Builder;

use self::overload::{Before, Pace, Tally, capacity, capacity_over_sockets, in_process, over_sockets};
use self::record::record;

const LOADS: [u32; 4] = [1, 2, 5, 10];
const MS: Duration = Duration::from_millis(1);

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    println!("| | load | goodput | most at once |");
    println!("|---|---|---|---|");
    for clock in ["paused", "sockets"] {
        if clock == "sockets" && is_quick {
            continue;
        }
        for load in LOADS {
            let unit = if clock == "paused" { MS * 5 } else { MS };
            let queue_timeout = unit * 1000;
            let befores = [
                ("bare", Before::Nothing),
                ("ConcurrencyLimit", Before::Limit),
                ("LoadShed + ConcurrencyLimit", Before::ShedAndLimit),
                ("AdmissionGate", Before::gate(queue_timeout)),
            ];
            for (name, before) in befores {
                let pace = Pace {
                    answer: unit * 200,
                    patience: unit * 2000,
                    span: unit * 5000,
                };
                let (tally, goodput) = run(clock == "paused", &before, load, pace);
                println!(
                    "| {name}, {clock} | {load}× | {:.0} % | {} |",
                    goodput * 100.0,
                    tally.most
                );
                let case = format!("{clock} {load}");
                record("goodput", &case, name, "goodput", &[goodput]);
                record("goodput", &case, name, "most at once", &[f64::from(tally.most)]);
            }
        }
    }
}

fn run(is_paused: bool, before: &Before, load: u32, pace: Pace) -> (Tally, f64) {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(is_paused).build();
    runtime.expect("a runtime").block_on(async {
        if is_paused {
            let tally = in_process(before, load, pace).await;
            let goodput = tally.goodput(capacity(pace));
            return (tally, goodput);
        }
        let short = Pace {
            span: pace.span / 3,
            ..pace
        };
        let earlier = capacity_over_sockets(short).await;
        let tally = over_sockets(before, load, pace).await;
        let possible = f64::midpoint(earlier, capacity_over_sockets(short).await);
        let goodput = tally.goodput(possible);
        (tally, goodput)
    })
}
