//! A real MCP server, rmcp's, under the layers.

use std::time::Duration;

use axum::Router;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tower_lifeline::{
    Deadline, DeadlineLayer, PhaseLimits, PhaseTimeoutLayer, Reporter, RequestBodyLayer, RequestBodyLimits,
};

use crate::wire::serve;

/// Long against the scheduling of a busy machine, short for a test.
const READ: Duration = Duration::from_millis(400);

#[derive(Clone)]
struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>().unwrap();
        let deadline = parts.extensions.get::<Deadline>().unwrap().clone();
        if request.name == "progress then silence" {
            let token = context.meta.get_progress_token().unwrap();
            context
                .peer
                .notify_progress(ProgressNotificationParam::new(token, 1.0))
                .await
                .unwrap();
        }
        if request.name != "deadline" {
            std::future::pending::<()>().await;
        }
        let left = deadline.left().unwrap().as_secs().to_string();
        Ok(CallToolResult::success(vec![ContentBlock::text(left)]).into())
    }
}

fn app() -> Router {
    let config = StreamableHttpServerConfig::default().with_sse_keep_alive(Some(READ / 8));
    let mcp: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Tools), Default::default(), config);
    let limits = PhaseLimits::builder()
        .read(READ)
        .total(Duration::from_secs(60))
        .build()
        .unwrap();
    Router::new()
        .nest_service("/mcp", mcp)
        .layer(PhaseTimeoutLayer::new(limits).with_reporter(Reporter::silent()))
        .layer(RequestBodyLayer::new(RequestBodyLimits::new()))
        .layer(DeadlineLayer::new(Duration::from_secs(3600)).unwrap())
}

/// One call as revision 2026-07-28 has it.
async fn call(tool: &str) -> (Response<()>, String, bool) {
    let address = serve(app()).await;
    let body = json!({
        "jsonrpc": "2.0", "id": "call \u{e9}", "method": "tools/call",
        "params": { "name": tool, "arguments": {}, "_meta": {
            "progressToken": 5,
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    let request = Request::post(format!("http://{address}/mcp"))
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .body(Full::<bytes::Bytes>::from(body.to_string()))
        .unwrap();
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(socket);
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let (parts, mut body) = client.send_request(request).await.unwrap().into_parts();
    let mut text = Vec::new();
    let mut is_whole = true;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => is_whole = false,
        }
    }
    (
        Response::from_parts(parts, ()),
        String::from_utf8(text).unwrap(),
        is_whole,
    )
}

/// The messages in the `data` lines of a stream.
fn messages(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(|data| serde_json::from_str(data.trim()).unwrap())
        .collect()
}

#[tokio::test]
async fn a_tool_in_its_spawned_task_finds_the_deadline() {
    let (_, text, is_whole) = call("deadline").await;
    assert!(is_whole && text.contains("3599"), "{text}");
}

#[tokio::test]
async fn a_tool_that_never_says_a_word_is_refused_with_the_id_of_its_call() {
    let (head, text, is_whole) = call("silence").await;
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-type"]),
        (504, &"application/json".parse().unwrap())
    );
    assert!(is_whole);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&error["id"], &error["error"]["code"]),
        (&json!("call \u{e9}"), &json!(-32001))
    );
    assert_eq!(error["error"]["data"]["phase"], "head");
}

#[tokio::test]
async fn a_tool_that_hangs_behind_keep_alives_gets_a_goodbye_with_the_id_of_its_call() {
    let (head, text, is_whole) = call("progress then silence").await;
    assert_eq!((head.status().as_u16(), is_whole), (200, false));
    assert!(
        text.contains("\n:"),
        "rmcp's own keep-alive was to be there: {text}"
    );
    let messages = messages(&text);
    assert_eq!(messages.len(), 2, "{text}");
    assert_eq!(messages[0]["method"], "notifications/progress");
    assert_eq!(
        (&messages[1]["id"], &messages[1]["error"]["code"]),
        (&json!("call \u{e9}"), &json!(-32001))
    );
    assert_eq!(messages[1]["error"]["data"]["phase"], "read");
}
