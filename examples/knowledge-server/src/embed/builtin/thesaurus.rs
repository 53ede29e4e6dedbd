//! The ideas of the field, and the words that stand for them.

use std::collections::HashMap;

use super::tokens::Tokens;

/// One idea a line; the words that stand for it, separated by commas.
const TEXT: &str = include_str!("../../../data/thesaurus.txt");

/// No entry has more words.
const LONGEST: usize = 3;

/// The ideas that each phrase of stems stands for.
#[derive(Debug)]
pub(super) struct Thesaurus {
    ideas: HashMap<Vec<String>, Vec<usize>>,
}

impl Thesaurus {
    pub(super) fn new(tokens: &Tokens) -> Self {
        let mut ideas: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for (idea, line) in lines().enumerate() {
            for entry in line.split(',') {
                let phrase = tokens.stems(entry);
                let of_phrase = ideas.entry(phrase).or_default();
                if of_phrase.last() != Some(&idea) {
                    of_phrase.push(idea);
                }
            }
        }
        ideas.remove(&Vec::new());
        Self { ideas }
    }

    /// The ideas in a text, by number, each as often as it is named and with the share of the phrase in it: a
    /// phrase that stands for three ideas counts a third of one for each.
    pub(super) fn ideas(&self, stems: &[String]) -> Vec<(usize, f32)> {
        let starts = 0..stems.len();
        let phrases = starts.flat_map(|at| {
            let longest = LONGEST.min(stems.len() - at);
            (1..=longest).map(move |len| &stems[at..at + len])
        });
        let known = phrases.filter_map(|phrase| self.ideas.get(phrase).map(|ideas| (phrase.len(), ideas)));
        known
            .flat_map(|(words, ideas)| {
                #[expect(clippy::cast_precision_loss, reason = "a handful")]
                let share = words as f32 / (ideas.len() as f32).sqrt();
                ideas.iter().map(move |idea| (*idea, share))
            })
            .collect()
    }
}

/// The lines of the thesaurus, one for each idea.
pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    TEXT.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
