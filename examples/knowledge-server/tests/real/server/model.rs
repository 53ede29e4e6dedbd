//! A model that misbehaves in every way that there is.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::fake::{Fake, STREAM, Step, response, say, token};
use crate::parts::Model;
use crate::serving::{Heard, Outcome, Server, Session};

const LIMITS: [&str; 6] = [
    "--first-word-limit",
    "1200ms",
    "--next-word-limit",
    "600ms",
    "--answer-limit",
    "2500ms",
];

fn server(url: &str, limits: &[&str]) -> Server {
    let model = ["--llm-url", url, "--llm-model", "smollm2"];
    Server::start(&[&model[..], limits].concat())
}

fn good() -> Vec<Step> {
    vec![say(STREAM), say(token("queues [1]")), say("data: [DONE]\n\n")]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_a_model_to_fail_is_told_and_the_next_call_works() {
    let begun = || vec![say(STREAM), say(token("so far "))];
    let with = |mut steps: Vec<Step>, step| {
        steps.push(step);
        steps
    };
    let ways = [
        (
            vec![Step::Hang],
            "the first word of the model took longer than 1.2s",
        ),
        (
            vec![say(STREAM), Step::Repeat(": ping\n\n".into(), 50)],
            "the first word of the model took longer than 1.2s",
        ),
        (
            with(begun(), Step::Hang),
            "the next word of the model took longer than 600ms",
        ),
        (begun(), "ended in the middle"),
        (with(begun(), say("data: <html>\n\n")), "cannot be understood"),
        (
            with(begun(), Step::Repeat(token("more "), 50)),
            "the model's answer took longer than",
        ),
        (
            response("429 Too Many Requests", "", ""),
            "the model refused the request (429)",
        ),
        (
            response("200 OK", "content-type: text/html\r\n", "<html>"),
            "cannot be understood",
        ),
        (
            response("500 Internal Server Error", "", "out of memory"),
            "out of memory",
        ),
    ];
    let scripts = ways.iter().flat_map(|(steps, _)| [steps.clone(), good()]);
    let fake = Fake::serve(scripts.collect()).await;
    let server = server(&fake.url, &LIMITS);
    for (steps, told) in ways {
        let began = Instant::now();
        let outcome = Outcome::of(server.ask().send().await.unwrap()).await;
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{told}: {:?}",
            began.elapsed()
        );
        let text = outcome.text(true);
        assert!(text.contains(told), "{text}");
        assert!(!outcome.progress.is_empty());
        let is_begun = format!("{steps:?}").contains("so far");
        assert_eq!(text.contains("Until then it said: so far"), is_begun, "{text}");
        server.until_seats(0.0, Duration::from_secs(1)).await;
        let next = Outcome::of(server.ask().send().await.unwrap()).await;
        assert!(next.text(false).starts_with("queues [1]"), "{}", next.response);
        server.until_seats(0.0, Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_killed_is_told() {
    let mut model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let server = server(
        &model.url(),
        &[
            "--answer-tokens",
            "3000",
            "--passages",
            "2",
            "--next-word-limit",
            "600ms",
        ],
    );
    let session = Session::open(&server).await;
    let half = |message: &serde_json::Value| message["params"]["progress"].as_f64() >= Some(2.0);

    // A cancellation stops the generation.
    let heard = Heard::until(session.ask(1).await, half).await;
    let resumed = Heard::until(session.resume(&heard.last_id).await, |_| true).await;
    assert!(!resumed.messages.is_empty(), "its client left and came back");
    assert_eq!(model.at_work().await, 1);
    session.cancel(1).await;
    model.idle(Duration::from_secs(3)).await;
    server.until_seats(0.0, Duration::from_secs(1)).await;

    // It hangs in the middle.
    let call = server.ask().send().await.unwrap();
    let frozen = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        model.freeze();
    };
    let (outcome, ()) = tokio::join!(Outcome::of(call), frozen);
    let text = outcome.text(true);
    assert!(text.contains("word of the model took longer than"), "{text}");
    server.until_seats(0.0, Duration::from_secs(1)).await;
    model.thaw();
    model.idle(Duration::from_secs(3)).await;

    // It dies in the middle, and another one takes its place.
    let call = server.ask().send().await.unwrap();
    let killed = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        model.kill();
    };
    let (outcome, ()) = tokio::join!(Outcome::of(call), killed);
    let text = outcome.text(true);
    assert!(
        text.contains("broke off") || text.contains("cannot be reached"),
        "{text}"
    );
    let gone = Outcome::of(server.ask().send().await.unwrap()).await;
    assert!(gone.text(true).contains("cannot be reached"), "{}", gone.response);
    server.until_seats(0.0, Duration::from_secs(1)).await;
    let port = model.url();
    drop(model);
    model = tokio::task::spawn_blocking(move || Model::start_at(&port))
        .await
        .unwrap();
    let next = server.ask().send().await.unwrap();
    let heard = Heard::until(next, half).await;
    assert!(!heard.messages.is_empty());
    model.idle(Duration::from_secs(5)).await;
    server.until_seats(0.0, Duration::from_secs(1)).await;
}
