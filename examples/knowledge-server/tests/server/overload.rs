//! Far more calls than can be served.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use crate::serving::{Outcome, Server};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_are_answered_or_refused_and_counted() {
    let server = Server::start(&["--fault", "model=1500ms", "--queue-wait", "2s"]);
    let began = Instant::now();
    let calls = (0..200).map(|_| async {
        let response = server.ask().send().await.unwrap();
        let status = response.status().as_u16();
        let retry = response.headers().contains_key("retry-after");
        let outcome = Outcome::of(response).await;
        match status {
            200 => assert!(outcome.text(false).contains('[')),
            503 | 504 => {
                assert!(retry, "{status} without Retry-After");
                assert_eq!(outcome.response["id"], 1, "{}", outcome.response);
                assert!(outcome.response["error"]["message"].is_string());
            }
            other => panic!("{other}: {}", outcome.response),
        }
        status
    });
    let mut seen: BTreeMap<u16, u32> = BTreeMap::new();
    for status in join_all(calls).await {
        *seen.entry(status).or_default() += 1;
    }
    println!("{seen:?} in {:?}", began.elapsed());
    // Eight at once, eight of those who wait after them, and eight more who wait for too long.
    assert!(
        seen[&200] >= 16 && seen[&503] >= 150 && seen[&504] >= 1,
        "{seen:?}"
    );
    server.until_seats(0.0, Duration::from_secs(5)).await;
    for (status, count) in seen {
        let name = format!(r#"http_responses_total{{path="/mcp",status="{status}"}}"#);
        assert_eq!(server.figure(&name).await, f64::from(count), "{name}");
    }
    let next = server
        .call("search_papers", serde_json::json!({ "query": "overload" }))
        .await;
    assert!(!next.text(false).is_empty());
}
