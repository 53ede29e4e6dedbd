//! What was counted, as one table.

use crate::callgrind::Profile;
use crate::rows::SCENARIOS;
use crate::{Costs, LENGTHS};

/// A row's name, that of the row it is compared with, and its costs in every scenario.
pub(crate) type Counted = (&'static str, &'static str, Vec<Costs>);

const SHOWN: usize = 12;

pub(crate) fn print(counted: &[Counted]) {
    let width = counted.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        println!("\n{}, per {}", scenario.name, scenario.unit);
        println!(
            "  {:width$} | {:>9} | {:>9} | {:>7} | {:>7} | {:>7} | {:>7} | {:>8}",
            "row", "instr", "adds", "allocs", "clock", "timers", "atomics", "syscalls"
        );
        for (name, against, costs) in counted {
            let it = costs[at];
            println!(
                "  {name:width$} | {:>9.0} | {:>9.0} | {:>7} | {:>7} | {:>7} | {:>7} | {:>8}",
                it.instructions,
                added(counted, name, against, at).unwrap_or_default(),
                count(it.allocations),
                count(it.clock_reads),
                count(it.timer_registrations),
                count(it.atomics),
                count(it.syscalls),
            );
        }
    }
    println!(
        "\ninstr: instructions in user space · adds: to the handler alone · clock: looks at the clock · timers: \
         registrations with tokio's wheel\natomics: read-modify-writes (x86-64 only) · cold: no earlier timer lives, so each one \
         that is armed wakes the driver by a system call"
    );
}

/// Prints the functions of a row in which most instructions were spent.
pub(crate) fn print_dearest(name: &str, profiles: &[Profile]) {
    let n = (LENGTHS[1] - LENGTHS[0]) as f64;
    for (scenario, pair) in SCENARIOS.iter().zip(profiles.chunks_exact(2)) {
        println!(
            "\n{name}: {}, instructions per {} in",
            scenario.name, scenario.unit
        );
        for (function, cost) in pair[1].dearest().into_iter().take(SHOWN) {
            println!(
                "  {:>7.1}  {function}",
                (cost - pair[0].own(function).min(cost)) as f64 / n
            );
        }
    }
}

/// The instructions that a row adds to the row `against`.
fn added(counted: &[Counted], name: &str, against: &str, at: usize) -> Option<f64> {
    let of = |name| {
        let row = counted.iter().find(|(it, ..)| *it == name);
        row.map(|(_, _, costs)| costs[at].instructions)
    };
    Some(of(name)? - of(against)?)
}

/// A count of whole things is whole, unless it happens every few times only.
fn count(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
