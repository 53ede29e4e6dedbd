//! Far more calls than can be served.

use crate::serving::{Server, crowd};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_are_answered_or_refused_and_counted() {
    let server = Server::start(&["--fault", "model=1500ms", "--queue-wait", "2s"]);
    let seen = crowd(&server, 200).await;
    // Eight at once, eight of those who wait after them, and eight more who wait for too long.
    assert!(
        seen[&200] >= 16 && seen[&503] >= 150 && seen[&504] >= 1,
        "{seen:?}"
    );
    let next = server
        .call("search_papers", serde_json::json!({ "query": "overload" }))
        .await;
    assert!(!next.text(false).is_empty());
}
