//! What the phases must not change, and what they must let go of.

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::task::{self, Context, Poll};

use bytes::Bytes;
use futures::poll;
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::sleep;
use tower::{Layer, Service, service_fn};
use tower_lifeline::outgoing::{ConnectTimeoutLayer, OutgoingError, OutgoingTimeoutLayer};
use tower_lifeline::{Event, PhaseLimits, Reporter};

use super::scripted::{answering, expired, layer, read_all, request};
use super::{Alive, Body, Held, Never, Seen, Step, body, events, limits, ms, secs};

#[tokio::test(start_paused = true)]
async fn what_the_client_says_of_its_bodies_stays_true() {
    let mut full = layer().layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Never>(Response::new(Full::new(Bytes::from_static(
            b"hello",
        )))))
    }));
    let mut body = full.call(request()).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));

    let mut empty = layer().layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Never>(Response::new(Empty::<Bytes>::new())))
    }));
    assert!(empty.call(request()).await.unwrap().body().is_end_stream());

    let mut trailing = answering(
        &layer(),
        vec![Step::Data("a"), Step::Trailers],
        &Alive::default(),
        Response::new,
    );
    let body = trailing.call(request()).await.unwrap().into_body();
    assert!(body.collect().await.unwrap().trailers().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_ends_it_typed() {
    let alive = Alive::default();
    let mut client = answering(
        &layer(),
        vec![Step::Data("a"), Step::Fail, Step::Data("b")],
        &alive,
        Response::new,
    );
    let body = client.call(request()).await.unwrap().into_body();
    let (frames, error) = read_all(body).await.unwrap_err();
    assert!(
        matches!(&error, OutgoingError::Service(source) if source.is::<std::io::Error>()),
        "{error:?}"
    );
    assert_eq!((frames, error.expired()), (1, None));
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_left_alone() {
    let switching = |body| {
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .body(body)
            .unwrap()
    };
    let steps = vec![Step::Wait(secs(1000)), Step::Data("late")];
    let mut client = answering(&layer(), steps.clone(), &Alive::default(), switching);
    let body = client.call(request()).await.unwrap().into_body();
    assert_eq!(read_all(body).await.unwrap(), 1);

    let mut client = answering(&layer(), steps, &Alive::default(), Response::new);
    let connect = Request::connect("there:443").body(()).unwrap();
    let body = client.call(connect).await.unwrap().into_body();
    assert_eq!(read_all(body).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_layers_give_one_error() {
    let short = PhaseLimits::builder().read(secs(1)).build().unwrap();
    let hung = service_fn(|_: Request<()>| pending::<Result<Response<Body>, Never>>());
    let mut client = layer().layer(OutgoingTimeoutLayer::new(short).layer(hung));
    assert_eq!(
        expired(&client.call(request()).await.unwrap_err()).limit(),
        secs(1)
    );

    let inner = answering(
        &OutgoingTimeoutLayer::new(short),
        vec![Step::Hang],
        &Alive::default(),
        Response::new,
    );
    let body = layer().layer(inner).call(request()).await.unwrap().into_body();
    assert_eq!(expired(&body.collect().await.unwrap_err()).limit(), secs(1));
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_poll_nothing_stays() {
    let steps = || {
        let pair = || {
            [
                Step::Wait(secs(1)),
                Step::Data("data: x\n\n"),
                Step::Wait(secs(1)),
                Step::Data(": c\n\n"),
            ]
        };
        (0..3).flat_map(|_| pair()).collect::<Vec<_>>()
    };
    let mut polls = 0;
    loop {
        let alive = Alive::default();
        let (held, script) = (alive.clone(), steps());
        let mut client = layer().layer(service_fn(move |_: Request<()>| {
            let body = body(script.clone(), &held);
            async {
                sleep(secs(1)).await;
                Ok::<_, Never>(events(body))
            }
        }));
        let exchange = async {
            let mut body = client.call(request()).await.unwrap().into_body();
            while body.frame().await.transpose().unwrap().is_some() {}
        };
        let finished = {
            let mut exchange = pin!(exchange);
            let mut finished = false;
            for _ in 0..polls {
                finished = poll!(exchange.as_mut()) == Poll::Ready(());
                if finished {
                    break;
                }
                tokio::time::advance(ms(250)).await;
            }
            finished
        };
        drop(client);
        assert_eq!(alive.count(), 0, "after {polls} polls");
        if finished {
            break;
        }
        polls += 1;
    }
    assert!(polls > 20, "{polls}");
}

/// One comment, two minutes from its start, and then nothing more.
struct LastComment {
    sleep: Pin<Box<tokio::time::Sleep>>,
    is_over: bool,
}

impl http_body::Body for LastComment {
    type Data = Bytes;
    type Error = Never;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Never>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        task::ready!(self.sleep.as_mut().poll(cx));
        self.is_over = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": bye\n\n")))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_complete_in_the_very_last_moment_is_in_time() {
    let no_read = PhaseLimits::builder().without_read().build().unwrap();
    let mut client = OutgoingTimeoutLayer::new(no_read).layer(service_fn(|_: Request<()>| {
        let body = LastComment {
            sleep: Box::pin(sleep(secs(120))),
            is_over: false,
        };
        ready(Ok::<_, Never>(
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(body)
                .unwrap(),
        ))
    }));
    let mut body = client.call(request()).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_ran_out_is_gone_before_anybody_hears_of_it() {
    let (alive, seen) = (Alive::default(), Seen::default());
    let (watched, kept) = (alive.clone(), seen.reporter());
    let reporter = Reporter::to(move |event: &Event| {
        assert_eq!(watched.count(), 0);
        kept.report(event);
    });
    let hang = |held: Held| async move {
        let _held = held;
        pending::<Result<Response<Body>, Never>>().await
    };

    let connect = ConnectTimeoutLayer::new(limits()).with_reporter(reporter.clone());
    let held = alive.clone();
    let connecting = connect.layer(service_fn(move |()| hang(held.hold()))).call(());
    assert!(connecting.await.is_err());

    let layer = layer().with_reporter(reporter);
    let held = alive.clone();
    let waiting = layer
        .layer(service_fn(move |_: Request<()>| hang(held.hold())))
        .call(request());
    assert!(waiting.await.is_err());

    let mut client = answering(&layer, vec![Step::Hang], &alive, Response::new);
    let body = client.call(request()).await.unwrap().into_body();
    assert!(body.collect().await.is_err());
    assert_eq!(seen.take().len(), 3);
}
