//! What event streams are held to, and how they end.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::request_body::RequestBody;
use tower_lifeline::{
    Deadline, Phase, PhaseLimits, PhaseTimeoutLayer, Reporter, RequestBodyLayer, RequestBodyLimits,
};

use super::{answer, drain, event_stream, layer, limits, ms};
use crate::scripted::{Scripted, Step, after, data};

#[tokio::test(start_paused = true)]
async fn keep_alive_comments_do_not_hide_a_tool_that_hangs() {
    let comments = (0..50).map(|_| data(5, ": keep-alive\n\n"));
    let stream = || Scripted::new([data(1, "data: 1\n\n")].into_iter().chain(comments.clone()));
    let service = layer().layer(service_fn(|_: Request<()>| after(0, || event_stream(stream()))));
    let (said, ending, took) = drain(answer(service, Request::new(())).await.into_body()).await;
    let expired = ending.unwrap_err().unwrap();
    assert_eq!(
        (expired.phase(), expired.limit(), expired.elapsed()),
        (Phase::Read, ms(20), ms(20))
    );
    assert_eq!(took, 1 + 20 + 50, "silence, then the grace");
    assert!(
        said.ends_with(": keep-alive\n\n: the read phase took 20ms, its limit is 20ms\n\n"),
        "{said}"
    );
    // The same bytes in a body that is no event stream are as good as any.
    let service = layer().layer(service_fn(|_: Request<()>| after(0, || Response::new(stream()))));
    let (_, ending, _) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!(ending.unwrap_err().unwrap().phase(), Phase::Total);
}

#[tokio::test(start_paused = true)]
async fn an_event_in_pieces_is_progress_and_nothing_is_said_in_the_middle_of_it() {
    let pieces = (0..4).map(|_| data(15, "data: abc"));
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            event_stream(Scripted::new(pieces.clone().chain([Step::Hang])))
        })
    }));
    let (said, ending, took) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!((said, took), ("data: abc".repeat(4), 4 * 15 + 20 + 50));
    assert_eq!(ending.unwrap_err().unwrap().phase(), Phase::Read);
}

#[tokio::test(start_paused = true)]
async fn a_resumable_stream_ends_cleanly_between_events_only() {
    let ask = async |last: &'static str| {
        let steps = [data(1, "id: 1\ndata: a\n\n"), data(1, last), Step::Hang];
        let service = layer().layer(service_fn(|_: Request<()>| {
            after(0, || event_stream(Scripted::new(steps.clone())))
        }));
        drain(answer(service, Request::new(())).await.into_body()).await
    };
    let (said, ending, took) = ask("id: 2\ndata: b\n\n").await;
    assert_eq!(
        (said.as_str(), ending, took),
        ("id: 1\ndata: a\n\nid: 2\ndata: b\n\n", Ok(()), 22)
    );
    let (said, ending, _) = ask("id: 2\ndata: b\n").await;
    assert_eq!(said, "id: 1\ndata: a\n\nid: 2\ndata: b\n");
    assert_eq!(ending.unwrap_err().unwrap().phase(), Phase::Read);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_said_nothing_yet_can_say_goodbye_and_one_of_known_length_cannot() {
    let hung = || {
        layer().layer(service_fn(|_: Request<()>| {
            after(0, || event_stream(Scripted::new([Step::Hang])))
        }))
    };
    let (said, ending, _) = drain(answer(hung(), Request::new(())).await.into_body()).await;
    assert_eq!(said, ": the read phase took 20ms, its limit is 20ms\n\n");
    assert!(ending.is_err());
    let sized = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            event_stream(Scripted::new([data(1, ": x\n\n"), Step::Hang]).sized(10))
        })
    }));
    let (said, ending, _) = drain(answer(sized, Request::new(())).await.into_body()).await;
    assert_eq!((said.as_str(), ending.is_err()), (": x\n\n", true));
    let without = layer().without_goodbye().layer(service_fn(|_: Request<()>| {
        after(0, || event_stream(Scripted::new([Step::Hang])))
    }));
    let (said, ending, _) = drain(answer(without, Request::new(())).await.into_body()).await;
    assert_eq!((said.as_str(), ending.is_err()), ("", true));
}

#[tokio::test(start_paused = true)]
async fn a_compressed_stream_is_cut_without_a_word() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            let mut response = event_stream(Scripted::new([data(5, "\x1f"), data(15, "\x1f"), Step::Hang]));
            response
                .headers_mut()
                .insert("content-encoding", "gzip".parse().unwrap());
            response
        })
    }));
    let (said, ending, took) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!((said.as_str(), took), ("\x1f\x1f", 40));
    assert!(ending.is_err());
}

#[tokio::test(start_paused = true)]
async fn endless_streams_are_exempt() {
    let quiet = || Scripted::new([data(1, "data: a\n\n"), data(500, "data: b\n\n")]);
    let ask = async |limits: PhaseLimits, request: http::request::Builder, stream: bool| {
        let layer = PhaseTimeoutLayer::new(limits).with_reporter(Reporter::silent());
        let service = layer.layer(service_fn(|_: Request<()>| {
            after(0, || {
                if stream {
                    event_stream(quiet())
                } else {
                    Response::new(quiet())
                }
            })
        }));
        let request = request.extension(Deadline::after(ms(50))).body(()).unwrap();
        drain(answer(service, request).await.into_body()).await.1
    };
    let get = || Request::get("/").header("accept", "text/event-stream");
    let listen = |revision| {
        Request::post("/")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-method", "subscriptions/listen")
            .header("mcp-protocol-version", revision)
    };
    let mcp = || get().header("mcp-session-id", "1");
    assert_eq!(ask(limits(), mcp(), true).await, Ok(()));
    let patient = limits().to_builder().head(ms(30)).read(ms(100)).build().unwrap();
    let expired = ask(patient, get(), true).await.unwrap_err().unwrap();
    assert_eq!(
        expired.phase(),
        Phase::Read,
        "a GET of a browser may last, not hang"
    );
    let unread = limits().to_builder().without_read().build().unwrap();
    assert_eq!(ask(unread, get(), true).await, Ok(()));
    assert_eq!(ask(limits(), listen("2026-07-28"), true).await, Ok(()));
    assert!(
        ask(limits(), listen("2025-11-25"), true).await.is_err(),
        "anybody can claim that"
    );
    assert!(ask(limits(), get(), false).await.is_err(), "no event stream");
    assert!(ask(limits(), Request::get("/"), true).await.is_err());
    let watched = limits().to_builder().endless_read(ms(40)).build().unwrap();
    let expired = ask(watched, mcp(), true).await.unwrap_err().unwrap();
    assert_eq!((expired.phase(), expired.limit()), (Phase::Read, ms(40)));
    let aged = limits()
        .to_builder()
        .without_read()
        .endless_total(ms(45))
        .build()
        .unwrap();
    for request in [mcp(), get(), listen("2026-07-28")] {
        let expired = ask(aged, request, true).await.unwrap_err().unwrap();
        assert_eq!((expired.phase(), expired.limit()), (Phase::Total, ms(45)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_is_gone_in_the_moment_of_the_cut() {
    let held = Arc::new(());
    let work = held.clone();
    let service = layer().layer(service_fn(move |_: Request<()>| {
        let stream = Scripted::new([Step::Hang]).holding(&work);
        after(0, || event_stream(stream))
    }));
    let mut body = answer(service, Request::new(())).await.into_body();
    let goodbye = body.frame().await.unwrap().unwrap();
    assert!(goodbye.data_ref().unwrap().starts_with(b": the read phase"));
    assert_eq!(Arc::strong_count(&held), 1, "before the grace has passed");
    drop(body);
}

/// What an MCP call is told whose handler read it, said `first`, and hung.
async fn call(first: &'static str) -> (String, bool) {
    let call = Bytes::from(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t"}}"#);
    let request = Request::post("/")
        .header("content-type", "application/json")
        .body(Full::new(call))
        .unwrap();
    let phases = layer().layer(service_fn(async |request: Request<RequestBody<Full<Bytes>>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(event_stream(Scripted::new([data(1, first), Step::Hang])))
    }));
    let service = RequestBodyLayer::new(RequestBodyLimits::new()).layer(phases);
    let (said, ending, _) = drain(service.oneshot(request).await.unwrap().into_body()).await;
    (said.strip_prefix(first).unwrap().to_owned(), ending.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_of_its_end_under_its_id_unless_it_has_its_answer() {
    let goodbye = concat!(
        r#"data: {"jsonrpc":"2.0","id":"a","error":{"code":-32001,"message":"the read phase took 20ms, its "#,
        r#"limit is 20ms","data":{"reason":"timeout","phase":"read","limitMs":20,"elapsedMs":20}}}"#,
        "\n\n"
    );
    for unanswered in [
        ": alive\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\"}\n\n",
        "data: no json at all\n\n",
    ] {
        assert_eq!(
            call(unanswered).await,
            (goodbye.to_owned(), false),
            "{unanswered}"
        );
    }
    for answered in [
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}\n\n",
        "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":\"a\",\"error\":{}}\r\n\r\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":1}\n\n: alive\n\ndata: late\n\n",
    ] {
        assert_eq!(call(answered).await, (String::new(), false), "{answered}");
    }
    assert_eq!(call(": half a comment").await, (format!("\n{goodbye}"), false));
    assert_eq!(call("data: half an event").await, (String::new(), false));
    // A stream that can be resumed answers the same id when the client is back.
    assert_eq!(call("id: 1\ndata: x\n\n").await, (String::new(), true));
}

#[tokio::test(start_paused = true)]
async fn ids_of_a_stateless_stream_and_ids_taken_back_make_nothing_resumable() {
    let ask = async |revision: &str, said: &'static str| {
        let request = Request::post("/")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", revision)
            .body(())
            .unwrap();
        let steps = [data(1, said), Step::Hang];
        let service = layer().layer(service_fn(|_: Request<()>| {
            after(0, || event_stream(Scripted::new(steps.clone())))
        }));
        drain(answer(service, request).await.into_body()).await.1.is_ok()
    };
    assert!(ask("2025-11-25", "id: 1\ndata: a\n\n").await);
    assert!(!ask("2026-07-28", "id: 1\ndata: a\n\n").await);
    assert!(!ask("2025-11-25", "id: 1\ndata: a\n\nid:\ndata: b\n\n").await);
}

#[tokio::test(start_paused = true)]
async fn a_result_larger_than_any_request_is_still_a_result() {
    let result = format!(
        "data: {{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":\"{}\"}}\n\n",
        "x".repeat(5 << 20)
    );
    assert_eq!(call(result.leak()).await, (String::new(), false));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_away_blames_nobody() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new([Step::Hang])))
    }));
    let unlimited = limits().to_builder().without_total().build().unwrap();
    let request = Request::builder().extension(unlimited).body(()).unwrap();
    let mut body = answer(service, request).await.into_body();
    let start = tokio::time::Instant::now();
    let mut poll = async || {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut body).poll_frame(cx).is_pending())
        })
        .await
    };
    assert!(poll().await);
    tokio::time::sleep(ms(100_000)).await;
    assert!(poll().await, "it was asked once in all that time");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(
        (start.elapsed(), error.to_string().contains("took 20ms")),
        (ms(100_020), true)
    );
}

/// Hides all but its first byte where that is an `H`, as a `Buf` may.
#[derive(Debug)]
struct Hidden(Bytes);

impl From<Bytes> for Hidden {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Buf for Hidden {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.0.starts_with(b"H") {
            &self.0[..1]
        } else {
            &self.0
        }
    }

    fn advance(&mut self, n: usize) {
        self.0.advance(n);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_counts_as_progress_and_gets_no_goodbye() {
    // After what is hidden these may be the text of a field as well as comments.
    let comments = (0..20).map(|_| data(15, ": x\n\n"));
    let comments = [data(15, "Hidden")]
        .into_iter()
        .chain(comments)
        .chain([Step::Hang]);
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            event_stream(Scripted::new(comments.clone()).map_frame(|frame| frame.map_data(Hidden)))
        })
    }));
    let unlimited = limits().to_builder().without_total().build().unwrap();
    let request = Request::builder().extension(unlimited).body(()).unwrap();
    let mut body = answer(service, request).await.into_body();
    let mut frames = 0;
    while body.frame().await.unwrap().is_ok() {
        frames += 1;
    }
    assert_eq!(frames, 21);
}
