//! How often the built-in embedding finds what a question is about.

use knowledge_server::embed::Embedder;
use knowledge_server::embed::builtin::Builtin;
use knowledge_server::ingest;
use knowledge_server::store::Store;
use knowledge_server::store::embedded::Embedded;
use serde::Deserialize;
use tower_lifeline::Deadline;

#[derive(Deserialize)]
struct Question {
    question: String,
    expected: Vec<String>,
}

/// The share of the expected papers that are among the first five, over all questions. Prints each miss.
#[expect(clippy::unwrap_used, reason = "only the tests below call it")]
async fn recall_at_5(questions: &str) -> f64 {
    let builtin = Builtin::new();
    let store = Embedded::new(builtin.model(), builtin.dimensions());
    ingest::seed(&builtin, &store).await.unwrap();

    let questions: Vec<Question> = questions
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut sum = 0.0;
    for Question { question, expected } in &questions {
        let found = store
            .search(&builtin.vector(question), 5, Deadline::unbounded())
            .await
            .unwrap();
        let found: Vec<_> = found.into_iter().map(|hit| (hit.paper.id, hit.score)).collect();
        let missed: Vec<_> = expected
            .iter()
            .filter(|id| !found.iter().any(|(found, _)| found == *id))
            .collect();
        if !missed.is_empty() {
            println!("{question}\n  missed {missed:?}\n  found {found:?}");
        }
        sum += (expected.len() - missed.len()) as f64 / expected.len() as f64;
    }
    sum / questions.len() as f64
}

#[tokio::test]
async fn questions_in_other_words_find_their_papers() {
    let recall = recall_at_5(include_str!("data/questions.jsonl")).await;
    println!("recall@5 {recall:.3}");
    assert!(recall >= 0.8, "recall@5 {recall:.3}");
}

/// These were written before the embedding, too, and nothing of it was chosen for their sake.
#[tokio::test]
async fn held_back_questions_find_their_papers() {
    let recall = recall_at_5(include_str!("data/held_out.jsonl")).await;
    println!("recall@5 {recall:.3} of what was held back");
    assert!(recall >= 0.7, "recall@5 {recall:.3}");
}
