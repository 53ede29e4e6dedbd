//! What goes over the wire: who is let in, what is too much, and who leaves.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::serving::{Heard, Outcome, Server, Session};

#[tokio::test]
async fn inputs_have_bounds_and_errors_say_which() {
    let server = Server::start(&[]);
    for (tool, arguments, told) in [
        ("search_papers", json!({ "query": " " }), "`query` is empty"),
        (
            "search_papers",
            json!({ "query": "x".repeat(1001) }),
            "1000 are the most",
        ),
        (
            "search_papers",
            json!({ "query": "x", "limit": 0 }),
            "from 1 to 20",
        ),
        (
            "search_papers",
            json!({ "query": "x", "limit": 21 }),
            "from 1 to 20",
        ),
        (
            "ask_papers",
            json!({ "question": "é".repeat(2001) }),
            "2000 are the most",
        ),
        ("get_paper", json!({ "id": "none" }), "search_papers tells"),
        ("search_papers", json!({ "query": 3 }), "expected a string"),
    ] {
        let outcome = server.call(tool, arguments).await;
        assert!(outcome.text(true).contains(told), "{}", outcome.response);
    }
    let huge = server.calling("ask_papers", json!({ "question": "x".repeat(100_000) }));
    assert_eq!(huge.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_paper_that_was_found_can_be_shown() {
    let server = Server::start(&[]);
    let found = server
        .call("search_papers", json!({ "query": "tail latency", "limit": 1 }))
        .await;
    let paper = &found.response["result"]["structuredContent"]["papers"][0];
    let shown = server.call("get_paper", json!({ "id": paper["id"] })).await;
    assert_eq!(
        shown.response["result"]["structuredContent"]["title"],
        paper["title"]
    );
    assert!(shown.progress.is_empty(), "what takes no time has no progress");
    assert!(shown.text(false).contains(paper["summary"].as_str().unwrap()));
}

#[tokio::test]
async fn only_known_hosts_and_origins_are_let_in() {
    let server = Server::start(&[
        "--allow-host",
        "papers.example",
        "--allow-origin",
        "https://app.example",
    ]);
    for (name, value, status) in [
        ("host", "papers.example", 200),
        ("host", "evil.example", 403),
        ("origin", "https://app.example", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "http://localhost:6274", 403),
    ] {
        let request = server.calling("search_papers", json!({ "query": "queues" }));
        let response = request.header(name, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{name}: {value}");
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), value == "https://app.example");
        assert!(response.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn without_sessions_whoever_leaves_has_cancelled() {
    // Before the head of the answer, and in the middle of it.
    for (fault, begins) in [("search=stall", false), ("model=stall", true)] {
        let server = Server::start(&["--fault", fault, "--seats", "1", "--queue", "0"]);
        let call = tokio::spawn(server.ask().send());
        server.until_seats(1.0, Duration::from_secs(5)).await;
        if begins {
            let mut stream = call.await.unwrap().unwrap().bytes_stream();
            assert!(stream.next().await.unwrap().is_ok());
        } else {
            call.abort();
        }
        server.until_seats(0.0, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn in_a_session_whoever_leaves_has_not_cancelled() {
    let server = Server::start(&["--fault", "model=stall", "--seats", "1", "--queue", "0"]);
    let session = Session::open(&server).await;
    assert_eq!(server.seats().await, 0.0, "an open session holds no seat");
    let call = session.ask(7).await;
    server.until_seats(1.0, Duration::from_secs(5)).await;
    let heard = Heard::until(call, |_| true).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.seats().await, 1.0, "the tool works on");
    let refused = server.ask().send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    // While everything is taken.
    let back = tokio::spawn(Heard::of(session.resume(&heard.last_id).await));
    session.cancel(7).await;
    server.until_seats(0.0, Duration::from_secs(5)).await;
    let rest = timeout(Duration::from_secs(1), back)
        .await
        .expect("nothing more will come");
    assert!(rest.unwrap().response().is_none());
}

#[tokio::test]
async fn where_every_session_has_a_call_a_new_one_is_told_to_come_back() {
    let server = Server::start(&["--fault", "model=stall", "--sessions", "1"]);
    let session = Session::open(&server).await;
    let _call = Heard::until(session.ask(7).await, |_| true).await;
    let refused = Session::opening(&server, json!("first")).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let told: Value = refused.json().await.unwrap();
    assert_eq!(
        (&told["id"], &told["error"]["code"]),
        (&json!("first"), &json!(-32010))
    );
    session.cancel(7).await;
    server.until_seats(0.0, Duration::from_secs(5)).await;
    // The old one makes room.
    let opened = Session::opening(&server, json!(1)).await;
    assert_eq!(opened.status(), 200);
}

#[tokio::test]
async fn a_step_that_hangs_ends_at_its_own_limit_and_the_operator_hears_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for (fault, flag, told, kind, step) in [
        (
            "search=stall",
            "--search-limit",
            "search was given up after",
            "store_expired",
            "search",
        ),
        (
            "model=stall",
            "--first-word-limit",
            "the first word of the model took longer than",
            "model_expired",
            "model.first_word",
        ),
        (
            "stream=stall",
            "--next-word-limit",
            "the next word of the model took longer than",
            "model_expired",
            "model.next_word",
        ),
    ] {
        let log = folder.path().join(fault);
        let file = std::fs::File::create(&log).unwrap();
        let server = Server::start_with(&["--fault", fault, flag, "400ms"], file.into());
        let call = timeout(Duration::from_secs(8), server.ask().send());
        let outcome = Outcome::of(call.await.unwrap().unwrap()).await;
        assert!(outcome.text(true).contains(told), "{}", outcome.response);
        server.until_seats(0.0, Duration::from_secs(5)).await;
        let session = Session::open(&server).await;
        let heard = Heard::until(session.ask(1).await, |message| message.get("id").is_some()).await;
        assert_eq!(heard.response().unwrap()["result"]["isError"], true);
        let failures = format!(r#"tool_failures_total{{tool="ask_papers",kind="{kind}"}}"#);
        assert_eq!(server.figure(&failures).await, 2.0);
        let expired = format!(r#"lifeline_outgoing_calls_total{{name="{step}",outcome="expired_limit"}}"#);
        assert_eq!(server.figure(&expired).await, 2.0, "in a session as well");
        let log = std::fs::read_to_string(log).unwrap();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("the call failed"))
            .collect();
        assert_eq!(lines.len(), 2, "{log}");
        for line in lines {
            assert!(
                line.contains("WARN") && line.contains(kind) && line.contains(told),
                "{line}"
            );
        }
    }
}
