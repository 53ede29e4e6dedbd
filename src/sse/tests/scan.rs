//! The search for a line end against the obvious one.

use proptest::prelude::*;

use super::super::scan::until_line_end;
use super::cases;

fn obvious(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| b"\r\n".contains(byte))
        .unwrap_or(text.len())
}

#[test]
fn finds_each_line_end_at_each_index_of_each_length() {
    for length in 0..=200 {
        let mut text = vec![b'x'; length];
        assert_eq!(until_line_end(&text), length);
        for at in 0..length {
            for end in *b"\r\n" {
                text[at] = end;
                assert_eq!(until_line_end(&text), at, "{length}");
                text[at] = b'x';
            }
        }
    }
}

#[test]
fn takes_no_other_byte_for_a_line_end() {
    for byte in (0..=u8::MAX).filter(|byte| !b"\r\n".contains(byte)) {
        for length in [1, 7, 8, 9, 63, 64, 65, 130] {
            let mut text = vec![byte; length];
            assert_eq!(until_line_end(&text), length, "{byte:#x}");
            text[length - 1] = b'\n';
            assert_eq!(until_line_end(&text), length - 1, "{byte:#x}");
        }
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn equals_the_obvious_search(text in proptest::collection::vec(prop_oneof![0..16_u8, any::<u8>()], 0..200)) {
        for from in 0..text.len() {
            prop_assert_eq!(until_line_end(&text[from..]), obvious(&text[from..]));
        }
    }
}
