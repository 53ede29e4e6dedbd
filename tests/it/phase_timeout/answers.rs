//! Limits, refusals, endings, and what passes untouched.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_lifeline::{
    Bound, Deadline, Event, Outcome, Phase, PhaseExpired, PhaseLimits, PhaseTimeoutLayer, Reporter,
    RequestHead,
};

use super::{answer, drain, event_stream, layer, limits, ms};
use crate::scripted::{Scripted, Step, after, data};

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_refused_and_its_work_dropped() {
    let held = Arc::new(());
    let work = held.clone();
    let service = layer().layer(service_fn(move |_: Request<()>| {
        let held = work.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    }));
    let start = Instant::now();
    let mut future = Box::pin(service.clone().oneshot(Request::new(())));
    let response = (&mut future).await.unwrap();
    assert_eq!(start.elapsed(), ms(30));
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    // One in the service, one in the test: none in the future, which is still alive.
    drop(service);
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let body = response.into_body();
    let size = body.size_hint().exact().unwrap();
    let (text, ending, _) = drain(body).await;
    assert_eq!(text, "the head phase took 30ms, its limit is 30ms\n");
    assert_eq!((ending, size), (Ok(()), text.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_speaks_the_language_of_its_caller() {
    let hung = || {
        layer().layer(service_fn(|_: Request<()>| {
            after(1000, || Response::new(Full::new(Bytes::new())))
        }))
    };
    let ask = async |name: &'static str, value: &'static str| {
        let request = Request::post("/").header(name, value).body(()).unwrap();
        let (parts, body) = answer(hung(), request).await.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    };
    for accept in ["application/problem+json", "text/html, application/json;q=0.9"] {
        let (parts, body) = ask("accept", accept).await;
        assert_eq!(parts.status, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["phase"]),
            (&504.into(), &"head".into())
        );
        assert_eq!(
            (&problem["limitMs"], &problem["elapsedMs"]),
            (&30.into(), &30.into())
        );
    }
    let (parts, body) = ask("content-type", "application/grpc+proto").await;
    assert_eq!((parts.status, body.len()), (StatusCode::OK, 0));
    assert_eq!(
        (&parts.headers["grpc-status"], &parts.headers["content-type"]),
        (&"4".parse().unwrap(), &"application/grpc".parse().unwrap())
    );
    assert!(
        parts.headers["grpc-message"]
            .to_str()
            .unwrap()
            .contains("the head phase")
    );
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_refusal_is_a_choice_among_failures() {
    let layer = layer().with_status(StatusCode::SERVICE_UNAVAILABLE).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| {
        after(1000, || Response::new(Full::new(Bytes::new())))
    }));
    assert_eq!(
        answer(service, Request::new(())).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let error = self::layer().with_status(StatusCode::OK).unwrap_err();
    assert!(error.to_string().contains("would look like an answer"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_grace_that_cannot_work_is_refused() {
    for grace in [Duration::ZERO, Duration::from_secs(6)] {
        let error = layer().with_grace(grace).unwrap_err();
        assert!(error.to_string().contains("cannot work"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_stays_what_it_is() {
    let service = layer().layer(service_fn(async |_: Request<()>| {
        Err::<Response<Full<Bytes>>, _>("refused")
    }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), "refused");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_is_passed_on() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new([data(1, "x"), Step::Error(1)])))
    }));
    let mut body = answer(service, Request::new(())).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the producer broke");
    assert!(PhaseExpired::find(error.as_ref()).is_none());
    assert!(body.frame().await.is_none() && body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nobody_polls_is_not_charged_to_the_producer() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            Response::new(Scripted::new([data(1, "a"), data(1, "b"), Step::End(1)]))
        })
    }));
    let mut body = answer(service, Request::new(())).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    sleep(ms(60)).await;
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_total_holds_although_every_frame_is_ready() {
    let steps = (0..1000).map(|_| data(0, "x"));
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new(steps.clone())))
    }));
    let mut body = answer(service, Request::new(())).await.into_body();
    let mut frames = 0;
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(_) => frames += 1,
            Err(error) => break error,
        }
        sleep(ms(2)).await;
    };
    // It has passed with the 50th frame, and the look at the 64th sees it.
    assert_eq!(frames, 64);
    assert_eq!(PhaseExpired::find(error.as_ref()).unwrap().phase(), Phase::Total);
}

#[tokio::test(start_paused = true)]
async fn a_total_holds_for_few_frames_of_many_bytes() {
    let steps = (0..1000).map(|_| data(0, vec![0; 65_536]));
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new(steps.clone())))
    }));
    let mut body = answer(service, Request::new(())).await.into_body();
    let mut frames = 0;
    while body.frame().await.unwrap().is_ok() {
        frames += 1;
        sleep(ms(30)).await;
    }
    assert_eq!(
        frames, 5,
        "at 0, 30, 60, 90, and 120 ms, where the look sees that time is up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_small_body_of_known_size_counts_from_its_first_wait() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || {
            Response::new(Scripted::new([data(0, "a"), data(0, "b"), data(15, "c"), Step::Hang]).sized(4))
        })
    }));
    let body = answer(service, Request::new(())).await.into_body();
    sleep(ms(95)).await;
    let (said, ending, _) = drain(body).await;
    assert_eq!(
        (said.as_str(), ending.unwrap_err().unwrap().phase()),
        ("abc", Phase::Read)
    );
}

#[tokio::test(start_paused = true)]
async fn limits_come_from_the_request_then_from_the_function_then_from_the_layer() {
    let quick = PhaseLimits::builder().read(ms(3)).total(ms(10)).build().unwrap();
    let layer = PhaseTimeoutLayer::per_request(move |head: &RequestHead<'_>| {
        if head.uri().path() == "/quick" {
            quick
        } else {
            limits()
        }
    });
    let service = layer
        .with_reporter(Reporter::silent())
        .layer(service_fn(|_: Request<()>| {
            after(1000, || Response::new(Full::new(Bytes::new())))
        }));
    let took = async |request: http::request::Builder| {
        let start = Instant::now();
        let response = answer(service.clone(), request.body(()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        start.elapsed()
    };
    assert_eq!(took(Request::get("/")).await, ms(30));
    assert_eq!(took(Request::get("/quick")).await, ms(3));
    let own = PhaseLimits::builder().read(ms(7)).total(ms(10)).build().unwrap();
    assert_eq!(took(Request::get("/quick").extension(own)).await, ms(7));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_the_total_of_head_and_body() {
    let service = |head_after: u64| {
        layer().layer(service_fn(move |_: Request<()>| {
            after(head_after, || {
                Response::new(Scripted::new((0..50).map(|_| data(10, "x"))))
            })
        }))
    };
    let request = || {
        Request::builder()
            .extension(Deadline::after(ms(25)))
            .body(())
            .unwrap()
    };
    let (_, ending, took) = drain(answer(service(0), request()).await.into_body()).await;
    let expired = ending.unwrap_err().unwrap();
    assert_eq!(
        (expired.phase(), expired.bound(), expired.limit()),
        (Phase::Total, Bound::Deadline, ms(25))
    );
    assert_eq!(took, 25);
    let start = Instant::now();
    assert_eq!(
        answer(service(29), request()).await.status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(start.elapsed(), ms(25));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_reports_each_limit_and_cuts_nothing() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let dry = limits().to_builder().report_only_all().build().unwrap();
    let service = PhaseTimeoutLayer::new(dry)
        .with_reporter(Reporter::to(move |event: &Event| {
            seen.lock().unwrap().push(*event)
        }))
        .layer(service_fn(|_: Request<()>| {
            after(60, || {
                event_stream(Scripted::new([data(30, "data: a\n\n"), data(30, "data: b\n\n")]))
            })
        }));
    let (said, ending, took) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!(
        (said.as_str(), ending, took),
        ("data: a\n\ndata: b\n\n", Ok(()), 60)
    );
    let phases: Vec<_> = events
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            Event::PhaseExpired {
                expired,
                outcome: Outcome::WouldHaveCut,
                ..
            } => (expired.phase(), expired.elapsed().as_millis()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        phases,
        [
            (Phase::Head, 30),
            (Phase::Read, 20),
            (Phase::Total, 100),
            (Phase::Read, 20)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn one_limit_alone_can_be_in_its_dry_run() {
    let dry_read = limits().to_builder().report_only(Phase::Read).build().unwrap();
    let service = PhaseTimeoutLayer::new(dry_read)
        .with_reporter(Reporter::silent())
        .layer(service_fn(|_: Request<()>| {
            after(0, || Response::new(Scripted::new([Step::Hang])))
        }));
    let (_, ending, took) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!((ending.unwrap_err().unwrap().phase(), took), (Phase::Total, 100));
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_ever_ends() {
    let none = PhaseLimits::builder()
        .without_head()
        .without_read()
        .without_total()
        .build()
        .unwrap();
    let service = PhaseTimeoutLayer::new(none).layer(service_fn(|_: Request<()>| {
        after(1_000_000, || Response::new(Scripted::new([data(1_000_000, "x")])))
    }));
    let (said, ending, _) = drain(answer(service, Request::new(())).await.into_body()).await;
    assert_eq!((said.as_str(), ending), ("x", Ok(())));
}

#[tokio::test(start_paused = true)]
async fn sizes_trailers_and_ends_stay_true() {
    let known = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Full::new(Bytes::from("12345"))))
    }));
    let mut body = answer(known, Request::new(())).await.into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "12345");
    assert!(body.is_end_stream());

    let empty = layer().layer(service_fn(|_: Request<()>| {
        after(5, || Response::new(Empty::<Bytes>::new()))
    }));
    assert!(answer(empty, Request::new(())).await.into_body().is_end_stream());

    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    let sent = trailers.clone();
    let steps = [data(1, "a"), Step::Trailers(1, sent)];
    let with = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new(steps.clone())))
    }));
    let collected = answer(with, Request::new(()))
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_has_no_phases_after_its_head() {
    let ask = async |method: Method, status: StatusCode| {
        let service = layer().layer(service_fn(move |_: Request<()>| {
            after(5, move || {
                let mut response = Response::new(Scripted::new([data(500, "x")]));
                *response.status_mut() = status;
                response
            })
        }));
        let request = Request::builder().method(method).body(()).unwrap();
        drain(answer(service, request).await.into_body()).await.1
    };
    assert_eq!(ask(Method::GET, StatusCode::SWITCHING_PROTOCOLS).await, Ok(()));
    assert_eq!(ask(Method::CONNECT, StatusCode::OK).await, Ok(()));
    assert!(ask(Method::GET, StatusCode::OK).await.is_err());
    assert!(ask(Method::CONNECT, StatusCode::FORBIDDEN).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_moment_nothing_is_left_behind() {
    let held = Arc::new(());
    for stop_after in 0..140 {
        let work = held.clone();
        let service = layer().layer(service_fn(move |_: Request<()>| {
            let stream = Scripted::new([data(15, "data: a\n\n"), data(15, "data: b\n\n"), Step::Hang]);
            let stream = stream.holding(&work);
            after(20, || event_stream(stream))
        }));
        let whole = async { drain(answer(service, Request::new(())).await.into_body()).await };
        let _ = timeout(ms(stop_after), whole).await;
        assert_eq!(Arc::strong_count(&held), 1, "after {stop_after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn it_layers_on_an_axum_router_as_it_is() {
    let app = Router::new()
        .route("/hangs", get(|| async { sleep(ms(1000)).await }))
        .route(
            "/streams",
            get(|| async { AxumBody::new(Scripted::new([data(10, "a"), Step::Hang])) }),
        )
        .layer(layer())
        .route("/not-layered", get(|| async { sleep(ms(1000)).await }));
    let ask = async |path: &str| {
        let request = Request::get(path).body(AxumBody::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(ask("/hangs").await.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(ask("/not-layered").await.status(), StatusCode::OK);
    let error = ask("/streams").await.into_body().collect().await.unwrap_err();
    assert_eq!(PhaseExpired::find(&error).unwrap().phase(), Phase::Read);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_in_trailers_was_in_time() {
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    // The look at the time would be due with the 32nd frame, which is the trailers.
    let frames = (0..31)
        .map(|_| data(3, "x"))
        .chain([Step::Trailers(15, trailers)]);
    let service = layer().layer(service_fn(|_: Request<()>| {
        after(0, || Response::new(Scripted::new(frames.clone())))
    }));
    let body = answer(service, Request::new(())).await.into_body();
    sleep(ms(500)).await;
    assert_eq!(body.collect().await.unwrap().trailers().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_last_frame_is_the_late_one_was_in_time() {
    let service = layer().layer(service_fn(|_: Request<()>| {
        let frames = (0..32).map(|_| data(3, "x")).collect::<Vec<_>>();
        after(0, || Response::new(Scripted::new(frames).sized(100_000)))
    }));
    let body = answer(service, Request::new(())).await.into_body();
    sleep(ms(500)).await;
    // The look at the time is due with the 32nd frame, long after the end of `total`.
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 32);
}
