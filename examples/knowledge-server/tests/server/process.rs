//! The process: how it starts, what it says of itself, and how it ends.

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::serving::{Heard, Outcome, Server, Session};

fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_knowledge-server"))
        .arg("--check")
        .args(arguments)
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

#[tokio::test]
async fn the_first_answer_is_there_within_two_seconds() {
    // The best of three, since a busy machine says nothing of the server.
    let mut times = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let server = Server::start(&[]);
        let answer = server
            .call("ask_papers", serde_json::json!({ "question": "What is a tail?" }))
            .await;
        times.push(began.elapsed());
        assert!(answer.text(false).contains('['));
    }
    println!("{times:?}");
    assert!(times.iter().min().unwrap() < &Duration::from_secs(2), "{times:?}");
}

#[tokio::test]
async fn probes_and_figures_are_there() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.get("/readyz").await, (200, "ready\n".to_owned()));
    let (status, page) = server.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(page.contains("lifeline_gate_seats{gate=\"mcp\"} 8"), "{page}");
    assert_eq!(
        server
            .figure(r#"http_responses_total{path="/readyz",status="200"}"#)
            .await,
        1.0
    );
}

#[tokio::test]
async fn logs_have_the_request_and_none_of_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_with(
        &["--fault", "model=10ms"],
        std::fs::File::create(&log).unwrap().into(),
    );
    let mut request = server.ask().build().unwrap();
    request.url_mut().set_query(Some("key=sesame-1"));
    let headers = request.headers_mut();
    headers.insert("authorization", "Bearer sesame-2".parse().unwrap());
    headers.insert("x-request-id", "mine-7".parse().unwrap());
    let answer = server.http.execute(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-request-id"]),
        (200, &"mine-7".parse().unwrap())
    );
    Outcome::of(answer).await.text(false);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("FAILS ON PURPOSE"), "{log}");
    let line = log.lines().find(|line| line.contains("answered")).unwrap();
    assert!(line.contains("mine-7") && line.contains("status=200"), "{line}");
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn what_does_not_fit_the_platform_is_told() {
    let (code, told) = check(&["--behind", "heroku,nginx"]);
    assert_eq!((code, told.as_str()), (Some(0), "ok: behind heroku,nginx\n"));
    let (code, told) = check(&["--behind", "envoy", "--search-limit", "30s"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("call-total") && told.contains("search"), "{told}");
    let (code, told) = check(&["--seats", "0"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("max_in_flight"), "{told}");
}

#[tokio::test]
async fn whoever_is_being_served_is_served_to_the_end_when_it_stops() {
    let mut server = Server::start(&["--fault", "stream=400ms", "--drain", "8s"]);
    let under_way = tokio::spawn(server.ask().send());
    server.until_seats(1.0, Duration::from_secs(5)).await;
    let began = Instant::now();
    server.signal("-TERM");
    let answer = Outcome::of(under_way.await.unwrap().unwrap()).await;
    assert!(answer.text(false).contains("[1]"));
    assert!(server.ended(Duration::from_secs(8)).await.success());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn the_rest_of_an_answer_can_be_fetched_while_it_stops() {
    let mut server = Server::start(&["--fault", "stream=1500ms", "--drain", "16s"]);
    let session = Session::open(&server).await;
    let first = Heard::until(session.ask(7).await, |_| true).await;
    let rest = session.resume(&first.last_id).await;
    server.signal("-TERM");
    let rest = Heard::of(rest).await;
    let response = rest.response().expect("the response");
    assert_eq!(response["result"]["isError"], false, "{response}");
    assert!(server.ended(Duration::from_secs(20)).await.success());
}

#[tokio::test]
async fn a_call_that_outlived_its_connection_has_the_time_of_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let mut server = Server::start_with(&["--fault", "model=6s", "--drain", "16s"], file.into());
    let began = Instant::now();
    let session = Session::open(&server).await;
    drop(Heard::until(session.ask(7).await, |_| true).await);
    server.until_seats(1.0, Duration::from_secs(5)).await;
    server.signal("-TERM");
    assert!(server.ended(Duration::from_secs(20)).await.success());
    let took = began.elapsed();
    assert!(took > Duration::from_secs(6), "it was cut after {took:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("idle=true"), "{log}");
}

#[tokio::test]
async fn a_call_without_an_end_does_not_keep_the_server() {
    let mut server = Server::start(&["--fault", "model=stall", "--drain", "2s"]);
    let under_way = tokio::spawn(server.ask().send());
    server.until_seats(1.0, Duration::from_secs(5)).await;
    server.signal("-TERM");
    assert!(server.ended(Duration::from_secs(6)).await.success());
    drop(under_way);
}
