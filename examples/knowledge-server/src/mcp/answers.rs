//! What tools answer: structured, and as text for whoever reads no structure.

use metrics::counter;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::schemars::{self, JsonSchema};
use serde::Serialize;

use crate::knowledge::{Answer, KnowledgeError};
use crate::paper::Paper;
use crate::store::Hit;

/// A paper.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PaperOut {
    /// Its id, for get_paper.
    id: String,
    title: String,
    authors: Vec<String>,
    /// The year of publication, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<u16>,
    /// The conference, journal or series, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    venue: Option<String>,
    summary: String,
    /// Where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// A paper that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FoundOut {
    #[serde(flatten)]
    paper: PaperOut,
    /// How close it is to the query: 1 is the same, 0 is unrelated.
    score: f32,
}

/// What was found, best first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SearchOut {
    papers: Vec<FoundOut>,
}

/// A paper that an answer rests on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SourceOut {
    /// The number by which the answer cites it.
    number: usize,
    id: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Whether the answer cites it.
    cited: bool,
}

/// An answer and its sources.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AnswerOut {
    /// The answer, which cites its sources by their numbers: [1].
    answer: String,
    /// Who wrote it.
    by: String,
    sources: Vec<SourceOut>,
}

// === impl PaperOut ===

impl PaperOut {
    pub(super) fn result(paper: Paper) -> CallToolResult {
        let text = in_full(&paper);
        both(&Self::from(paper), text)
    }
}

impl From<Paper> for PaperOut {
    fn from(paper: Paper) -> Self {
        Self {
            id: paper.id,
            title: paper.title,
            authors: paper.authors,
            year: (paper.year > 0).then_some(paper.year),
            venue: (!paper.venue.is_empty()).then_some(paper.venue),
            summary: paper.summary,
            url: paper.url,
        }
    }
}

// === impl SearchOut ===

impl SearchOut {
    pub(super) fn result(mut hits: Vec<Hit>) -> CallToolResult {
        hits.iter_mut().for_each(|hit| cut(&mut hit.paper.summary));
        let texts: Vec<String> = hits.iter().map(|hit| in_full(&hit.paper)).collect();
        let text = match texts.is_empty() {
            true => "Nothing was found.".to_owned(),
            false => texts.join("\n\n"),
        };
        let papers = hits.into_iter().map(|hit| FoundOut {
            score: hit.score,
            paper: hit.paper.into(),
        });
        let papers = papers.collect();
        both(&Self { papers }, text)
    }
}

// === impl AnswerOut ===

impl AnswerOut {
    pub(super) fn result(answer: Answer, by: String) -> CallToolResult {
        let sources: Vec<SourceOut> = (1..)
            .zip(answer.hits)
            .map(|(number, hit)| SourceOut {
                number,
                id: hit.paper.id,
                title: hit.paper.title,
                url: hit.paper.url,
                cited: answer.cited.contains(&number),
            })
            .collect();
        let listed = sources.iter().filter(|source| source.cited);
        let listed = listed.map(|source| format!("\n[{}] {} ({})", source.number, source.title, source.id));
        let text = format!("{}\n{}", answer.text, listed.collect::<String>());
        let answer = answer.text;
        both(&Self { answer, by, sources }, text)
    }
}

/// What went wrong, for a model to read: it can do something else, or tell its user.
pub(super) fn failed(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text.into())])
}

/// What the store or a model did wrong: the client reads it, and the operator hears of it.
pub(super) fn fallen(tool: &'static str, error: &KnowledgeError) -> CallToolResult {
    let kind = error.kind();
    // Without what the model said until then, which is its reader's.
    match error {
        KnowledgeError::Model { error, .. } => tracing::warn!(tool, kind, %error, "the call failed"),
        other => tracing::warn!(tool, kind, error = %other, "the call failed"),
    }
    counter!("tool_failures_total", "tool" => tool, "kind" => kind).increment(1);
    failed(error.to_string())
}

/// In characters. Twenty of them are read by a model; get_paper shows the whole.
const LONGEST_SUMMARY: usize = 2000;

fn cut(summary: &mut String) {
    if let Some((end, _)) = summary.char_indices().nth(LONGEST_SUMMARY) {
        summary.truncate(end);
        summary.push('…');
    }
}

fn both(structured: &impl Serialize, text: String) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    // What cannot be written as JSON has its text.
    result.structured_content = serde_json::to_value(structured).ok();
    result
}

fn in_full(paper: &Paper) -> String {
    let year = match paper.year {
        0 => String::new(),
        year => format!(" ({year})"),
    };
    let mut text = format!("{}{year} [{}]", paper.title, paper.id);
    if !paper.authors.is_empty() {
        text = format!("{text}\n{}", paper.authors.join(", "));
    }
    if let Some(url) = &paper.url {
        text = format!("{text}\n{url}");
    }
    format!("{text}\n{}", paper.summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_a_search_have_a_bound() {
        for (length, kept) in [
            (0, 0),
            (LONGEST_SUMMARY, LONGEST_SUMMARY),
            (90_000, LONGEST_SUMMARY + 1),
        ] {
            let mut summary = "é".repeat(length);
            cut(&mut summary);
            assert_eq!(summary.chars().count(), kept);
            assert_eq!(summary.ends_with('…'), kept > LONGEST_SUMMARY);
        }
    }
}
