//! The rules, and the table of ranks.

use super::code::{self, Path};

/// A file of the tree.
#[derive(Debug)]
pub(super) struct Source {
    /// From the root of the package, with `/`.
    pub(super) path: String,
    text: String,
    /// The text without comments, literals and tests.
    code: String,
}

type Rule = fn(&Source) -> Vec<String>;

pub(super) const RULES: [Rule; 7] = [
    opens_with_docs,
    has_a_rank,
    points_down,
    asks_the_clock,
    sets_timers,
    stays_sans_io,
    stays_safe_and_short,
];

/// The modules of the crate. An arrow only points down; `docs/architecture.md` says what the ranks are.
const RANKS: [&[&str]; 6] = [
    &[
        "client_stall",
        "cut",
        "deadline",
        "error",
        "event",
        "gate",
        "media",
        "pace",
        "peek",
        "phase",
        "refusal",
        "request_head",
        "rpc",
        "slow_client",
        "spread",
        "sse",
    ],
    &[
        "call", "clock", "current", "log", "report", "timer", "waiter", "watch", "watchdog",
    ],
    &["ending", "reply"],
    &[
        "admission_gate",
        "connection",
        "outgoing",
        "phase_timeout",
        "request_body",
        "request_deadline",
        "slow_client_guard",
        "sse_heartbeat",
    ],
    &["serve"],
    &["lifeline", "metrics", "platform", "testing"],
];

const LAYERS: usize = 3;
const LINES_OF_CODE: usize = 400;
const LINES_OF_TESTS: usize = 600;

/// The files that need `unsafe`: to count what the allocator is asked for, and to ask a socket what its peer has
/// not taken.
const MAY_BE_UNSAFE: [&str; 3] = [
    "benches/gate_contended.rs",
    "src/connection/outq.rs",
    "tests/costs.rs",
];

// === impl Source ===

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: code::of(text),
        };
        if source.is_test() {
            source
        } else {
            Self {
                code: code::without_tests(&source.code),
                ..source
            }
        }
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The module at the crate's root that the file belongs to, for what the ranks govern.
    fn module(&self) -> Option<&str> {
        let path = self
            .path
            .strip_prefix("src/")
            .filter(|path| *path != "lib.rs" && !self.is_test())?;
        path.split(['/', '.']).next()
    }

    /// How many `super` lead from the file to the crate's root.
    fn depth(&self) -> usize {
        let path = self.path.trim_start_matches("src/");
        path.split('/').filter(|part| *part != "mod.rs").count()
    }

    fn complain(&self, what: &str) -> String {
        format!("{}: {what}", self.path)
    }
}

// === The rules ===

fn opens_with_docs(source: &Source) -> Vec<String> {
    let opens = source.text.starts_with("//! ");
    Vec::from_iter((!opens).then(|| source.complain("opens without `//!`, which says what the file is for")))
}

fn has_a_rank(source: &Source) -> Vec<String> {
    let module = source.module().filter(|module| rank(module).is_none());
    Vec::from_iter(module.map(|module| source.complain(&unranked(module))))
}

fn points_down(source: &Source) -> Vec<String> {
    let Some((module, own)) = source.module().and_then(|module| Some((module, rank(module)?))) else {
        return Vec::new();
    };
    let from_root = code::paths(&source.code)
        .into_iter()
        .filter_map(|path| match path {
            Path::Crate(name) => Some(name),
            Path::Super(steps, name) => (steps == source.depth()).then_some(name),
        });
    let others = from_root.filter(|name| name != module);
    others
        .filter_map(|name| arrow(own, &name).map(|what| source.complain(&what)))
        .collect()
}

/// What is wrong with an arrow from a module of rank `own` to the module `name`.
fn arrow(own: usize, name: &str) -> Option<String> {
    if name.starts_with(char::is_uppercase) {
        return Some(format!(
            "takes `{name}` from the crate's root: name its module, so that ranks can be compared"
        ));
    }
    match rank(name) {
        None => Some(unranked(name)),
        Some(other) if other > own => Some(format!("a module of rank {own} imports `{name}` (rank {other})")),
        Some(LAYERS) if own == LAYERS => {
            Some(format!("imports `{name}`, but layers never import one another"))
        }
        Some(_) => None,
    }
}

fn asks_the_clock(source: &Source) -> Vec<String> {
    let elsewhere = source.module().is_some_and(|module| module != "clock");
    let asks = elsewhere && code::without_spaces(&source.code).contains("Instant::now");
    Vec::from_iter(asks.then(|| source.complain("names `Instant::now`: ask `crate::clock::now`")))
}

fn sets_timers(source: &Source) -> Vec<String> {
    let elsewhere = source
        .module()
        .is_some_and(|module| !["clock", "timer"].contains(&module));
    let code = code::without_spaces(&source.code);
    let mut uses = code
        .match_indices("tokio::")
        .map(|(at, found)| code::heads(&code[at + found.len()..]));
    let sets = elsewhere && uses.any(|heads| heads.iter().any(|head| head == "time"));
    Vec::from_iter(sets.then(|| source.complain("names `tokio::time`: use `crate::timer::Timer`")))
}

fn stays_sans_io(source: &Source) -> Vec<String> {
    if source.module().and_then(rank) != Some(0) {
        return Vec::new();
    }
    let banned = ["tokio", "Context"]
        .into_iter()
        .filter(|word| code::has_word(&source.code, word));
    banned
        .map(|word| source.complain(&format!("names `{word}`, but rank 0 knows no runtime")))
        .collect()
}

fn stays_safe_and_short(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if !MAY_BE_UNSAFE.contains(&source.path.as_str()) && code::has_word(&source.code, "unsafe") {
        complaints.push(source.complain("uses `unsafe`"));
    }
    let lines = source.text.lines().count();
    let at_most = if source.is_test() {
        LINES_OF_TESTS
    } else {
        LINES_OF_CODE
    };
    if lines > at_most {
        complaints.push(source.complain(&format!(
            "{lines} lines, {at_most} are the limit: split it by purpose"
        )));
    }
    complaints
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

fn unranked(module: &str) -> String {
    format!("`{module}` has no rank: give it a rank in tests/it/layout/rules.rs and in docs/architecture.md")
}
