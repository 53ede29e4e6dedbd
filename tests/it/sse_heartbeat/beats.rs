//! The body wrapper on the paused clock: when it beats, what it leaves alone, what it adds to a head.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::sse_heartbeat::{
    Framing, HeartbeatPolicy, HeartbeatSettings, HeartbeatSettingsBuilder, SseHeartbeatBody,
};
use tower_lifeline::{BoxError, Event, Reporter, RequestHead, SseHeartbeatLayer};

use crate::scripted::{Broken, Scripted, Step, data};

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Beats after 100 ms, and not at once.
fn beats() -> HeartbeatSettingsBuilder {
    HeartbeatSettings::builder()
        .interval(ms(100))
        .without_jitter()
        .without_first_beat()
}

fn layer(settings: HeartbeatSettingsBuilder) -> SseHeartbeatLayer {
    SseHeartbeatLayer::new(settings.build().unwrap()).with_reporter(Reporter::silent())
}

fn event_stream<B>(body: B) -> Response<B> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap()
}

async fn answer<P: HeartbeatPolicy + Clone, B>(
    layer: &SseHeartbeatLayer<P>,
    request: Request<()>,
    response: Response<B>,
) -> Response<Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    let mut response = Some(response);
    let service = layer.layer(service_fn(move |_: Request<()>| {
        let response = response.take().unwrap();
        async move { Ok::<_, Infallible>(response) }
    }));
    service
        .oneshot(request)
        .await
        .unwrap()
        .map(|body| Box::pin(body) as _)
}

async fn keep_alive(
    settings: HeartbeatSettingsBuilder,
    steps: impl IntoIterator<Item = Step>,
) -> Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>> {
    answer(
        &layer(settings),
        Request::new(()),
        event_stream(Scripted::new(steps)),
    )
    .await
    .into_body()
}

/// Each frame and when it came, in milliseconds.
pub(crate) async fn frames<B>(body: B) -> Vec<(u64, String)>
where
    B: Body<Data = Bytes, Error = BoxError>,
{
    let start = Instant::now();
    let mut body = pin!(body);
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        let text = match frame {
            Ok(frame) if frame.is_trailers() => "(trailers)".to_owned(),
            Ok(frame) => String::from_utf8_lossy(frame.data_ref().unwrap()).into_owned(),
            Err(error) => format!("({error})"),
        };
        seen.push((u64::try_from(start.elapsed().as_millis()).unwrap(), text));
    }
    seen
}

fn seen(frames: &[(u64, &str)]) -> Vec<(u64, String)> {
    frames
        .iter()
        .map(|(at, text)| (*at, (*text).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_beats_until_its_producer_goes_on() {
    let body = keep_alive(
        beats(),
        [data(250, "data: a\n\n"), data(50, "data: b\n\n"), Step::End(120)],
    )
    .await;
    let expected = [
        (100, ":\n\n"),
        (200, ":\n\n"),
        (250, "data: a\n\n"),
        (300, "data: b\n\n"),
        (400, ":\n\n"),
    ];
    assert_eq!(frames(body).await, seen(&expected));
}

#[tokio::test(start_paused = true)]
async fn the_first_beat_comes_at_once_where_the_stream_has_nothing_to_say_at_once() {
    let settings = HeartbeatSettings::builder().interval(ms(100)).without_jitter();
    let body = keep_alive(settings, [data(150, "\u{feff}data: a\n\n")]).await;
    assert_eq!(
        frames(body).await,
        seen(&[(0, ":\n\n"), (100, ":\n\n"), (150, "data: a\n\n")])
    );
    let body = keep_alive(
        settings,
        [data(0, "\u{feff}data: a\n\n"), data(20, "data: b\n\n")],
    )
    .await;
    assert_eq!(
        frames(body).await,
        seen(&[(0, "\u{feff}data: a\n\n"), (20, "data: b\n\n")])
    );
}

#[tokio::test(start_paused = true)]
async fn each_framing_beats_in_its_own_way() {
    let steps = || {
        [
            data(150, "data: a\n"),
            data(150, "data: b"),
            data(150, "\n\n"),
            Step::End(150),
        ]
    };
    let custom = Framing::custom(b"data: [WAIT]\n\n").unwrap();
    for (framing, between, inside) in [
        (Framing::COMMENT_BLOCK, ":\n\n", Some(":\n")),
        (Framing::COMMENT_LINE, ":\n", Some(":\n")),
        (Framing::PING_EVENT, "event: ping\ndata: {}\n\n", None),
        (custom, "data: [WAIT]\n\n", None),
    ] {
        let body = keep_alive(beats().framing(framing), steps()).await;
        let mut expected = vec![(100, between), (150, "data: a\n")];
        expected.extend(inside.map(|inside| (250, inside)));
        expected.extend([(300, "data: b"), (450, "\n\n"), (550, between)]);
        assert_eq!(frames(body).await, seen(&expected), "{framing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn endings_pass_as_they_are() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x", "y".parse().unwrap());
    let body = keep_alive(beats(), [data(1, "data: a\n\n"), Step::Trailers(120, trailers)]).await;
    assert_eq!(
        frames(body).await,
        seen(&[(1, "data: a\n\n"), (101, ":\n\n"), (121, "(trailers)")])
    );
    let mut body = keep_alive(beats(), [data(1, "data: a\n\n"), Step::Error(1)]).await;
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.unwrap().unwrap_err().is::<Broken>());
    assert!(body.frame().await.is_none() && body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_out_behind_trailers() {
    let trailers = Step::Trailers(1, HeaderMap::new());
    let mut body = keep_alive(beats(), [data(1, "data: a\n\n"), trailers, Step::Hang]).await;
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    let more = tokio::time::timeout(ms(10_000), body.frame()).await;
    assert!(
        more.is_err(),
        "the producer has yet to end, and nobody else has anything to say"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_queued_for_a_client_that_does_not_read() {
    let mut body = keep_alive(
        beats(),
        [data(10, "data: a\n\n"), data(500, "data: b\n\n"), Step::End(5000)],
    )
    .await;
    body.frame().await.unwrap().unwrap();
    sleep(ms(700)).await;
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "data: b\n\n"
    );
    // The wait begins with the poll that finds nothing, so that beats never follow one another at once.
    assert!(tokio::time::timeout(ms(90), body.frame()).await.is_err());
    sleep(ms(300)).await;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), ":\n\n");
    assert!(
        tokio::time::timeout(ms(10), body.frame()).await.is_err(),
        "one beat, however long it was late"
    );
}

#[tokio::test(start_paused = true)]
async fn frames_without_bytes_end_no_silence() {
    let steps = (0..6).map(|_| data(40, "")).chain([data(0, "data: a\n\n")]);
    let body = keep_alive(beats(), steps).await;
    let beats: Vec<_> = frames(body)
        .await
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect();
    assert_eq!(
        beats,
        seen(&[(100, ":\n\n"), (200, ":\n\n"), (240, "data: a\n\n")])
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_is_no_open_event_stream_is_left_alone() {
    let layer = layer(HeartbeatSettings::builder().interval(ms(10)));
    let hang = || Scripted::new([data(100, "data: a\n\n")]);
    let with = |name: &'static str, value: &str| {
        let mut response = event_stream(hang());
        response.headers_mut().insert(name, value.parse().unwrap());
        response
    };
    let status = |status: u16| {
        let mut response = event_stream(hang());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        response
    };
    let head = || Request::head("/").body(()).unwrap();
    let cases: [&dyn Fn() -> Response<Scripted>; 8] = [
        &|| with("content-type", "text/plain"),
        &|| with("content-encoding", "gzip"),
        &|| with("content-length", "9"),
        &|| event_stream(hang().sized(9)),
        &|| status(101),
        &|| status(204),
        &|| status(304),
        &|| event_stream(hang()),
    ];
    for (at, make) in cases.iter().enumerate() {
        let response = make();
        // What makes the last one no stream is the method.
        let request = if at == 7 { head() } else { Request::new(()) };
        let (before, hint) = (response.headers().clone(), response.body().size_hint());
        let response = answer(&layer, request, response).await;
        assert_eq!(*response.headers(), before);
        assert_eq!(response.body().size_hint().exact(), hint.exact());
        assert_eq!(
            frames(response.into_body()).await,
            seen(&[(100, "data: a\n\n")]),
            "{before:?}"
        );
    }
    let empty = answer(&layer, Request::new(()), event_stream(Full::new(Bytes::new()))).await;
    assert!(empty.body().is_end_stream() && empty.headers().get("x-accel-buffering").is_none());
    let identity = answer(&layer, Request::new(()), with("content-encoding", "identity")).await;
    assert!(frames(identity.into_body()).await.len() > 5);
}

#[tokio::test(start_paused = true)]
async fn the_hint_leaves_room_for_beats_and_for_the_mark() {
    let mut response = event_stream(Scripted::new([data(5, "data: a\n\n")]));
    response.headers_mut().insert(
        "content-type",
        "Text/Event-Stream; charset=utf-8".parse().unwrap(),
    );
    let response = answer(&layer(beats()), Request::new(()), response).await;
    let hint = response.body().size_hint();
    assert_eq!((hint.lower(), hint.upper()), (0, None));
    assert!(!response.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_stream_gets_the_headers_that_its_handler_did_not_set() {
    let head = async |settings, own: Option<(&'static str, &str)>| {
        let mut response = event_stream(Scripted::new([Step::Hang]));
        if let Some((name, value)) = own {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = answer(&layer(settings), Request::new(()), response).await;
        let text = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        (text("x-accel-buffering"), text("cache-control"))
    };
    let (no, cache) = (Some("no".to_owned()), Some("no-cache, no-transform".to_owned()));
    assert_eq!(head(beats(), None).await, (no.clone(), cache.clone()));
    assert_eq!(
        head(beats(), Some(("cache-control", "private"))).await,
        (no.clone(), Some("private".to_owned()))
    );
    assert_eq!(
        head(beats(), Some(("x-accel-buffering", "yes"))).await,
        (Some("yes".to_owned()), cache.clone())
    );
    assert_eq!(head(beats().without_accel_header(), None).await, (None, cache));
    assert_eq!(head(beats().without_cache_header(), None).await, (no, None));
}

#[tokio::test(start_paused = true)]
async fn settings_come_from_the_request_then_from_the_policy() {
    let fast = |path: &'static str| {
        move |head: &RequestHead<'_>| {
            let settings = if head.uri().path() == path {
                beats().interval(ms(30))
            } else {
                beats()
            };
            settings.build().unwrap()
        }
    };
    let layer = SseHeartbeatLayer::per_request(fast("/fast")).with_reporter(Reporter::silent());
    let first = async |request| {
        let response = answer(&layer, request, event_stream(Scripted::new([Step::End(120)]))).await;
        frames(response.into_body()).await[0].0
    };
    let request = |path: &str| Request::get(path).body(()).unwrap();
    assert_eq!(
        (first(request("/")).await, first(request("/fast")).await),
        (100, 30)
    );
    let mut own = request("/fast");
    own.extensions_mut()
        .insert(beats().interval(ms(60)).build().unwrap());
    assert_eq!(first(own).await, 60);
}

#[tokio::test(start_paused = true)]
async fn every_beat_is_reported_and_the_first_of_a_stream_with_its_silence() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let reporter = Reporter::to(move |event: &Event| seen.lock().unwrap().push(*event));
    let settings = HeartbeatSettings::builder()
        .interval(ms(100))
        .without_jitter()
        .build()
        .unwrap();
    let layer = SseHeartbeatLayer::new(settings).with_reporter(reporter);
    for silence in [80, 350] {
        let response = event_stream(Scripted::new([data(silence, "data: a\n\n"), Step::End(silence)]));
        frames(answer(&layer, Request::new(()), response).await.into_body()).await;
    }
    let said = format!("{:?}", events.lock().unwrap());
    // Each stream begins with one that follows no silence.
    let first = "FirstHeartbeat { silence: 100ms }";
    let beats = [
        "Heartbeat",
        "Heartbeat",
        first,
        "Heartbeat",
        "Heartbeat",
        "Heartbeat",
        "Heartbeat",
        "Heartbeat",
    ];
    assert_eq!(said, format!("[{}]", beats.join(", ")));
}

#[test]
fn an_idle_stream_holds_less_than_axums_keep_alive() {
    type Inner = Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>;
    type Never = std::future::Pending<Result<Response<Inner>, Infallible>>;
    let inline = size_of::<SseHeartbeatBody<Inner, Never>>() - size_of::<Inner>();
    let timer = size_of::<tokio::time::Sleep>() + size_of::<std::task::Waker>();
    assert!(
        inline + timer < 176,
        "{inline} in the body and {timer} in its timer"
    );
}

/// Frames with the wait for each, and how long the client does something else after it.
fn scripts() -> impl Strategy<Value = Vec<(u64, What, u64)>> {
    let what = prop_oneof![4 => Just(What::Event), 1 => Just(What::Line), 1 => Just(What::Piece), 1 => Just(What::Nothing)];
    proptest::collection::vec(
        (0u64..35, what, prop_oneof![3 => Just(0u64), 1 => 0u64..60]),
        0..12,
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Event,
    Line,
    Piece,
    Nothing,
}

impl What {
    const fn text(self) -> &'static str {
        match self {
            Self::Event => "data: x\n\n",
            Self::Line => "data: x\n",
            Self::Piece => "data: x",
            Self::Nothing => "",
        }
    }
}

/// What goes out and when, by the rule alone: after `INTERVAL` since a poll that found nothing, if nothing came.
fn model(script: &[(u64, What, u64)]) -> Vec<(u64, &'static str)> {
    let (mut now, mut there_at) = (0, 0);
    let mut place = What::Event;
    let mut waits_since = None;
    let mut out = Vec::new();
    for (wait, what, pause) in script {
        there_at += wait;
        while there_at > now {
            let since = *waits_since.get_or_insert(now);
            let beat_at = (since + INTERVAL).max(now);
            if beat_at >= there_at || place == What::Piece {
                now = there_at;
                break;
            }
            now = beat_at;
            out.push((now, if place == What::Event { ":\n\n" } else { ":\n" }));
            waits_since = None;
        }
        out.push((now, what.text()));
        if *what != What::Nothing {
            waits_since = None;
            place = match (place, *what) {
                (What::Piece, What::Line) => What::Line,
                (_, what) => what,
            };
        }
        now += pause;
    }
    out
}

const INTERVAL: u64 = 10;

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn beats_are_due_when_the_model_says(script in scripts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let played = runtime.unwrap().block_on(async {
            let steps = script.iter().map(|(wait, what, _)| data(*wait, what.text()));
            let mut body = keep_alive(beats().interval(ms(INTERVAL)), steps).await;
            let start = Instant::now();
            let mut pauses = script.iter();
            let mut seen = Vec::new();
            while let Some(frame) = body.frame().await {
                let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
                let is_beat = text.starts_with(':');
                seen.push((u64::try_from(start.elapsed().as_millis()).unwrap(), text));
                if !is_beat {
                    sleep(ms(pauses.next().unwrap().2)).await;
                }
            }
            seen
        });
        prop_assert_eq!(played, seen(&model(&script)));
    }
}
