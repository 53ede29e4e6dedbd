//! Documents to try: right, nearly right, and damaged.

use proptest::collection::vec;
use proptest::prelude::*;

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -!#-\\[\\]-~]{0,12}",
        2 => "[é€😀\u{7f}\u{2028}]{1,3}",
        2 => prop::sample::select(vec![r"\n", r#"\""#, r"\\", r"\/", r"\u0041", r"\u00e9", r"\uD83D\ude00", r"\b\f\r\t"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["2.0", "id", "tools/call", "resources/read"]).prop_map(str::to_owned),
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?"
}

pub(super) fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned);
    prop_oneof![string(), number(), word].prop_recursive(3, 12, 3, |inner| {
        let key = prop_oneof![
            string(),
            prop::sample::select(KEYS).prop_map(|key| format!("\"{key}\""))
        ];
        let space = prop::sample::select(vec!["", "", " ", "\n", " \t\r\n"]);
        prop_oneof![
            (space.clone(), vec(inner.clone(), 0..4)).prop_map(|(space, items)| format!(
                "[{space}{}{space}]",
                items.join(&format!("{space},{space}"))
            )),
            (space, vec((key, inner), 0..4)).prop_map(|(space, members)| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{key}{space}:{space}{value}"))
                    .collect();
                format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
            }),
        ]
    })
}

const KEYS: &[&str] = &[
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "error",
    "name",
    "uri",
    "_meta",
    "progressToken",
    "arguments",
    "",
];

/// Whatever may stand where something else belongs.
fn odd() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "null",
        "true",
        "0",
        r#""x""#,
        "[]",
        r#"["id"]"#,
        "{}",
        r#"{"name":"x","_meta":{"progressToken":1}}"#,
    ];
    prop_oneof![8 => prop::sample::select(ODD).prop_map(str::to_owned), 1 => json()]
}

/// A key, sometimes with one letter escaped.
fn key(name: &'static str) -> impl Strategy<Value = String> {
    (0..4 * name.len()).prop_map(move |escaped| {
        let letters = name.char_indices().map(|(at, letter)| {
            if at == escaped {
                format!("\\u{:04x}", u32::from(letter))
            } else {
                letter.to_string()
            }
        });
        format!("\"{}\"", letters.collect::<String>())
    })
}

/// A member that is there most of the time, has mostly the right type, and is sometimes there twice.
fn member(name: &'static str, right: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
    let value = prop_oneof![24 => right, 1 => odd()];
    let count = prop_oneof![24 => Just(1usize), 7 => Just(0), 1 => Just(2)];
    (vec((key(name), value), 2), count).prop_map(|(members, count)| {
        members
            .into_iter()
            .take(count)
            .map(|(key, value)| format!("{key}:{value}"))
            .collect()
    })
}

fn object(members: impl Strategy<Value = Vec<Vec<String>>>) -> impl Strategy<Value = String> {
    let members = members.prop_map(|members| members.concat()).prop_shuffle();
    members.prop_map(|members| format!("{{{}}}", members.join(",")))
}

pub(super) fn message() -> impl Strategy<Value = String> {
    let scalar = || prop_oneof![string(), number()];
    let method = prop::sample::select(vec![
        "tools/call",
        "prompts/get",
        "resources/read",
        "tools\\/call",
        "tools/list",
    ])
    .prop_map(|method| format!("\"{method}\""));
    let answer = |name| member(name, odd()).boxed();
    let rare = |name| prop_oneof![9 => Just(Vec::new()), 1 => answer(name)];
    let meta =
        object((member("progressToken", scalar()), member("name", odd())).prop_map(|(a, b)| vec![a, b]));
    let params = object(
        (
            member("name", string()),
            member("uri", string()),
            member("_meta", meta),
            member("id", odd()),
        )
            .prop_map(|(a, b, c, d)| vec![a, b, c, d]),
    );
    let version = Just(r#""2.0""#.to_owned());
    let call = (
        member("method", method),
        member("params", params),
        rare("result"),
        rare("error"),
    );
    object(
        (
            Just(vec![r#""jsonrpc":"2.0""#.to_owned()]),
            member("id", scalar()),
            call,
            rare("jsonrpc"),
            member("name", version),
        )
            .prop_map(|(a, b, (c, d, e, f), g, h)| vec![a, b, c, d, e, f, g, h]),
    )
}

/// Small damage, with bytes that mean something.
pub(super) fn damaged(document: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let bytes =
        prop::sample::select(b"{}[]\",:\\u0d8-+.eE \n\x00\x1f\x7f\x80\xbf\xc3\xe2\xf0\xffidname".as_slice());
    let damage = vec((0..5u8, any::<prop::sample::Index>(), bytes), 1..4);
    (document, damage).prop_map(|(document, damage)| {
        let mut document = document.into_bytes();
        for (what, at, byte) in damage {
            let at = at.index(document.len() + 1);
            match what {
                0 if at < document.len() => document[at] ^= 1 << (byte % 8),
                1 if at < document.len() => drop(document.remove(at)),
                2 if at < document.len() => document[at] = byte,
                3 if byte < 0x20 => document.truncate(at),
                _ => document.insert(at, byte),
            }
        }
        document
    })
}

pub(super) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(1..12usize, 1..6)
}
