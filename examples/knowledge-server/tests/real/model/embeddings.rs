//! Vectors from a real model, and from servers that get them wrong.

use std::time::Duration;

use knowledge_server::embed::remote::RemoteEmbedder;
use knowledge_server::embed::{EmbedError, Embedder};
use knowledge_server::model::Endpoint;
use tower_lifeline::{Deadline, Reporter};

use super::fake::{Fake, Step, response};
use crate::parts::Model;

async fn connect(url: &str) -> Result<RemoteEmbedder, EmbedError> {
    let endpoint = Endpoint::new(url, "smollm2", None).unwrap();
    RemoteEmbedder::connect(
        endpoint,
        Deadline::after(Duration::from_secs(20)),
        &Reporter::silent(),
    )
    .await
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_model_embeds_in_order() {
    let model = tokio::task::spawn_blocking(Model::start).await.unwrap();
    let embedder = connect(&model.url()).await.unwrap();
    assert_eq!((embedder.model(), embedder.dimensions()), ("smollm2", 576));
    // More than one request takes, and the last is the first once more.
    let mut texts: Vec<String> = (0..40).map(|at| format!("the number {at} is a word")).collect();
    texts.push(texts[0].clone());
    let vectors = embedder.embed(texts, Deadline::unbounded()).await.unwrap();
    assert_eq!(vectors.len(), 41);
    assert!(
        vectors
            .iter()
            .all(|vector| (dot(vector, vector) - 1.0).abs() < 1e-3)
    );
    assert!(dot(&vectors[0], &vectors[40]) > 0.999);

    model.freeze();
    let deadline = Deadline::after(Duration::from_millis(400));
    let frozen = embedder.embed(vec!["x".into()], deadline).await;
    model.thaw();
    assert!(matches!(frozen, Err(EmbedError::Expired(_))), "{frozen:?}");
}

#[tokio::test]
async fn wrong_vectors_are_refused() {
    let vector = |index: usize, numbers: &str| format!(r#"{{"index":{index},"embedding":[{numbers}]}}"#);
    let answer = |data: &str| {
        let body = format!(r#"{{"data":[{data}]}}"#);
        response("200 OK", "content-type: application/json\r\n", &body)
    };
    for wrong in [
        "".to_owned(),
        vector(1, "1,0"),
        vector(0, ""),
        vector(0, "0,0"),
        "7".to_owned(),
    ] {
        let fake = Fake::serve(vec![answer(&wrong)]).await;
        let connected = connect(&fake.url).await;
        assert!(
            matches!(connected, Err(EmbedError::Failed(_))),
            "{wrong}: {connected:?}"
        );
    }
    let two = format!("{},{}", vector(1, "0,2"), vector(0, "3,0"));
    let scripts: Vec<Vec<Step>> = vec![
        answer(&vector(0, "3,4")),
        answer(&two),
        answer(&vector(0, "1,1,1")),
    ];
    let fake = Fake::serve(scripts).await;
    let embedder = connect(&fake.url).await.unwrap();
    let vectors = embedder
        .embed(vec!["a".into(), "b".into()], Deadline::unbounded())
        .await;
    assert_eq!(vectors, Ok(vec![vec![1.0, 0.0], vec![0.0, 1.0]]));
    let longer = embedder.embed(vec!["a".into()], Deadline::unbounded()).await;
    assert_eq!(longer, Err(EmbedError::Dimensions { expected: 2, got: 3 }));
}
