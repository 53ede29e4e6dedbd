//! The whole server on real parts, which are killed, paused and told to misbehave.

mod database;
mod model;
mod together;

use std::process::Command;

use crate::parts::Postgres;

/// A database that holds the papers of this repository; and its URL.
async fn papers(postgres: &Postgres, name: &str) -> String {
    let url = postgres.database(name).await;
    let ingest = Command::new(env!("CARGO_BIN_EXE_knowledge-server"))
        .args(["ingest", "--database-url", &url])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/papers.jsonl"))
        .output()
        .unwrap();
    assert!(
        ingest.status.success(),
        "{}",
        String::from_utf8_lossy(&ingest.stderr)
    );
    url
}
