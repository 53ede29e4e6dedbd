//! The whole thing as it is meant: papers in PostgreSQL, answers by a language model, and official clients.

use std::time::Duration;

use serde_json::Value;
use tokio::task::block_in_place;

use super::papers;
use crate::parts::{Model, Postgres};
use crate::serving::{Server, python, typescript};

fn check(seen: &Value, version: &str) {
    assert_eq!(
        (&seen["version"], &seen["is_error"]),
        (&version.into(), &false.into()),
        "{seen}"
    );
    let answer = &seen["answer"];
    assert!(answer["answer"].as_str().unwrap().len() > 10, "{answer}");
    assert!(
        answer["by"].as_str().unwrap().starts_with("smollm2 at "),
        "{answer}"
    );
    assert_eq!(answer["sources"].as_array().unwrap().len(), 2, "{answer}");
    assert!(!seen["progress"].as_array().unwrap().is_empty(), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_get_answers_in_each_revision() {
    let postgres = block_in_place(Postgres::start);
    let model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let url = papers(&postgres, "papers").await;
    let mut server = Server::start(&[
        "--database-url",
        &url,
        "--llm-url",
        &model.url(),
        "--llm-model",
        "smollm2",
        "--answer-tokens",
        "40",
        "--passages",
        "2",
    ]);
    check(&python(&server, "auto", "ask").await, "2026-07-28");
    check(&python(&server, "legacy", "ask").await, "2025-11-25");
    check(&typescript(&server, "v1", "ask").await, "2025-11-25");
    check(&typescript(&server, "v2", "ask").await, "2026-07-28");
    server.until_seats(0.0, Duration::from_secs(1)).await;
    model.idle(Duration::from_secs(2)).await;
    server.signal("-TERM");
    assert!(server.ended(Duration::from_secs(8)).await.success());
}
