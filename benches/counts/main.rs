//! Counts what each row costs: instructions, allocations, looks at the clock, timer registrations.
//!
//! Counts are the same from run to run, where nanoseconds are not. All of them come from callgrind: this
//! program runs itself under valgrind, once for each row. A row runs each scenario at two lengths; the
//! difference between the two, divided by the difference of the lengths, is what one request or frame costs,
//! free of everything that happens once. Calls are counted by the name of the function that is called, which
//! valgrind sees exactly, while it distorts how long a look at the clock takes. `calibrate` proves at each
//! start that these names are the right ones.
//!
//! `benches/run` starts it. Options: `--quick` (shorter runs, not optimized), `--row TEXT` (rows whose name contains it),
//! `--where` (also the functions that cost most), `--strict` (fails where a target is missed).

mod calibrate;
mod callgrind;
mod table;
mod targets;

#[path = "../rows/mod.rs"]
mod rows;

use std::error::Error;
use std::ops::{Div, Sub};
use std::{env, process};

use self::callgrind::Profile;
use self::rows::driver::Measure;
use self::rows::{BARE, Row, SCENARIOS};

/// What one request or frame costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Costs {
    instructions: f64,
    allocations: f64,
    clock_reads: f64,
    timer_registrations: f64,
    driver_wakes: f64,
}

/// Two run lengths. Their difference is a multiple of the number of frames between two looks at the clock.
#[derive(Clone, Copy, Debug)]
struct Lengths(usize, usize);

const LENGTHS: Lengths = Lengths(128, 128 + 1024);
const QUICK: Lengths = Lengths(64, 64 + 128);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let after = |name| {
        arguments
            .iter()
            .position(|it| it == name)
            .and_then(|at| arguments.get(at + 1))
    };
    let has = |name| arguments.iter().any(|it| it == name);
    let is_quick = has("--quick");
    let lengths = if is_quick { QUICK } else { LENGTHS };
    if let Some(name) = after("--measure") {
        measure(name, lengths);
        return Ok(());
    }
    callgrind::check_installed()?;
    calibrate::check(&run(calibrate::NAME, is_quick)?, lengths)?;
    let wanted =
        |row: &Row| row.name == BARE || after("--row").is_none_or(|text| row.name.contains(text.as_str()));
    let mut counted = Vec::new();
    for row in rows::all().into_iter().filter(wanted) {
        let profiles = run(row.name, is_quick)?;
        let costs = costs(&profiles, lengths);
        if costs.len() != SCENARIOS.len() {
            return Err(format!("`{}`: {} scenarios were profiled", row.name, costs.len()).into());
        }
        if has("--where") {
            table::print_dearest(row.name, &profiles, lengths);
        }
        counted.push((row.name, costs));
    }
    table::print(&counted);
    if cfg!(debug_assertions) {
        println!("\nnot optimized: the instructions mean nothing, the other counts are exact");
        return Ok(());
    }
    let missed = table::print_targets(&counted);
    if missed && has("--strict") {
        process::exit(1);
    }
    Ok(())
}

/// Runs one row in a process of its own, under valgrind.
fn run(name: &str, is_quick: bool) -> Result<Vec<Profile>, Box<dyn Error>> {
    let mut arguments = vec!["--measure", name];
    arguments.extend(is_quick.then_some("--quick"));
    callgrind::profile(&arguments)
}

/// What the process under valgrind does.
fn measure(name: &str, lengths: Lengths) {
    let row = rows::all().into_iter().find(|row| row.name == name);
    let each_length = |run: &dyn Fn(usize, &mut Measure<'_>)| {
        for n in [lengths.0, lengths.1] {
            run(n, &mut |work| callgrind::between_marks(work));
        }
    };
    match row {
        Some(row) => SCENARIOS
            .iter()
            .for_each(|scenario| each_length(&|n, measure| row.run(*scenario, n, measure))),
        None => each_length(&calibrate::run),
    }
}

fn costs(profiles: &[Profile], lengths: Lengths) -> Vec<Costs> {
    let n = (lengths.1 - lengths.0) as f64;
    let pairs = profiles.chunks_exact(2);
    pairs
        .map(|pair| (Costs::from(&pair[1]) - Costs::from(&pair[0])) / n)
        .collect()
}

// === impl Costs ===

impl From<&Profile> for Costs {
    fn from(profile: &Profile) -> Self {
        let calls = |is: fn(&str) -> bool| profile.calls_of(is) as f64;
        Self {
            instructions: profile.instructions as f64,
            allocations: calls(|name| {
                matches!(
                    name,
                    "malloc" | "calloc" | "realloc" | "aligned_alloc" | "posix_memalign"
                )
            }),
            clock_reads: calls(|name| name.starts_with("clock_gettime")),
            // Where tokio puts a timer into its wheel, whether for the first time or again.
            timer_registrations: calls(|name| name.contains("time") && name.ends_with("reregister")),
            // tokio wakes its driver by a write to an eventfd.
            driver_wakes: calls(|name| name == "write"),
        }
    }
}

impl Sub for Costs {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Div<f64> for Costs {
    type Output = Self;

    fn div(self, n: f64) -> Self {
        self.zip(self, |a, _| a / n)
    }
}

impl Costs {
    fn zip(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            instructions: of(self.instructions, other.instructions),
            allocations: of(self.allocations, other.allocations),
            clock_reads: of(self.clock_reads, other.clock_reads),
            timer_registrations: of(self.timer_registrations, other.timer_registrations),
            driver_wakes: of(self.driver_wakes, other.driver_wakes),
        }
    }
}
