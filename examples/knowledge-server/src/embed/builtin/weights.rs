//! How much a feature counts: less if it is common.

use std::collections::HashMap;

use super::features::Feature;

/// In how many texts of the collection each feature occurs.
#[derive(Debug, Default)]
pub(super) struct Weights {
    texts: HashMap<Feature, u32>,
    all: u32,
}

impl Weights {
    /// Counts one more text, by its features, each of them once.
    pub(super) fn count(&mut self, features: impl Iterator<Item = Feature>) {
        self.all += 1;
        for feature in features {
            *self.texts.entry(feature).or_default() += 1;
        }
    }

    /// What one occurrence of a feature counts for.
    ///
    /// A root stands where one would expect a logarithm: its last bit is the same on every platform.
    pub(super) fn rarity(&self, feature: Feature) -> f32 {
        let with = self.texts.get(&feature).copied().unwrap_or_default();
        let all = f64::from(self.all.max(1));
        let ratio = (all + 1.0) / (f64::from(with) + 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a small number, rounded")]
        let rarity = (ratio.sqrt().sqrt()) as f32;
        rarity
    }
}
