//! Far more calls than can be served.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::{Outcome, Server};

/// Asks `count` questions at once, and counts the answers by their status: each is one, or a refusal that says when to
/// come back. Afterwards the server has counted the same.
pub(crate) async fn crowd(server: &Server, count: u32) -> BTreeMap<u16, u32> {
    let began = Instant::now();
    let calls = (0..count).map(|_| async {
        let response = server.ask().send().await.unwrap();
        let status = response.status().as_u16();
        let retry = response.headers().contains_key("retry-after");
        let outcome = Outcome::of(response).await;
        match status {
            200 => assert!(outcome.response["result"].is_object(), "{}", outcome.response),
            503 | 504 => {
                assert!(retry, "{status} without Retry-After");
                assert_eq!(outcome.response["id"], 1, "{}", outcome.response);
                assert!(outcome.response["error"]["message"].is_string());
            }
            other => panic!("{other}: {}", outcome.response),
        }
        status
    });
    let mut seen = BTreeMap::from([(200, 0), (503, 0), (504, 0)]);
    for status in join_all(calls).await {
        *seen.entry(status).or_default() += 1;
    }
    println!("{seen:?} in {:?}", began.elapsed());
    server.until_seats(0.0, Duration::from_secs(5)).await;
    let refused = |reason: &str| {
        format!(
            r#"lifeline_gate_refusals_total{{gate="mcp",class="standard",reason="{reason}",outcome="refused"}}"#
        )
    };
    let answered = |status: u16| format!(r#"http_responses_total{{path="/mcp",status="{status}"}}"#);
    let made = r#"lifeline_responses_total{status_class="5xx",origin="lifeline"}"#;
    for (name, count) in [
        (answered(200), seen[&200]),
        (answered(503), seen[&503]),
        (answered(504), seen[&504]),
        (
            r#"lifeline_gate_admitted_total{gate="mcp"}"#.to_owned(),
            seen[&200],
        ),
        (refused("queue_full"), seen[&503]),
        (refused("queue_timeout"), seen[&504]),
        (refused("key_share"), 0),
        (refused("draining"), 0),
        (made.to_owned(), seen[&503] + seen[&504]),
        (r#"lifeline_gate_queued{gate="mcp"}"#.to_owned(), 0),
    ] {
        assert_eq!(server.figure(&name).await, f64::from(count), "{name}");
    }
    seen
}
