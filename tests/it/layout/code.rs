//! As much of Rust's syntax as the rules need.

/// A path into the crate, to the first name that it takes there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Path {
    Crate(String),
    Super(usize, String),
}

/// The text without comments, and with empty literals.
pub(super) fn of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            '\'' => character(rest),
            'r' if !after_word && is_raw_string(&rest[1..]) => raw_string(rest),
            'b' if !after_word && rest.starts_with("br") && is_raw_string(&rest[2..]) => {
                1 + raw_string(&rest[1..])
            }
            _ => 0,
        };
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The code up to its tests, which stand last in a file.
pub(super) fn without_tests(code: &str) -> String {
    let tests = code
        .match_indices("#[cfg(test)]")
        .find(|(at, it)| code[at + it.len()..].trim_start().starts_with("mod"));
    code[..tests.map_or(code.len(), |(at, _)| at)].to_owned()
}

pub(super) fn without_spaces(code: &str) -> String {
    code.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ::", "::")
        .replace(":: ", "::")
}

pub(super) fn has_word(code: &str, word: &str) -> bool {
    code.split(|it| !is_word(it)).any(|it| it == word)
}

/// Every path that starts with `crate` or `super`.
pub(super) fn paths(code: &str) -> Vec<Path> {
    let code = without_spaces(code);
    let mut paths = Vec::new();
    for (at, found) in code
        .match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
    {
        paths.extend(heads(&code[at + found.len()..]).into_iter().map(Path::Crate));
    }
    // Only where a chain of `super` starts.
    let starts = |at: &usize| !code[..*at].ends_with(is_word) && !code[..*at].ends_with("super::");
    for (at, _) in code.match_indices("super::").filter(|(at, _)| starts(at)) {
        let mut rest = &code[at..];
        let mut steps = 0;
        while let Some(shorter) = rest.strip_prefix("super::") {
            (rest, steps) = (shorter, steps + 1);
        }
        paths.extend(heads(rest).into_iter().map(|name| Path::Super(steps, name)));
    }
    paths
}

/// The first names of `name::…` or `{name::…, name::…}`.
pub(super) fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return Vec::from_iter(first_word(path));
    };
    let (mut depth, mut heads, mut start) = (1, Vec::new(), 0);
    for (at, next) in group.char_indices() {
        depth += match next {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 || (depth == 1 && next == ',') {
            heads.extend(first_word(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|it| is_word(*it)).collect();
    (!word.is_empty() && word != "self").then_some(word)
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// Each of these returns how long the thing is that `rest` starts with.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let tail = &rest[at..];
        depth += i32::from(tail.starts_with("/*")) - i32::from(tail.starts_with("*/"));
        let is_mark = tail.starts_with("/*") || tail.starts_with("*/");
        at += if is_mark {
            2
        } else {
            tail.chars().next().map_or(0, char::len_utf8)
        };
        if depth == 0 || at >= rest.len() {
            return at;
        }
    }
}

fn string(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest[1..].find(|it| {
        let ends = it == '"' && !is_escaped;
        is_escaped = it == '\\' && !is_escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// Zero for a lifetime.
fn character(rest: &str) -> usize {
    let inside = &rest[1..];
    match inside.chars().next() {
        Some('\\') => inside[2..].find('\'').map_or(0, |end| end + 4),
        Some(it) if inside[it.len_utf8()..].starts_with('\'') => it.len_utf8() + 2,
        _ => 0,
    }
}

fn is_raw_string(after_r: &str) -> bool {
    after_r.trim_start_matches('#').starts_with('"')
}

fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|it| *it == '#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    rest[start..]
        .find(&end)
        .map_or(rest.len(), |at| start + at + end.len())
}
