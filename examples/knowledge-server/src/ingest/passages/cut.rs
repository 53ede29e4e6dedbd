//! Where a text may be cut: between paragraphs if there is a place, else between sentences, words, letters.

/// Cuts `text` into trimmed passages of at most `most` bytes, each with where it begins. Together they hold
/// everything but white space.
pub(super) fn passages(text: &str, most: usize) -> Vec<(usize, &str)> {
    let mut passages = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = text[at..].trim_end();
        if rest.is_empty() {
            return passages;
        }
        let end = if rest.len() <= most {
            rest.len()
        } else {
            cut(rest, most)
        };
        passages.push((at, rest[..end].trim_end()));
        at += end;
    }
}

/// Where to end a passage of at most `most` bytes of a longer text. Never 0.
fn cut(text: &str, most: usize) -> usize {
    let most = floor_char_boundary(text, most);
    let head = &text[..most];
    // Rather a passage that is a third full than one that ends in the middle of a thought.
    let late_enough = |end: &usize| *end >= most / 3;
    let paragraph = head.rfind("\n\n");
    let sentence = [". ", ".\n", "? ", "?\n", "! ", "!\n"]
        .into_iter()
        .filter_map(|end| head.rfind(end))
        .max()
        .map(|end| end + 1);
    let word = head.rfind(char::is_whitespace);
    let places = [paragraph, sentence, word];
    let place = places.into_iter().flatten().find(late_enough);
    place.filter(|end| *end > 0).unwrap_or_else(|| match most {
        // A letter that is wider than a passage.
        0 => text.chars().next().map_or(text.len(), char::len_utf8),
        most => most,
    })
}

/// The last boundary between letters at or before `at`.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_place_is_taken() {
        let cut = |text, most| {
            passages(text, most)
                .into_iter()
                .map(|(_, passage)| passage)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            cut("one two.\n\nthree four. five", 18),
            ["one two.", "three four. five"]
        );
        assert_eq!(
            cut("One two. Three four five", 18),
            ["One two.", "Three four five"]
        );
        assert_eq!(cut("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(cut("aaaaaaaaaa", 4), ["aaaa", "aaaa", "aa"]);
        assert_eq!(cut("ääää", 3), ["ä", "ä", "ä", "ä"]);
        assert_eq!(cut(" \n ", 3), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(text in "[a-zä.?! \n\u{1f980}]{0,200}", most in 4usize..50) {
            let cut = passages(&text, most);
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            let together: String = cut.iter().map(|(_, passage)| bare(passage)).collect();
            prop_assert_eq!(together, bare(&text));
            for (at, passage) in cut {
                prop_assert!(passage.len() <= most && !passage.is_empty());
                prop_assert!(text[at..].starts_with(passage));
            }
        }
    }
}
