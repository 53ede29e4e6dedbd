//! Calls that take longer than a platform in front allows: as tasks, and as streams that are resumed.

use std::time::Duration;

use rmcp::model::{CallToolResponse, ClientCapabilities, GetTaskParams, TaskPayload};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::serving::rmcp::{calling, connect};
use crate::serving::{Heard, Outcome, Server, Session};

/// Two seconds for a request, and about three for an answer.
const SLOW: [&str; 6] = [
    "--search-limit",
    "1s",
    "--request-limit",
    "2s",
    "--fault",
    "stream=800ms",
];

fn tasks() -> Value {
    json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

async fn send(server: &Server, method: &str, params: Value) -> Value {
    let request = server.asking(method, params, tasks());
    Outcome::of(request.send().await.unwrap()).await.response
}

async fn begin(server: &Server) -> String {
    let arguments = json!({ "question": "Why do retries make overload worse?" });
    let params = json!({ "name": "ask_papers", "arguments": arguments });
    let task = send(server, "tools/call", params).await;
    assert_eq!(task["result"]["resultType"], "task", "{task}");
    task["result"]["taskId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_task_such_a_call_is_lost() {
    let server = Server::start(&SLOW);
    let messages = crate::serving::messages(server.ask().send().await.unwrap()).await;
    let last = messages.last().unwrap();
    // The stack ends the request, or the tool its own step, which has no more time than that: whoever is first.
    let by_the_stack = last["error"]["data"]["phase"] == "total";
    let said = last["result"]["content"][0]["text"].as_str().unwrap_or_default();
    let by_the_tool =
        last["result"]["isError"] == true && said.contains("what was left of the request's time");
    assert!(by_the_stack || by_the_tool, "{last}");
    server.until_seats(0.0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_task_outlives_its_request_and_holds_its_seat() {
    let server = Server::start(&SLOW);
    let began = Instant::now();
    let id = begin(&server).await;
    assert_eq!(server.seats().await, 1.0);
    let mut words = Vec::new();
    let task = loop {
        let task = send(&server, "tasks/get", json!({ "taskId": id })).await["result"].clone();
        if task["status"] != "working" {
            break task;
        }
        words.push(task["statusMessage"].as_str().unwrap_or_default().to_owned());
        sleep(Duration::from_millis(300)).await;
    };
    assert!(began.elapsed() > Duration::from_secs(2), "it outlived a request");
    assert_eq!(task["status"], "completed", "{task}");
    let answer = &task["result"]["structuredContent"]["answer"];
    assert!(answer.as_str().unwrap().contains("[1]"), "{task}");
    assert!(
        words.iter().any(|words| words.contains("No language model")),
        "{words:?}"
    );
    server.until_seats(0.0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn rmcp_fetches_the_result_of_a_task() {
    let server = Server::start(&["--fault", "stream=200ms"]);
    let capabilities = ClientCapabilities::builder().enable_tasks().build();
    let client = connect(&server, "2026-07-28", capabilities).await;
    let question = json!({ "question": "Why do retries make overload worse?" });
    let CallToolResponse::Task(task) = client
        .call_tool_once(calling("ask_papers", question))
        .await
        .unwrap()
    else {
        panic!("it is no task");
    };
    let result = loop {
        let params = GetTaskParams::new(task.task.task_id.clone());
        match client.get_task(params).await.unwrap().task.payload {
            TaskPayload::Completed { result } => break result,
            TaskPayload::Working => sleep(Duration::from_millis(100)).await,
            other => panic!("{other:?}"),
        }
    };
    assert!(
        result["structuredContent"]["answer"]
            .as_str()
            .unwrap()
            .contains("[1]")
    );
}

#[tokio::test]
async fn a_task_can_be_cancelled() {
    let server = Server::start(&["--fault", "model=stall"]);
    let id = begin(&server).await;
    server.until_seats(1.0, Duration::from_secs(1)).await;
    send(&server, "tasks/cancel", json!({ "taskId": id })).await;
    server.until_seats(0.0, Duration::from_secs(5)).await;
    let task = send(&server, "tasks/get", json!({ "taskId": id })).await;
    assert_eq!(task["result"]["status"], "cancelled", "{task}");
    let unknown = send(&server, "tasks/get", json!({ "taskId": "none" })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

/// Longer than load balancers are given to notice that the server stops, from which on nobody else is let in.
const ENDS_IN_THE_DRAIN: [&str; 6] = ["--fault", "model=6s", "--drain", "16s", "--queue-wait", "1s"];

#[tokio::test]
async fn a_task_that_ends_in_a_drain_can_be_fetched() {
    let mut server = Server::start(&ENDS_IN_THE_DRAIN);
    let id = begin(&server).await;
    server.signal("-TERM");
    let began = Instant::now();
    let task = loop {
        let task = send(&server, "tasks/get", json!({ "taskId": id })).await["result"].clone();
        if task["status"] != "working" {
            break task;
        }
        sleep(Duration::from_millis(500)).await;
    };
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    let answer = &task["result"]["structuredContent"]["answer"];
    assert!(answer.as_str().unwrap().contains("[1]"), "{task}");
    // Nobody begins anything new there.
    let refused = server.ask().send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(server.get("/readyz").await, (503, "stopping\n".to_owned()));
    assert!(server.ended(Duration::from_secs(8)).await.success());
}

#[tokio::test]
async fn the_client_of_a_session_may_come_back_in_a_drain() {
    let mut server = Server::start(&ENDS_IN_THE_DRAIN);
    let session = Session::open(&server).await;
    let first = Heard::until(session.ask(7).await, |_| true).await;
    server.signal("-TERM");
    sleep(Duration::from_millis(4500)).await;
    let rest = Heard::of(session.resume(&first.last_id).await).await;
    let response = rest.response().expect("the response");
    assert_eq!(response["result"]["isError"], false, "{response}");
    assert!(server.ended(Duration::from_secs(12)).await.success());
}

#[tokio::test]
async fn a_stream_of_a_session_is_closed_in_time_and_resumed() {
    let server = Server::start(&SLOW);
    let session = Session::open(&server).await;
    let began = Instant::now();
    let first = Heard::of(session.ask(7).await).await;
    let closed = began.elapsed();
    assert!((1900..6000).contains(&closed.as_millis()), "{closed:?}");
    assert!(
        first.response().is_none(),
        "it ended in order, without an error: {first:?}"
    );
    assert!(!first.messages.is_empty() && !first.last_id.is_empty());
    let rest = Heard::until(session.resume(&first.last_id).await, |message| {
        message.get("id").is_some()
    })
    .await;
    let response = rest.response().expect("the response");
    assert_eq!(response["id"], 7);
    assert_eq!(response["result"]["isError"], false, "{response}");
    server.until_seats(0.0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_response_waits_for_a_client_that_is_away() {
    let server = Server::start(&["--fault", "stream=100ms"]);
    let session = Session::open(&server).await;
    let first = Heard::until(session.ask(7).await, |_| true).await;
    server.until_seats(0.0, Duration::from_secs(5)).await;
    let rest = Heard::of(session.resume(&first.last_id).await).await;
    assert_eq!(rest.response().expect("the response")["id"], 7);
    let other = Session::open(&server).await;
    let foreign = Heard::of(other.resume("0/0").await).await;
    assert!(foreign.messages.is_empty());
}
