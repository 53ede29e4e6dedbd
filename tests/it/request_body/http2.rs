//! The same on HTTP/2, where a connection is shared.

use std::net::SocketAddr;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::wire::{refused, serve};
use super::{BoxError, Log, ms};

type Upload = StreamBody<mpsc::Receiver<Result<Frame<Bytes>, BoxError>>>;

async fn http2(at: SocketAddr) -> SendRequest<Upload> {
    let io = TokioIo::new(TcpStream::connect(at).await.unwrap());
    let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn on_http2_one_slow_stream_is_refused_and_its_neighbours_live() {
    let log = Log::default();
    let at = serve(&log).await;
    let mut client = http2(at).await;
    let mut upload = |path: &str| {
        let (sender, receiver) = mpsc::channel(1);
        let request = Request::post(format!("http://x{path}")).header("content-type", "application/json");
        (
            sender,
            client.send_request(request.body(StreamBody::new(receiver)).unwrap()),
        )
    };
    let data = |bytes: &'static str| Ok(Frame::data(Bytes::from(bytes)));
    let (mut slow, slow_answer) = upload("/");
    let (mut call, call_answer) = upload("/call");
    let healthy = async {
        for byte in r#"{"jsonrpc":"2.0","method":"ping","id":9.5}    "#.as_bytes().chunks(2) {
            call.send(Ok(Frame::data(Bytes::from_static(byte))))
                .await
                .unwrap();
            sleep(ms(40)).await;
        }
        drop(call);
        let answer = call_answer.await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), "true true 9.5");
    };
    let refused_one = async {
        slow.send(data("{")).await.unwrap();
        let answer = slow_answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        assert!(!answer.headers().contains_key("connection"));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"the request_"), "{body:?}");
    };
    tokio::join!(healthy, refused_one);
    assert_eq!(refused(&log), 1);

    let (later, later_answer) = upload("/");
    drop(later);
    assert_eq!(
        later_answer
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes(),
        "0"
    );
}
