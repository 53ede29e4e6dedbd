//! The official clients of MCP, as programs that use the server and tell what they saw.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use super::Server;

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

/// Python's, in a `mode` of `legacy` or `auto`, that does `all` or only `ask`s.
pub(crate) async fn python(server: &Server, mode: &str, what: &str) -> Value {
    let mut command = Command::new(parts().join("python/bin/python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/use.py"));
    command.args([&server.mcp(), mode, what]);
    run(command).await
}

/// TypeScript's, of generation `v1`, `v2` or `v2-legacy`.
pub(crate) async fn typescript(server: &Server, generation: &str, what: &str) -> Value {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/use.mjs"));
    command
        .arg(parts().join("node"))
        .args([&server.mcp(), generation, what]);
    run(command).await
}
