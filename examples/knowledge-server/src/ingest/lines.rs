//! JSON Lines: a paper a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::reader::Item;
use super::report::Place;
use crate::paper::{LONGEST_ID, Paper};

const BOM: &[u8] = "\u{feff}".as_bytes();

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Lines<R = BufReader<File>> {
    path: PathBuf,
    input: R,
    longest: usize,
    line: usize,
    /// It could not be read any further.
    broken: bool,
}

/// A line, as it was read.
#[derive(Debug)]
enum Line {
    /// Without its ending.
    Whole(Vec<u8>),
    TooLong,
    End,
}

impl Lines {
    pub(super) fn open(path: &Path, longest: usize) -> io::Result<Self> {
        Ok(Self::new(path, BufReader::new(File::open(path)?), longest))
    }
}

impl<R: BufRead> Lines<R> {
    fn new(path: &Path, input: R, longest: usize) -> Self {
        Self {
            path: path.to_owned(),
            input,
            longest,
            line: 0,
            broken: false,
        }
    }

    /// What stands in the next line that is not blank, and how many bytes that took. `None`: that was all.
    pub(super) fn next_item(&mut self) -> (Option<Item>, u64) {
        let mut bytes = 0;
        loop {
            if self.broken {
                return (None, bytes);
            }
            self.line += 1;
            let place = Place::new(&self.path, self.line);
            let (line, read) = match self.next_line() {
                Ok(line) => line,
                Err(error) => {
                    self.broken = true;
                    return (Some(Err(place.complain(error.to_string()))), bytes);
                }
            };
            bytes += read;
            let line = match line {
                Line::Whole(line) => line,
                Line::TooLong => {
                    let why = format!("is longer than {} bytes", self.longest);
                    return (Some(Err(place.complain(why))), bytes);
                }
                Line::End => return (None, bytes),
            };
            let line = line.strip_prefix(BOM).filter(|_| self.line == 1).unwrap_or(&line);
            if !line.trim_ascii().is_empty() {
                let item = match parse(line) {
                    Ok(paper) => Ok((place, paper)),
                    Err(why) => Err(place.complain(why)),
                };
                return (Some(item), bytes);
            }
        }
    }

    /// Reads a line and keeps no more of it than is allowed.
    fn next_line(&mut self) -> io::Result<(Line, u64)> {
        let mut line = Vec::new();
        let mut read = 0;
        let mut fits = true;
        loop {
            let ready = match self.input.fill_buf() {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = ready.iter().position(|byte| *byte == b'\n');
            let text = &ready[..end.unwrap_or(ready.len())];
            let taken = text.len() + usize::from(end.is_some());
            if taken == 0 && read == 0 {
                return Ok((Line::End, 0));
            }
            fits = fits && line.len() + text.len() <= self.longest;
            if fits {
                line.extend_from_slice(text);
            } else {
                line = Vec::new();
            }
            self.input.consume(taken);
            read += taken as u64;
            if end.is_some() || taken == 0 {
                return Ok((if fits { Line::Whole(line) } else { Line::TooLong }, read));
            }
        }
    }
}

/// The paper in a line, or what is wrong with the line.
fn parse(line: &[u8]) -> Result<Paper, String> {
    let text = std::str::from_utf8(line).map_err(|error| {
        format!(
            "is not UTF-8 from byte {} of the line on",
            error.valid_up_to() + 1
        )
    })?;
    let paper: Paper = serde_json::from_str(text).map_err(|error| {
        // To serde_json each line is line 1.
        let why = error.to_string();
        let (why, _) = why.rsplit_once(" at line ").unwrap_or((&why, ""));
        format!("{why} (column {})", error.column())
    })?;
    check(&paper)?;
    Ok(paper)
}

fn check(paper: &Paper) -> Result<(), String> {
    let Paper {
        id,
        title,
        authors,
        venue,
        summary,
        url,
        ..
    } = paper;
    for (name, text) in [("id", id), ("title", title), ("summary", summary)] {
        if text.trim().is_empty() {
            return Err(format!("`{name}` is empty"));
        }
    }
    if id.len() > LONGEST_ID {
        return Err(format!("`id` is longer than {LONGEST_ID} bytes"));
    }
    if id.chars().any(char::is_control) {
        return Err("`id` holds a control character".into());
    }
    // Databases take it for the end of a text, or refuse it.
    let mut texts = [title, venue, summary].into_iter().chain(authors).chain(url);
    if texts.any(|text| text.contains('\0')) {
        return Err("holds a NUL".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(text: &[u8], buffer: usize, longest: usize) -> (Vec<Item>, u64) {
        let mut lines = Lines::new(Path::new("x"), BufReader::with_capacity(buffer, text), longest);
        let mut items = Vec::new();
        let mut bytes = 0;
        loop {
            let (item, read) = lines.next_item();
            bytes += read;
            match item {
                Some(item) => items.push(item),
                None => return (items, bytes),
            }
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let line = br#"{"id":"a","title":"b","summary":"c"}"#;
        for ending in ["", "\n", "\n\n"] {
            let text = [line, ending.as_bytes()].concat();
            assert!(items(&text, 5, line.len()).0[0].is_ok());
            let (long, bytes) = items(&text, 5, line.len() - 1);
            assert!(long.len() == 1 && long[0].is_err());
            assert_eq!(bytes, text.len() as u64);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_the_same_through_any_buffer(
            parts in proptest::collection::vec(prop_oneof![
                Just(b"\n".to_vec()),
                Just(b"\r\n".to_vec()),
                Just(BOM.to_vec()),
                Just(br#"{"id":"a","title":"b","summary":"c"}"#.to_vec()),
                proptest::collection::vec(any::<u8>(), 0..6),
            ], 0..12),
            buffer in 1usize..40,
        ) {
            let text = parts.concat();
            let (all, bytes) = items(&text, 4096, 60);
            prop_assert_eq!(bytes, text.len() as u64);
            prop_assert_eq!((all, bytes), items(&text, buffer, 60));
        }
    }

    /// Fails after its first line.
    #[derive(Debug)]
    struct Torn(&'static [u8]);

    impl io::Read for Torn {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match io::Read::read(&mut self.0, buffer)? {
                0 => Err(io::Error::other("the disk is gone")),
                read => Ok(read),
            }
        }
    }

    #[test]
    fn a_file_that_breaks_off_is_told_once() {
        let mut lines = Lines::new(Path::new("x"), BufReader::new(Torn(b"{}\n{")), 60);
        let mut next = || lines.next_item().0.map(|item| item.unwrap_err().to_string());
        assert!(next().is_some_and(|why| why.starts_with("x:1: missing field")));
        assert_eq!(next().as_deref(), Some("x:2: the disk is gone"));
        assert_eq!(next(), None);
    }
}
