//! What the layer learns by looking on.

use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::request_body::{RequestBody, RequestBodyLayer};
use tower_lifeline::rpc::CallSlot;

use super::{BoxError, Script, ms};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","_meta":{"progressToken":"p"}}}"#;

/// Sends `body` in these frames and tells what the slot held before and after it was read.
fn scan(request: http::request::Builder, frames: Vec<Bytes>) -> Option<(bool, Option<String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let frames = frames
        .into_iter()
        .enumerate()
        .map(|(i, bytes)| (ms(i as u64 % 3), Frame::data(bytes)));
    runtime.block_on(async {
        let request = request.body(Script::new(frames, Some(ms(5)))).unwrap();
        let found = Mutex::new(None);
        let handler = service_fn(|request: Request<RequestBody<Script>>| {
            let slot = request.extensions().get::<CallSlot>().cloned();
            *found.lock().unwrap() = slot.map(|slot| (slot.call().is_some(), slot));
            async {
                request.into_body().collect().await?;
                Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
            }
        });
        RequestBodyLayer::default()
            .layer(handler)
            .call(request)
            .await
            .unwrap();
        let found = found.lock().unwrap().take();
        found.map(|(before, slot)| {
            let call = slot.call().map(|call| {
                let (id, token) = (call.id().unwrap(), call.progress_token().unwrap());
                format!("{} {} {}", id.as_json(), call.tool().unwrap(), token.as_json())
            });
            (before, call)
        })
    })
}

fn json_post() -> http::request::Builder {
    Request::post("/mcp").header("content-type", "application/json; charset=utf-8")
}

#[test]
fn only_whole_calls_fill_a_slot() {
    let whole = || vec![Bytes::from(CALL)];
    assert_eq!(
        scan(json_post(), whole()),
        Some((false, Some(r#"7 search "p""#.to_owned())))
    );
    assert_eq!(scan(json_post(), vec![]), Some((false, None)));
    assert_eq!(
        scan(json_post(), vec![Bytes::from(&CALL[1..])]),
        Some((false, None))
    );
    assert_eq!(
        scan(json_post(), vec![Bytes::from(&CALL[..CALL.len() - 1])]),
        Some((false, None))
    );
    assert_eq!(scan(json_post().method("GET"), whole()), None);
    assert_eq!(
        scan(json_post().header("content-encoding", "gzip"), whole()),
        None
    );
    assert_eq!(scan(Request::post("/upload"), whole()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_call_is_found_in_every_chunking(cuts in prop::collection::vec(0..CALL.len(), 0..20)) {
        let mut cuts: Vec<_> = cuts.into_iter().chain([0, CALL.len()]).collect();
        cuts.sort_unstable();
        let frames = cuts.windows(2).map(|pair| Bytes::from(&CALL[pair[0]..pair[1]])).collect();
        prop_assert_eq!(scan(json_post(), frames), Some((false, Some(r#"7 search "p""#.to_owned()))));
    }

    #[test]
    fn garbage_fills_nothing_and_breaks_nothing(frames in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let frames = frames.into_iter().map(Bytes::from).collect();
        prop_assert_eq!(scan(json_post(), frames), Some((false, None)));
    }
}

/// Readers that trust `is_end_stream`, as hyper's and axum's do, never see the `None`.
#[tokio::test]
async fn the_slot_is_filled_with_the_last_frame() {
    let handler = service_fn(async |request: Request<RequestBody<Full<Bytes>>>| {
        let slot = request.extensions().get::<CallSlot>().cloned().unwrap();
        let mut body = request.into_body();
        assert!(slot.call().is_none());
        body.frame().await.unwrap()?;
        assert!(body.is_end_stream());
        assert_eq!(slot.call().unwrap().id().unwrap().as_json(), "7");
        Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
    });
    let request = json_post().body(Full::from(CALL)).unwrap();
    RequestBodyLayer::default()
        .layer(handler)
        .oneshot(request)
        .await
        .unwrap();
}
