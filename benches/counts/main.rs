//! Counts what each row costs: instructions, allocations, looks at the clock, timer registrations.
//!
//! Counts are the same from run to run, where nanoseconds are not. All of them come from callgrind: this
//! program runs itself under valgrind, once for each row. A row runs each scenario at two lengths; the
//! difference between the two, divided by the difference of the lengths, is what one request or frame costs,
//! free of everything that happens once. Calls are counted by the name of the function that is called, which
//! valgrind sees exactly, while it distorts how long a look at the clock takes. `calibrate` proves at each
//! start that these names are the right ones.
//!
//! Atomic read-modify-writes are the executed instructions that lock, which a disassembly of this program and of its
//! libraries tells. A look at the clock is a system call under valgrind, and outside of it is none, so those that
//! look at the clock are taken off the system calls.
//!
//! `benches/run` starts it. Options: `--row TEXT` (rows whose name contains it), `--where` (also the functions that cost
//! most).

mod atomics;
mod calibrate;
mod callgrind;
mod table;

#[path = "../record/mod.rs"]
mod record;
#[path = "../rows/mod.rs"]
mod rows;

use std::env;
use std::error::Error;
use std::ops::{Div, Sub};
use std::sync::{Mutex, PoisonError};
use std::thread;

use self::callgrind::Profile;
use self::record::record;
use self::rows::driver::Measure;
use self::rows::{BARE, SCENARIOS};

/// What one request or frame costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Costs {
    instructions: f64,
    allocations: f64,
    clock_reads: f64,
    timer_registrations: f64,
    atomics: f64,
    syscalls: f64,
}

/// Two run lengths. Their difference is a multiple of the number of frames between two looks at the clock.
const LENGTHS: [usize; 2] = [64, 64 + 512];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let after = |name| {
        arguments
            .iter()
            .position(|it| it == name)
            .and_then(|at| arguments.get(at + 1))
    };
    if let Some(name) = after("--measure") {
        measure(name);
        return Ok(());
    }
    callgrind::check_installed()?;
    calibrate::check(&run(calibrate::NAME)?)?;
    let rows = rows::all();
    let wanted = rows
        .iter()
        .filter(|row| row.name == BARE || after("--row").is_none_or(|text| row.name.contains(text.as_str())));
    let names: Vec<_> = wanted.map(|row| (row.name, row.against)).collect();
    let mut counted = Vec::new();
    for ((name, against), profiles) in names.iter().zip(profile(&names)) {
        let profiles = profiles?;
        let costs = costs(&profiles);
        if costs.len() != SCENARIOS.len() {
            return Err(format!("`{name}`: {} scenarios were profiled", costs.len()).into());
        }
        if arguments.iter().any(|it| it == "--where") {
            table::print_dearest(name, &profiles);
        }
        counted.push((*name, *against, costs));
    }
    table::print(&counted);
    for row in &rows {
        record("row", row.against, row.name, &format!("{:?}", row.whose), &[]);
    }
    for (name, _, costs) in &counted {
        for (scenario, costs) in SCENARIOS.iter().zip(costs) {
            costs.record(scenario.name, name);
        }
    }
    Ok(())
}

/// The profiles of each row. They run side by side, because one does not change what another counts.
fn profile(names: &[(&'static str, &'static str)]) -> Vec<Result<Vec<Profile>, String>> {
    let (left, done) = (Mutex::new(names.iter().enumerate()), Mutex::new(Vec::new()));
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while let Some((at, (name, _))) = take() {
            let profiles = run(name).map_err(|error| error.to_string());
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((at, profiles));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, profiles)| profiles).collect()
}

/// Runs one row in a process of its own, under valgrind.
fn run(name: &str) -> Result<Vec<Profile>, Box<dyn Error>> {
    callgrind::profile(&["--measure", name])
}

/// What the process under valgrind does.
fn measure(name: &str) {
    let row = rows::all().into_iter().find(|row| row.name == name);
    let each_length = |run: &dyn Fn(usize, &mut Measure<'_>)| {
        for n in LENGTHS {
            run(n, &mut |work| callgrind::between_marks(work));
        }
    };
    match row {
        Some(row) => SCENARIOS
            .iter()
            .for_each(|scenario| each_length(&|n, measure| row.run(*scenario, n, measure))),
        None => calibrate::WORK.iter().for_each(|work| each_length(work)),
    }
}

fn costs(profiles: &[Profile]) -> Vec<Costs> {
    let n = (LENGTHS[1] - LENGTHS[0]) as f64;
    let pairs = profiles.chunks_exact(2);
    pairs
        .map(|pair| (Costs::from(&pair[1]) - Costs::from(&pair[0])) / n)
        .collect()
}

// === impl Costs ===

impl From<&Profile> for Costs {
    fn from(profile: &Profile) -> Self {
        let calls = |is: fn(&str) -> bool| profile.calls_of(is) as f64;
        let clock_reads = calls(|name| name.starts_with("clock_gettime"));
        Self {
            instructions: profile.instructions as f64,
            allocations: calls(|name| {
                matches!(
                    name,
                    "malloc" | "calloc" | "realloc" | "aligned_alloc" | "posix_memalign"
                )
            }),
            clock_reads,
            // Where tokio puts a timer into its wheel, whether for the first time or again.
            timer_registrations: calls(|name| name.contains("time") && name.ends_with("reregister")),
            atomics: match atomics::ARE_SEEN {
                true => profile.executed_at(atomics::in_file) as f64,
                false => 0.0,
            },
            syscalls: profile.syscalls as f64 - clock_reads,
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
            atomics: of(self.atomics, other.atomics),
            syscalls: of(self.syscalls, other.syscalls),
        }
    }

    fn record(self, case: &str, who: &str) {
        let figures = [
            ("instructions", self.instructions),
            ("allocations", self.allocations),
            ("clock reads", self.clock_reads),
            ("timers", self.timer_registrations),
            ("atomics", self.atomics),
            ("syscalls", self.syscalls),
        ];
        for (unit, figure) in figures {
            record("counts", case, who, unit, &[figure]);
        }
    }
}
