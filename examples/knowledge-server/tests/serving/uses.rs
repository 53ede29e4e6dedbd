//! Clients that are a part of the test, used as the official programs use theirs, so that the same is asked of all.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Server;

/// A client in a revision of its own.
pub(crate) trait Uses {
    /// The revision that was agreed on.
    fn version(&self) -> String;

    /// The names of the tools.
    async fn tools(&mut self) -> Vec<Value>;

    /// The result of a call, and what was heard of its progress: pairs of a number and a text.
    async fn call(&mut self, tool: &str, arguments: Value) -> (Value, Vec<Value>);

    /// Begins a call, and gives it up in the way of its revision once it is `begun`.
    async fn give_up(&mut self, tool: &str, arguments: Value, begun: impl Future<Output = ()>);
}

/// Uses the server for `all` or only `ask`s, and tells what was seen in the words of the official programs.
pub(crate) async fn used(server: &Server, client: &mut impl Uses, what: &str) -> Value {
    let question = json!({ "question": "Why do retries make overload worse?" });
    let began = Instant::now();
    let (answer, progress) = client.call("ask_papers", question.clone()).await;
    let mut seen = json!({
        "version": client.version(),
        "is_error": answer["isError"],
        "answer": answer["structuredContent"],
        "text": answer["content"][0]["text"],
        "progress": progress,
        "took": began.elapsed().as_secs_f64(),
    });
    if what == "ask" {
        return seen;
    }
    seen["tools"] = client.tools().await.into();
    let query = json!({ "query": "retries and overload", "limit": 3 });
    let (found, _) = client.call("search_papers", query).await;
    let papers = found["structuredContent"]["papers"].as_array().unwrap();
    seen["papers"] = papers.iter().map(|paper| paper["id"].clone()).collect();
    let (unknown, _) = client.call("get_paper", json!({ "id": "no such paper" })).await;
    seen["unknown"] = json!([unknown["isError"], unknown["content"][0]["text"]]);

    let begun = server.until_seats(1.0, Duration::from_secs(10));
    client.give_up("ask_papers", question, begun).await;
    seen["taken"] = json!(1.0);
    let left = Instant::now();
    server.until_seats(0.0, Duration::from_secs(10)).await;
    seen["released"] = left.elapsed().as_secs_f64().into();
    seen
}
