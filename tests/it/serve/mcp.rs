//! rmcp's sessions: one stream that nobody reads keeps the other calls of its session waiting. Not for long.

use std::net::SocketAddr;

use axum::Router;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{Held, LATE, STALL, Server, guard, settings, small, until};

#[derive(Clone)]
struct Tools(Held);

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "flood" {
            let token = context.meta.get_progress_token().unwrap();
            let _hold = self.0.hold();
            let message = "x".repeat(16 * 1024);
            for count in 0..u32::MAX {
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(count));
                if context
                    .peer
                    .notify_progress(progress.with_message(message.clone()))
                    .await
                    .is_err()
                {
                    break;
                }
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into())
    }
}

async fn post(mut socket: TcpStream, session: Option<&str>, body: Value) -> TcpStream {
    let session = session.map_or_else(String::new, |id| format!("mcp-session-id: {id}\r\n"));
    let body = body.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n{session}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn answer(address: SocketAddr, session: Option<&str>, body: Value) -> String {
    let mut socket = post(TcpStream::connect(address).await.unwrap(), session, body).await;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

fn call(id: u32, tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": {}, "_meta": { "progressToken": id } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

#[tokio::test]
async fn a_session_recovers_from_a_stream_that_nobody_reads() {
    let held = Held::default();
    let tools = Tools(held.clone());
    let config = StreamableHttpServerConfig::default().with_sse_keep_alive(None);
    let mcp: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(tools.clone()), Default::default(), config);
    let app = Router::new().nest_service("/mcp", mcp).layer(guard());
    let server = Server::start(app, settings()).await;
    let address = server.address;

    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let head = answer(address, None, hello).await;
    let session = head
        .lines()
        .find_map(|line| line.strip_prefix("mcp-session-id: "))
        .unwrap_or_else(|| panic!("{head}"));
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let accepted = answer(address, Some(session), ready).await;
    assert!(accepted.starts_with("HTTP/1.1 202"), "{accepted}");
    assert!(
        answer(address, Some(session), call(1, "quick"))
            .await
            .contains("done")
    );

    let stalled = post(small(address).await, Some(session), call(2, "flood")).await;
    until(LATE, || held.count() == 1).await;
    sleep(STALL / 4).await;
    let start = Instant::now();
    let starved = timeout(STALL / 4, answer(address, Some(session), call(3, "quick"))).await;
    assert!(starved.is_err(), "rmcp has learned to do without us");
    let answer = timeout(STALL + LATE, answer(address, Some(session), call(4, "quick"))).await;
    assert!(answer.expect("in time").contains("done"));
    assert!(start.elapsed() < STALL + LATE, "{:?}", start.elapsed());
    drop(stalled);
}
