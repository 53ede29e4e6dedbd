//! Which files a path stands for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::report::{Complaint, IngestError, Place};

/// A file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// What its passages are called: its path from the folder that was given, and a mark of where that is, since
    /// folders of different people have files of the same name.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) bytes: u64,
}

/// What a file is, by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    JsonLines,
    Markdown,
    Text,
}

const READABLE: &str = ".jsonl, .ndjson, .md, .markdown or .txt";

/// The readable files at `path`, in the order of their names, and the folders that cannot be looked into. Hidden
/// files and links to folders are left out. They are told from others by `known_as`, or by where their folder is.
pub(super) fn find(
    path: &Path,
    known_as: Option<&str>,
) -> Result<(Vec<Source>, Vec<Complaint>), IngestError> {
    let complain = |why: String| IngestError::Path {
        path: path.to_owned(),
        why,
    };
    // The whole path, since `.` has no name.
    let whole = fs::canonicalize(path).map_err(|error| complain(error.to_string()))?;
    let meta = fs::metadata(&whole).map_err(|error| complain(error.to_string()))?;
    // A file is known as it is when its folder is given.
    let root = match meta.is_file() {
        true => whole.parent().unwrap_or(&whole),
        false => &whole,
    };
    let mark = mark(known_as.map_or(root.as_os_str().as_encoded_bytes(), str::as_bytes));
    if meta.is_file() {
        let source = Source::new(&whole, root, &mark, path.to_owned(), meta.len());
        return source
            .map(|source| (vec![source], Vec::new()))
            .ok_or_else(|| complain(format!("only files are read whose names end with {READABLE}")));
    }
    if !meta.is_dir() {
        return Err(complain("is neither a file nor a folder".into()));
    }
    let mut sources = Vec::new();
    let mut complaints = Vec::new();
    let mut folders = vec![whole.clone()];
    while let Some(folder) = folders.pop() {
        let listed = match list(&folder) {
            Ok(listed) => listed,
            Err(error) => {
                complaints.push(Place::new(&folder, 0).complain(error.to_string()));
                continue;
            }
        };
        for (found, meta) in listed {
            if meta.is_dir() {
                folders.push(found);
            } else if meta.is_file() {
                let shown = path.join(found.strip_prefix(&whole).unwrap_or(&found));
                sources.extend(Source::new(&found, root, &mark, shown, meta.len()));
            }
        }
    }
    if sources.is_empty() && complaints.is_empty() {
        return Err(complain(format!("holds no file whose name ends with {READABLE}")));
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((sources, complaints))
}

/// Twelve digits: two of a million sources are the same once in five hundred such stores.
fn mark(source: &[u8]) -> String {
    let hash = Sha256::digest(source);
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What stands in a folder and is not hidden. A link to a file counts as the file; one to a folder is left out,
/// since it may lead back.
fn list(folder: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link that leads nowhere is no file.
        let Ok(meta) = fs::metadata(entry.path()) else {
            continue;
        };
        let leads_back = entry.file_type()?.is_symlink() && meta.is_dir();
        if !leads_back {
            found.push((entry.path(), meta));
        }
    }
    Ok(found)
}

// === impl Source ===

impl Source {
    fn new(whole: &Path, root: &Path, mark: &str, path: PathBuf, bytes: u64) -> Option<Self> {
        let kind = Kind::of(whole)?;
        let parts = whole.strip_prefix(root).unwrap_or(whole).components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        Some(Self {
            path,
            name: format!("{}@{mark}", parts.join("/")),
            kind,
            bytes,
        })
    }
}

// === impl Kind ===

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "md" | "markdown" => Some(Self::Markdown),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }
}
