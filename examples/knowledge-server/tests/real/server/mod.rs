//! The whole server on real parts, which are killed, paused and told to misbehave.

mod database;
mod embeddings;
mod model;
mod together;

use std::path::Path;
use std::process::{Command, Output};

use crate::parts::Postgres;

/// A database that holds the papers of this repository; and its URL.
pub(crate) async fn papers(postgres: &Postgres, name: &str) -> String {
    let url = postgres.database(name).await;
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/data/papers.jsonl");
    let ingested = ingest(&url, bundled.as_ref(), &[]);
    assert!(
        ingested.status.success(),
        "{}",
        String::from_utf8_lossy(&ingested.stderr)
    );
    url
}

fn ingest(database: &str, path: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knowledge-server"));
    let command = command.args(["ingest", "--database-url", database]).args(more);
    command.arg(path).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_with_nothing_that_can_be_used_fails() {
    let postgres = tokio::task::block_in_place(Postgres::start);
    let url = postgres.database("nothing").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.jsonl");
    for (text, code, told) in [
        ("no paper\n", 2, "0 added, 0 unchanged, 0 removed, 1 skipped\n"),
        (
            "no paper\n{\"id\":\"a\",\"title\":\"b\",\"summary\":\"c\"}\n",
            0,
            "1 added, 0 unchanged, 0 removed, 1 skipped\n",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let ingested = ingest(&url, &file, &[]);
        assert_eq!(ingested.status.code(), Some(code));
        assert_eq!(String::from_utf8(ingested.stdout).unwrap(), told);
    }
}
