//! What reaches observers and the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tower_lifeline::{
    Deadline, DeadlineLayer, Event, Observer, Outcome, PhaseLimits, PhaseTimeoutLayer, Reporter,
};

use crate::scripted::{Scripted, Step, after, data};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn limits() -> PhaseLimits {
    PhaseLimits::builder()
        .read(Duration::from_millis(20))
        .total(Duration::from_millis(100))
        .build()
        .unwrap()
}

#[derive(Default)]
struct Outcomes(Mutex<Vec<Outcome>>);

impl Observer for Outcomes {
    fn on_event(&self, event: &Event) {
        if let Event::PhaseExpired { outcome, .. } = event {
            self.0.lock().unwrap().push(*outcome);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_ending_is_reported_once_as_what_it_is() {
    let outcomes = Arc::new(Outcomes::default());
    let layer = PhaseTimeoutLayer::new(limits()).with_reporter(Reporter::shared(outcomes.clone()));
    let play = async |head_after: u64, first: &'static str, is_stream: bool| {
        let service = layer.layer(service_fn(|_: Request<()>| {
            after(head_after, || {
                let mut response = Response::new(Scripted::new([data(1, first), Step::Hang]));
                if is_stream {
                    response
                        .headers_mut()
                        .insert("content-type", "text/event-stream".parse().unwrap());
                }
                response
            })
        }));
        let _ = service
            .oneshot(Request::new(()))
            .await
            .unwrap()
            .into_body()
            .collect()
            .await;
    };
    play(50, "", false).await;
    play(0, "x", false).await;
    play(0, "data: x\n\n", true).await;
    play(0, "data: x\n", true).await;
    play(0, "id: x\n\n", true).await;
    let expected = [
        Outcome::Refused(504),
        Outcome::Cut,
        Outcome::SaidGoodbye,
        Outcome::Cut,
        Outcome::EndedResumable,
    ];
    assert_eq!(*outcomes.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_log_says_what_happened_at_a_sensible_level() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // Logs of their own, so that no other test uses up the lines.
    let log = || Reporter::to(tower_lifeline::Log::new());
    let hung = |limits| {
        PhaseTimeoutLayer::new(limits)
            .with_reporter(log())
            .layer(service_fn(|_: Request<()>| {
                after(500, || Response::new(Full::new(Bytes::new())))
            }))
    };
    hung(limits()).oneshot(Request::new(())).await.unwrap();
    hung(limits().to_builder().report_only_all().build().unwrap())
        .oneshot(Request::new(()))
        .await
        .unwrap();
    let deadline = Deadline::unbounded().with_reporter(log());
    let pending = std::future::pending::<()>();
    deadline
        .call("db.search", Duration::from_millis(5), pending)
        .await
        .unwrap_err();
    deadline
        .call("quick", Duration::from_millis(5), async {})
        .await
        .unwrap();
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = |level: &str, part: &str| {
        assert!(
            text.lines()
                .any(|line| line.contains(level) && line.contains(part)),
            "{level} {part} in {text}"
        );
    };
    line("WARN", "the head phase took 20ms, its limit is 20ms");
    line("INFO", "it would have been cut");
    line("WARN", "db.search");
    line("TRACE", "a call completed");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_does_not_flood_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let reporter = Reporter::to(tower_lifeline::Log::new());
    let deadline = Deadline::after(Duration::ZERO).with_reporter(reporter);
    for _ in 0..1000 {
        deadline
            .call("db", Duration::from_secs(1), async {})
            .await
            .unwrap_err();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    deadline
        .call("db", Duration::from_secs(1), async {})
        .await
        .unwrap_err();
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 51);
    assert!(text.lines().last().unwrap().contains("suppressed=950"), "{text}");
}

/// What the log says of one request that times out, under a span with its id.
async fn log_of(request: &str, read: bool) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let log = || Reporter::to(tower_lifeline::Log::new());
    let span = |request: &Request<Full<Bytes>>| {
        let id = request.headers()["x-request-id"].to_str().unwrap();
        tracing::info_span!("request", request_id = id, path = request.uri().path())
    };
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(
            DeadlineLayer::new(Duration::from_millis(500))
                .unwrap()
                .with_reporter(log()),
        )
        .layer(PhaseTimeoutLayer::new(limits()).with_reporter(log()))
        .service(service_fn(|request: Request<Full<Bytes>>| async move {
            if request.uri().path() == "/hangs" {
                let work = std::future::pending::<()>();
                let _ = Deadline::current()
                    .call("db.search", Duration::from_secs(1), work)
                    .await;
            }
            Ok::<_, std::convert::Infallible>(Response::new(Scripted::new([data(1, "x"), Step::Hang])))
        }));
    let request = Request::get(request)
        .header("x-request-id", "req-7")
        .header("authorization", "Bearer hunter2")
        .body(Full::default())
        .unwrap();
    let answer = service.oneshot(request);
    if read {
        let _ = answer.await.unwrap().into_body().collect().await;
    } else {
        let _ = tokio::time::timeout(Duration::from_millis(10), answer).await;
    }
    drop(guard);
    let text = lines.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_request_carry_the_id_of_its_span_and_no_secret() {
    for (path, said) in [("/hangs", "the head phase took"), ("/", "the read phase took")] {
        let text = log_of(&format!("{path}?token=hunter2"), true).await;
        let line = text
            .lines()
            .find(|line| line.contains("tower_lifeline") && line.contains(said));
        let line = line.unwrap_or_else(|| panic!("{said}: {text}"));
        assert!(line.contains("request_id=\"req-7\""), "{line}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_about_a_request_that_was_dropped_is_outside_of_its_span() {
    // As the documentation of the metrics says: when tower-http carries the id there too, say so there.
    let text = log_of("/hangs?token=hunter2", false).await;
    let line = text.lines().find(|line| line.contains("a call was dropped"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(!line.contains("req-7") && !text.contains("hunter2"), "{text}");
}
