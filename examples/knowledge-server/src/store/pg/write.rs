//! What is written: batches, all of one or nothing, with what they take the place of.

use std::collections::HashMap;

use pgvector::Vector;

use super::lease::Lease;
use super::space;
use crate::paper::Paper;
use crate::store::StoreError;

/// A batch as columns, for one statement.
#[derive(Debug)]
pub(super) struct Rows {
    papers: Vec<String>,
    hashes: Vec<String>,
    embeddings: Vec<Vector>,
    gone: Vec<String>,
}

/// No id is both put and gone: of one statement's changes to the same row the first alone would be made.
const PUT: &str = "WITH gone AS (DELETE FROM papers WHERE id = ANY ($4))
    INSERT INTO papers
        (id, title, authors, year, venue, summary, url, content_hash, embedding)
    SELECT p.id, p.title, p.authors, p.year, p.venue, p.summary, p.url, put.hash, put.embedding
    FROM unnest($1::text[], $2::text[], $3::vector[]) AS put (paper, hash, embedding),
        jsonb_to_record(put.paper::jsonb) AS p
            (id text, title text, authors text[], year integer, venue text, summary text, url text)
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, authors = excluded.authors, year = excluded.year, venue = excluded.venue,
        summary = excluded.summary, url = excluded.url, content_hash = excluded.content_hash,
        embedding = excluded.embedding";

// === impl Rows ===

impl Rows {
    /// Of two with the same id the later one stays.
    pub(super) fn new(
        batch: Vec<(Paper, Vec<f32>)>,
        mut gone: Vec<String>,
        dimensions: usize,
    ) -> Result<Self, StoreError> {
        let mut latest: HashMap<String, usize> = HashMap::with_capacity(batch.len());
        for (at, (paper, vector)) in batch.iter().enumerate() {
            space::check_vector(vector, dimensions)?;
            latest.insert(paper.id.clone(), at);
        }
        gone.retain(|id| !latest.contains_key(id));
        let mut rows = Self {
            papers: Vec::with_capacity(latest.len()),
            hashes: Vec::with_capacity(latest.len()),
            embeddings: Vec::with_capacity(latest.len()),
            gone,
        };
        for (at, (paper, vector)) in batch.into_iter().enumerate() {
            if latest.get(&paper.id) != Some(&at) {
                continue;
            }
            rows.hashes.push(paper.content_hash());
            rows.papers.push(storable(&paper)?);
            rows.embeddings.push(Vector::from(vector));
        }
        Ok(rows)
    }

    pub(super) async fn put(&self, lease: &mut Lease<'_>) -> Result<(), StoreError> {
        lease
            .rows(
                "",
                PUT,
                &[&self.papers, &self.hashes, &self.embeddings, &self.gone],
            )
            .await
            .map(drop)
    }
}

/// As JSON, without the one character that PostgreSQL's texts cannot hold.
fn storable(paper: &Paper) -> Result<String, StoreError> {
    let clean = |text: &String| text.replace('\0', " ");
    let paper = Paper {
        id: clean(&paper.id),
        title: clean(&paper.title),
        authors: paper.authors.iter().map(clean).collect(),
        year: paper.year,
        venue: clean(&paper.venue),
        summary: clean(&paper.summary),
        url: paper.url.as_ref().map(clean),
    };
    serde_json::to_string(&paper).map_err(|error| StoreError::Failed(error.to_string()))
}
