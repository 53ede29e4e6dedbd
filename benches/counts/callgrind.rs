//! This program under callgrind, and the files that callgrind writes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use crate::atomics::Addresses;

/// What happened between two marks.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    pub(crate) syscalls: u64,
    calls: HashMap<String, u64>,
    /// The instructions of each function itself.
    own: HashMap<String, u64>,
    /// How often the instruction at each address was executed, by the file that it is in.
    executed: HashMap<String, HashMap<u64, u64>>,
}

/// Does `work`, and has callgrind write a profile of it and nothing else.
pub(crate) fn between_marks(work: &mut dyn FnMut()) {
    callgrind_mark_start();
    work();
    callgrind_mark_stop();
}

// Two different constants, or the linker might make one function of the two.
#[inline(never)]
fn callgrind_mark_start() {
    black_box(1);
}

#[inline(never)]
fn callgrind_mark_stop() {
    black_box(2);
}

/// Whether what counts can be run at all.
pub(crate) fn check_installed() -> Result<(), Box<dyn Error>> {
    let runs = |tool: &str| {
        let version = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    match ["valgrind", "objdump"].into_iter().find(|tool| !runs(tool)) {
        None => Ok(()),
        Some(tool) => {
            Err(format!("counting needs {tool} (Debian: apt-get install valgrind binutils)").into())
        }
    }
}

/// Runs this program again with `arguments`, and returns one profile for each pair of marks.
pub(crate) fn profile(arguments: &[&str]) -> Result<Vec<Profile>, Box<dyn Error>> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("callgrind-{}-{run}", process::id()));
    fs::create_dir_all(&folder)?;
    let profiles = profile_into(&folder, arguments);
    fs::remove_dir_all(&folder)?;
    profiles
}

fn profile_into(folder: &Path, arguments: &[&str]) -> Result<Vec<Profile>, Box<dyn Error>> {
    let out = folder.join("out");
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--compress-strings=no",
            "--compress-pos=no",
            "--dump-line=no",
            "--dump-instr=yes",
            "--collect-systime=yes",
        ])
        .args([
            "--zero-before=*callgrind_mark_start*",
            "--dump-before=*callgrind_mark_stop*",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe()?)
        .args(arguments)
        .output()?;
    if !run.status.success() {
        return Err(format!(
            "valgrind failed on {arguments:?}: {}",
            String::from_utf8_lossy(&run.stderr)
        )
        .into());
    }
    let parts = (1..)
        .map(|part| folder.join(format!("out.{part}")))
        .take_while(|part| part.exists());
    parts
        .map(|part| Ok(Profile::parse(&fs::read_to_string(part)?)))
        .collect()
}

// === impl Profile ===

impl Profile {
    /// How often functions were called whose name `is` so.
    pub(crate) fn calls_of(&self, is: impl Fn(&str) -> bool) -> u64 {
        self.calls
            .iter()
            .filter(|(name, _)| is(name))
            .map(|(_, calls)| calls)
            .sum()
    }

    /// The functions that cost most, with their own instructions.
    pub(crate) fn dearest(&self) -> Vec<(&str, u64)> {
        let mut own: Vec<_> = self
            .own
            .iter()
            .map(|(name, cost)| (name.as_str(), *cost))
            .collect();
        own.sort_unstable_by_key(|(name, cost)| (Reverse(*cost), *name));
        own
    }

    /// How many instructions were spent in the function of that name itself.
    pub(crate) fn own(&self, name: &str) -> u64 {
        self.own.get(name).copied().unwrap_or_default()
    }

    /// How often instructions were executed at which `addresses` of a file says that they are.
    pub(crate) fn executed_at(&self, addresses: impl Fn(&str) -> Addresses) -> u64 {
        let of_file = |(file, executed): (&String, &HashMap<u64, u64>)| -> u64 {
            let addresses = addresses(file);
            let at = executed.iter().filter(|(address, _)| addresses.contains(address));
            at.map(|(_, times)| times).sum()
        };
        self.executed.iter().map(of_file).sum()
    }

    /// Reads the lines that matter here: `summary: N …`; `ob=FILE`, `fn=NAME` and then lines of an address and costs; in
    /// between `cfn=NAME`, `calls=N …`, and one line with what was spent in the call.
    fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let (mut file, mut function, mut callee, mut is_inclusive) = ("", "", "", false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("cfn=") {
                callee = name;
            } else if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if let Some(name) = line.strip_prefix("ob=") {
                file = name;
            } else if let Some(calls) = line.strip_prefix("calls=") {
                *profile.calls.entry(callee.to_owned()).or_default() += numbers(calls).next().unwrap_or(0);
                is_inclusive = true;
            } else if let Some(sums) = line.strip_prefix("summary: ") {
                let mut sums = numbers(sums);
                profile.instructions = sums.next().unwrap_or(0);
                profile.syscalls = sums.next().unwrap_or(0);
            } else if let Some(position) = line.strip_prefix("0x") {
                let (address, costs) = position.split_once(' ').unwrap_or((position, ""));
                let cost = numbers(costs).next().unwrap_or(0);
                if !std::mem::take(&mut is_inclusive) {
                    *profile.own.entry(function.to_owned()).or_default() += cost;
                    let address = u64::from_str_radix(address, 16).unwrap_or(0);
                    let executed = profile.executed.entry(file.to_owned()).or_default();
                    *executed.entry(address).or_default() += cost;
                }
            }
        }
        profile
    }
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(' ').map_while(|number| number.parse().ok())
}
