//! The features of a text, and the vector that they make.

use std::collections::BTreeMap;

use super::thesaurus::Thesaurus;
use super::tokens::Tokens;
use super::weights::Weights;

/// Dimensions of ideas: each idea of the thesaurus has one to itself, so that none is taken for another.
pub(super) const IDEAS: usize = 256;
/// Dimensions onto which words are hashed.
pub(super) const WORDS: usize = 512;

/// What kinds of features count, in relation to a word.
const IDEA: f32 = 1.5;
const WORD: f32 = 1.0;
const PAIR: f32 = 0.4;
const TRIPLE: f32 = 0.15;

/// Turns texts into vectors.
#[derive(Debug)]
pub(super) struct Features {
    tokens: Tokens,
    thesaurus: Thesaurus,
    weights: Weights,
}

/// What a text is made of, in what makes vectors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// The idea of the thesaurus with this number.
    Idea(usize),
    /// Anything else, by its hash.
    Hashed(u64),
}

/// How much the kind of each feature counts, and how often it occurs.
type Counts = BTreeMap<Feature, (f32, f32)>;

// === impl Features ===

impl Features {
    /// Learns from `texts` how rare each feature is.
    pub(super) fn learn(texts: impl Iterator<Item = String>) -> Self {
        let tokens = Tokens::new();
        let thesaurus = Thesaurus::new(&tokens);
        let mut features = Self {
            tokens,
            thesaurus,
            weights: Weights::default(),
        };
        for text in texts {
            let counts = features.counts(&text);
            features.weights.count(counts.into_keys());
        }
        features
    }

    /// The vector of `text`, of length one.
    pub(super) fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; IDEAS + WORDS];
        for (feature, (kind, often)) in self.counts(text) {
            feature.add(kind * often.sqrt() * self.weights.rarity(feature), &mut vector);
        }
        normalise(&mut vector);
        vector
    }

    fn counts(&self, text: &str) -> Counts {
        let stems = self.tokens.stems(text);
        let mut counts = Counts::new();
        let mut see = |feature, kind: f32, often: f32| {
            counts.entry(feature).or_insert((kind, 0.0)).1 += often;
        };
        for (idea, share) in self.thesaurus.ideas(&stems) {
            see(Feature::Idea(idea), IDEA, share);
        }
        for stem in &stems {
            see(Feature::hashed(&["word", stem]), WORD, 1.0);
            let letters: Vec<_> = format!("^{stem}$").chars().collect();
            for triple in letters.windows(3) {
                let triple: String = triple.iter().collect();
                see(Feature::hashed(&["triple", &triple]), TRIPLE, 1.0);
            }
        }
        for pair in stems.windows(2) {
            see(Feature::hashed(&["pair", &pair[0], &pair[1]]), PAIR, 1.0);
        }
        counts
    }
}

// === impl Feature ===

impl Feature {
    /// FNV-1a over the parts, and a last mix, since only some of its bits are used.
    fn hashed(parts: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
        Self::Hashed(hash ^ (hash >> 33))
    }

    /// Adds `weight` to a vector: on the idea's own dimension, or on two that the hash picks, so that two
    /// features seldom share all they have.
    fn add(self, weight: f32, vector: &mut [f32]) {
        match self {
            Self::Idea(idea) => vector[idea] += weight,
            Self::Hashed(hash) => {
                for half in [hash, hash.rotate_left(32)] {
                    let at = IDEAS + (half % WORDS as u64) as usize;
                    let sign = if half >> 20 & 1 == 0 { weight } else { -weight };
                    vector[at] += sign * std::f32::consts::FRAC_1_SQRT_2;
                }
            }
        }
    }
}

fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}
