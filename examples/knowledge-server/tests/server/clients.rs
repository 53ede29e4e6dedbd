//! Every client in each revision that it speaks.
//!
//! | client | revision | list, search, ask, progress, cancel | ask of a real database and a real model |
//! |---|---|---|---|
//! | Python | 2026-07-28 | [`python_without_sessions`] | `together` in `tests/real` |
//! | Python | 2025-11-25 | [`python_in_a_session`] | the same |
//! | TypeScript 2 | 2026-07-28 | [`typescript_two_without_sessions`] | the same |
//! | TypeScript 1 | 2025-11-25 | [`typescript_one_in_a_session`] | the same |
//! | TypeScript 2 | 2025-11-25 | [`typescript_two_in_a_session`] | the same |
//! | rmcp | 2026-07-28 | [`rmcp_without_sessions`] | the same |
//! | rmcp | 2025-11-25 | [`rmcp_in_a_session`] | the same |
//! | HTTP alone | 2026-07-28 | [`http_alone_without_sessions`] | the same |
//! | HTTP alone | 2025-11-25 | [`http_alone_in_a_session`] | the same |

use serde_json::Value;

use crate::serving::{Server, python, raw, rust, typescript};

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
    assert!(released < 3.0, "a cancelled call held its seat for {released} s");
}

/// Half a second for each piece of an answer.
const PACED: [&str; 2] = ["--fault", "stream=500ms"];

/// Two seconds for a request, and more than three for an answer.
const SLOW: [&str; 6] = [
    "--search-limit",
    "1s",
    "--request-limit",
    "2s",
    "--fault",
    "stream=800ms",
];

#[tokio::test]
async fn python_without_sessions() {
    check(&python(&Server::start(&PACED), "auto", "all").await, "2026-07-28");
}

#[tokio::test]
async fn python_in_a_session() {
    check(
        &python(&Server::start(&PACED), "legacy", "all").await,
        "2025-11-25",
    );
}

#[tokio::test]
async fn typescript_one_in_a_session() {
    check(
        &typescript(&Server::start(&PACED), "v1", "all").await,
        "2025-11-25",
    );
}

#[tokio::test]
async fn typescript_two_without_sessions() {
    check(
        &typescript(&Server::start(&PACED), "v2", "all").await,
        "2026-07-28",
    );
}

#[tokio::test]
async fn typescript_two_in_a_session() {
    let server = Server::start(&PACED);
    check(&typescript(&server, "v2-legacy", "all").await, "2025-11-25");
}

#[tokio::test]
async fn rmcp_without_sessions() {
    let server = Server::start(&PACED);
    check(&rust(&server, "2026-07-28", "all").await, "2026-07-28");
}

#[tokio::test]
async fn rmcp_in_a_session() {
    let server = Server::start(&PACED);
    check(&rust(&server, "2025-11-25", "all").await, "2025-11-25");
}

#[tokio::test]
async fn http_alone_without_sessions() {
    let server = Server::start(&PACED);
    check(&raw(&server, "2026-07-28", "all").await, "2026-07-28");
}

#[tokio::test]
async fn http_alone_in_a_session() {
    let server = Server::start(&PACED);
    check(&raw(&server, "2025-11-25", "all").await, "2025-11-25");
}

#[tokio::test]
async fn in_a_session_they_come_back_for_an_answer_that_takes_longer_than_a_request() {
    let server = Server::start(&SLOW);
    for seen in [
        python(&server, "legacy", "ask").await,
        typescript(&server, "v1", "ask").await,
    ] {
        assert_eq!(seen["is_error"], false, "{seen}");
        assert!(
            seen["answer"]["answer"].as_str().unwrap().contains("[1]"),
            "{seen}"
        );
        assert!(seen["progress"].as_array().unwrap().len() >= 3, "{seen}");
    }
}
