//! A client that speaks HTTP and nothing more, in both revisions.

use std::future::Future;

use serde_json::{Value, json};

use super::uses::{Uses, used};
use super::{Outcome, Server, Session};

/// Without sessions.
struct Modern<'a> {
    server: &'a Server,
    version: String,
}

/// In a session.
struct InSession<'a> {
    session: Session<'a>,
    last: u32,
}

/// Uses the server in the revision `version` for `all`, or only `ask`s.
pub(crate) async fn raw(server: &Server, version: &str, what: &str) -> Value {
    if version == "2025-11-25" {
        let session = Session::open(server).await;
        return used(server, &mut InSession { session, last: 0 }, what).await;
    }
    let discovery = server.asking("server/discover", json!({}), json!({}));
    let discovered = Outcome::of(discovery.send().await.unwrap()).await.response;
    let spoken = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(spoken.contains(&json!(version)), "{discovered}");
    let version = version.to_owned();
    used(server, &mut Modern { server, version }, what).await
}

fn names(listed: &Value) -> Vec<Value> {
    let tools = listed["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].clone()).collect()
}

fn told(outcome: Outcome) -> (Value, Vec<Value>) {
    let progress = outcome.progress.iter().map(|told| &told["params"]);
    let progress = progress.map(|told| json!([told["progress"], told["message"]]));
    (outcome.response["result"].clone(), progress.collect())
}

// === impl Modern ===

impl Uses for Modern<'_> {
    fn version(&self) -> String {
        self.version.clone()
    }

    async fn tools(&mut self) -> Vec<Value> {
        let listing = self.server.asking("tools/list", json!({}), json!({}));
        names(&Outcome::of(listing.send().await.unwrap()).await.response)
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> (Value, Vec<Value>) {
        told(self.server.call(tool, arguments).await)
    }

    /// It leaves, perhaps before there is an answer.
    async fn give_up(&mut self, tool: &str, arguments: Value, begun: impl Future<Output = ()>) {
        let call = tokio::spawn(self.server.calling(tool, arguments).send());
        begun.await;
        call.abort();
    }
}

// === impl InSession ===

impl Uses for InSession<'_> {
    fn version(&self) -> String {
        self.session.version.clone()
    }

    async fn tools(&mut self) -> Vec<Value> {
        self.last += 1;
        let listing = self.session.request(self.last, "tools/list", json!({}));
        names(&Outcome::of(listing.send().await.unwrap()).await.response)
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> (Value, Vec<Value>) {
        self.last += 1;
        told(
            Outcome::of(
                self.session
                    .call(self.last, tool, arguments)
                    .send()
                    .await
                    .unwrap(),
            )
            .await,
        )
    }

    /// It says so: to leave is not enough.
    async fn give_up(&mut self, tool: &str, arguments: Value, begun: impl Future<Output = ()>) {
        self.last += 1;
        let call = self.session.call(self.last, tool, arguments);
        let call = tokio::spawn(call.send());
        begun.await;
        self.session.cancel(self.last).await;
        drop(call);
    }
}
