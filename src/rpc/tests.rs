//! One case for each sentence of the module's docs; `properties` has the grammar at large.

use serde_json::{Value, json};

use super::*;

fn scan(body: impl AsRef<[u8]>) -> Option<Message> {
    let mut scanner = Scanner::new();
    scanner.feed(body.as_ref());
    let whole = scanner.finish();
    assert_eq!(scanner.kind(), whole.as_ref().map(Message::kind));

    scanner.reset();
    body.as_ref().iter().for_each(|byte| scanner.feed(&[*byte]));
    assert_eq!(
        format!("{whole:?}"),
        format!("{:?}", scanner.finish()),
        "byte by byte"
    );
    whole
}

fn kind(body: &str) -> Option<Kind> {
    scan(body).map(|message| message.kind())
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

#[test]
fn a_tool_call_tells_everything() {
    let message = scan(
        r#" {"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":
            {"name":"search","arguments":{"name":"x","id":2,"_meta":{"progressToken":3}},"_meta":{"progressToken":17}}}
        "#,
    )
    .unwrap();
    assert_eq!(message.kind(), Kind::Request);
    assert_eq!(message.id().unwrap().as_json(), r#""a-1""#);
    assert_eq!(message.method(), Some("tools/call"));
    assert_eq!(
        (message.target(), message.tool()),
        (Some("search"), Some("search"))
    );
    assert_eq!(message.progress_token().unwrap().as_json(), "17");
}

#[test]
fn keys_come_in_any_order() {
    let message = scan(
        r#"{"params":{"_meta":{"x":[{}],"progressToken":"t"},"uri":"file:///a","name":"n"},"method":"resources/read","id":1,"jsonrpc":"2.0"}"#,
    )
    .unwrap();
    assert_eq!(message.target(), Some("file:///a"));
    assert_eq!(message.tool(), None);
    assert_eq!(message.progress_token().unwrap().as_json(), r#""t""#);
}

#[test]
fn escapes_hide_nothing() {
    let message = scan(
        r#"{"\u006asonrpc":"\u0032.0","\u0069d":7,"m\u0065thod":"tools\/c\u0061ll","par\u0061ms":{"n\u0061me":"\ud83d\ude00\n\"é"}}"#,
    )
    .unwrap();
    assert_eq!(message.id().unwrap().as_json(), "7");
    assert_eq!(message.method(), Some("tools/call"));
    assert_eq!(message.tool(), Some("😀\n\"é"));

    assert!(
        scan(r#"{"jsonrpc":"2.0","id":1,"\u0069d":1,"method":"m"}"#).is_none(),
        "twice is twice"
    );
    let other = scan(call(
        "tools/call",
        r#"{"names":"x","_meta":{"progressTokens":1}}"#,
    ))
    .unwrap();
    assert!(other.target().is_none() && other.progress_token().is_none());
    let other = scan(r#"{"jsonrpc":"2.0","id\u0000":1,"id ":2,"methodology":3,"method":"m"}"#).unwrap();
    assert_eq!(other.kind(), Kind::Notification);
}

#[test]
fn only_three_methods_have_a_target() {
    let named = r#"{"name":"n","uri":"u"}"#;
    let target = |method: &str| scan(call(method, named)).unwrap().target().map(str::to_owned);
    assert_eq!(target("tools/call").as_deref(), Some("n"));
    assert_eq!(target("prompts/get").as_deref(), Some("n"));
    assert_eq!(target("resources/read").as_deref(), Some("u"));
    assert_eq!(target("tools/list"), None);
    assert_eq!(target("tools/call2"), None);
    assert_eq!(scan(call("prompts/get", named)).unwrap().tool(), None);
}

#[test]
fn what_names_nothing_is_still_a_message() {
    for params in [
        "null",
        "[]",
        r#"["name"]"#,
        "{}",
        r#"{"name":1,"_meta":2}"#,
        r#"{"name":["n"],"_meta":[{"progressToken":1}]}"#,
    ] {
        let message = scan(call("tools/call", params)).unwrap();
        assert_eq!(message.kind(), Kind::Request);
        assert_eq!(message.target(), None, "{params}");
        assert!(message.progress_token().is_none(), "{params}");
    }
    for token in ["null", "true", "{}", "[1]"] {
        let params = format!(r#"{{"_meta":{{"progressToken":{token}}}}}"#);
        assert!(
            scan(call("tools/call", &params))
                .unwrap()
                .progress_token()
                .is_none(),
            "{token}"
        );
    }
}

#[test]
fn kinds() {
    let is = |body: &str, expected| assert_eq!(kind(body), expected, "{body}");
    is(r#"{"jsonrpc":"2.0","method":"m","id":0}"#, Some(Kind::Request));
    is(r#"{"jsonrpc":"2.0","method":"m"}"#, Some(Kind::Notification));
    is(r#"{"jsonrpc":"2.0","id":1,"result":null}"#, Some(Kind::Response));
    is(
        r#"{"jsonrpc":"2.0","id":1,"result":{"method":"m"}}"#,
        Some(Kind::Response),
    );
    is(
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
        Some(Kind::Response),
    );
    is(
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#,
        Some(Kind::Response),
    );
    is(
        r#"{"jsonrpc":"2.0","id":1,"error":{},"result":{}}"#,
        Some(Kind::Response),
    );
    is(
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
        Some(Kind::Response),
    );
    is(r#"{"jsonrpc":"2.0","result":{}}"#, None);
    is(r#"{"jsonrpc":"2.0","error":{},"result":{}}"#, None);
    is(r#"{"jsonrpc":"2.0","id":1}"#, None);
    is(r#"{"jsonrpc":"2.0"}"#, None);
    is(r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#, None);
    is(r#"{"jsonrpc":"2.0","id":1,"method":"m","error":{}}"#, None);
}

#[test]
fn what_is_not_one_message() {
    for body in [
        "",
        " ",
        "{}",
        "null",
        "7",
        r#""{}""#,
        r#"[{"jsonrpc":"2.0","method":"m","id":1}]"#,
        r#"{"method":"m","id":1}"#,
        r#"{"jsonrpc":"1.0","method":"m"}"#,
        r#"{"jsonrpc":"2.00","method":"m"}"#,
        r#"{"jsonrpc":"2.0 and much, much more","method":"m"}"#,
        r#"{"jsonrpc":2.0,"method":"m"}"#,
        r#"{"jsonrpc":["2.0"],"method":"m"}"#,
        r#"{"jsonrpc":"2.0","method":1,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":null,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":{},"id":1,"result":1}"#,
        r#"{"jsonrpc":"2.0","method":"m","id":null}"#,
        r#"{"jsonrpc":"2.0","method":"m","id":true}"#,
        r#"{"jsonrpc":"2.0","method":"m","id":{}}"#,
        r#"{"jsonrpc":"2.0","method":"m","id":[1]}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{}}"#,
        r#"{"jsonrpc":"2.0","method":"m","params":"p"}"#,
        r#"{"jsonrpc":"2.0","method":"m","params":0}"#,
        r#"{"jsonrpc":"2.0","method":"m","params":false}"#,
        r#"{"jsonrpc":"2.0","method":"m"}{}"#,
        r#"{"jsonrpc":"2.0","method":"m"}x"#,
        r#"{"jsonrpc":"2.0","method":"m"},"#,
        r#"{"jsonrpc":"2.0","method":"m""#,
        r#"{"jsonrpc":"2.0","method":"m",}"#,
        "\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"m\"}",
    ] {
        assert!(scan(body).is_none(), "{body}");
    }
}

#[test]
fn twice_is_ambiguous() {
    let once = r#""jsonrpc":"2.0","id":1,"method":"tools/call""#;
    for twice in [
        r#""jsonrpc":"2.0""#,
        r#""id":1"#,
        r#""id":"x""#,
        r#""method":"tools/call""#,
    ] {
        assert!(scan(format!("{{{once},{twice}}}")).is_none(), "{twice}");
        assert!(scan(format!("{{{twice},{once}}}")).is_none(), "{twice}");
    }
    let params = |params: &str| scan(format!("{{{once},{params}}}"));
    assert!(params(r#""params":{},"params":{}"#).is_none());
    assert!(params(r#""params":null,"params":{}"#).is_none());
    assert!(params(r#""params":{"name":"a","name":"a"}"#).is_none());
    assert!(params(r#""params":{"name":1,"name":"a"}"#).is_none());
    assert!(params(r#""params":{"_meta":{},"_meta":{}}"#).is_none());
    assert!(params(r#""params":{"_meta":{"progressToken":1,"progressToken":1}}"#).is_none());
    assert_eq!(
        params(r#""params":{"uri":"a","uri":"b","name":"n"}"#)
            .unwrap()
            .tool(),
        Some("n")
    );
    assert!(params(r#""params":{"arguments":{"id":1,"id":2,"name":1,"name":2}}"#).is_some());
}

#[test]
fn ids_come_back_as_they_were_written() {
    let long = "9".repeat(MAX_TEXT);
    for id in [
        "0",
        "-0",
        "1.0",
        "1e3",
        "1E+03",
        r#""""#,
        r#""\u0061\/é\ud83d\ude00""#,
        "123456789012345678901234567890",
        &long,
    ] {
        let message = scan(format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"m"}}"#)).unwrap();
        assert_eq!(message.id().unwrap().as_json(), id);
        assert_eq!(message.id(), Id::from_json(id).as_ref());
        let error = error_message(message.id().unwrap(), -1, "", None);
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1,"message":""}}}}"#);
        assert_eq!(error, expected);
    }
    for not in [
        "",
        " 1",
        "1 ",
        "\"a\"\n",
        "null",
        "true",
        "[1]",
        "{}",
        "01",
        "\"",
        "1,2",
        "\"\n\"",
        &"9".repeat(MAX_TEXT + 1),
    ] {
        assert!(Id::from_json(not).is_none(), "{not}");
    }
}

#[test]
fn texts_are_bounded() {
    let body = |id: usize, method: &str, name: &str, token: usize| {
        let (id, token) = ("1".repeat(id), "t".repeat(token - 2));
        let params = format!(r#"{{"name":"{name}","_meta":{{"progressToken":"{token}"}}}}"#);
        format!(r#"{{"params":{params},"id":{id},"method":"{method}","jsonrpc":"2.0"}}"#)
    };
    let fits = "x".repeat(MAX_TEXT);
    let long = "x".repeat(MAX_TEXT + 1);

    let message = scan(body(MAX_TEXT, "tools/call", &fits, MAX_TEXT)).unwrap();
    assert_eq!(message.tool(), Some(fits.as_str()));
    assert_eq!(message.progress_token().unwrap().as_json().len(), MAX_TEXT);
    assert_eq!(
        scan(body(1, &fits, "n", 3)).unwrap().method(),
        Some(fits.as_str())
    );

    assert!(scan(body(MAX_TEXT + 1, "tools/call", "n", 3)).is_none());
    assert!(scan(body(1, &long, "n", 3)).is_none());
    let message = scan(body(1, "tools/call", &long, 3)).unwrap();
    assert_eq!(
        (message.tool(), message.progress_token().unwrap().as_json()),
        (None, r#""t""#)
    );
    let message = scan(body(1, "tools/call", "n", MAX_TEXT + 1)).unwrap();
    assert_eq!((message.tool(), message.progress_token()), (Some("n"), None));

    let cut_within = format!("x{}", "é".repeat(MAX_TEXT / 2));
    assert_eq!(scan(body(1, "tools/call", &cut_within, 3)).unwrap().tool(), None);

    let escaped = r"\u00e9".repeat(MAX_TEXT / 2);
    assert_eq!(
        scan(body(1, "tools/call", &escaped, 3))
            .unwrap()
            .tool()
            .map(str::len),
        Some(MAX_TEXT)
    );
    assert_eq!(
        scan(body(1, "tools/call", &(escaped + "x"), 3)).unwrap().tool(),
        None
    );
}

#[test]
fn a_scan_ends_at_its_limit() {
    let body = call("tools/list", "{}");
    for (limit, fits) in [(body.len(), true), (body.len() - 1, false), (0, false)] {
        for chunk in [1, 7, body.len()] {
            let mut scanner = Scanner::new().with_max_scan(limit);
            for _ in 0..2 {
                body.as_bytes()
                    .chunks(chunk)
                    .for_each(|chunk| scanner.feed(chunk));
                assert_eq!(scanner.finish().is_some(), fits, "{limit} {chunk}");
                assert_eq!(scanner.has_given_up(), !fits);
                scanner.reset();
            }
        }
    }
    let mut scanner = Scanner::new();
    let filler = vec![b' '; MAX_SCAN - body.len()];
    scanner.feed(&filler);
    scanner.feed(body.as_bytes());
    assert!(scanner.finish().is_some());
    scanner.feed(b" ");
    assert!(scanner.finish().is_none());
}

#[test]
fn it_gives_up_as_soon_as_nothing_can_help() {
    for start in [
        "[",
        "x",
        "7",
        "\"",
        "{x",
        r#"{"id":null"#,
        r#"{"jsonrpc":"3""#,
        r#"{"id":1,"id""#,
        "{} {",
    ] {
        let mut scanner = Scanner::new();
        scanner.feed(start.as_bytes());
        assert!(scanner.has_given_up(), "{start}");
    }
}

#[test]
fn the_lines_of_an_event_are_one_message() {
    let mut scanner = Scanner::new();
    for (lines, expected) in [
        (
            &[r#"{"jsonrpc":"2.0","#, r#""id":1,"result":{}}"#][..],
            Some(Kind::Response),
        ),
        (
            &[r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#],
            Some(Kind::Notification),
        ),
        (&[r#"{"jsonrpc":"2.0","id":1,"resu"#, r#"lt":{}}"#], None),
        (
            &["", r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, ""],
            Some(Kind::Response),
        ),
        (&["[DONE]"], None),
        (&[""], None),
        (
            &[r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#],
            Some(Kind::Request),
        ),
    ] {
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                scanner.feed(b"\n");
            }
            scanner.feed(line.as_bytes());
        }
        assert_eq!(scanner.kind(), expected, "{lines:?}");
        scanner.reset();
    }
}

#[test]
fn a_reset_forgets_whatever_was_half_done() {
    let body = call("tools/call", r#"{"name":"n","_meta":{"progressToken":1}}"#);
    let mut scanner = Scanner::new();
    for end in 0..body.len() {
        scanner.feed(&body.as_bytes()[..end]);
        scanner.reset();
        scanner.feed(br#"{"method":"m","jsonrpc":"2.0"}"#);
        let message = scanner.finish().unwrap();
        assert_eq!(
            format!("{message:?}"),
            format!("{:?}", scan(r#"{"method":"m","jsonrpc":"2.0"}"#).unwrap())
        );
        scanner.reset();
    }
}

#[test]
fn errors_are_json_in_one_line() {
    let id = Id::from_json("\"q\"").unwrap();
    let text: String = ('\0'..='\u{7f}').chain("é\u{2028}😀".chars()).collect();
    let data = "{\"a\":\n[1,\r\n\"\\n\"]}";
    let line = error_message(&id, i32::MIN, &text, Some(data));
    assert!(!line.iter().any(|byte| *byte < 0x20), "{line:?}");
    assert_eq!(
        serde_json::from_slice::<Value>(&line).unwrap(),
        json!({"jsonrpc":"2.0","id":"q","error":{"code":i32::MIN,"message":text,"data":{"a":[1,"\n"]}}}),
    );
    let without = error_message(&id, 1, "m", None);
    for broken in ["", "{", "{}}", "\u{feff}{}", r#"{},"x":1"#] {
        assert_eq!(error_message(&id, 1, "m", Some(broken)), without, "{broken}");
    }
    let answer = scan(&line).unwrap();
    assert_eq!((answer.kind(), answer.id()), (Kind::Response, Some(&id)));
}

#[test]
fn a_slot_is_filled_once_for_all_who_share_it() {
    let slot = CallSlot::new();
    let shared = slot.clone();
    assert!(shared.call().is_none());
    slot.fill(scan(call("first", "{}")).unwrap());
    slot.fill(scan(call("second", "{}")).unwrap());
    assert_eq!(shared.call().unwrap().method(), Some("first"));
}
