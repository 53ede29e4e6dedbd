//! The official clients of Python and TypeScript, in each revision that they speak.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::serving::Server;

/// Where they are installed: once for the whole repository.
fn parts() -> &'static PathBuf {
    static PARTS: OnceLock<PathBuf> = OnceLock::new();
    PARTS.get_or_init(|| {
        let tests = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests"));
        let parts = tests.join(".parts");
        std::fs::create_dir_all(&parts).unwrap();
        // One test at a time, each in a process of its own.
        let install = Command::new("flock")
            .arg(parts.join(".lock"))
            .arg(tests.join("clients/install"))
            .status();
        assert!(
            install.unwrap().success(),
            "the official clients cannot be installed"
        );
        parts
    })
}

async fn run(mut command: Command) -> Value {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output {
        status,
        stdout,
        stderr,
    } = run.await.unwrap();
    let told = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{told}");
    let said = String::from_utf8(stdout).unwrap();
    serde_json::from_str(said.lines().last().expect(&told)).unwrap()
}

/// What each of them has to see of a server that takes half a second for each piece of an answer.
fn check(seen: &Value, version: &str) {
    assert_eq!(seen["version"], version);
    let mut tools: Vec<&str> = seen["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool.as_str().unwrap())
        .collect();
    tools.sort_unstable();
    assert_eq!(tools, ["ask_papers", "get_paper", "search_papers"]);
    assert_eq!(seen["papers"].as_array().unwrap().len(), 3);
    assert_eq!(seen["unknown"][0], true);
    assert!(seen["unknown"][1].as_str().unwrap().contains("no such paper"));
    let answer = &seen["answer"];
    assert!(answer["answer"].as_str().unwrap().contains("No language model"));
    assert!(
        answer["by"]
            .as_str()
            .unwrap()
            .contains("without a language model")
    );
    let sources = answer["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source["cited"] == true), "{answer}");
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains(answer["answer"].as_str().unwrap()));
    let progress = seen["progress"].as_array().unwrap();
    assert!(progress.len() >= 3, "{progress:?}");
    for (earlier, later) in progress.iter().zip(&progress[1..]) {
        assert!(earlier[0].as_f64() < later[0].as_f64(), "{progress:?}");
    }
    let last = progress.last().unwrap()[1].as_str().unwrap();
    assert!(answer["answer"].as_str().unwrap().starts_with(last), "{last}");
    assert_eq!(seen["taken"], 1.0, "a call holds a seat");
    let released = seen["released"].as_f64().unwrap();
    assert!(released < 1.0, "a cancelled call held its seat for {released} s");
}

async fn python(mode: &str) -> Value {
    let server = Server::start(&["--fault", "stream=500ms"]);
    let mut command = Command::new(parts().join("python/bin/python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/use.py"));
    command.args([&server.mcp(), mode]);
    run(command).await
}

async fn typescript(generation: &str) -> Value {
    let server = Server::start(&["--fault", "stream=500ms"]);
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/use.mjs"));
    command
        .arg(parts().join("node"))
        .args([&server.mcp(), generation]);
    run(command).await
}

#[tokio::test]
async fn python_without_sessions() {
    check(&python("auto").await, "2026-07-28");
}

#[tokio::test]
async fn python_in_a_session() {
    check(&python("legacy").await, "2025-11-25");
}

#[tokio::test]
async fn typescript_one_in_a_session() {
    check(&typescript("v1").await, "2025-11-25");
}

#[tokio::test]
async fn typescript_two() {
    let seen = typescript("v2").await;
    check(&seen, seen["version"].as_str().unwrap());
    println!("negotiated {}", seen["version"]);
}
