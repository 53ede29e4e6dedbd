//! This program under callgrind, and the files that callgrind writes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::{env, fs};

/// What happened between two marks.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    calls: HashMap<String, u64>,
    /// The instructions of each function itself.
    own: HashMap<String, u64>,
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

/// Whether valgrind can be run at all.
pub(crate) fn check_installed() -> Result<(), Box<dyn Error>> {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match version.is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err("counting needs valgrind (Debian: apt-get install valgrind)".into()),
    }
}

/// Runs this program again with `arguments`, and returns one profile for each pair of marks.
pub(crate) fn profile(arguments: &[&str]) -> Result<Vec<Profile>, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("callgrind-{}", process::id()));
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

    /// Reads the lines that matter here: `totals: N`; `fn=NAME` and then lines of a position and a cost; in
    /// between `cfn=NAME`, `calls=N …`, and one line with what was spent in the call.
    fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let (mut function, mut callee, mut is_inclusive) = ("", "", false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("cfn=") {
                callee = name;
            } else if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if let Some(calls) = line.strip_prefix("calls=") {
                *profile.calls.entry(callee.to_owned()).or_default() += first_number(calls);
                is_inclusive = true;
            } else if let Some(total) = line.strip_prefix("totals: ") {
                profile.instructions = first_number(total);
            } else if line.starts_with(|it: char| it.is_ascii_digit() || "+-*".contains(it)) {
                let cost = line.split_once(' ').map_or(0, |(_, cost)| first_number(cost));
                if !std::mem::take(&mut is_inclusive) {
                    *profile.own.entry(function.to_owned()).or_default() += cost;
                }
            }
        }
        profile
    }
}

fn first_number(text: &str) -> u64 {
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
