//! The server as a process of its own, and a client that speaks HTTP and nothing more.

mod clients;
mod crowd;
mod raw;
pub(crate) mod rmcp;
mod session;
mod uses;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub(crate) use self::clients::{python, typescript};
pub(crate) use self::crowd::crowd;
pub(crate) use self::raw::raw;
pub(crate) use self::rmcp::rust;
pub(crate) use self::session::{Heard, Session};

/// A server on a port of its own, which ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) http: Client,
}

/// What a call of a tool came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) progress: Vec<Value>,
    /// The response: with a `result` or an `error`.
    pub(crate) response: Value,
}

// === impl Server ===

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, Stdio::inherit())
    }

    pub(crate) fn start_with(arguments: &[&str], log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_knowledge-server"));
        command.args(["--bind", "127.0.0.1:0"]).args(arguments);
        Self::of(command, log)
    }

    pub(crate) fn of(mut command: Command, log: Stdio) -> Self {
        // First, since what fails from here on leaves the server running.
        let http = Client::new();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the server starts").unwrap();
            let address = line.strip_prefix("listening on ");
            if let Some(base) = address.and_then(|address| address.strip_suffix("/mcp")) {
                break base.to_owned();
            }
        };
        Self { child, base, http }
    }

    pub(crate) fn mcp(&self) -> String {
        format!("{}/mcp", self.base)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = self
            .http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A figure by the name and the labels that it is written with.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").await;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// How many seats are taken.
    pub(crate) async fn seats(&self) -> f64 {
        self.figure(r#"lifeline_gate_in_flight{gate="mcp"}"#).await
    }

    pub(crate) async fn until_seats(&self, wanted: f64, within: Duration) {
        let until = Instant::now() + within;
        while self.seats().await != wanted {
            assert!(Instant::now() < until, "{} seats are taken", self.seats().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A call as revision 2026-07-28 has it.
    pub(crate) fn calling(&self, tool: &str, arguments: Value) -> RequestBuilder {
        self.asking(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
            json!({}),
        )
    }

    /// Any request as revision 2026-07-28 has it.
    pub(crate) fn asking(&self, method: &str, mut params: Value, capabilities: Value) -> RequestBuilder {
        params["_meta"] = json!({
            "progressToken": "p1",
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        let request = self
            .http
            .post(self.mcp())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        let named = ["name", "taskId"].iter().find_map(|key| params[key].as_str());
        let request = match named {
            Some(name) => request.header("mcp-name", name),
            None => request,
        };
        request.json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Outcome {
        Outcome::of(self.calling(tool, arguments).send().await.unwrap()).await
    }

    pub(crate) fn ask(&self) -> RequestBuilder {
        self.calling(
            "ask_papers",
            json!({ "question": "Why do retries make overload worse?" }),
        )
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// How it ended, if it does so in time.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the server goes on");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) async fn of(response: Response) -> Self {
        let mut messages = messages(response).await;
        let response = messages.pop().expect("a response");
        assert!(
            response.get("method").is_none(),
            "the last message is no response: {response}"
        );
        Self {
            progress: messages,
            response,
        }
    }

    /// The text of the result, which is an error or not.
    pub(crate) fn text(&self, is_error: bool) -> &str {
        let result = &self.response["result"];
        assert_eq!(result["isError"], is_error, "{}", self.response);
        result["content"][0]["text"].as_str().unwrap()
    }
}

/// All messages of an answer, be it one or a stream.
pub(crate) async fn messages(response: Response) -> Vec<Value> {
    if response.headers()["content-type"] == "application/json" {
        return vec![response.json().await.unwrap()];
    }
    // What primes a stream is no message.
    let messages = events(response).map(|(_, message)| message);
    messages
        .filter(|message| std::future::ready(!message.is_null()))
        .collect()
        .await
}

/// The messages of a stream with their ids, until it ends or breaks off.
pub(crate) fn events(response: Response) -> impl Stream<Item = (String, Value)> {
    let events = response.bytes_stream().eventsource();
    events
        .map(|event| event.ok())
        .take_while(|event| std::future::ready(event.is_some()))
        .filter_map(|event| async {
            let event = event?;
            let message = serde_json::from_str(&event.data).unwrap_or(Value::Null);
            Some((event.id, message))
        })
}
