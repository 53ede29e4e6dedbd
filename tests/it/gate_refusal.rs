//! What a refused caller is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::future::{pending, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderName, Request, Response, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::admission_gate::{Key, RetryAfter};
use tower_lifeline::{AdmissionGate, AdmissionGateLayer, Deadline, GateLimits};

type Req = Request<BoxBody<Bytes, Infallible>>;

const CALL: &str = r#"{"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":{"name":"search"}}"#;

fn full_gate() -> AdmissionGate {
    let gate = AdmissionGate::new(GateLimits::builder(1).max_queue(0).key_share(1).build().unwrap());
    std::mem::forget(gate.try_enter().unwrap());
    gate
}

fn post(headers: &[(HeaderName, &str)], body: &'static str) -> Req {
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.body(Full::from(body).boxed()).unwrap()
}

async fn refused(layer: &AdmissionGateLayer, request: Req) -> Response<Bytes> {
    let inner = service_fn(|_: Req| ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))));
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn content_type(response: &Response<Bytes>) -> &str {
    response.headers()[CONTENT_TYPE].to_str().unwrap()
}

fn json(response: &Response<Bytes>) -> serde_json::Value {
    serde_json::from_slice(response.body()).unwrap()
}

const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");
const MCP: (HeaderName, &str) = (ACCEPT, "application/json, text/event-stream");

#[tokio::test(start_paused = true)]
async fn each_caller_gets_its_form() {
    let layer = AdmissionGateLayer::new(full_gate());
    let text = refused(&layer, post(&[], "")).await;
    assert_eq!(
        (text.status(), content_type(&text)),
        (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8")
    );
    assert_eq!(text.body(), "the server is at capacity and its queue is full\n");

    let problem = refused(&layer, post(&[(ACCEPT, "application/problem+json")], "")).await;
    assert_eq!(content_type(&problem), "application/problem+json");
    assert_eq!(
        (&json(&problem)["status"], &json(&problem)["reason"]),
        (&503.into(), &"queue_full".into())
    );

    let grpc = refused(&layer, post(&[(CONTENT_TYPE, "application/grpc+proto")], "")).await;
    assert_eq!(
        (grpc.status(), &grpc.headers()["grpc-status"]),
        (StatusCode::OK, &"14".parse().unwrap())
    );
    assert!(grpc.body().is_empty());

    let call = refused(&layer, post(&[JSON, MCP], CALL)).await;
    assert_eq!(
        (call.status(), content_type(&call)),
        (StatusCode::SERVICE_UNAVAILABLE, "application/json")
    );
    let error = json(&call);
    assert_eq!(
        (&error["id"], &error["error"]["code"]),
        (&"a-1".into(), &(-32010).into())
    );
    assert_eq!(error["error"]["data"]["reason"], "queue_full");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_cannot_be_learnt_is_never_null() {
    let layer = AdmissionGateLayer::new(full_gate());
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let encoded = (http::header::CONTENT_ENCODING, "gzip");
    let plain = [
        (post(&[JSON], notification), "a notification"),
        (
            post(&[JSON], r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#),
            "a batch",
        ),
        (
            post(&[JSON], r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#),
            "null",
        ),
        (post(&[JSON], "no json"), "no JSON"),
        (post(&[JSON], ""), "nothing"),
        (
            post(&[JSON, (EXPECT, "100-continue")], CALL),
            "nobody must be asked for a body",
        ),
        (post(&[JSON, encoded], CALL), "compressed"),
        (post(&[(CONTENT_TYPE, "text/plain")], CALL), "no JSON by its type"),
        (
            post(&[JSON, (http::header::CONTENT_LENGTH, "65537")], CALL),
            "too large by its length",
        ),
    ];
    for (request, why) in plain {
        let response = refused(&layer, request).await;
        assert_eq!(content_type(&response), "text/plain; charset=utf-8", "{why}");
    }
    let opted_out = refused(&layer.clone().without_reading_ids(), post(&[JSON], CALL)).await;
    assert_eq!(content_type(&opted_out), "text/plain; charset=utf-8");
}

fn streamed(frames: Vec<(u64, Bytes)>, hangs: bool) -> Req {
    let frames = futures::stream::unfold(frames.into_iter(), move |mut frames| async move {
        let Some((after, bytes)) = frames.next() else {
            if hangs {
                pending::<()>().await;
            }
            return None;
        };
        sleep(Duration::from_millis(after)).await;
        Some((Ok(http_body::Frame::data(bytes)), frames))
    });
    let body = BodyExt::boxed(StreamBody::new(SyncStream(Box::pin(frames))));
    Request::post("/")
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

/// The tests poll their bodies from one task only.
struct SyncStream<S>(S);

impl<S: futures::Stream + Unpin> futures::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

use futures::StreamExt;

#[tokio::test(start_paused = true)]
async fn reading_for_an_id_is_bounded_in_time_bytes_and_number() {
    let layer = AdmissionGateLayer::new(full_gate());
    let halves = |after| {
        let (first, second) = CALL.split_at(20);
        vec![(0, Bytes::from(first)), (after, Bytes::from(second))]
    };
    let start = Instant::now();
    assert_eq!(
        content_type(&refused(&layer, streamed(halves(900), false)).await),
        "application/json"
    );
    assert_eq!(start.elapsed(), Duration::from_millis(900));

    let start = Instant::now();
    let late = refused(&layer, streamed(halves(1100), false)).await;
    assert_eq!(
        (content_type(&late), start.elapsed()),
        ("text/plain; charset=utf-8", Duration::from_secs(1))
    );

    let large = (0..20).map(|_| (0, Bytes::from(vec![b' '; 4096]))).collect();
    let start = Instant::now();
    let large = refused(&layer, streamed(large, true)).await;
    assert_eq!(
        (content_type(&large), start.elapsed()),
        ("text/plain; charset=utf-8", Duration::ZERO)
    );

    // A deadline is no later for that; once it has passed, what is there is read all the same.
    let within = |mut request: Req, millis| {
        let deadline = Deadline::after(Duration::from_millis(millis));
        request.extensions_mut().insert(deadline);
        request
    };
    let start = Instant::now();
    let late = refused(&layer, within(streamed(halves(900), false), 300)).await;
    assert_eq!(
        (content_type(&late), start.elapsed()),
        ("text/plain; charset=utf-8", Duration::from_millis(300))
    );
    let start = Instant::now();
    let ready = refused(&layer, within(post(&[JSON], CALL), 0)).await;
    assert_eq!(
        (content_type(&ready), start.elapsed()),
        ("application/json", Duration::ZERO)
    );

    let empty = futures::stream::repeat_with(|| Ok(http_body::Frame::data(Bytes::new())));
    let endless = Request::post("/").header(JSON.0, JSON.1);
    let endless = endless.body(BodyExt::boxed(StreamBody::new(empty))).unwrap();
    assert_eq!(
        content_type(&refused(&layer, endless).await),
        "text/plain; charset=utf-8",
        "frames without bytes come to an end"
    );

    // With 32 being read, the 33rd is refused in the moment.
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (layer, hanging) = (layer.clone(), streamed(halves(5000), true));
        readers.spawn(async move { refused(&layer, hanging).await });
    }
    tokio::task::yield_now().await;
    let start = Instant::now();
    assert_eq!(
        content_type(&refused(&layer, post(&[JSON], CALL)).await),
        "text/plain; charset=utf-8"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    readers.join_all().await;
    assert_eq!(
        content_type(&refused(&layer, post(&[JSON], CALL)).await),
        "application/json"
    );
}

#[tokio::test(start_paused = true)]
async fn statuses_are_a_policy_and_codes_tell_the_reasons_apart() {
    let gate = full_gate();
    let layer = AdmissionGateLayer::new(gate.clone()).key(|_| Some(Key::of("me")));
    let key_gate = AdmissionGate::new(GateLimits::builder(2).key_share(1).build().unwrap());
    let of_key = AdmissionGateLayer::new(key_gate.clone()).key(|_| Some(Key::of("me")));
    let _mine = key_gate.enter().key(Key::of("me")).await.unwrap();
    let share = refused(&of_key, post(&[JSON], CALL)).await;
    assert_eq!(
        (share.status(), &json(&share)["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &(-32012).into())
    );

    let full = refused(&layer, post(&[JSON], CALL)).await;
    assert_eq!(
        (full.status(), &json(&full)["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &(-32010).into())
    );

    let waits = AdmissionGate::new(GateLimits::builder(1).build().unwrap());
    let _held = waits.try_enter().unwrap();
    let waits = AdmissionGateLayer::new(waits)
        .with_queue_timeout_status(StatusCode::SERVICE_UNAVAILABLE)
        .unwrap();
    let late = refused(&waits, post(&[JSON], CALL)).await;
    let error = &json(&late)["error"];
    assert_eq!(
        (late.status(), &error["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &(-32011).into())
    );
    assert_eq!(
        (&error["data"]["limitMs"], &error["data"]["waitedMs"]),
        (&5000.into(), &5000.into())
    );

    gate.close();
    let drained = refused(&layer, post(&[JSON], CALL)).await;
    assert_eq!(
        (drained.status(), &json(&drained)["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &(-32013).into())
    );
    assert!(layer.with_queue_full_status(StatusCode::OK).is_err());
}

#[tokio::test(start_paused = true)]
async fn connection_close_only_in_a_drain_and_only_on_http_1() {
    let gate = full_gate();
    let layer = AdmissionGateLayer::new(gate.clone());
    assert!(
        !refused(&layer, post(&[], ""))
            .await
            .headers()
            .contains_key(CONNECTION)
    );
    gate.close();
    assert_eq!(
        refused(&layer, post(&[], "")).await.headers()[CONNECTION],
        "close"
    );
    let mut over_h2 = post(&[], "");
    *over_h2.version_mut() = Version::HTTP_2;
    assert!(!refused(&layer, over_h2).await.headers().contains_key(CONNECTION));
}

fn retry_after(response: &Response<Bytes>) -> Option<u64> {
    Some(
        response
            .headers()
            .get(RETRY_AFTER)?
            .to_str()
            .unwrap()
            .parse()
            .unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn retry_after_follows_the_rate_once_it_is_known() {
    let gate = AdmissionGate::new(GateLimits::builder(4).max_queue(0).build().unwrap());
    let layer = AdmissionGateLayer::new(gate.clone());
    let mut seats: Vec<_> = (0..4).map(|_| gate.try_enter().unwrap()).collect();
    let first = retry_after(&refused(&layer, post(&[], "")).await).unwrap();
    assert!(
        (5..=7).contains(&first),
        "{first}: the queue timeout, as long as nothing is known"
    );
    // One seat in four seconds, for a minute and a half.
    let mut said = Vec::new();
    for _ in 0..24 {
        sleep(Duration::from_secs(4)).await;
        drop(seats.remove(0));
        seats.push(gate.try_enter().unwrap());
        said.push(retry_after(&refused(&layer, post(&[], "")).await).unwrap());
    }
    let known = &said[8..];
    assert!(known.iter().all(|seconds| (4..=6).contains(seconds)), "{known:?}");
    assert!(
        known.iter().any(|seconds| *seconds != known[0]),
        "they are spread: {known:?}"
    );

    // Then nothing comes free any more.
    for _ in 0..9 {
        sleep(Duration::from_secs(8)).await;
        said.push(retry_after(&refused(&layer, post(&[], "")).await).unwrap());
    }
    assert!(said.last() >= Some(&40), "{said:?}");

    let fixed = layer
        .clone()
        .with_retry_after(RetryAfter::Fixed(Duration::from_millis(7500)))
        .unwrap();
    assert_eq!(retry_after(&refused(&fixed, post(&[], "")).await), Some(8));
    let endless = RetryAfter::Fixed(Duration::MAX);
    let endless = layer.clone().with_retry_after(endless).unwrap();
    assert_eq!(
        retry_after(&refused(&endless, post(&[], "")).await),
        Some(u64::MAX)
    );
    let off = layer.clone().with_retry_after(RetryAfter::Off).unwrap();
    assert_eq!(retry_after(&refused(&off, post(&[], "")).await), None);
    let (min, max) = (Duration::from_secs(30), Duration::from_secs(30));
    let clamped = layer
        .clone()
        .with_retry_after(RetryAfter::Estimated { min, max })
        .unwrap();
    assert_eq!(retry_after(&refused(&clamped, post(&[], "")).await), Some(30));
    let upside_down = RetryAfter::Estimated {
        min: max,
        max: Duration::ZERO,
    };
    assert!(layer.with_retry_after(upside_down).is_err());
}
