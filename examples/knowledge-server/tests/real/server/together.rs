//! The whole thing as it is meant: papers in PostgreSQL, answers by a language model, and official clients.

use std::time::Duration;

use serde_json::Value;
use tokio::task::block_in_place;

use super::papers;
use crate::parts::{Model, Postgres};
use crate::serving::{Server, crowd, python, raw, rust, typescript};

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
async fn every_client_gets_answers_in_each_revision() {
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
    check(&typescript(&server, "v2-legacy", "ask").await, "2025-11-25");
    for version in ["2026-07-28", "2025-11-25"] {
        check(&rust(&server, version, "ask").await, version);
        check(&raw(&server, version, "ask").await, version);
    }
    server.until_seats(0.0, Duration::from_secs(1)).await;
    model.idle(Duration::from_secs(2)).await;
    server.signal("-TERM");
    assert!(server.ended(Duration::from_secs(8)).await.success());
}

/// The words are few, so that a crowd is served within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_answered_or_refused_and_counted() {
    let postgres = block_in_place(Postgres::start);
    let model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let database = papers(&postgres, "papers").await;
    let url = model.url();
    let real = [
        "--database-url",
        &database,
        "--llm-url",
        &url,
        "--llm-model",
        "smollm2",
    ];
    let few = ["--answer-tokens", "8", "--passages", "1", "--queue-wait", "2s"];
    let server = Server::start(&[&real[..], &few].concat());
    let seen = crowd(&server, 200).await;
    assert!(seen[&200] >= 8 && seen[&503] >= 150, "{seen:?}");
    model.idle(Duration::from_secs(5)).await;
    let admin = postgres.connect("papers").await;
    assert_eq!(crate::pg::active(&admin).await, 0);
    let next = rust(&server, "2026-07-28", "ask").await;
    assert_eq!(next["is_error"], false, "{next}");
}
