//! Progress notifications in the place of comments, for clients whose own timers hear nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::error::ConfigError;
use crate::rpc::{Id, Message};
use crate::sse::{self, Sink};

/// For which tools a beat is a `notifications/progress` where the client asked for progress, and for how long.
///
/// Comments keep connections alive. The timers that MCP SDKs set for each request (60 s in the TypeScript SDK)
/// hear nothing of them, and some can be told to start over with each progress notification. A beat of this kind
/// says `still working` and no more: its `progress` counts millionths, so that a client which draws a bar draws
/// none.
///
/// It takes the client's `progressToken`, which the [scanner](crate::rpc) finds in the request's body. It ends
/// for good with the first message of the service, because what the service says of its progress must not be
/// contradicted, and after the cap, because a tool that hangs must not be kept alive for ever; comments go on.
///
/// ```
/// use std::time::Duration;
/// use tower_lifeline::sse_heartbeat::Progress;
///
/// # fn main() -> Result<(), tower_lifeline::ConfigError> {
/// let listed = Progress::for_tools(["search", "summarize"]);
/// let most = Progress::where_tool(|name| name != "quick").with_cap(Duration::from_secs(120))?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Progress {
    tools: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    cap: Duration,
}

/// The notifications of one stream.
#[derive(Debug)]
pub(super) struct Talk {
    token: Id,
    sent: u32,
    cap: Duration,
    began: Option<Instant>,
}

/// Whether the service has said a word: the first byte of any event's data. An event without data, with which
/// servers tell a client where to resume, is none.
#[derive(Debug, Default)]
pub(super) struct Spoken(pub(super) bool);

/// Where MCP clients that have a limit at all give up: Claude Code, Python's HTTP client, VS Code.
const CAP: Duration = Duration::from_secs(300);

// === impl Progress ===

impl Progress {
    /// For the tools with these names. The cap is 300 s, after which the clients give up that have a limit at all.
    #[must_use]
    pub fn for_tools<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        Self::where_tool(move |name| names.iter().any(|known| known == name))
    }

    /// For the tools for whose name `chooses` says true.
    #[must_use]
    pub fn where_tool(chooses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            tools: Arc::new(chooses),
            cap: CAP,
        }
    }

    /// Ends the notifications so long after the first one.
    ///
    /// # Errors
    /// Refuses zero, with which there would be none.
    pub fn with_cap(mut self, cap: Duration) -> Result<Self, ConfigError> {
        if cap.is_zero() {
            return Err(ConfigError::new(
                "a cap of zero allows no progress notification at all; leave `with_progress` out instead"
                    .to_owned(),
            ));
        }
        self.cap = cap;
        Ok(self)
    }

    /// For how long they are sent.
    #[must_use]
    pub const fn cap(&self) -> Duration {
        self.cap
    }

    /// The notifications for the stream that answers `call`.
    pub(super) fn talk(&self, call: &Message) -> Option<Talk> {
        let token = call.progress_token()?;
        let chosen = call.request_id().is_some() && (self.tools)(call.tool()?);
        chosen.then(|| Talk {
            token: token.clone(),
            sent: 0,
            cap: self.cap,
            began: None,
        })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

// === impl Spoken ===

impl Sink for Spoken {
    fn data(&mut self, _: &[u8]) {
        self.0 = true;
    }

    fn data_line_end(&mut self) {}

    fn event_end(&mut self) {}
}

// === impl Talk ===

impl Talk {
    /// The next notification, as an event. `None`: there will be no other.
    pub(super) fn next(&mut self, now: Instant) -> Option<Bytes> {
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) > self.cap || self.sent == 999_999 {
            return None;
        }
        self.sent += 1;
        let (token, sent) = (self.token.as_json(), self.sent);
        let notification = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\
             \"progress\":0.{sent:06},\"message\":\"still working\"}}}}"
        );
        Some(sse::message_event(notification, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;
    use crate::rpc::Scanner;

    fn call(json: &str) -> Message {
        let mut scanner = Scanner::new();
        scanner.feed(json.as_bytes());
        scanner.finish().unwrap()
    }

    fn tool_call(token: &str) -> Message {
        call(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"slow"{token}}}}}"#
        ))
    }

    const TOKEN: &str = r#","_meta":{"progressToken":"é\n\"x"}"#;

    #[test]
    fn only_a_chosen_tool_whose_client_asked_is_talked_about() {
        let slow = Progress::for_tools(["slow"]);
        assert!(slow.talk(&tool_call(TOKEN)).is_some());
        assert!(slow.talk(&tool_call("")).is_none());
        assert!(Progress::for_tools(["quick"]).talk(&tool_call(TOKEN)).is_none());
        let other =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":1}}}"#;
        assert!(Progress::where_tool(|_| true).talk(&call(other)).is_none());
        assert!(slow.with_cap(Duration::ZERO).is_err());
    }

    #[test]
    fn it_only_grows_and_ends_at_the_cap() {
        let start = now();
        let mut talk = Progress::where_tool(|_| true).talk(&tool_call(TOKEN)).unwrap();
        let mut last = 0.0;
        for second in (0..=300).step_by(15) {
            let event = talk.next(start + Duration::from_secs(second)).unwrap();
            let data = event.strip_prefix(b"data: ").unwrap();
            let message: serde_json::Value = serde_json::from_slice(data).unwrap();
            assert_eq!(message["params"]["progressToken"], "é\n\"x");
            let progress = message["params"]["progress"].as_f64().unwrap();
            assert!(progress > last && progress < 0.01, "{progress}");
            last = progress;
        }
        assert!(talk.next(start + Duration::from_secs(301)).is_none());
    }
}
