//! Reads the tree and keeps the rules of its layout, which no compiler knows.
//!
//! Each rule is a function from one file to what is wrong with it, so that it can be shown to fail.

mod code;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use self::rules::{RULES, Source};

#[test]
fn the_tree_keeps_its_rules() {
    let sources = sources();
    assert!(
        sources.iter().any(|source| source.path == "src/lib.rs"),
        "the tree is not where it was looked for"
    );
    let complaints: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(|rule| rule(source)))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_rule_can_fail() {
    let cases = [
        ("src/pace.rs", "use std::fmt;", "opens without `//!`"),
        ("examples/ask.rs", "fn main() {}", "opens without `//!`"),
        ("src/novelty.rs", "//! New.", "give it a rank"),
        ("src/pace.rs", "//! .\nuse crate::novelty::X;", "give it a rank"),
        (
            "src/pace.rs",
            "//! .\nuse crate::timer::Timer;",
            "`timer` (rank 1)",
        ),
        ("src/sse/mod.rs", "//! .\nuse super::reply;", "`reply` (rank 2)"),
        (
            "src/rpc/scanner.rs",
            "//! .\nuse super::super::watch::X;",
            "`watch` (rank 1)",
        ),
        (
            "src/watch.rs",
            "//! .\nuse crate::{\n    phase::{A, B},\n    testing::C,\n};",
            "`testing` (rank 5)",
        ),
        (
            "src/watch.rs",
            "//! .\nfn f() -> crate::reply::ReplyBody {}",
            "`reply` (rank 2)",
        ),
        (
            "src/outgoing/head.rs",
            "//! .\nuse crate::phase_timeout::X;",
            "layers never import one another",
        ),
        ("src/watch.rs", "//! .\nuse crate::Deadline;", "name its module"),
        (
            "src/log.rs",
            "//! .\nuse std::time::Instant;\nfn f() { Instant::now(); }",
            "`Instant::now`",
        ),
        (
            "src/log.rs",
            "//! .\nfn f() { std::time::Instant :: now(); }",
            "`Instant::now`",
        ),
        ("src/watch.rs", "//! .\nuse tokio::time::sleep;", "`tokio::time`"),
        (
            "src/watch.rs",
            "//! .\nuse tokio::{task, time::Sleep};",
            "`tokio::time`",
        ),
        ("src/pace.rs", "//! .\nuse tokio::sync::Notify;", "names `tokio`"),
        ("src/pace.rs", "//! .\nuse std::task::Context;", "names `Context`"),
        ("src/reply.rs", "//! .\nfn f() { unsafe {} }", "`unsafe`"),
        ("tests/it/main.rs", "//! .\nunsafe fn f() {}", "`unsafe`"),
    ];
    for (path, text, expected) in cases {
        let complaints = complaints(path, text);
        assert!(
            complaints.contains(expected),
            "{path}: {text}\n  complaints: {complaints:?}"
        );
    }
    let long = format!("//! .\n{}", "fn f() {}\n".repeat(400));
    assert!(complaints("src/reply.rs", &long).contains("401 lines"));
}

#[test]
fn what_is_allowed_passes() {
    let cases = [
        (
            "src/watch.rs",
            "//! .\nuse crate::{clock::now, phase::{A, B}, timer::Timer};\nuse super::log;",
        ),
        (
            "src/phase/clock.rs",
            "//! .\nuse super::limits::X;\npub(in crate::phase) fn f() {}",
        ),
        (
            "src/phase_timeout/body.rs",
            "//! .\nuse super::outgoing;\nuse crate::phase_timeout::X;",
        ),
        (
            "src/pace.rs",
            "//! .\n// crate::timer tokio::time Context\n/* unsafe /* { */ */ const A: &str = \"tokio\";",
        ),
        (
            "src/pace.rs",
            "//! .\nconst A: &str = r#\"a \" unsafe\"#; fn f<'a>(c: char) { c == '\"' || c == '\\''; } ",
        ),
        ("src/clock.rs", "//! .\nfn f() { tokio::time::Instant::now(); }"),
        ("src/timer.rs", "//! .\nuse tokio::time::{Sleep, sleep_until};"),
        (
            "src/deadline/tests.rs",
            "//! .\nuse tokio::time::sleep;\nfn f() { Instant::now(); }",
        ),
        (
            "src/pace.rs",
            "//! .\n#[cfg(test)]\nmod tests {\n    use tokio::time::sleep;\n}",
        ),
        ("src/lib.rs", "//! .\npub use self::reply::ReplyBody;"),
        ("tests/costs.rs", "//! .\nunsafe impl X {}"),
    ];
    for (path, text) in cases {
        assert_eq!(complaints(path, text), "", "{path}: {text}");
    }
}

fn complaints(path: &str, text: &str) -> String {
    let source = Source::new(path, text);
    RULES
        .iter()
        .flat_map(|rule| rule(&source))
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["src", "tests", "benches", "examples"]
        .map(|name| root.join(name))
        .into();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_made = name.starts_with('.') || name == "target" || name == "node_modules";
                folders.extend((!is_made).then_some(path));
            } else if name.ends_with(".rs") {
                let parts = path.strip_prefix(root).unwrap().components();
                let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
                sources.push(Source::new(&parts.join("/"), &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}
