//! rmcp's own client, in both revisions.

use std::future::Future;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam,
    ProtocolVersion,
};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};

use super::Server;
use super::uses::{Uses, used};

/// Hears of progress, which it asks for with every request.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    config: ClientConfig,
    heard: Arc<Mutex<Vec<(f64, Value)>>>,
}

pub(crate) type Client = RunningService<RoleClient, Listener>;

struct Rmcp {
    client: Client,
    heard: Arc<Mutex<Vec<(f64, Value)>>>,
}

/// Uses the server in the revision `version` for `all`, or only `ask`s.
pub(crate) async fn rust(server: &Server, version: &str, what: &str) -> Value {
    let client = connect(server, version, ClientCapabilities::default()).await;
    let heard = client.service().heard.clone();
    let mut rmcp = Rmcp { client, heard };
    let seen = used(server, &mut rmcp, what).await;
    rmcp.client.cancel().await.unwrap();
    seen
}

pub(crate) async fn connect(server: &Server, version: &str, capabilities: ClientCapabilities) -> Client {
    let listener = Listener {
        config: ClientConfig::new(capabilities, Implementation::new("test", "1")),
        heard: Arc::default(),
    };
    let transport = StreamableHttpClientTransport::from_uri(server.mcp());
    let newest = ProtocolVersion::V_2026_07_28;
    let lifecycle = match version == newest.as_str() {
        true => ClientLifecycleMode::Discover {
            preferred_versions: vec![newest],
        },
        false => ClientLifecycleMode::Initialize,
    };
    listener.serve_with_lifecycle(transport, lifecycle).await.unwrap()
}

pub(crate) fn calling(tool: &str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_owned()).with_arguments(serde_json::from_value(arguments).unwrap())
}

// === impl Listener ===

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        self.config.clone()
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let told = (told.progress, json!([told.progress, told.message]));
        self.heard.lock().unwrap().push(told);
    }
}

// === impl Rmcp ===

impl Uses for Rmcp {
    fn version(&self) -> String {
        let server = self.client.peer_info().unwrap();
        server.protocol_version.to_string()
    }

    async fn tools(&mut self) -> Vec<Value> {
        let tools = self.client.list_all_tools().await.unwrap();
        tools.into_iter().map(|tool| json!(tool.name)).collect()
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> (Value, Vec<Value>) {
        self.heard.lock().unwrap().clear();
        let result = self.client.call_tool(calling(tool, arguments)).await.unwrap();
        let mut heard = std::mem::take(&mut *self.heard.lock().unwrap());
        // It hands out each notification in a task of its own.
        heard.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let heard = heard.into_iter().map(|(_, told)| told).collect();
        (serde_json::to_value(result).unwrap(), heard)
    }

    async fn give_up(&mut self, tool: &str, arguments: Value, begun: impl Future<Output = ()>) {
        let peer = self.client.peer().clone();
        let call = calling(tool, arguments);
        let call = tokio::spawn(async move { peer.call_tool(call).await });
        begun.await;
        call.abort();
    }
}
