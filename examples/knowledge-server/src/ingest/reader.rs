//! Files, one after the other, as papers and complaints.

use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::files::{Kind, Source};
use super::lines::Lines;
use super::passages;
use super::report::{Complaint, Place};
use crate::paper::Paper;

/// What is read at most.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a line of JSON Lines. Default: 64 KiB, about ten thousand words, of which an embedding would
    /// blur the meaning anyway.
    pub line: usize,
    /// Bytes of a Markdown or text file, which is read as a whole. Default: 16 MiB.
    pub text: u64,
}

/// A paper and where it stands, or why there is none.
pub(super) type Item = Result<(Place, Paper), Complaint>;

/// Some of what stands in the files.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) items: Vec<Item>,
    /// The texts whose last passage is among the items, or among those of an earlier piece.
    pub(super) ended: Vec<Text>,
    /// How many bytes it took.
    pub(super) bytes: u64,
}

/// A text that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// What its passages are called.
    pub(super) name: String,
    pub(super) passages: usize,
}

/// Reads files in their order, a piece at a time.
#[derive(Debug)]
pub(super) struct Reader {
    files: VecDeque<Source>,
    limits: Limits,
    lines: Option<Lines>,
    passages: std::vec::IntoIter<Item>,
    /// That whose passages these are.
    text: Option<Text>,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 64 * 1024,
            text: 16 * 1024 * 1024,
        }
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(files: Vec<Source>, limits: Limits) -> Self {
        Self {
            files: files.into(),
            limits,
            lines: None,
            passages: Vec::new().into_iter(),
            text: None,
        }
    }

    /// The next `most` items, or fewer. `None`: that was all.
    pub(super) fn read(&mut self, most: usize) -> Option<Piece> {
        let mut piece = Piece::default();
        while piece.items.len() < most {
            if let Some(item) = self.passages.next() {
                piece.items.push(item);
                continue;
            }
            piece.ended.extend(self.text.take());
            if let Some(lines) = &mut self.lines {
                let (item, bytes) = lines.next_item();
                piece.bytes += bytes;
                match item {
                    Some(item) => piece.items.push(item),
                    None => self.lines = None,
                }
                continue;
            }
            match self.files.pop_front() {
                Some(file) => piece.bytes += self.open(&file),
                None if piece.items.is_empty() && piece.ended.is_empty() => return None,
                None => break,
            }
        }
        Some(piece)
    }

    /// Begins with a file, and tells how much of it that took.
    fn open(&mut self, file: &Source) -> u64 {
        if file.kind == Kind::JsonLines {
            match Lines::open(&file.path, self.limits.line) {
                Ok(lines) => self.lines = Some(lines),
                Err(error) => self.give_up(&file.path, 0, error.to_string()),
            }
            return 0;
        }
        match read_text(&file.path, self.limits.text) {
            Ok(text) => {
                let passages = passages::of(file, &text);
                self.text = Some(Text {
                    name: file.name.clone(),
                    passages: passages.iter().filter(|item| item.is_ok()).count(),
                });
                self.passages = passages.into_iter();
            }
            Err((line, why)) => self.give_up(&file.path, line, why),
        }
        file.bytes
    }

    fn give_up(&mut self, file: &Path, line: usize, why: String) {
        self.passages = vec![Err(Place::new(file, line).complain(why))].into_iter();
    }
}

/// The text of a file, or the line and the reason why there is none.
fn read_text(path: &Path, most: u64) -> Result<String, (usize, String)> {
    let file = fs::File::open(path).map_err(|error| (0, error.to_string()))?;
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too long, even one that grows.
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| (0, error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err((0, format!("is longer than {most} bytes: split it")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        (line, "is not UTF-8".to_owned())
    })?;
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return Err((line, "holds a NUL: this is no text".into()));
    }
    Ok(text)
}
