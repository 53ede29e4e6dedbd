//! What an ingest tells: where something is wrong, how far it is, how it ended.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::embed::EmbedError;
use crate::store::StoreError;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1. 0: the file as a whole.
    pub line: usize,
}

/// Something that could not be used and was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Complaint {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub why: String,
}

/// How an ingest ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Papers and passages that are new in the store, or replaced what had their id.
    pub added: usize,
    /// Those that the store had already.
    pub unchanged: usize,
    /// Passages that their text no longer has.
    pub removed: usize,
    /// Those that could not be used, each with a complaint.
    pub skipped: usize,
}

/// Who is told how an ingest goes.
pub trait Watcher: Send {
    /// It begins, with so many bytes before it.
    fn begin(&mut self, bytes: u64);

    /// So many bytes more are done.
    fn advance(&mut self, bytes: u64);

    /// Something is skipped.
    fn complain(&mut self, complaint: &Complaint);
}

/// Why an ingest stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// There is nothing to read at the path.
    #[error("{}: {why}", path.display())]
    Path {
        /// What was given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The thread that reads files broke off.
    #[error("reading broke off: {0}")]
    Reading(String),
    /// The model failed.
    #[error("{cause} ({added} papers are stored; the same command goes on from there)")]
    Embed {
        /// How many papers had been stored by then.
        added: usize,
        /// What the model said.
        #[source]
        cause: EmbedError,
    },
    /// The store failed.
    #[error("{cause} ({added} papers are stored; the same command goes on from there)")]
    Store {
        /// How many papers had been stored by then.
        added: usize,
        /// What the store said.
        #[source]
        cause: StoreError,
    },
}

// === impl Place ===

impl Place {
    pub(super) fn new(file: &Path, line: usize) -> Self {
        Self {
            file: file.to_owned(),
            line,
        }
    }

    pub(super) const fn complain(self, why: String) -> Complaint {
        Complaint { place: self, why }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            0 => write!(f, "{file}"),
            line => write!(f, "{file}:{line}"),
        }
    }
}

// === impl Complaint ===

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

// === impl Summary ===

impl Summary {
    /// What the process should exit with: 0, or 2 if there was nothing that could be used and nothing to remove.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.added + self.unchanged + self.removed > 0 {
            0
        } else {
            2
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            added,
            unchanged,
            removed,
            skipped,
        } = self;
        write!(
            f,
            "{added} added, {unchanged} unchanged, {removed} removed, {skipped} skipped"
        )
    }
}
