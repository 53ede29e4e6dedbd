//! A model that embeds and misbehaves: a search needs it before it needs the database.

use std::time::Duration;

use knowledge_server::collection::bundled;
use serde_json::json;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::Instant;

use super::ingest;
use crate::model::fake::{Fake, Step, response, say};
use crate::parts::{Model, Postgres};
use crate::serving::{Outcome, Server};

const QUICK: [&str; 2] = ["--search-limit", "1500ms"];

fn server(url: &str, more: &[&str]) -> Server {
    let model = ["--embed-url", url, "--embed-model", "smollm2"];
    Server::start(&[&model[..], &QUICK, more].concat())
}

async fn search(server: &Server) -> Outcome {
    server
        .call("search_papers", json!({ "query": "tail latency" }))
        .await
}

async fn fails(server: &Server, told: &str) {
    let began = Instant::now();
    let outcome = search(server).await;
    let text = outcome.text(true);
    assert!(text.contains(told), "{text}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{told}: {:?}",
        began.elapsed()
    );
    server.until_seats(0.0, Duration::from_secs(1)).await;
}

async fn works(server: &Server) {
    let outcome = search(server).await;
    assert!(!outcome.text(false).is_empty());
    server.until_seats(0.0, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_model_hangs_and_dies() {
    let postgres = block_in_place(Postgres::start);
    let model = spawn_blocking(Model::start).await.unwrap();
    let database = postgres.database("embedded").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.jsonl");
    std::fs::write(
        &file,
        "{\"id\":\"a\",\"title\":\"Tails\",\"summary\":\"Slow.\"}\n",
    )
    .unwrap();
    let url = model.url();
    let embed = ["--embed-url", &url, "--embed-model", "smollm2"];
    let ingested = block_in_place(|| ingest(&database, &file, &embed));
    assert!(ingested.status.success(), "{ingested:?}");
    let server = server(&url, &["--database-url", &database]);
    works(&server).await;

    // Nobody has a seat at the model, or a connection, for what was given up.
    model.freeze();
    for _ in 0..5 {
        fails(&server, "its limit is 1.5s").await;
    }
    model.thaw();
    works(&server).await;

    model.kill();
    fails(&server, "cannot be reached").await;
    assert_eq!(server.get("/readyz").await.0, 200, "what is stored can be shown");
    let shown = server.call("get_paper", json!({ "id": "a" })).await;
    assert!(shown.text(false).contains("Tails"));
    drop(model);
    let _next = spawn_blocking(move || Model::start_at(&url)).await.unwrap();
    works(&server).await;
    let failures = r#"tool_failures_total{tool="search_papers",kind="embed_expired"}"#;
    assert_eq!(server.figure(failures).await, 5.0);

    // Another model's vectors are never searched with.
    let other = block_in_place(|| ingest(&database, &file, &[]));
    let told = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(1), "{told}");
    assert!(told.contains("`smollm2` (576 dimensions)"), "{told}");
}

/// An answer with so many vectors, of so many numbers each.
fn vectors(count: usize, numbers: usize) -> Vec<Step> {
    let vector = vec!["1"; numbers].join(",");
    let data = (0..count).map(|index| format!(r#"{{"index":{index},"embedding":[{vector}]}}"#));
    let data = data.collect::<Vec<_>>().join(",");
    json(&format!(r#"{{"data":[{data}]}}"#))
}

fn json(body: &str) -> Vec<Step> {
    response("200 OK", "content-type: application/json\r\n", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_it_to_fail_is_told_and_the_next_search_works() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let ways = [
        (vec![Step::Hang], "its limit is 1.5s"),
        (
            vec![say(head), say("{\"data\":["), Step::Hang],
            "its limit is 1.5s",
        ),
        (vec![say(head), say("{\"data\":[")], "is not one of vectors"),
        (
            vec![say(head), Step::Repeat("x".repeat(1 << 20), 1)],
            "is longer than",
        ),
        (json("<html>"), "is not one of vectors"),
        (json(r#"{"error":"out of memory"}"#), "is not one of vectors"),
        (
            json(r#"{"data":[{"index":0,"embedding":[null,1]}]}"#),
            "is not one of vectors",
        ),
        (vectors(0, 2), "0 vectors came back"),
        (vectors(2, 2), "2 vectors came back"),
        (vectors(1, 3), "3 dimensions where 2 are configured"),
        (
            response("429 Too Many Requests", "retry-after: 60\r\n", ""),
            "answers with 429",
        ),
        (
            response("500 Internal Server Error", "", "out of memory"),
            "out of memory",
        ),
        (Vec::new(), "the texts could not be embedded"),
    ];
    let seeds = bundled().len();
    let batches = (0..seeds).step_by(32).map(|at| vectors(32.min(seeds - at), 2));
    let begin = [vectors(1, 2)].into_iter().chain(batches);
    let scripts = ways.iter().flat_map(|(steps, _)| [steps.clone(), vectors(1, 2)]);
    let fake = Fake::serve(begin.chain(scripts).collect()).await;
    let server = server(&fake.url, &[]);
    for (_, told) in ways {
        fails(&server, told).await;
        works(&server).await;
    }
}
