//! rmcp's own client, in both revisions.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, GetTaskParams, Implementation,
    JsonObject, ProtocolVersion, TaskPayload,
};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::json;

use crate::serving::Server;

type Client = RunningService<RoleClient, ClientConfig>;

async fn connect(server: &Server, version: ProtocolVersion, capabilities: ClientCapabilities) -> Client {
    let config = ClientConfig::new(capabilities, Implementation::new("test", "1"));
    let transport = StreamableHttpClientTransport::from_uri(server.mcp());
    let lifecycle = match version == ProtocolVersion::V_2026_07_28 {
        true => ClientLifecycleMode::Discover {
            preferred_versions: vec![version],
        },
        false => ClientLifecycleMode::Initialize,
    };
    config.serve_with_lifecycle(transport, lifecycle).await.unwrap()
}

fn question() -> CallToolRequestParams {
    let arguments: JsonObject =
        serde_json::from_value(json!({ "question": "Why do retries make overload worse?" })).unwrap();
    CallToolRequestParams::new("ask_papers").with_arguments(arguments)
}

#[tokio::test]
async fn it_lists_asks_and_leaves_in_both_revisions() {
    let server = Server::start(&[]);
    for version in [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28] {
        let client = connect(&server, version.clone(), ClientCapabilities::default()).await;
        assert_eq!(client.list_all_tools().await.unwrap().len(), 3);
        let answer = client.call_tool(question()).await.unwrap();
        assert_eq!(answer.is_error, Some(false), "{version:?}");
        let structured = answer.structured_content.unwrap();
        assert!(structured["answer"].as_str().unwrap().contains("[1]"));
        client.cancel().await.unwrap();
        server.until_seats(0.0, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_call_that_it_gives_up_ends_in_both_revisions() {
    let server = Server::start(&["--fault", "model=stall"]);
    for version in [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28] {
        let client = connect(&server, version, ClientCapabilities::default()).await;
        let peer = client.peer().clone();
        let call = tokio::spawn(async move { peer.call_tool(question()).await });
        server.until_seats(1.0, Duration::from_secs(5)).await;
        call.abort();
        server.until_seats(0.0, Duration::from_secs(3)).await;
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn it_fetches_the_result_of_a_task() {
    let server = Server::start(&["--fault", "stream=200ms"]);
    let capabilities = ClientCapabilities::builder().enable_tasks().build();
    let client = connect(&server, ProtocolVersion::V_2026_07_28, capabilities).await;
    let CallToolResponse::Task(task) = client.call_tool_once(question()).await.unwrap() else {
        panic!("it is no task");
    };
    let result = loop {
        let params = GetTaskParams::new(task.task.task_id.clone());
        match client.get_task(params).await.unwrap().task.payload {
            TaskPayload::Completed { result } => break result,
            TaskPayload::Working => tokio::time::sleep(Duration::from_millis(100)).await,
            other => panic!("{other:?}"),
        }
    };
    assert!(
        result["structuredContent"]["answer"]
            .as_str()
            .unwrap()
            .contains("[1]")
    );
}
