//! Early commit on the paused clock: which requests, what becomes of the late answer, and who is dropped when.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::request_body::RequestBody;
use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings, HeartbeatSettingsBuilder};
use tower_lifeline::{BoxError, Event, Reporter, RequestBodyLayer, SseHeartbeatLayer};

use super::beats::{frames, ms};
use crate::scripted::{Broken, Scripted, Step, data};

pub(crate) type Boxed = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;
pub(crate) type Answer = Result<Response<Boxed>, Broken>;

pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":"c-1","method":"tools/call","params":{"name":"slow","_meta":{"progressToken":7}}}"#;
pub(crate) const BEAT: &str = ":\n\n";

/// Commits after 1 s, beats each second.
pub(crate) fn settings() -> HeartbeatSettingsBuilder {
    HeartbeatSettings::builder()
        .interval(ms(1000))
        .without_jitter()
        .commit(EarlyCommit::JsonRpcRequests, ms(1000))
}

pub(crate) fn silent(settings: HeartbeatSettingsBuilder) -> SseHeartbeatLayer {
    SseHeartbeatLayer::new(settings.build().unwrap()).with_reporter(Reporter::silent())
}

pub(crate) fn post(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::from(body))
        .unwrap()
}

pub(crate) fn response(
    status: u16,
    content_type: &str,
    body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
) -> Answer {
    let body: Boxed = Box::pin(body.map_err(Into::into));
    Ok(Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body)
        .unwrap())
}

fn whole(status: u16, content_type: &str, body: &'static str) -> Answer {
    response(status, content_type, Full::from(body))
}

/// A service that reads its request, waits, and gives the answer.
pub(crate) async fn play<F>(layer: &SseHeartbeatLayer, request: Request<Full<Bytes>>, answer: F) -> Answer
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut answer = Some(answer);
    let service = RequestBodyLayer::default().layer(layer.layer(service_fn(
        move |request: Request<RequestBody<_>>| {
            let answer = answer.take().unwrap();
            async move {
                request.into_body().collect().await.unwrap();
                answer.await
            }
        },
    )));
    service
        .oneshot(request)
        .await
        .map(|response| response.map(|body| Box::pin(body) as Boxed))
}

async fn late(wait: u64, answer: Answer) -> Answer {
    sleep(ms(wait)).await;
    answer
}

/// What a client gets in answer to [`CALL`] that takes 2.5 s, committed after one.
async fn spliced(layer: &SseHeartbeatLayer, answer: Answer) -> Vec<(u64, String)> {
    let start = Instant::now();
    let response = play(layer, post(CALL), late(2500, answer)).await.unwrap();
    assert_eq!(start.elapsed(), ms(1000));
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut seen = frames(response.into_body()).await;
    assert_eq!(
        seen.drain(..2).collect::<Vec<_>>(),
        [(0, BEAT.to_owned()), (1000, BEAT.to_owned())]
    );
    seen
}

pub(crate) fn message(event: &str) -> Value {
    let data = event
        .strip_prefix("data: ")
        .and_then(|event| event.strip_suffix("\n\n"))
        .unwrap();
    assert!(!data.contains(['\r', '\n']), "{data:?} has several lines");
    serde_json::from_str(data).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_keeps_its_status_its_headers_and_its_length() {
    for status in [200, 404] {
        let answer = play(
            &silent(settings()),
            post(CALL),
            late(999, whole(status, "application/json", "{}")),
        )
        .await;
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (status, &"application/json".parse().unwrap())
        );
        assert!(answer.headers().get("x-accel-buffering").is_none());
        assert_eq!(answer.body().size_hint().exact(), Some(2));
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "{}");
    }
    let failed = play(&silent(settings()), post(CALL), late(999, Err(Broken))).await;
    assert!(failed.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_time_beats_with_the_same_timer() {
    let stream = async {
        sleep(ms(900)).await;
        response(
            200,
            "text/event-stream",
            Scripted::new([data(1500, "data: a\n\n")]),
        )
    };
    let answer = play(&silent(settings()), post(CALL), stream).await.unwrap();
    let expected = [(0, BEAT), (1000, BEAT), (1500, "data: a\n\n")].map(|(at, text)| (at, text.to_owned()));
    assert_eq!(frames(answer.into_body()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_late_stream_goes_on_as_it_is() {
    let steps = [
        data(0, "\u{feff}data: {\"a\":1}\n\n"),
        data(1500, "data: b\r\n\r\n"),
        Step::End(100),
    ];
    let start = Instant::now();
    let late = async move {
        sleep(ms(2500)).await;
        response(200, "text/event-stream; charset=utf-8", Scripted::new(steps))
    };
    let answer = play(&silent(settings()), post(CALL), late).await.unwrap();
    assert_eq!(start.elapsed(), ms(1000));
    let expected = [
        (0, BEAT),
        (1000, BEAT),
        (1500, "data: {\"a\":1}\n\n"),
        (2500, BEAT),
        (3000, "data: b\r\n\r\n"),
    ];
    assert_eq!(
        frames(answer.into_body()).await,
        expected.map(|(at, text)| (at, text.to_owned()))
    );
}

/// What a call is told whose late stream says `said` and breaks off.
async fn broken_off(said: &'static str, request: Request<Full<Bytes>>) -> Vec<(u64, String)> {
    let late = async move {
        sleep(ms(1500)).await;
        response(
            200,
            "text/event-stream",
            Scripted::new([data(1, said), Step::Error(1)]),
        )
    };
    let answer = play(&silent(settings()), request, late).await.unwrap();
    frames(answer.into_body()).await
}

#[tokio::test(start_paused = true)]
async fn a_late_stream_that_breaks_off_is_an_error_of_its_call() {
    for said in [
        "data: a\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n\n",
        ": alive\n",
    ] {
        let seen = broken_off(said, post(CALL)).await;
        let error = message(&seen.last().unwrap().1);
        assert_eq!(
            (&error["id"], &error["error"]["code"]),
            (&json!("c-1"), &json!(-32603))
        );
    }
    // Nothing can be said in an unfinished event, or to a call that has its answer.
    let answered = "data: {\"jsonrpc\":\"2.0\",\"id\":\"c-1\",\"result\":1}\n\n";
    for said in ["data: a\n", answered] {
        let seen = broken_off(said, post(CALL)).await;
        assert_eq!(seen.last().unwrap().1, "(the producer broke)", "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_json_becomes_one_message() {
    let pretty = "\u{feff}{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": \"c-1\",\r  \"result\": \"a\\nb\"\n}\n";
    let seen = spliced(
        &silent(settings()),
        whole(200, "application/json; charset=utf-8", pretty),
    )
    .await;
    let [(1500, event)] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        message(event),
        json!({ "jsonrpc": "2.0", "id": "c-1", "result": "a\nb" })
    );
}

#[tokio::test(start_paused = true)]
async fn beats_go_on_while_late_json_comes_in_pieces() {
    let steps = [data(0, "{\"a\":"), data(1700, "1}")];
    let late = async move {
        sleep(ms(1500)).await;
        response(200, "application/json", Scripted::new(steps))
    };
    let answer = play(&silent(settings()), post(CALL), late).await.unwrap();
    let expected = [
        (0, BEAT),
        (1000, BEAT),
        (2000, BEAT),
        (2200, "data: {\"a\":1}\n\n"),
    ];
    assert_eq!(
        frames(answer.into_body()).await,
        expected.map(|(at, text)| (at, text.to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_is_lost_is_an_error_with_the_id_of_the_call() {
    let broken = || Scripted::new([data(0, "{"), Step::Error(0)]);
    let small = || silent(settings().max_late_body(8));
    let plain = || silent(settings());
    let mut encoded = whole(200, "application/json", "zip").unwrap();
    encoded
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    for (layer, answer, reason) in [
        (plain(), whole(500, "text/plain", "boom"), "late_status"),
        (
            plain(),
            whole(
                404,
                "application/json",
                "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{}}",
            ),
            "late_status",
        ),
        (plain(), whole(202, "text/plain", ""), "late_status"),
        (
            plain(),
            response(200, "application/json", broken()),
            "body_failed",
        ),
        (
            small(),
            whole(200, "application/json", "[1,2,3,4,5]"),
            "too_large",
        ),
        (plain(), whole(200, "image/png", "x"), "format"),
        (plain(), Ok(encoded), "format"),
        (plain(), Err(Broken), "service_error"),
    ] {
        let seen = spliced(&layer, answer).await;
        let [(1500, event)] = seen.as_slice() else {
            panic!("{reason}: {seen:?}")
        };
        let error = message(event);
        assert_eq!(
            (&error["id"], &error["error"]["code"]),
            (&json!("c-1"), &json!(-32603)),
            "{error}"
        );
        assert_eq!(error["error"]["data"]["reason"], reason);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_services_own_passes_with_its_code() {
    let own = r#"{"jsonrpc":"2.0","id":"c-1","error":{"code":-32601,"message":"no such method"}}"#;
    let seen = spliced(&silent(settings()), whole(404, "application/json", own)).await;
    assert_eq!(message(&seen[0].1)["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn only_a_request_with_an_id_is_answered_early() {
    let without = |name: &str| {
        let mut request = post(CALL);
        request.headers_mut().remove(name);
        request
    };
    let get = || {
        let mut request = post(CALL);
        *request.method_mut() = http::Method::GET;
        request
    };
    let wildcard = || {
        let mut request = post(CALL);
        request.headers_mut().insert("accept", "*/*".parse().unwrap());
        request
    };
    for (what, request) in [
        (
            "initialize",
            post(r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#),
        ),
        (
            "notification",
            post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        ),
        ("response", post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)),
        ("batch", post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#)),
        ("no JSON-RPC", post("{}")),
        ("accepts no stream", without("accept")),
        ("accepts anything", wildcard()),
        ("no JSON", without("content-type")),
        ("GET", get()),
    ] {
        let start = Instant::now();
        let answer = play(
            &silent(settings()),
            request,
            late(5500, whole(202, "text/plain", "")),
        )
        .await
        .unwrap();
        assert_eq!(
            (answer.status().as_u16(), start.elapsed()),
            (202, ms(5500)),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_commits_whatever_accepts_a_stream() {
    let any = silent(settings().commit(EarlyCommit::AnyRequest, ms(1000)));
    let chat = || {
        let mut request = post("{\"stream\":true}");
        *request.uri_mut() = "/v1/chat".parse().unwrap();
        request
    };
    let seen = async |answer| {
        let response = play(&any, chat(), late(1500, answer)).await.unwrap();
        assert_eq!(response.status(), 200);
        frames(response.into_body())
            .await
            .into_iter()
            .skip(1)
            .map(|(_, text)| text)
            .collect::<String>()
    };
    assert_eq!(seen(whole(200, "application/json", "{}")).await, "data: {}\n\n");
    assert_eq!(
        seen(whole(200, "text/plain", "a\nb")).await,
        "data: a\ndata: b\n\n"
    );
    assert_eq!(
        seen(whole(429, "application/json", "{\"e\":1}")).await,
        "event: error\ndata: {\"e\":1}\n\n"
    );
    let problem = seen(whole(503, "text/plain", "busy")).await;
    let problem: Value = serde_json::from_str(problem.strip_prefix("event: error\ndata: ").unwrap()).unwrap();
    assert_eq!(
        (&problem["status"], &problem["title"]),
        (&json!(503), &json!("Service Unavailable"))
    );
    assert_eq!(seen(whole(204, "text/plain", "")).await, "");
    // What is known to be no request, or not to bear it, is left alone here too.
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#,
        r#"{"jsonrpc":"2.0","method":"n"}"#,
    ] {
        let answer = play(&any, post(body), late(1500, whole(202, "text/plain", "")))
            .await
            .unwrap();
        assert_eq!(answer.status(), 202);
    }
    let never = silent(settings().without_commit());
    assert_eq!(
        play(&never, post(CALL), late(9000, whole(404, "text/plain", "")))
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_arrives_late_is_waited_for() {
    let pieces = futures::stream::once(async {
        sleep(ms(3300)).await;
        Ok::<_, Broken>(http_body::Frame::data(Bytes::from(CALL)))
    });
    let request = post("").map(|_| StreamBody::new(Box::pin(pieces)));
    let service = RequestBodyLayer::default().layer(silent(settings()).layer(service_fn(
        async |request: Request<RequestBody<_>>| {
            request.into_body().collect().await.unwrap();
            late(60_000, whole(200, "application/json", "{}")).await
        },
    )));
    let start = Instant::now();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(
        start.elapsed(),
        ms(3300),
        "the moment in which it is known to be a call"
    );

    let request = post(CALL);
    let spawned = RequestBodyLayer::default().layer(silent(settings()).layer(service_fn(
        async |request: Request<RequestBody<_>>| {
            tokio::spawn(async move {
                sleep(ms(3300)).await;
                request.into_body().collect().await.unwrap()
            });
            late(60_000, whole(200, "application/json", "{}")).await
        },
    )));
    let start = Instant::now();
    assert_eq!(spawned.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(
        start.elapsed(),
        ms(4000),
        "read where nobody hears of it, so it is asked for once a second"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_drops_the_work_at_every_point() {
    let held = Arc::new(());
    let layer = silent(settings());
    let alive = || Arc::strong_count(&held) > 1;
    let work = |held: &Arc<()>, steps: Option<Vec<Step>>, content_type: &'static str| {
        let held = held.clone();
        async move {
            sleep(ms(2500)).await;
            let body = Scripted::new(steps.unwrap_or_default()).holding(&held);
            response(200, content_type, body)
        }
    };
    // Before the commit.
    assert!(
        timeout(ms(500), play(&layer, post(CALL), work(&held, None, "text/plain")))
            .await
            .is_err()
    );
    assert!(!alive());
    // The head, before its body was polled.
    let response = play(&layer, post(CALL), work(&held, None, "text/plain"))
        .await
        .unwrap();
    assert!(alive());
    drop(response);
    assert!(!alive());
    // While the service is waited for; while its stream goes on; while its JSON comes.
    let hang = || Some(vec![data(0, "[1,"), Step::Hang]);
    for (until, content_type) in [
        (1200, "text/plain"),
        (2000, "text/event-stream"),
        (2000, "application/json"),
    ] {
        let response = play(&layer, post(CALL), work(&held, hang(), content_type))
            .await
            .unwrap();
        let mut body = response.into_body();
        let reads = async { while body.frame().await.is_some() {} };
        assert!(timeout(ms(until), reads).await.is_err());
        assert!(alive(), "{content_type}");
        drop(body);
        assert!(!alive(), "{content_type}");
    }
    // The work itself is dropped once it has answered, whoever still reads.
    let response = play(
        &layer,
        post(CALL),
        work(&held, Some(vec![data(0, "[]")]), "application/json"),
    )
    .await
    .unwrap();
    let mut body = pin!(response.into_body());
    while body.frame().await.unwrap().unwrap().into_data().unwrap() == BEAT {}
    assert!(!alive());
    assert!(body.is_end_stream() && body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_commit_and_all_that_it_costs_are_reported() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let reporter = Reporter::to(move |event: &Event| seen.lock().unwrap().push(*event));
    let layer = SseHeartbeatLayer::new(settings().build().unwrap()).with_reporter(reporter);
    let mut answer = whole(503, "text/plain", "busy").unwrap();
    answer.headers_mut().insert("retry-after", "5".parse().unwrap());
    answer
        .headers_mut()
        .insert("www-authenticate", "Basic".parse().unwrap());
    spliced(&layer, Ok(answer)).await;
    let said: Vec<_> = events
        .lock()
        .unwrap()
        .iter()
        .map(|event| format!("{event:?}"))
        .collect();
    let expected = [
        "CommittedEarly { waited: 1s }",
        "Heartbeat",
        "FirstHeartbeat { silence: 1s }",
        "CommitLost { lost: Headers(2) }",
        "CommitLost { lost: Status(503) }",
    ];
    assert_eq!(said, expected);
}
