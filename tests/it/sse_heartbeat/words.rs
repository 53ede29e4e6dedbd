//! What a stream says besides beats: progress for clients that asked for it, goodbye for those who agreed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::sse_heartbeat::Progress;
use tower_lifeline::{Event, Outcome, Reporter, SseHeartbeatLayer};

use super::beats::{frames, ms};
use super::commit::{BEAT, CALL, message, play, post, response, settings, silent};
use crate::scripted::{Scripted, Step, data};

#[tokio::test(start_paused = true)]
async fn progress_takes_the_place_of_comments_until_the_service_speaks() {
    let progress = || Progress::for_tools(["slow"]);
    let layer = |progress| silent(settings()).with_progress(progress);
    let steps = || {
        [
            data(1000, ": not yet\n\nid: 0\ndata:\n\n"),
            data(100, "data: {}\n\n"),
            data(1500, "data: {}\n\n"),
        ]
    };
    let stream = move |wait| async move {
        sleep(ms(wait)).await;
        response(200, "text/event-stream", Scripted::new(steps()))
    };
    // A beat of ours each second until the first event; that of somebody else's comment does not count.
    let seen = frames(
        play(&layer(progress()), post(CALL), stream(3500))
            .await
            .unwrap()
            .into_body(),
    )
    .await;
    let told: Vec<_> = seen
        .iter()
        .filter(|(_, text)| text.contains("notifications/progress"))
        .collect();
    assert_eq!(
        told.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [1000, 2000, 3000],
        "{seen:?}"
    );
    let values = told.iter().map(|(_, text)| message(text));
    let params: Vec<_> = values.map(|value| value["params"].clone()).collect();
    assert_eq!(params[0]["progressToken"], 7);
    assert_eq!(params[0]["message"], "still working");
    assert!(params[0]["progress"].as_f64() < params[1]["progress"].as_f64());
    assert_eq!(seen[0].1, BEAT, "the first beat pretends no work");
    assert_eq!(seen[seen.len() - 2].1, BEAT, "{seen:?}");
    // A stream in time is talked about just the same, under the cap.
    let capped = layer(progress().with_cap(ms(2000)).unwrap());
    let hang = async { response(200, "text/event-stream", Scripted::new([Step::End(6500)])) };
    let seen = frames(play(&capped, post(CALL), hang).await.unwrap().into_body()).await;
    let told: Vec<_> = seen
        .iter()
        .filter(|(_, text)| text.contains("progress"))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(told, [1000, 2000, 3000], "{seen:?}");
    assert_eq!(seen.len(), 7);
    // Nobody else's.
    let other = layer(Progress::for_tools(["other"]));
    let hang = async { response(200, "text/event-stream", Scripted::new([Step::End(1500)])) };
    let seen = frames(play(&other, post(CALL), hang).await.unwrap().into_body()).await;
    assert!(seen.iter().all(|(_, text)| text == BEAT), "{seen:?}");
}

async fn farewell(
    steps: Vec<Step>,
    said_after: u64,
    request: Request<Full<Bytes>>,
    wait: u64,
) -> (Vec<(u64, String)>, Vec<Outcome>) {
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let seen = outcomes.clone();
    let reporter = Reporter::to(move |event: &Event| {
        if let Event::Farewell { outcome, .. } = event {
            seen.lock().unwrap().push(*outcome);
        }
    });
    let settings = settings()
        .interval(ms(60_000))
        .without_first_beat()
        .with_goodbye()
        .build()
        .unwrap();
    let layer = SseHeartbeatLayer::new(settings).with_reporter(reporter);
    let farewells = layer.clone().farewells();
    let stream = async move {
        sleep(ms(wait)).await;
        response(200, "text/event-stream", Scripted::new(steps))
    };
    let response = play(&layer, request, stream).await.unwrap();
    tokio::spawn(async move {
        sleep(ms(said_after)).await;
        farewells.say_goodbye();
    });
    let seen = frames(response.into_body()).await;
    let outcomes = outcomes.lock().unwrap().clone();
    (seen, outcomes)
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_said_between_two_events_by_those_who_agreed() {
    let other = || Request::new(Full::default());
    let shutting_down = "(the server is shutting down)".to_owned();
    // A stream of nobody's call: a comment, a grace, an error.
    let (seen, outcomes) = farewell(vec![data(1, "data: a\n\n"), Step::Hang], 100, other(), 0).await;
    let expected = [
        (1, "data: a\n\n".to_owned()),
        (100, ": the server is shutting down\n\n".to_owned()),
        (150, shutting_down.clone()),
    ];
    assert_eq!(
        (seen.as_slice(), outcomes.as_slice()),
        (&expected[..], &[Outcome::SaidGoodbye][..])
    );
    // A call: an error with its id, in a stream of its own or in a committed one.
    for wait in [0, 30_000] {
        let (seen, _) = farewell(vec![data(1, "data: {}\n\n"), Step::Hang], 100, post(CALL), wait).await;
        let error = message(&seen[seen.len() - 2].1);
        assert_eq!(
            (&error["id"], &error["error"]["code"]),
            (&json!("c-1"), &json!(-32003)),
            "{seen:?}"
        );
        assert_eq!(seen.last().unwrap(), &(150, shutting_down.clone()));
    }
    // One that can be resumed ends cleanly.
    let (seen, outcomes) = farewell(vec![data(1, "id: 1\ndata: a\n\n"), Step::Hang], 100, other(), 0).await;
    assert_eq!((seen.len(), outcomes), (1, vec![Outcome::EndedResumable]));
    // An unfinished event is waited for, even if more is there at once.
    let steps = vec![
        data(1, "data: a\n"),
        data(500, "data: b\n\n"),
        data(0, "data: c\n\n"),
        Step::Hang,
    ];
    let (seen, _) = farewell(steps, 100, other(), 0).await;
    assert_eq!(
        seen[1..3],
        [
            (501, "data: b\n\n".to_owned()),
            (501, ": the server is shutting down\n\n".to_owned())
        ]
    );
    // A call that has its answer ends by itself.
    let answer = "data: {\"jsonrpc\":\"2.0\",\"id\":\"c-1\",\"result\":{}}\n\n";
    let (seen, outcomes) = farewell(vec![data(1, answer), Step::End(500)], 100, post(CALL), 0).await;
    assert_eq!((seen.len(), outcomes.len()), (1, 0), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_said_wherever_no_event_is_unfinished() {
    let other = || Request::new(Full::default());
    for said in ["data: a\r\r", ": alive", "data: a\n\n: al"] {
        let (seen, outcomes) = farewell(vec![data(1, said), Step::Hang], 100, other(), 0).await;
        assert_eq!(seen[1].1, "\n: the server is shutting down\n\n", "{said:?}");
        assert_eq!(outcomes, [Outcome::SaidGoodbye]);
    }
    // What is stateless cannot be resumed, whatever it sent.
    let mut stateless = post(CALL);
    stateless
        .headers_mut()
        .insert("mcp-protocol-version", "2026-07-28".parse().unwrap());
    let (seen, outcomes) = farewell(
        vec![data(1, "id: 1\ndata: {}\n\n"), Step::Hang],
        100,
        stateless,
        0,
    )
    .await;
    assert_eq!(
        (message(&seen[1].1)["id"].clone(), outcomes),
        (json!("c-1"), vec![Outcome::SaidGoodbye])
    );
    // A result is a result, however large.
    let result = format!(
        "data: {{\"jsonrpc\":\"2.0\",\"id\":\"c-1\",\"result\":\"{}\"}}\n\n",
        "x".repeat(5 << 20)
    );
    let (seen, outcomes) = farewell(vec![data(1, result), Step::End(500)], 100, post(CALL), 0).await;
    assert_eq!((seen.len(), outcomes.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_goodbye_who_did_not_agree() {
    let layer = silent(settings());
    layer.farewells().say_goodbye();
    let stream = async {
        response(
            200,
            "text/event-stream",
            Scripted::new([data(300, "data: a\n\n")]),
        )
    };
    let seen = frames(play(&layer, post(CALL), stream).await.unwrap().into_body()).await;
    assert_eq!(seen.last().unwrap().1, "data: a\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_applied_twice_is_one_layer_to_its_farewells() {
    let layer = silent(settings().with_goodbye());
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let stream = async { response(200, "text/event-stream", Scripted::new([Step::Hang])) };
        bodies.push(
            play(&layer.clone(), post(CALL), stream)
                .await
                .unwrap()
                .into_body(),
        );
    }
    let endings = futures::future::join_all(bodies.into_iter().map(frames));
    let goodbye = async {
        sleep(ms(100)).await;
        layer.farewells().say_goodbye();
    };
    let (endings, ()) = timeout(Duration::from_secs(60), async { tokio::join!(endings, goodbye) })
        .await
        .unwrap();
    assert!(
        endings.iter().all(|seen| seen.last().unwrap().0 == 150),
        "{endings:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn goodbyes_are_said_over_a_time_and_at_once_when_said_again() {
    const STREAMS: usize = 20;
    let layer = silent(settings().with_goodbye());
    let stream = async |steps: Vec<Step>| {
        let stream = async { response(200, "text/event-stream", Scripted::new(steps)) };
        play(&layer, post(CALL), stream).await.unwrap().into_body()
    };
    let start = Instant::now();
    let mut bodies = Vec::new();
    for _ in 0..STREAMS {
        bodies.push(frames(stream(vec![Step::Hang]).await));
    }
    // One that has much to say goes on until it is its turn.
    let many = (0..300)
        .map(|_| data(10, "data: a\n\n"))
        .chain([Step::Hang])
        .collect();
    bodies.push(frames(stream(many).await));
    layer.farewells().say_goodbye_over(ms(2000));
    let bodies: Vec<_> = bodies.into_iter().map(tokio::spawn).collect();
    sleep(ms(1000)).await;
    let gone = bodies.iter().filter(|body| body.is_finished()).count();
    assert!(
        (8..=12).contains(&gone),
        "{gone} of {STREAMS} in half of the time"
    );
    sleep(ms(500)).await;
    let gone = bodies.iter().filter(|body| body.is_finished()).count();
    assert!(
        (13..=17).contains(&gone),
        "{gone} of {STREAMS} in three quarters of the time"
    );
    layer.farewells().say_goodbye();
    for body in bodies {
        let seen = body.await.unwrap();
        assert_eq!(seen.last().unwrap().1, "(the server is shutting down)");
    }
    assert!(start.elapsed() < ms(1600), "{:?}", start.elapsed());
}
