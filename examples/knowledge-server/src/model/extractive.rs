//! `Extractive`: an answer without a model, made of sentences that are there.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, BoxStream, StreamExt};
use tower_lifeline::Deadline;

use super::{Answerer, Delta, ModelError};
use crate::store::Hit;

/// Answers with those sentences of the hits that share the rarest words with the question, each cited, and says
/// that it does.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Extractive;

/// A sentence, and where it is from.
#[derive(Debug)]
struct Sentence<'a> {
    hit: usize,
    at: usize,
    text: &'a str,
    words: HashSet<String>,
}

/// As many as are read before the papers themselves are.
const MOST_SENTENCES: usize = 4;

/// The most hits that are looked through.
const MOST_HITS: usize = 20;

const PREFACE: &str =
    "No language model is configured; these sentences of what was found fit the question best.\n";

// === impl Extractive ===

impl Extractive {
    /// The answerer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Answerer for Extractive {
    fn answer<'a>(
        &'a self,
        question: &'a str,
        hits: &'a [Hit],
        _: Deadline,
    ) -> BoxStream<'a, Result<Delta, ModelError>> {
        stream::iter(answer(question, hits).into_iter().map(|text| Ok(Delta { text }))).boxed()
    }

    fn describe(&self) -> String {
        "sentences of what was found, without a language model".to_owned()
    }
}

fn answer(question: &str, hits: &[Hit]) -> Vec<String> {
    let asked = words(question);
    let sentences = sentences(hits);
    let mut known: HashMap<&str, usize> = HashMap::new();
    for word in sentences.iter().flat_map(|sentence| &sentence.words) {
        *known.entry(word).or_default() += 1;
    }
    // A word that few sentences have says more than one that all have.
    let worth = |word: &String| {
        let count = known.get(word.as_str()).copied().unwrap_or_default();
        (1.0 + sentences.len() as f32 / (count as f32 + 1.0)).ln()
    };
    let fit = |sentence: &Sentence<'_>| -> f32 { sentence.words.intersection(&asked).map(worth).sum() };
    let mut best: Vec<(f32, &Sentence<'_>)> = sentences
        .iter()
        .map(|sentence| (fit(sentence), sentence))
        .filter(|(fit, _)| *fit > 0.0)
        .collect();
    // Hits come best first, so of two that fit as well the earlier is better.
    best.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    best.truncate(MOST_SENTENCES);
    best.sort_by_key(|(_, sentence)| (sentence.hit, sentence.at));
    if best.is_empty() {
        return vec![match hits {
            [] => "Nothing was found that fits the question.".to_owned(),
            _ => "No language model is configured, and no sentence of what was found shares a word with the \
                  question; see the papers themselves."
                .to_owned(),
        }];
    }
    let cited = best
        .iter()
        .map(|(_, sentence)| format!("\n- {} [{}]", sentence.text, sentence.hit + 1));
    std::iter::once(PREFACE.to_owned()).chain(cited).collect()
}

fn sentences(hits: &[Hit]) -> Vec<Sentence<'_>> {
    let mut all = Vec::new();
    for (hit, found) in hits.iter().take(MOST_HITS).enumerate() {
        for (at, text) in split(&found.paper.summary).into_iter().enumerate() {
            all.push(Sentence {
                hit,
                at,
                text,
                words: words(text),
            });
        }
    }
    all
}

/// Sentences end where a mark is followed by a space and something that is not a small letter.
fn split(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(['.', '!', '?']) {
        let rest = &text[at + 1..];
        let next = rest.trim_start().chars().next();
        if rest.starts_with(char::is_whitespace) && next.is_some_and(|letter| !letter.is_lowercase()) {
            sentences.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// The words that mean something, in small letters: three letters or more, or a number.
fn words(text: &str) -> HashSet<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() > 2 || word.bytes().any(|byte| byte.is_ascii_digit()))
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::Paper;

    fn hit(summary: &str) -> Hit {
        let paper = Paper {
            id: "id".into(),
            title: "title".into(),
            authors: Vec::new(),
            year: 0,
            venue: String::new(),
            summary: summary.to_owned(),
            url: None,
        };
        Hit { paper, score: 0.5 }
    }

    #[test]
    fn the_sentences_that_fit_are_cited_in_their_order() {
        let hits = [
            hit("Deadlines are shared. The weather is fine, e.g. today."),
            hit("A queue has a limit. Timeouts that add up break deadlines!"),
        ];
        let said = answer("Why do timeouts and deadlines matter?", &hits).concat();
        let expected =
            format!("{PREFACE}\n- Deadlines are shared. [1]\n- Timeouts that add up break deadlines! [2]");
        assert_eq!(said, expected);
    }

    #[test]
    fn without_anything_that_fits_it_says_so() {
        assert!(answer("why?", &[]).concat().contains("Nothing was found"));
        assert!(
            answer("zebra?", &[hit("A queue.")])
                .concat()
                .contains("No language model")
        );
        assert!(answer("", &[hit("")]).concat().contains("No language model"));
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(
            split("One. Two 3.5 e.g. this? \u{c9}t\u{e9}! "),
            ["One.", "Two 3.5 e.g. this?", "\u{c9}t\u{e9}!"]
        );
        assert_eq!(split(" \n"), [""; 0]);
    }
}
