//! Each form of a refusal, as strict readers of that form see it.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::error::{Bound, Phase};
use crate::request_head::RequestHead;
use crate::rpc::{CallSlot, Scanner};

fn expired(phase: Phase) -> Reason {
    let (limit, elapsed) = (Duration::from_secs(90), Duration::from_millis(90_500));
    Reason::PhaseExpired(PhaseExpired::new(phase, Bound::Limit, limit, elapsed))
}

fn refuse(request: http::request::Builder, body: &str, phase: Phase) -> Response<bytes::Bytes> {
    let slot = CallSlot::new();
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes());
    if let Some(message) = scanner.finish() {
        slot.fill(message);
    }
    let request: Request<()> = request.extension(slot).body(()).unwrap();
    let refusal = Refusal::new(expired(phase), RefusalStatus::GATEWAY_TIMEOUT);
    Caller::of(&RequestHead::of(&request)).refuse(&refusal)
}

fn json(response: &Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn a_call_is_refused_under_its_own_id() {
    for id in ["7", "\"a\\\"b\\u00e9\"", "1.5e3"] {
        let call = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\"}}");
        let response = refuse(Request::post("/"), &call, Phase::Head);
        assert_eq!(response.headers()["content-type"], "application/json");
        let id: Value = serde_json::from_str(id).unwrap();
        let data = json!({ "reason": "timeout", "phase": "head", "limitMs": 90_000, "elapsedMs": 90_500 });
        let message = "the head phase took 90.5s, its limit is 90s";
        let error = json!({ "code": -32001, "message": message, "data": data });
        assert_eq!(
            json(&response),
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        );
    }
}

#[test]
fn what_is_no_request_of_known_id_is_never_answered_in_json_rpc() {
    for body in [
        "",
        "{",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
    ] {
        let response = refuse(Request::post("/"), body, Phase::Head);
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; charset=utf-8",
            "{body}"
        );
        assert_eq!(response.body(), "the head phase took 90.5s, its limit is 90s\n");
    }
}

#[test]
fn problem_details_have_the_members_of_the_rfc_and_ours() {
    let request = Request::get("/").header("accept", "application/json");
    let response = refuse(request, "", Phase::Total);
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    let expected = json!({
        "type": "about:blank", "title": "Gateway Timeout", "status": 504,
        "detail": "the total phase took 90.5s, its limit is 90s",
        "reason": "timeout", "phase": "total", "limitMs": 90_000, "elapsedMs": 90_500,
    });
    assert_eq!(json(&response), expected);
}

#[test]
fn grpc_gets_trailers_only() {
    let response = refuse(
        Request::post("/").header("content-type", "application/grpc"),
        "",
        Phase::Head,
    );
    assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
    assert_eq!(response.headers()["grpc-status"], "4");
    assert_eq!(
        response.headers()["grpc-message"],
        "the head phase took 90.5s, its limit is 90s"
    );
}

#[test]
fn grpc_messages_are_percent_encoded() {
    assert_eq!(form::percent_encoded("50 % of \u{e9}\n"), "50 %25 of %C3%A9%0A");
}

#[test]
fn a_slow_request_body_has_codes_of_its_own() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
    let response = refuse(Request::post("/"), call, Phase::RequestIdle);
    assert_eq!(json(&response)["error"]["code"], -32002);
    assert_eq!(json(&response)["error"]["data"]["reason"], "request_timeout");
}

#[test]
fn a_status_that_looks_like_an_answer_is_refused() {
    for status in [100, 200, 304] {
        assert!(RefusalStatus::new(StatusCode::from_u16(status).unwrap()).is_err());
    }
    assert!(RefusalStatus::new(StatusCode::from_u16(599).unwrap()).is_ok());
}
