//! A real language model. It says little that is wise; what counts is that it speaks, and stops.

use std::time::Duration;

use futures::StreamExt;
use knowledge_server::model::{Answerer, ChatModel, Endpoint, ModelError, ModelLimits, Wait};
use tokio::time::Instant;
use tower_lifeline::{Deadline, Reporter};

use super::{ask, hits};
use crate::parts::Model;

fn chat(model: &Model, change: impl FnOnce(&mut ModelLimits)) -> ChatModel {
    let mut limits = ModelLimits::default();
    limits.answer_tokens = 60;
    change(&mut limits);
    let endpoint = Endpoint::new(&model.url(), "smollm2", None).unwrap();
    ChatModel::new(endpoint, limits, &Reporter::silent()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_and_stops_when_nobody_reads() {
    let model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let chat_model = chat(&model, |_| ());
    let started = Instant::now();
    let (said, ended) = ask(&chat_model, Deadline::after(Duration::from_secs(60))).await;
    println!("after {:?}: {said:?}", started.elapsed());
    assert_eq!(ended, Ok(()));
    assert!(said.len() > 10, "{said}");
    model.idle(Duration::from_secs(2)).await;

    // Dropped in the middle of an answer that would take a minute.
    let long = chat(&model, |limits| limits.answer_tokens = 3_000);
    let hits = hits();
    let mut answer = long.answer(
        "Write a very long story about everything.",
        &hits,
        Deadline::unbounded(),
    );
    answer.next().await.unwrap().unwrap();
    assert_eq!(model.at_work().await, 1);
    drop(answer);
    model.idle(Duration::from_secs(3)).await;

    // Dropped before the first token.
    let begun = tokio::time::timeout(Duration::from_millis(20), ask(&long, Deadline::unbounded())).await;
    assert!(begun.is_err());
    model.idle(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hangs_and_dies() {
    let model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let limited = chat(&model, |limits| {
        limits.answer_tokens = 3_000;
        limits.first_token = Duration::from_secs(60);
        limits.between_tokens = Duration::from_millis(700);
    });
    let hits = hits();
    let question = "Write a very long story about everything.";

    let mut answer = limited.answer(question, &hits, Deadline::unbounded());
    answer.next().await.unwrap().unwrap();
    model.freeze();
    let started = Instant::now();
    let ended = rest(answer).await;
    assert!(
        matches!(
            ended,
            Err(ModelError::Expired {
                wait: Wait::NextToken,
                ..
            })
        ),
        "{ended:?}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );

    let quick = chat(&model, |limits| limits.first_token = Duration::from_millis(500));
    let started = Instant::now();
    let (_, ended) = ask(&quick, Deadline::unbounded()).await;
    assert!(
        matches!(
            ended,
            Err(ModelError::Expired {
                wait: Wait::FirstToken,
                ..
            })
        ),
        "{ended:?}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    model.thaw();
    model.idle(Duration::from_secs(10)).await;

    let mut answer = limited.answer(question, &hits, Deadline::unbounded());
    answer.next().await.unwrap().unwrap();
    model.kill();
    let ended = rest(answer).await;
    assert!(matches!(ended, Err(ModelError::BrokeOff(_))), "{ended:?}");
    let (_, ended) = ask(&limited, Deadline::unbounded()).await;
    assert!(matches!(ended, Err(ModelError::Unreachable(_))), "{ended:?}");
}

async fn rest(
    mut answer: futures::stream::BoxStream<'_, Result<knowledge_server::model::Delta, ModelError>>,
) -> Result<(), ModelError> {
    while let Some(delta) = answer.next().await {
        drop(delta?);
    }
    Ok(())
}
