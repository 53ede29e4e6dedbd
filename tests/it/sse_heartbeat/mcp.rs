//! Real MCP over real sockets: rmcp's server under the layer, spoken to by hand and by the official clients.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use http::Request;
use http_body_util::{BodyExt, Full};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::Instant;
use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings, Progress};
use tower_lifeline::{Reporter, RequestBodyLayer, SseHeartbeatLayer};

use crate::parts;
use crate::wire::{h2, raw, serve};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// A sixth of the silence of the slow tool: what the commit is after, and what beats are apart. It is long
/// against the scheduling of a busy machine; `HEARTBEAT_UNIT_MS` makes it longer.
fn unit() -> Duration {
    let ms = std::env::var("HEARTBEAT_UNIT_MS")
        .ok()
        .and_then(|ms| ms.parse().ok());
    Duration::from_millis(ms.unwrap_or(300))
}

/// How many calls of the slow tool began, were finished, and were left.
#[derive(Clone, Debug, Default)]
struct Tools(Arc<[AtomicUsize; 3]>);

const FINISHED: usize = 1;
const LEFT: usize = 2;

struct Left(Tools);

impl Tools {
    fn count(&self, what: usize) -> usize {
        self.0[what].load(Ordering::SeqCst)
    }

    /// Waits until so many calls were `FINISHED` or `LEFT`.
    async fn until(&self, what: usize, calls: usize) {
        let counted = async {
            while self.count(what) < calls {
                tokio::time::sleep(unit() / 10).await;
            }
        };
        tokio::time::timeout(60 * unit(), counted)
            .await
            .expect("it never comes to that");
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.0.0[LEFT].fetch_add(1, Ordering::SeqCst);
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(json!({ "type": "object" }).as_object().unwrap().clone());
        Ok(ListToolsResult::with_all_items(vec![Tool::new(
            "slow",
            "takes its time",
            schema,
        )]))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        let left = Left(self.clone());
        tokio::select! {
            () = tokio::time::sleep(6 * unit()) => {}
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        }
        self.0[1].fetch_add(1, Ordering::SeqCst);
        drop(left);
        Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into())
    }
}

fn rmcp(tools: &Tools, config: StreamableHttpServerConfig) -> Router {
    let tools = tools.clone();
    let config = config.with_sse_keep_alive(None);
    let mcp: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config);
    Router::new().nest_service("/mcp", mcp)
}

fn layer() -> SseHeartbeatLayer {
    layer_each(unit())
}

/// A layer that commits after `interval`, and beats as often.
fn layer_each(interval: Duration) -> SseHeartbeatLayer {
    let settings = HeartbeatSettings::builder()
        .interval(interval)
        .without_jitter()
        .commit(EarlyCommit::JsonRpcRequests, interval)
        .build();
    SseHeartbeatLayer::new(settings.unwrap()).with_reporter(Reporter::silent())
}

fn kept_alive(router: Router, layer: SseHeartbeatLayer) -> Router {
    router.layer(layer).layer(RequestBodyLayer::default())
}

fn config() -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
}

/// A server with the layer, and what its tools did.
async fn server(config: StreamableHttpServerConfig) -> (SocketAddr, Tools) {
    let tools = Tools::default();
    (serve(kept_alive(rmcp(&tools, config), layer())).await, tools)
}

fn message(revision: &str, id: &str, method: &str, name: Option<&str>) -> String {
    let mut params = json!({ "_meta": { "progressToken": 5 } });
    if let Some(name) = name {
        params["name"] = name.into();
        params["arguments"] = json!({});
    }
    if revision == MODERN {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
        params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "test", "version": "1" });
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// The text of a POST over HTTP/1.1.
fn post(revision: &str, extra: &str, body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    let standard = match revision {
        MODERN => {
            let name = parsed["params"]["name"]
                .as_str()
                .map(|name| format!("mcp-name: {name}\r\n"));
            let method = parsed["method"].as_str().unwrap_or_default();
            format!("mcp-method: {method}\r\n{}", name.unwrap_or_default())
        }
        _ => String::new(),
    };
    format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: {revision}\r\n{standard}{extra}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// When the first byte of the answer came, and the whole of it.
async fn timed(address: SocketAddr, request: &str) -> (Duration, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![socket.read_u8().await.unwrap()];
    let first = began.elapsed();
    socket.read_to_end(&mut answer).await.unwrap();
    (first, String::from_utf8(answer).unwrap())
}

/// The payload of a chunked answer, as far as these tests need it.
fn beats(answer: &str) -> usize {
    answer.matches("\r\n:\n\n\r\n").count()
}

fn result(answer: &str) -> Value {
    let data = answer
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .next_back();
    serde_json::from_str(data.unwrap_or_else(|| panic!("{answer}"))).unwrap()
}

#[tokio::test]
async fn a_silent_call_of_the_newest_revision_is_answered_in_time() {
    for json_response in [false, true] {
        let config = || config().with_json_response(json_response);
        let request = post(MODERN, "", &message(MODERN, "c 1", "tools/call", Some("slow")));
        let bare = serve(rmcp(&Tools::default(), config())).await;
        let (address, _) = server(config()).await;
        let ((without, answer), (with, kept)) = tokio::join!(timed(bare, &request), timed(address, &request));
        println!(
            "{MODERN}, json_response {json_response}: first byte after {without:?} without, {with:?} with"
        );
        assert!(
            without >= 6 * unit() && answer.contains("\"done\""),
            "{without:?} {answer}"
        );
        assert!(with >= unit() && with < 3 * unit(), "{with:?}");
        assert!(
            kept.starts_with("HTTP/1.1 200") && kept.contains("content-type: text/event-stream\r\n"),
            "{kept}"
        );
        assert!(kept.contains("x-accel-buffering: no\r\n"), "{kept}");
        assert!(beats(&kept) >= 4, "{kept}");
        let result = result(&kept);
        assert_eq!(
            (&result["id"], &result["result"]["content"][0]["text"]),
            (&json!("c 1"), &json!("done"))
        );
        assert!(kept.ends_with("0\r\n\r\n"), "{kept}");
    }
}

#[tokio::test]
async fn a_silent_call_over_http2_is_answered_in_time() {
    let (address, _) = server(config().with_json_response(true)).await;
    let body = message(MODERN, "c 1", "tools/call", Some("slow"));
    let request = Request::post(format!("http://{address}/mcp"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "slow")
        .body(Full::<bytes::Bytes>::from(body))
        .unwrap();
    let began = Instant::now();
    let response = h2(address, request).await;
    assert!(
        began.elapsed() >= unit() && began.elapsed() < 3 * unit(),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let stream = response.into_body().collect().await.unwrap().to_bytes();
    let stream = String::from_utf8(stream.to_vec()).unwrap();
    assert!(
        stream.matches(":\n\n").count() >= 4 && result(&stream)["id"] == "c 1",
        "{stream}"
    );
}

/// Opens a session, and gives the headers that belong to it.
async fn session(address: SocketAddr) -> String {
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
    });
    let answer = raw(address, &post(LEGACY, "", &initialize.to_string())).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("mcp-session-id: "))
        .unwrap()
        .to_owned();
    let headers = format!("mcp-session-id: {id}\r\n");
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = raw(address, &post(LEGACY, &headers, initialized)).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    headers
}

#[tokio::test]
async fn a_silent_call_of_the_older_revision_beats_in_its_session_and_without_one() {
    let (address, _) = server(config()).await;
    let headers = session(address).await;
    let call = message(LEGACY, "c 1", "tools/call", Some("slow"));
    let (first, answer) = timed(address, &post(LEGACY, &headers, &call)).await;
    println!("{LEGACY}, session: first byte after {first:?} with");
    assert!(first < 2 * unit() && beats(&answer) >= 4, "{first:?} {answer}");
    assert_eq!(result(&answer)["result"]["content"][0]["text"], "done");

    let config = config().with_legacy_session_mode(false).with_json_response(true);
    let (address, _) = server(config).await;
    let (first, answer) = timed(address, &post(LEGACY, "", &call)).await;
    println!("{LEGACY}, no session, json_response: first byte after {first:?} with");
    assert!(
        first >= unit() && first < 3 * unit() && beats(&answer) >= 4,
        "{first:?} {answer}"
    );
    assert_eq!(result(&answer)["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn refusals_of_the_server_keep_their_status() {
    let (address, _) = server(config()).await;
    let status = async |revision, extra: &str, body: &str| {
        let answer = raw(address, &post(revision, extra, body)).await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status(MODERN, "", "{").await, "415");
    assert_eq!(
        status(
            MODERN,
            "mcp-method: x\r\n",
            &message(MODERN, "a", "tools/list", None)
        )
        .await,
        "400"
    );
    assert_eq!(
        status(MODERN, "", &message(MODERN, "a", "no/such", None)).await,
        "404"
    );
    assert_eq!(
        status(
            LEGACY,
            "mcp-session-id: gone\r\n",
            &message(LEGACY, "a", "tools/list", None)
        )
        .await,
        "404"
    );
}

/// Reads until the stream has begun, then leaves.
async fn leave(address: SocketAddr, request: &str) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut some = [0; 256];
    while !some.windows(3).any(|bytes| bytes == b":\n\n") {
        let count = socket.read(&mut some).await.unwrap();
        assert!(count > 0, "it ended by itself");
    }
}

#[tokio::test]
async fn leaving_a_committed_stream_is_cancellation_where_the_protocol_says_so() {
    let (address, tools) = server(config()).await;
    leave(
        address,
        &post(MODERN, "", &message(MODERN, "a", "tools/call", Some("slow"))),
    )
    .await;
    tools.until(LEFT, 1).await;
    assert_eq!((tools.count(0), tools.count(1)), (1, 0), "begun and not finished");

    let (address, tools) = server(config()).await;
    let headers = session(address).await;
    leave(
        address,
        &post(
            LEGACY,
            &headers,
            &message(LEGACY, "a", "tools/call", Some("slow")),
        ),
    )
    .await;
    tools.until(FINISHED, 1).await;
    assert_eq!(tools.count(0), 1, "a session's tool runs to its end");
}

/// Runs one of the official clients against `address`. `None`: it is not installed.
async fn client(address: SocketAddr, script: &str, args: &[&str]) -> Option<Value> {
    let mut command = Command::from(parts::script(script)?);
    command.arg(format!("http://{address}/mcp")).args(args);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), output)
        .await
        .expect("a client hangs")
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{script}: {errors}"));
    println!("{script} {args:?}: {said}");
    Some(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_clients_receive_a_slow_result() {
    for json_response in [false, true] {
        let (address, _) = server(config().with_json_response(json_response)).await;
        for (script, args, version) in [
            ("call.py", &["slow", "auto"][..], MODERN),
            ("call.py", &["slow", "legacy"], LEGACY),
            ("call.mjs", &["slow", "v1"], LEGACY),
            ("call.mjs", &["slow", "v2"], MODERN),
        ] {
            let Some(said) = client(address, script, args).await else {
                continue;
            };
            assert_eq!(
                (&said["text"], &said["version"]),
                (&json!("done"), &json!(version)),
                "{script} {args:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_keeps_the_clients_own_timer_from_ending_a_call() {
    let tools = Tools::default();
    let layer = layer_each(unit() / 2).with_progress(Progress::for_tools(["slow"]));
    let address = serve(kept_alive(rmcp(&tools, config()), layer)).await;
    // The client gives up before the silence is over, unless it hears of progress, which comes five times as often.
    let limit = (5 * unit()).as_millis().to_string();
    for generation in ["v1", "v2"] {
        let Some(said) = client(address, "call.mjs", &["slow", generation, &limit]).await else {
            continue;
        };
        assert_eq!(said["text"], "done");
        let progress = said["progress"].as_array().unwrap();
        assert!(progress.len() >= 3, "{said}");
        assert!(
            progress.windows(2).all(|two| two[0].as_f64() < two[1].as_f64()),
            "{said}"
        );
    }
}
