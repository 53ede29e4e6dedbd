//! What was counted, as one table.

use crate::callgrind::Profile;
use crate::rows::{BARE, SCENARIOS};
use crate::targets::TARGETS;
use crate::{Costs, Lengths};

/// A row's name with its costs in every scenario.
pub(crate) type Counted = (&'static str, Vec<Costs>);

const SHOWN: usize = 12;

pub(crate) fn print(counted: &[Counted]) {
    let width = counted.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        println!("\n{}, per {}", scenario.name, scenario.unit);
        println!(
            "  {:width$} | {:>9} | {:>9} | {:>7} | {:>7} | {:>7} | {:>7}",
            "row", "instr", "Δ bare", "allocs", "clock", "timers", "wakes"
        );
        for (name, costs) in counted {
            let it = costs[at];
            println!(
                "  {name:width$} | {:>9.0} | {:>9.0} | {:>7} | {:>7} | {:>7} | {:>7}",
                it.instructions,
                added(counted, name, at).unwrap_or_default(),
                count(it.allocations),
                count(it.clock_reads),
                count(it.timer_registrations),
                count(it.driver_wakes),
            );
        }
    }
    println!(
        "\ninstr: instructions in user space · clock: looks at the clock · timers: registrations with tokio's \
         wheel\nwakes: writes that wake tokio's driver · cold: no earlier timer lives, so each one that is armed \
         wakes the driver"
    );
}

/// Prints how each target fares, and returns whether one is missed.
pub(crate) fn print_targets(counted: &[Counted]) -> bool {
    let mut is_missed = false;
    for target in TARGETS {
        println!(
            "\n{}: at most {:.0} % of what {} adds",
            target.row,
            target.at_most * 100.0,
            target.peers
        );
        for (at, scenario) in SCENARIOS.iter().enumerate() {
            let (Some(ours), Some(theirs)) =
                (added(counted, target.row, at), added(counted, target.peers, at))
            else {
                continue;
            };
            let share = ours / theirs;
            let is_met = share <= target.at_most;
            is_missed |= !is_met;
            let verdict = if is_met { "met" } else { "MISSED" };
            println!(
                "  {:26} {ours:6.0} of {theirs:6.0} = {:4.0} %  {verdict}",
                scenario.name,
                share * 100.0
            );
        }
    }
    is_missed
}

/// Prints the functions of a row in which most instructions were spent.
pub(crate) fn print_dearest(name: &str, profiles: &[Profile], lengths: Lengths) {
    let n = (lengths.1 - lengths.0) as f64;
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

/// The instructions that a row adds to the bare handler.
fn added(counted: &[Counted], name: &str, at: usize) -> Option<f64> {
    let of = |name| {
        counted
            .iter()
            .find(|(it, _)| *it == name)
            .map(|(_, costs)| costs[at].instructions)
    };
    Some(of(name)? - of(BARE)?)
}

/// A count of whole things is whole, unless it happens every few times only.
fn count(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
