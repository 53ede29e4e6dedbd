//! A server that misbehaves to order.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use knowledge_server::model::{Answerer, ApiKey, ChatModel, Endpoint, ModelError, ModelLimits, Wait};
use tokio::time::Instant;
use tower_lifeline::{Bound, Deadline, Reporter};

use super::fake::{Fake, STREAM, Step, response, say, token};
use super::{ask, hits};

const DONE: &str = "data: [DONE]\n\n";

fn limits() -> ModelLimits {
    let mut limits = ModelLimits::default();
    limits.first_token = Duration::from_millis(1500);
    limits.between_tokens = Duration::from_millis(300);
    limits.total = Duration::from_secs(4);
    limits
}

fn model(fake: &Fake, limits: ModelLimits) -> ChatModel {
    let endpoint = Endpoint::new(&fake.url, "fake", Some(ApiKey::new("sk-secret"))).unwrap();
    ChatModel::new(endpoint, limits, &Reporter::silent()).unwrap()
}

/// Asks a server that does this on each connection.
async fn asked(scripts: Vec<Vec<Step>>) -> (String, Result<(), ModelError>, Fake) {
    let fake = Fake::serve(scripts).await;
    let (said, ended) = ask(&model(&fake, limits()), Deadline::unbounded()).await;
    (said, ended, fake)
}

async fn said_and_ended(steps: Vec<Step>) -> (String, Result<(), ModelError>) {
    let (said, ended, _) = asked(vec![steps]).await;
    (said, ended)
}

fn answered() -> Vec<Step> {
    vec![say(STREAM), say(token("queues ")), say(token("[2]")), say(DONE)]
}

#[tokio::test]
async fn an_answer_is_streamed_and_the_request_is_what_a_model_expects() {
    let (said, ended, fake) = asked(vec![answered()]).await;
    assert_eq!((said.as_str(), ended), ("queues [2]", Ok(())));
    let request = &fake.requests()[0];
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer sk-secret\r\n"),
        "{request}"
    );
    let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&body["model"], &body["stream"]), (&"fake".into(), &true.into()));
    assert!(
        body["messages"][1]["content"]
            .as_str()
            .unwrap()
            .contains("[2] On 1 (2024): A queue")
    );
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let refusal = response(
        "401 Unauthorized",
        "",
        r#"{"error":{"message":"no such key: sk-secret\nmore"}}"#,
    );
    let fake = Fake::serve(vec![refusal]).await;
    let model = model(&fake, limits());
    assert!(!format!("{model:?}").contains("secret"), "{model:?}");
    assert!(!model.describe().contains("secret"));
    let (_, ended) = ask(&model, Deadline::unbounded()).await;
    let expected = ModelError::Refused {
        status: 401,
        message: "no such key: [key]".into(),
    };
    assert_eq!(ended, Err(expected));
    let reported = vec![
        say(STREAM),
        say("data: {\"error\":{\"message\":\"bad key sk-secret\"}}\n\n"),
    ];
    assert_eq!(
        said_and_ended(reported).await.1,
        Err(ModelError::Reported("bad key [key]".into()))
    );
    let endpoint = Endpoint::new("http://me:secret@127.0.0.1/v1", "fake", None);
    assert!(!format!("{endpoint:?}").contains("secret"), "{endpoint:?}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_and_only_once() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let started = Instant::now();
        let (said, ended, fake) = asked(vec![response(status, "retry-after: 1\r\n", "{}"), answered()]).await;
        assert_eq!((said.as_str(), ended), ("queues [2]", Ok(())));
        assert_eq!(fake.requests().len(), 2);
        assert!(
            (1000..1400).contains(&started.elapsed().as_millis()),
            "{:?}",
            started.elapsed()
        );
    }
    // In two seconds, to the second: somewhere between one and two.
    #[expect(clippy::disallowed_methods, reason = "a date is of the calendar's clock")]
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let headers = format!("retry-after: {date}\r\n");
    let fake = Fake::serve(vec![
        response("503 Service Unavailable", &headers, ""),
        answered(),
    ])
    .await;
    let mut longer = limits();
    longer.first_token = Duration::from_secs(3);
    assert_eq!(ask(&model(&fake, longer), Deadline::unbounded()).await.1, Ok(()));

    let busy = response("429 Too Many Requests", "retry-after: 0\r\n", "{}");
    let (_, ended, fake) = asked(vec![busy]).await;
    assert!(matches!(ended, Err(ModelError::Busy { .. })), "{ended:?}");
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_busy_server_is_not_waited_for_beyond_the_time_there_is() {
    let busy = response("429 Too Many Requests", "retry-after: 30\r\n", "{}");
    for deadline in [Deadline::unbounded(), Deadline::after(Duration::from_secs(1))] {
        let fake = Fake::serve(vec![busy.clone()]).await;
        let started = Instant::now();
        let (_, ended) = ask(&model(&fake, limits()), deadline).await;
        let wait = Some(Duration::from_secs(30));
        assert!(
            matches!(ended, Err(ModelError::Busy { retry_after, .. }) if retry_after == wait),
            "{ended:?}"
        );
        assert!(started.elapsed() < Duration::from_millis(500));
        assert_eq!(fake.requests().len(), 1);
    }
    // Without saying when, it is not asked again.
    let (_, ended, fake) = asked(vec![response("503 Service Unavailable", "", "overloaded")]).await;
    assert!(
        matches!(ended, Err(ModelError::Refused { status: 503, .. })),
        "{ended:?}"
    );
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn garbage_is_told_from_errors() {
    let garbage = |ended: &Result<(), ModelError>| matches!(ended, Err(ModelError::Garbage(_)));
    for steps in [
        vec![say(STREAM), say("data: <html>\n\n")],
        response("200 OK", "content-type: text/html\r\n", "<html>hello</html>"),
        response(
            "200 OK",
            "content-type: application/json\r\n",
            r#"{"choices":[]}"#,
        ),
    ] {
        let (_, ended) = said_and_ended(steps).await;
        assert!(garbage(&ended), "{ended:?}");
    }
    let (said, ended) = said_and_ended(vec![say(STREAM), say(token("so ")), say("data: {\"cho\n\n")]).await;
    assert!(said == "so " && garbage(&ended), "{said} {ended:?}");
    let json = response(
        "200 OK",
        "content-type: application/json\r\n",
        r#"{"error":"out of memory"}"#,
    );
    assert_eq!(
        said_and_ended(json).await.1,
        Err(ModelError::Reported("out of memory".into()))
    );
}

#[tokio::test]
async fn an_answer_that_ends_early_is_not_taken_for_complete() {
    let early = said_and_ended(vec![say(STREAM), say(token("half "))]).await;
    assert_eq!(early, ("half ".to_owned(), Err(ModelError::EndedEarly)));
    let chunked = STREAM.replace("connection: close", "transfer-encoding: chunked");
    let text = token("half ");
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    let (said, ended) = said_and_ended(vec![say(chunked), say(chunk)]).await;
    assert!(
        said == "half " && matches!(ended, Err(ModelError::BrokeOff(_))),
        "{said} {ended:?}"
    );
    // A reason to finish is an end, whatever does not follow.
    let finished = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let complete = vec![say(STREAM), say(token("all")), say(finished), Step::Hang];
    assert_eq!(said_and_ended(complete).await, ("all".to_owned(), Ok(())));
}

#[tokio::test]
async fn keep_alive_comments_are_not_tokens() {
    let comments = Step::Repeat(": PROCESSING\n\n".into(), 50);
    let started = Instant::now();
    let (_, ended, fake) = asked(vec![vec![say(STREAM), comments.clone()]]).await;
    let first = ModelError::Expired {
        wait: Wait::FirstToken,
        limit: Duration::from_millis(1500),
        bound: Bound::Limit,
    };
    assert_eq!(ended, Err(first));
    assert!(
        (1450..3000).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    fake.someone_left().await;

    // Neither are chunks that say nothing.
    for nothing in [
        ": x\n\n".to_owned(),
        token(""),
        "data: {\"choices\":[]}\n\n".to_owned(),
    ] {
        let hung = vec![say(STREAM), say(token("one ")), Step::Repeat(nothing, 50)];
        let (said, ended) = said_and_ended(hung).await;
        let waited = Err(ModelError::Expired {
            wait: Wait::NextToken,
            limit: Duration::from_millis(300),
            bound: Bound::Limit,
        });
        assert_eq!((said.as_str(), ended), ("one ", waited));
    }
}

#[tokio::test]
async fn what_has_no_end_is_cut() {
    let line = vec![say(STREAM), Step::Repeat("x".repeat(60_000), 1)];
    let (_, ended) = said_and_ended(line).await;
    assert!(matches!(ended, Err(ModelError::Garbage(_))), "{ended:?}");

    let endless = vec![say(STREAM), Step::Repeat(token("word "), 1)];
    let fake = Fake::serve(vec![endless.clone()]).await;
    let mut short = limits();
    short.answer_chars = 500;
    let (said, ended) = ask(&model(&fake, short), Deadline::unbounded()).await;
    assert_eq!(
        (said.len(), ended),
        (500, Err(ModelError::TooLong { limit: 500 }))
    );
    fake.someone_left().await;

    let fake = Fake::serve(vec![endless]).await;
    let mut short = limits();
    short.total = Duration::from_millis(700);
    let (_, ended) = ask(&model(&fake, short), Deadline::unbounded()).await;
    assert!(
        matches!(
            ended,
            Err(ModelError::Expired {
                wait: Wait::Whole,
                bound: Bound::Limit,
                ..
            })
        ),
        "{ended:?}"
    );
    let (_, ended) = ask(
        &model(&fake, limits()),
        Deadline::after(Duration::from_millis(600)),
    )
    .await;
    assert!(
        matches!(
            ended,
            Err(ModelError::Expired {
                bound: Bound::Deadline,
                ..
            })
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn who_finds_no_seat_is_told_so() {
    let fake = Fake::serve(vec![vec![say(STREAM), say(token("one ")), Step::Hang]]).await;
    let mut one = limits();
    one.seats = 1;
    one.queue = Duration::from_millis(100);
    one.between_tokens = Duration::from_secs(60);
    one.total = Duration::from_secs(60);
    let model = model(&fake, one);
    let hits = hits();
    let mut first = model.answer("why?", &hits, Deadline::unbounded());
    first.next().await.unwrap().unwrap();
    let (_, ended) = ask(&model, Deadline::unbounded()).await;
    assert!(matches!(ended, Err(ModelError::Busy { .. })), "{ended:?}");
    assert_eq!(fake.requests().len(), 1);
    drop(first);
    fake.someone_left().await;
    let mut second = model.answer("why?", &hits, Deadline::unbounded());
    second.next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_model_that_is_not_there_is_told_at_once() {
    let endpoint = Endpoint::new("http://127.0.0.1:1/v1/", "none", None).unwrap();
    let (_, ended) = ask(
        &ChatModel::new(endpoint, limits(), &Reporter::silent()).unwrap(),
        Deadline::unbounded(),
    )
    .await;
    assert!(matches!(ended, Err(ModelError::Unreachable(_))), "{ended:?}");
    for wrong in ["", "127.0.0.1:80", "ftp://host/v1"] {
        let endpoint = Endpoint::new(wrong, "none", None);
        assert!(matches!(endpoint, Err(ModelError::Settings(_))), "{endpoint:?}");
    }
    let secure = Endpoint::new("https://127.0.0.1:1/v1", "none", None);
    assert_eq!(secure.is_ok(), cfg!(feature = "tls"), "{secure:?}");
    if let Ok(endpoint) = secure {
        let (_, ended) = ask(
            &ChatModel::new(endpoint, limits(), &Reporter::silent()).unwrap(),
            Deadline::unbounded(),
        )
        .await;
        assert!(matches!(ended, Err(ModelError::Unreachable(_))), "{ended:?}");
    }
}
