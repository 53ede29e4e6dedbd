//! The features of a text, and the vector that they make.

use super::thesaurus::Thesaurus;
use super::tokens::Tokens;
use super::weights::Weights;

/// Dimensions of ideas: each idea of the thesaurus has one to itself, so that none is taken for another.
pub(super) const IDEAS: usize = 256;
/// Where a text without a word points: a direction of its own, since nothing can be said of the angle to zero.
const NOTHING: usize = IDEAS - 1;
/// Dimensions onto which words are hashed.
pub(super) const WORDS: usize = 512;

/// How much each kind of feature counts, compared to a word. Between two and five times that much for ideas the
/// recall is about the same; with less the words drown them.
const IDEA: f32 = 3.0;
const WORD: f32 = 1.0;
const PAIR: f32 = 0.2;
const TRIPLE: f32 = 0.1;

/// Turns texts into vectors.
#[derive(Debug)]
pub(super) struct Features {
    tokens: Tokens,
    thesaurus: Thesaurus,
    weights: Weights,
}

/// What a text is made of, in what makes vectors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Feature {
    /// The idea of the thesaurus with this number.
    Idea(usize),
    /// Anything else, by its hash.
    Hashed(u64),
}

/// A feature, how much its kind counts, and how often it occurs.
type Count = (Feature, f32, f32);

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
            features
                .weights
                .count(counts.into_iter().map(|(feature, ..)| feature));
        }
        features
    }

    /// The vector of `text`, of length one.
    pub(super) fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; IDEAS + WORDS];
        for (feature, kind, often) in self.counts(text) {
            feature.add(kind * damped(often) * self.weights.rarity(feature), &mut vector);
        }
        normalise(&mut vector);
        vector
    }

    /// The features of a text, each of them once, in an order that is always the same.
    fn counts(&self, text: &str) -> Vec<Count> {
        let stems = self.tokens.stems(text);
        let mut counts: Vec<Count> = Vec::with_capacity(stems.len() * 10);
        for (idea, share) in self.thesaurus.ideas(&stems) {
            counts.push((Feature::Idea(idea), IDEA, share));
        }
        for stem in &stems {
            counts.push((Feature::hashed(&["word", stem]), WORD, 1.0));
            for triple in triples(&format!("^{stem}$")) {
                counts.push((Feature::hashed(&["triple", triple]), TRIPLE, 1.0));
            }
        }
        for pair in stems.windows(2) {
            counts.push((Feature::hashed(&["pair", &pair[0], &pair[1]]), PAIR, 1.0));
        }
        // Stable, so that what is added up is added in the order of the text.
        counts.sort_by_key(|(feature, ..)| *feature);
        counts.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.2 += next.2;
            }
            same
        });
        counts
    }
}

/// Each three neighbouring letters.
fn triples(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let starts = word.char_indices().map(|(at, _)| at);
    starts.zip(ends.skip(2)).map(|(start, end)| &word[start..end])
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

/// The second time counts for less than the first: `often` to the power of three quarters.
fn damped(often: f32) -> f32 {
    let root = often.sqrt();
    root * root.sqrt()
}

fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    } else {
        vector[NOTHING] = 1.0;
    }
}
