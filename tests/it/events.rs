//! What reaches observers and the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::{Deadline, Event, Observer, Outcome, PhaseLimits, PhaseTimeoutLayer, Reporter};

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
