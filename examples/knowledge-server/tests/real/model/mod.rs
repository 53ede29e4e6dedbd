//! The model clients, against a real model and against a server that misbehaves to order.

mod embeddings;
pub(crate) mod fake;
mod genuine;
mod scripted;

use futures::StreamExt;
use knowledge_server::model::{Answerer, ModelError};
use knowledge_server::store::Hit;
use tower_lifeline::Deadline;

use crate::texts::paper;

fn hits() -> Vec<Hit> {
    ["Deadlines travel with the request.", "A queue needs a limit."]
        .into_iter()
        .enumerate()
        .map(|(at, summary)| Hit {
            paper: paper(&at.to_string(), summary),
            score: 0.5,
        })
        .collect()
}

/// What was said, and how that ended.
async fn ask(model: &dyn Answerer, deadline: Deadline) -> (String, Result<(), ModelError>) {
    let hits = hits();
    let mut answer = model.answer("What needs a limit?", &hits, deadline);
    let mut said = String::new();
    while let Some(delta) = answer.next().await {
        match delta {
            Ok(delta) => said.push_str(&delta.text),
            Err(error) => {
                assert!(answer.next().await.is_none(), "after an error it is over");
                return (said, Err(error));
            }
        }
    }
    (said, Ok(()))
}
