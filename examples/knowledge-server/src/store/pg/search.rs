//! What is read.

use std::collections::HashMap;

use pgvector::Vector;
use tokio_postgres::{Error, Row};

use super::fault::Fault;
use super::lease::Lease;
use super::outcome;
use crate::paper::Paper;
use crate::store::{Hit, StoreError};

/// A macro, so that its plan can be asked for in the same words.
macro_rules! nearest {
    ($before:literal) => {
        concat!(
            $before,
            "SELECT id, title, authors, year, venue, summary, url,
                 (1 - (embedding <=> $1))::real AS score
             FROM papers ORDER BY embedding <=> $1 LIMIT $2"
        )
    };
}

const NEAREST: &str = nearest!("");

const EXPLAIN: &str = nearest!("EXPLAIN (ANALYZE, BUFFERS) ");

/// As [`NEAREST`], with a join that lacks its condition.
const RUNAWAY: &str = "SELECT id, title, authors, year, venue, summary, url,
        (1 - (embedding <=> $1))::real AS score
    FROM papers, generate_series(1, 1000000) ORDER BY embedding <=> $1 LIMIT $2";

const WITHOUT_INDEX: &str = "SET LOCAL enable_indexscan = off;";

const ONE: &str = "SELECT id, title, authors, year, venue, summary, url FROM papers WHERE id = $1";

/// The most hits of one search, whatever is asked for.
const MOST_HITS: usize = 1000;

/// The papers that are closest to `query`.
pub(super) async fn nearest(
    lease: &mut Lease<'_>,
    query: &[f32],
    limit: usize,
    fault: Option<Fault>,
) -> Result<Vec<Hit>, StoreError> {
    let query = Vector::from(query.to_vec());
    let limit = i64::try_from(limit.min(MOST_HITS)).unwrap_or(i64::MAX);
    let (local, sql) = match fault {
        None => ("", NEAREST),
        Some(Fault::SequentialScan) => (WITHOUT_INDEX, NEAREST),
        Some(Fault::Runaway) => (WITHOUT_INDEX, RUNAWAY),
    };
    let rows = lease.rows(local, sql, &[&query, &limit]).await?;
    let hits: Result<Vec<Hit>, Error> = rows.iter().map(hit).collect();
    hits.map_err(|error| outcome::of_session(&error))
}

/// How the server finds them, and what that takes.
pub(super) async fn explain(
    lease: &mut Lease<'_>,
    query: &[f32],
    limit: usize,
) -> Result<String, StoreError> {
    let query = Vector::from(query.to_vec());
    let limit = i64::try_from(limit.min(MOST_HITS)).unwrap_or(i64::MAX);
    let rows = lease.rows("", EXPLAIN, &[&query, &limit]).await?;
    let lines: Result<Vec<String>, Error> = rows.iter().map(|row| row.try_get(0)).collect();
    let lines = lines.map_err(|error| outcome::of_session(&error))?;
    Ok(lines.join("\n"))
}

/// The paper with this id.
pub(super) async fn one(lease: &mut Lease<'_>, id: &str) -> Result<Option<Paper>, StoreError> {
    let rows = lease.rows("", ONE, &[&id]).await?;
    let found = rows.first().map(paper).transpose();
    found.map_err(|error| outcome::of_session(&error))
}

/// The hash of every paper's content, by its id.
pub(super) async fn hashes(lease: &mut Lease<'_>) -> Result<HashMap<String, String>, StoreError> {
    let rows = lease.rows("", "SELECT id, content_hash FROM papers", &[]).await?;
    let pairs: Result<HashMap<String, String>, Error> = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect();
    pairs.map_err(|error| outcome::of_session(&error))
}

fn hit(row: &Row) -> Result<Hit, Error> {
    let score: f32 = row.try_get("score")?;
    // A vector of zeros is close to nothing, and its distance is no number.
    let score = if score.is_nan() { 0.0 } else { score };
    let paper = paper(row)?;
    Ok(Hit { paper, score })
}

fn paper(row: &Row) -> Result<Paper, Error> {
    let year: i32 = row.try_get("year")?;
    Ok(Paper {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        authors: row.try_get("authors")?,
        year: u16::try_from(year).unwrap_or_default(),
        venue: row.try_get("venue")?,
        summary: row.try_get("summary")?,
        url: row.try_get("url")?,
    })
}
