//! What the knowledge base holds: one paper, or one passage of somebody's own text.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// In bytes. An id is a name, not a text: databases index it.
pub(crate) const LONGEST_ID: usize = 512;

/// A paper, as it stands in a line of JSON Lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that tests and tools write out field by field"
)]
pub struct Paper {
    /// Its name in the knowledge base: unique, and the same for as long as it is there.
    pub id: String,
    /// The title.
    pub title: String,
    /// The authors, in the order of the paper.
    #[serde(default)]
    pub authors: Vec<String>,
    /// The year of publication. 0: unknown.
    #[serde(default)]
    pub year: u16,
    /// The conference, journal or series. Empty: unknown.
    #[serde(default)]
    pub venue: String,
    /// What it says, in our own words.
    #[serde(alias = "abstract")]
    pub summary: String,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Paper {
    /// A hex SHA-256 over all content, by which a paper that has not changed is known again.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut sha = Sha256::new();
        let mut field = |text: &str| {
            // With its length, so that no text can move from one field to the next unnoticed.
            sha.update((text.len() as u64).to_le_bytes());
            sha.update(text);
        };
        field(&self.id);
        field(&self.title);
        field(&self.authors.len().to_string());
        self.authors.iter().for_each(|author| field(author));
        field(&self.year.to_string());
        field(&self.venue);
        field(&self.summary);
        field(if self.url.is_some() { "url" } else { "" });
        field(self.url.as_deref().unwrap_or_default());
        sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is embedded: title and summary.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}", self.title, self.summary)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn any_change_of_content_changes_the_hash() {
        let paper = Paper {
            id: "a".into(),
            title: "b".into(),
            authors: vec!["c".into(), "d".into()],
            year: 1,
            venue: "e".into(),
            summary: "f".into(),
            url: Some(String::new()),
        };
        let changes: [fn(&mut Paper); 10] = [
            |_| {},
            |paper| paper.id.push('x'),
            |paper| paper.title.push('x'),
            |paper| paper.authors = vec!["cd".into()],
            |paper| paper.authors.reverse(),
            |paper| paper.year = 2,
            |paper| paper.venue.push('x'),
            |paper| paper.summary.push('x'),
            |paper| paper.url = None,
            |paper| paper.url = Some("x".into()),
        ];
        let hashes = changes.map(|change| {
            let mut changed = paper.clone();
            change(&mut changed);
            changed.content_hash()
        });
        assert!(hashes.iter().all(|hash| hash.len() == 64));
        assert_eq!(HashSet::from(hashes).len(), changes.len());
        assert_eq!(paper.content_hash(), paper.clone().content_hash());
    }

    #[test]
    fn what_may_be_missing_may_be_missing() {
        let line = r#"{"id":"a","title":"b","abstract":"c"}"#;
        let paper: Paper = serde_json::from_str(line).unwrap();
        assert_eq!((paper.year, paper.text().as_str()), (0, "b\nc"));
        let back: Paper = serde_json::from_str(&serde_json::to_string(&paper).unwrap()).unwrap();
        assert_eq!(back, paper);
    }
}
