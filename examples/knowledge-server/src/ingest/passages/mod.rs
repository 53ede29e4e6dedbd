//! Markdown and plain text, cut into passages of a length that an embedding can tell apart.
//!
//! A passage is called after its file, a mark of where that is, and its number in it, `notes/raft.md@0a1b2c3d4e5f#3`, so
//! a text that only grows at its end keeps the names of what it had.

mod cut;

use super::files::{Kind, Source};
use super::reader::Item;
use super::report::Place;
use crate::paper::{LONGEST_ID, Paper};

/// Passages are filled up to this many bytes, about two hundred words.
const PASSAGE: usize = 1200;

/// A first line of more characters than this is no title.
const LONGEST_TITLE: usize = 120;

/// What the number of a passage takes at most, with its `#`.
const NUMBER: usize = 12;

/// A stretch of text under one heading.
#[derive(Debug, Default)]
struct Section {
    heading: String,
    line: usize,
    text: String,
}

/// The passages of a file, as papers. One complaint if there are none.
pub(super) fn of(file: &Source, text: &str) -> Vec<Item> {
    let longest = LONGEST_ID - NUMBER;
    if file.name.len() > longest {
        let why = format!("has a name of more than {longest} bytes, after which no passage can be called");
        return vec![Err(Place::new(&file.path, 0).complain(why))];
    }
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let (title, sections) = match file.kind {
        Kind::Markdown => markdown(&text),
        Kind::Text | Kind::JsonLines => plain(&text),
    };
    let title = title.unwrap_or_else(|| stem.into_owned());
    let mut items = Vec::new();
    for section in sections {
        for (offset, passage) in cut::passages(&section.text, PASSAGE) {
            let id = name(&file.name, items.len() + 1);
            let line = section.line + section.text[..offset].matches('\n').count();
            let paper = passage_paper(id, &title, &section.heading, passage);
            items.push(Ok((Place::new(&file.path, line), paper)));
        }
    }
    if items.is_empty() {
        items.push(Err(Place::new(&file.path, 0).complain("holds no text".into())));
    }
    items
}

/// What the passage with this number is called, from 1.
pub(super) fn name(file: &str, number: usize) -> String {
    format!("{file}#{number}")
}

fn passage_paper(id: String, title: &str, heading: &str, passage: &str) -> Paper {
    let title = if heading.is_empty() || heading == title {
        title.to_owned()
    } else {
        format!("{title}: {heading}")
    };
    Paper {
        id,
        title,
        authors: Vec::new(),
        year: 0,
        venue: String::new(),
        summary: passage.to_owned(),
        url: None,
    }
}

/// A text whose first line may be its title.
fn plain(text: &str) -> (Option<String>, Vec<Section>) {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let title = first
        .map(str::trim)
        .filter(|line| line.chars().count() <= LONGEST_TITLE);
    let section = Section {
        heading: String::new(),
        line: 1,
        text: text.to_owned(),
    };
    (title.map(str::to_owned), vec![section])
}

/// Sections by headings; the first heading is the title of the document.
fn markdown(text: &str) -> (Option<String>, Vec<Section>) {
    let mut sections = Vec::new();
    let mut section = Section {
        line: 1,
        ..Section::default()
    };
    let mut title = None;
    let mut fence: Option<&str> = None;
    let skipped = front_matter(text);
    for (at, line) in text.lines().enumerate().skip(skipped) {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        // In code, a line that begins with `#` is a comment.
        match heading(line).filter(|_| fence.is_none()) {
            Some(heading) => {
                title.get_or_insert_with(|| heading.to_owned());
                sections.push(std::mem::replace(
                    &mut section,
                    Section {
                        heading: heading.to_owned(),
                        line: at + 2,
                        text: String::new(),
                    },
                ));
            }
            None => {
                if section.text.is_empty() {
                    section.line = at + 1;
                }
                section.text.push_str(line);
                section.text.push('\n');
            }
        }
    }
    sections.push(section);
    (title, sections)
}

/// How many lines of settings for other programs stand before the text, between two lines of `---`.
fn front_matter(text: &str) -> usize {
    let mut lines = text.lines();
    if lines.next() != Some("---") {
        return 0;
    }
    lines.position(|line| line == "---").map_or(0, |at| at + 2)
}

/// The text of a heading: one to six `#` and a space.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text
        .strip_prefix([' ', '\t'])?
        .trim()
        .trim_end_matches('#')
        .trim_end();
    ((1..=6).contains(&level) && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn passages(kind: Kind, text: &str) -> Vec<Item> {
        let file = Source {
            path: PathBuf::from("notes.md"),
            name: "notes.md".to_owned(),
            kind,
            bytes: 0,
        };
        of(&file, text)
    }

    #[test]
    fn each_passage_knows_its_line() {
        let text = "Intro\n\n# One\n\ntext\n## Two\n~~~\n```\n# code\n~~~\n# Three\n#four\n#######five\n# \n";
        let found = passages(Kind::Markdown, text).into_iter().map(|item| {
            let (place, paper) = item.unwrap();
            (place.line, paper.title, paper.summary)
        });
        let expected = [
            (1, "One", "Intro"),
            (5, "One", "text"),
            (7, "One: Two", "~~~\n```\n# code\n~~~"),
            (12, "One: Three", "#four\n#######five\n#"),
        ];
        let expected = expected.map(|(line, title, text)| (line, title.to_owned(), text.to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_long_first_line_is_no_title() {
        for (text, title) in [("\nShort\ntext", "Short"), (&*"long ".repeat(40), "notes")] {
            assert_eq!(passages(Kind::Text, text)[0].as_ref().unwrap().1.title, title);
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_passages_with_names_of_their_own(text in "(---\n)?[#`~a-z \n\r\u{feff}]{0,200}") {
            for kind in [Kind::Markdown, Kind::Text] {
                let items = passages(kind, &text);
                prop_assert!(!items.is_empty());
                let papers: Vec<_> = items.into_iter().filter_map(Result::ok).collect();
                let ids: HashSet<_> = papers.iter().map(|(_, paper)| &paper.id).collect();
                prop_assert_eq!(ids.len(), papers.len());
                for (place, paper) in &papers {
                    prop_assert!(place.line >= 1 && place.line <= text.lines().count());
                    prop_assert!(!paper.title.is_empty() && !paper.summary.is_empty());
                }
            }
        }
    }
}
