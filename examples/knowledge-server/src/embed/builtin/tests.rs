//! What the built-in embedding promises.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn a_vector_is_the_same_to_the_last_bit_everywhere() {
    let vector =
        Builtin::new().vector("Replicas that disagree: quorums, gossip and the 99th percentile. Überlast!");
    let mut sha = Sha256::new();
    vector.iter().for_each(|x| sha.update(x.to_le_bytes()));
    let hash: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hash, "4b33bc9eb6a6445a46563fd3937bbd6c9ce17d340e53e0a2ac2a5df40f4ec110",
        "vectors have changed: give MODEL a new number, and this test the new hash"
    );
}

#[test]
fn inflections_and_synonyms_lie_closer_than_strangers() {
    let builtin = Builtin::new();
    let near = |a: &str, b: &str| cosine(&builtin.vector(a), &builtin.vector(b));
    let strangers = near("replicated databases", "the taste of ripe strawberries");
    assert!(near("replicated databases", "a database and its replicas") > 0.5);
    assert!(near("memcached", "caching") > 0.3);
    assert!(strangers.abs() < 0.2, "{strangers}");
}

#[test]
fn every_idea_has_a_dimension_to_itself() {
    let ideas = thesaurus::lines().count();
    assert!(
        ideas < features::IDEAS,
        "{ideas}, and the last dimension is for texts without a word"
    );
    for line in thesaurus::lines() {
        let entries: Vec<_> = line.split(',').map(str::trim).collect();
        assert!(
            entries.len() > 1 && entries.iter().all(|entry| !entry.is_empty()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn large_batches_are_embedded_like_small_ones() {
    let builtin = Builtin::new();
    let long = "consensus with a leader ".repeat(INLINE_BYTES / 20);
    assert!(long.len() > INLINE_BYTES);
    let texts = vec![long.clone(), "cache".into()];
    let vectors = builtin.embed(texts, Deadline::unbounded()).await.unwrap();
    assert_eq!(vectors, [builtin.vector(&long), builtin.vector("cache")]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_is_told() {
    let passed = Deadline::after(Duration::ZERO);
    let error = Builtin::new()
        .embed(vec!["late".into()], passed)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EmbedError::Expired(text) if text.contains("embed.builtin")),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_a_vector_of_length_one(text in any::<String>()) {
        thread_local! { static BUILTIN: Builtin = Builtin::new(); }
        let vector = BUILTIN.with(|builtin| builtin.vector(&text));
        prop_assert_eq!(vector.len(), DIMENSIONS);
        let length = cosine(&vector, &vector);
        prop_assert!((length - 1.0).abs() < 1e-4, "{}", length);
    }
}
