//! The binary, as it is called from a shell.

use std::process::{Command, Output};

fn call(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knowledge-server"));
    #[expect(clippy::unwrap_used, reason = "only the tests below call it")]
    command.args(arguments).output().unwrap()
}

#[test]
fn an_ingest_without_a_database_says_what_to_do_instead() {
    let output = call(&["ingest", "."]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("--database-url") && told.contains("--papers"),
        "{told}"
    );
}

#[test]
fn own_texts_are_found_next_to_what_is_bundled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.jsonl");
    let line = r#"{"id":"own","title":"Marmalade","summary":"How oranges are preserved."}"#;
    std::fs::write(&file, format!("{line}\nno paper\n")).unwrap();
    let output = call(&[
        "search",
        "marmalade from oranges",
        "--papers",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success());
    let found = String::from_utf8_lossy(&output.stdout);
    assert_eq!(found.lines().count(), 5);
    assert!(
        found
            .lines()
            .next()
            .is_some_and(|first| first.contains("Marmalade")),
        "{found}"
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("skipped ") && told.contains("own.jsonl:2: expected"),
        "{told}"
    );
}

#[test]
fn an_origin_that_no_browser_sends_is_refused_at_once() {
    for origin in ["*", "https://app.example/", "app.example"] {
        let output = call(&["--allow-origin", origin, "--check"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("--allow-origin") && told.contains("origin"),
            "{told}"
        );
    }
}

#[test]
fn a_model_that_cannot_be_had_is_told_by_its_flag() {
    for (flag, url, told) in [
        (
            "embed",
            "nowhere",
            "--embed-url: the model is not configured rightly: its URL is none",
        ),
        (
            "llm",
            "nowhere",
            "--llm-url: the model is not configured rightly: its URL is none",
        ),
        ("embed", "http://127.0.0.1:1/v1", "(at 127.0.0.1:1)"),
        (
            "llm",
            "http://me:sesame@127.0.0.1:1/v1",
            "a key comes from the environment",
        ),
    ] {
        let (url_flag, model_flag) = (format!("--{flag}-url"), format!("--{flag}-model"));
        let output = call(&["--bind", "127.0.0.1:0", &url_flag, url, &model_flag, "m"]);
        let told_us = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told_us}");
        assert!(told_us.contains(told) && !told_us.contains("sesame"), "{told_us}");
    }
}

#[test]
fn a_variable_that_is_empty_is_none() {
    let names = [
        "ALLOW_HOSTS",
        "ALLOW_ORIGINS",
        "BEHIND",
        "BIND",
        "DATABASE_URL",
        "EMBED_URL",
        "FAULT",
        "LLM_MODEL",
        "LLM_URL",
    ];
    let run = |value: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_knowledge-server"));
        let command = command.envs(names.map(|name| (name, value))).args(arguments);
        command.output().unwrap()
    };
    for arguments in [&["--check"][..], &["serve", "--check"]] {
        let output = run("", arguments);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told, "ok: behind direct\n", "{output:?}");
    }
    let output = run("", &["ingest", "."]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("ingest needs --database-url"), "{told}");
    assert_eq!(run("no such thing", &["--check"]).status.code(), Some(2));
}
