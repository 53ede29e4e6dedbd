//! The papers that come with the server, so that it answers before anybody gave it anything.

use crate::paper::Paper;

const LINES: &str = include_str!("../data/papers.jsonl");

/// About a hundred papers on reliability and distributed systems, their abstracts in our own words.
#[must_use]
pub fn bundled() -> Vec<Paper> {
    LINES
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_paper_of_its_own() {
        let papers = bundled();
        assert_eq!(papers.len(), LINES.lines().count(), "a line does not parse");
        let ids: HashSet<_> = papers.iter().map(|paper| &paper.id).collect();
        assert_eq!(ids.len(), papers.len(), "an id stands twice");
        for paper in &papers {
            let words = paper.summary.split_whitespace().count();
            assert!((60..=110).contains(&words), "{}: {words} words", paper.id);
            assert!((1970..2030).contains(&paper.year), "{}", paper.id);
            assert!(
                paper.id.ends_with(&format!("-{}", paper.year)),
                "{}: an id ends with its year",
                paper.id
            );
            assert!(
                !paper.authors.is_empty() && !paper.venue.is_empty(),
                "{}",
                paper.id
            );
        }
    }
}
