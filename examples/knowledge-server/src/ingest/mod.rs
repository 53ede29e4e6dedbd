//! People's own papers and texts, brought into a store.
//!
//! [`run`] takes a file or a folder of JSON Lines, Markdown and plain text. It reads a little, embeds it, puts it
//! into the store as one batch, and goes on, so that neither a large file nor a slow model fills the memory.
//!
//! - What the store has already, by its content's hash, is neither embedded nor stored again. A run that was
//!   interrupted is therefore continued by starting it again.
//! - What cannot be used is complained about, with the place and the reason, and skipped.
//! - What a text no longer has is taken out together with the last of what it has now. The passages of a file that is
//!   gone stay, as does every paper of JSON Lines: nobody says that a file has all of them.

mod files;
mod intake;
mod lines;
mod passages;
mod progress;
mod reader;
mod report;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

pub use self::intake::Intake;
pub use self::progress::Progress;
pub use self::reader::Limits;
pub use self::report::{Complaint, IngestError, Place, Summary, Watcher};

use self::reader::Reader;
use crate::embed::Embedder;
use crate::paper::Paper;
use crate::store::Store;
use crate::store::embedded::Embedded;

/// How many papers are read at a time.
const READ_AHEAD: usize = 64;

/// Brings the file or folder at `path` into `store`, and tells `watcher` how it goes. Texts of the same name are told
/// from one another by `known_as`, or by where their folder is.
///
/// # Errors
/// Where nothing can be read at `path`, and where the model or the store fails. What was stored until then stays.
pub async fn run(
    path: &Path,
    known_as: Option<&str>,
    limits: Limits,
    embedder: &dyn Embedder,
    store: &dyn Store,
    watcher: &mut dyn Watcher,
) -> Result<Summary, IngestError> {
    let (files, closed) = files::find(path, known_as)?;
    watcher.begin(files.iter().map(|file| file.bytes).sum());
    let mut intake = Intake::open(embedder, store).await?;
    let mut seen = Seen::default();
    closed.iter().for_each(|complaint| watcher.complain(complaint));
    let mut skipped = closed.len();
    let mut reader = Reader::new(files, limits);
    loop {
        // Files are read on a thread that may wait for a disk.
        let reading = tokio::task::spawn_blocking(move || {
            let read = reader.read(READ_AHEAD);
            (reader, read)
        });
        let read = reading
            .await
            .map_err(|error| IngestError::Reading(error.to_string()))?;
        reader = read.0;
        let Some(read) = read.1 else { break };
        for item in read.items {
            match item.and_then(|(place, paper)| seen.first(place, paper)) {
                Ok(paper) => intake.offer(paper).await?,
                Err(complaint) => {
                    skipped += 1;
                    watcher.complain(&complaint);
                }
            }
        }
        for text in read.ended {
            intake.ended(&text);
        }
        watcher.advance(read.bytes);
    }
    let mut summary = intake.finish().await?;
    summary.skipped = skipped;
    Ok(summary)
}

/// Brings the papers that come with the server into `store`.
///
/// # Errors
/// Where the model or the store fails.
pub async fn seed(embedder: &dyn Embedder, store: &dyn Store) -> Result<Summary, IngestError> {
    let mut intake = Intake::open(embedder, store).await?;
    for paper in crate::collection::bundled() {
        intake.offer(paper).await?;
    }
    intake.finish().await
}

/// An embedded store with the papers that come with the server and those at `extra`.
///
/// # Errors
/// Where nothing can be read at `extra`, and where the model fails.
pub async fn embedded_store(
    embedder: &dyn Embedder,
    extra: Option<&Path>,
    watcher: &mut dyn Watcher,
) -> Result<Embedded, IngestError> {
    let store = Embedded::new(embedder.model(), embedder.dimensions());
    seed(embedder, &store).await?;
    if let Some(path) = extra {
        run(path, None, Limits::default(), embedder, &store, watcher).await?;
    }
    Ok(store)
}

/// Where each id of this run stood first, since the second to claim it is a mistake that nobody would notice.
#[derive(Debug, Default)]
struct Seen {
    places: HashMap<String, Place>,
}

impl Seen {
    fn first(&mut self, place: Place, paper: Paper) -> Result<Paper, Complaint> {
        if let Some(first) = self.places.get(&paper.id) {
            return Err(place.complain(format!("the id {:?} is taken by {first}", paper.id)));
        }
        self.places.insert(paper.id.clone(), place);
        Ok(paper)
    }
}
