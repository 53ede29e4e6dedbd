//! A session as revision 2025-11-25 has it, by hand.

use futures::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{Outcome, Server, events};

/// A session that is open.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    server: &'a Server,
    id: String,
    pub(crate) version: String,
}

/// What was heard of a stream that has ended.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) last_id: String,
    pub(crate) messages: Vec<Value>,
}

const VERSION: &str = "2025-11-25";

// === impl Session ===

impl<'a> Session<'a> {
    pub(crate) async fn open(server: &'a Server) -> Self {
        let opened = Self::opening(server, json!(0)).await;
        let id = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let agreed = Outcome::of(opened).await.response;
        let version = agreed["result"]["protocolVersion"].as_str().unwrap().to_owned();
        let session = Self { server, id, version };
        session.tell("notifications/initialized", json!({})).await;
        session
    }

    /// What is said to whoever wants to open one.
    pub(crate) async fn opening(server: &Server, id: Value) -> Response {
        let params = json!({
            "protocolVersion": VERSION, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params });
        let request = server.http.post(server.mcp()).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        request.send().await.unwrap()
    }

    pub(crate) async fn tell(&self, method: &str, params: Value) {
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let told = self.post(body).send().await.unwrap();
        assert_eq!(told.status(), 202);
    }

    pub(crate) async fn cancel(&self, id: u32) {
        self.tell("notifications/cancelled", json!({ "requestId": id }))
            .await;
    }

    /// Begins a call.
    pub(crate) async fn ask(&self, id: u32) -> Response {
        let arguments = json!({ "question": "Why do retries make overload worse?" });
        self.call(id, "ask_papers", arguments).send().await.unwrap()
    }

    pub(crate) fn call(&self, id: u32, tool: &str, arguments: Value) -> RequestBuilder {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
        self.request(id, "tools/call", params)
    }

    pub(crate) fn request(&self, id: u32, method: &str, params: Value) -> RequestBuilder {
        self.post(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    /// Goes on from an event.
    pub(crate) async fn resume(&self, last_id: &str) -> Response {
        let request = self.server.http.get(self.server.mcp());
        let request = self.in_session(request).header("last-event-id", last_id);
        request
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap()
    }

    fn post(&self, body: Value) -> RequestBuilder {
        let request = self.server.http.post(self.server.mcp());
        self.in_session(request)
            .header("accept", "application/json, text/event-stream")
            .json(&body)
    }

    fn in_session(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", VERSION)
    }
}

// === impl Heard ===

impl Heard {
    /// All that the stream says until it ends.
    pub(crate) async fn of(response: Response) -> Self {
        Self::until(response, |_| false).await
    }

    /// All that it says until a message is what was waited for.
    pub(crate) async fn until(response: Response, enough: impl Fn(&Value) -> bool) -> Self {
        assert_eq!(response.status(), 200);
        let mut heard = Self::default();
        let mut events = std::pin::pin!(events(response));
        while let Some((id, message)) = next(&mut events).await {
            heard.last_id = id;
            if message.is_null() {
                continue;
            }
            let is_enough = enough(&message);
            heard.messages.push(message);
            if is_enough {
                break;
            }
        }
        heard
    }

    /// The response, if it is among what was heard.
    pub(crate) fn response(&self) -> Option<&Value> {
        self.messages
            .iter()
            .find(|message| message.get("method").is_none())
    }
}

async fn next<S: Stream<Item = (String, Value)> + Unpin>(events: &mut S) -> Option<(String, Value)> {
    events.next().await
}
