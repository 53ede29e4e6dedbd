//! What the docs promise, looked up in a tree that `serde_json` read.

use std::collections::HashSet;

use serde_json::Value;

use crate::rpc::grammar::Grammar;
use crate::rpc::listen::{Container, Listen, Scalar};
use crate::rpc::{Kind, MAX_TEXT, Message};

/// The value that `serde_json` reads, where numbers beyond its range count as 0.
pub(super) fn oracle(document: &[u8]) -> Option<Value> {
    let mut document = document.to_vec();
    loop {
        let error = match serde_json::from_slice(&document) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if !error.to_string().starts_with("number out of range") {
            return None;
        }
        let lines = document.split_inclusive(|byte| *byte == b'\n');
        let line: usize = lines.take(error.line() - 1).map(<[u8]>::len).sum();
        let (before, after) = document.split_at(line + error.column());
        let exponent = after.iter().take_while(|byte| byte.is_ascii_digit());
        let number = before
            .iter()
            .rev()
            .take_while(|byte| b"+-.eE0123456789".contains(byte));
        let range = before.len() - number.count()..before.len() + exponent.count();
        document.splice(range, *b"0 ");
    }
}

/// Which keys an object has twice.
#[derive(Default)]
struct Repeats {
    path: Vec<String>,
    in_key: bool,
    seen: HashSet<Vec<String>>,
    twice: HashSet<Vec<String>>,
}

impl Listen for Repeats {
    fn open(&mut self, container: Container, depth: u8) {
        if container == Container::Array {
            self.path.truncate(usize::from(depth) - 1);
            self.path.push("[]".into());
        }
    }
    fn close(&mut self, _: u8) {}
    fn key(&mut self, depth: u8) {
        self.path.truncate(usize::from(depth) - 1);
        self.path.push(String::new());
        self.in_key = true;
    }
    fn scalar(&mut self, _: Scalar, _: u8) {}
    fn raw(&mut self, _: &[u8]) {}
    fn decoded(&mut self, text: &[u8]) {
        if self.in_key {
            self.path
                .last_mut()
                .unwrap()
                .push_str(std::str::from_utf8(text).unwrap());
        }
    }
    fn end(&mut self) {
        if std::mem::take(&mut self.in_key) && !self.seen.insert(self.path.clone()) {
            self.twice.insert(self.path.clone());
        }
    }
}

/// The message that a document is, by the docs.
pub(super) fn expected(document: &[u8]) -> Option<(Kind, [Option<Value>; 4])> {
    let value = oracle(document)?;
    let message = value.as_object()?;
    let mut repeats = Repeats::default();
    Grammar::new().feed(document, &mut repeats);
    let twice = |path: &[&str]| repeats.twice.iter().any(|found| found.iter().eq(path.iter()));
    let unique: [&[&str]; 6] = [
        &["jsonrpc"],
        &["id"],
        &["method"],
        &["params"],
        &["params", "_meta"],
        &["params", "_meta", "progressToken"],
    ];
    let scalar = |value: &Value| value.is_string() || value.is_number();
    let params = message.get("params");
    let well_formed = message.get("jsonrpc")? == "2.0"
        && message.get("id").is_none_or(scalar)
        && message
            .get("method")
            .is_none_or(|method| method.as_str().is_some_and(|method| method.len() <= MAX_TEXT))
        && params.is_none_or(|params| params.is_object() || params.is_array() || params.is_null())
        && !unique.iter().any(|path| twice(path));
    if !well_formed {
        return None;
    }
    let has = |key: &str| message.contains_key(key);
    let kind = match (has("method"), has("id"), has("result"), has("error")) {
        (true, true, false, false) => Kind::Request,
        (true, false, false, false) => Kind::Notification,
        (false, true, true, _) | (false, _, false, true) => Kind::Response,
        _ => return None,
    };
    let param = |key: &str| params.and_then(|params| params.get(key));
    let target = match message.get("method").and_then(Value::as_str) {
        Some("tools/call" | "prompts/get") => Some("name"),
        Some("resources/read") => Some("uri"),
        _ => None,
    };
    if target.is_some_and(|key| twice(&["params", key])) {
        return None;
    }
    let target = target
        .and_then(param)
        .filter(|target| target.as_str().is_some_and(|text| text.len() <= MAX_TEXT));
    let token = param("_meta")
        .and_then(|meta| meta.get("progressToken"))
        .filter(|token| scalar(token));
    Some((
        kind,
        [message.get("id"), message.get("method"), target, token].map(Option::<&Value>::cloned),
    ))
}

pub(super) fn found(message: &Message) -> (Kind, [Option<Value>; 4]) {
    let scalar = |json: &str| oracle(json.as_bytes()).unwrap();
    let fields = [
        message.id().map(|id| scalar(id.as_json())),
        message.method().map(Value::from),
        message.target().map(Value::from),
        message.progress_token().map(|token| scalar(token.as_json())),
    ];
    (message.kind(), fields)
}
