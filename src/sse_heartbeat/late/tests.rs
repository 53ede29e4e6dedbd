//! Each kind of late answer, judged by its head and made into an event.

use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::*;

const LIMIT: usize = 100;

fn id() -> Id {
    Id::from_json("\"a\"").unwrap()
}

fn late(
    status: u16,
    content_type: &'static str,
    encoding: &'static str,
    is_empty: bool,
    id: Option<&Id>,
) -> Late {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if !encoding.is_empty() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Late::of(
        StatusCode::from_u16(status).unwrap(),
        &headers,
        u64::MAX,
        is_empty,
        id,
        LIMIT,
    )
}

/// What a whole body becomes.
fn event(status: u16, content_type: &'static str, id: Option<&Id>, body: &[&str]) -> Result<String, Lost> {
    let Late::Whole(mut gather) = late(status, content_type, "", false, id) else {
        panic!("not gathered")
    };
    body.iter().try_for_each(|piece| gather.take(piece.as_bytes()))?;
    gather
        .finish(id)
        .map(|(event, _)| String::from_utf8(event.to_vec()).unwrap())
}

#[test]
fn a_head_tells_what_can_be_made_of_an_answer() {
    let id = Some(id());
    let id = id.as_ref();
    assert!(matches!(
        late(200, "text/event-stream; x=y", "", false, id),
        Late::Stream
    ));
    assert!(matches!(
        late(503, "Text/Event-Stream", "", false, None),
        Late::Stream
    ));
    assert!(matches!(
        late(200, "application/json", "", false, id),
        Late::Whole(_)
    ));
    assert!(matches!(
        late(200, "application/problem+json", "", false, id),
        Late::Whole(_)
    ));
    assert!(matches!(late(200, "text/plain", "", false, None), Late::Whole(_)));
    assert!(matches!(
        late(500, "application/json", "", false, id),
        Late::Whole(_)
    ));
    for lost in [
        late(200, "text/plain", "", false, id),
        late(200, "image/png", "", false, None),
        late(200, "application/json", "gzip", false, id),
        late(200, "text/event-stream", "br", false, None),
    ] {
        assert!(matches!(lost, Late::Lost(Lost::Format)), "{lost:?}");
    }
    assert!(matches!(
        late(202, "text/plain", "", true, id),
        Late::Lost(Lost::Status(202))
    ));
    assert!(matches!(
        late(500, "text/plain", "", false, None),
        Late::Lost(Lost::Status(500))
    ));
    assert!(matches!(
        late(404, "application/json", "", true, id),
        Late::Lost(Lost::Status(404))
    ));
    assert!(matches!(late(204, "text/plain", "", true, None), Late::Nothing));
}

#[test]
fn json_becomes_one_line_and_means_the_same() {
    let pretty = ["\u{feff}{\r\n  \"a\": [1,\r", "2,\n\n3],\n\t\"b\": \"x\\n\"\r}\n"];
    let event = event(200, "application/json", None, &pretty).unwrap();
    let data = event
        .strip_prefix("data: ")
        .and_then(|event| event.strip_suffix("\n\n"))
        .unwrap();
    assert!(!data.contains(['\r', '\n', '\u{feff}']), "{data:?}");
    let value: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(value, serde_json::json!({ "a": [1, 2, 3], "b": "x\n" }));
}

#[test]
fn text_keeps_its_lines() {
    assert_eq!(
        event(200, "text/plain", None, &["a\r\nid: 1\n", "b"]).unwrap(),
        "data: a\ndata: id: 1\ndata: b\n\n"
    );
}

#[test]
fn an_error_passes_only_as_the_answer_to_this_request() {
    let id = Some(id());
    let id = id.as_ref();
    let answer = r#"{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"}}"#;
    assert_eq!(
        event(404, "application/json", id, &[answer]).unwrap(),
        format!("data: {answer}\n\n")
    );
    for other in [
        r#"{"jsonrpc":"2.0","id":"b","error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#,
        "{}",
        "",
    ] {
        assert_eq!(
            event(404, "application/json", id, &[other]),
            Err(Lost::Status(404)),
            "{other}"
        );
    }
    assert_eq!(
        event(404, "application/json", None, &["{}"]).unwrap(),
        "event: error\ndata: {}\n\n"
    );
    assert_eq!(
        event(200, "application/json", id, &[" \n"]),
        Err(Lost::Status(200))
    );
}

#[test]
fn too_much_is_known_before_it_is_kept() {
    let long = "x".repeat(LIMIT);
    assert!(event(200, "text/plain", None, &[&long]).is_ok());
    assert_eq!(
        event(200, "text/plain", None, &[&long, "x"]),
        Err(Lost::TooLarge { limit: LIMIT })
    );
    assert_eq!(
        event(500, "application/json", None, &[&long, "x"]),
        Err(Lost::Status(500))
    );
}

#[test]
fn what_was_lost_is_said_in_the_clients_language() {
    let id = id();
    let losses = [
        Lost::Status(503),
        Lost::ServiceError,
        Lost::BodyFailed,
        Lost::TooLarge { limit: LIMIT },
        Lost::Format,
    ];
    for lost in losses {
        let event = error_event(Some(&id), lost);
        let message: serde_json::Value = serde_json::from_slice(event.strip_prefix(FIELD).unwrap()).unwrap();
        assert_eq!(
            (&message["id"], &message["error"]["code"]),
            (&"a".into(), &INTERNAL_ERROR.into())
        );
        assert_eq!(message["error"]["data"]["reason"], lost.as_str());
        let event = error_event(None, lost);
        let problem = event.strip_prefix(b"event: error\ndata: ").unwrap();
        let problem: serde_json::Value = serde_json::from_slice(problem).unwrap();
        assert_eq!(problem["detail"], lost.to_string());
    }
}
