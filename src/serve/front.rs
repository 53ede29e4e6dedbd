//! What stands between hyper and the service, for one connection.

use std::sync::Arc;

use http::{Extensions, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service as HyperService;
use hyper_util::service::TowerToHyperService;
use tower_service::Service;

use super::connection::{Connection, InUse};
use super::exchange::{Answer, AnswerBody, Exchange, InProgress};
use super::request_body::RequestBody;
use super::stream::Streams;
use crate::cut::CutHandle;

/// What is put into the extensions of each request of a connection.
pub(super) type Tags = Arc<dyn Fn(&mut Extensions) + Send + Sync>;

/// Calls the service, and notes what is in progress.
pub(super) struct Front<S> {
    service: TowerToHyperService<S>,
    connection: Arc<Connection>,
    /// Over HTTP/2.
    streams: Option<Streams>,
    tags: Tags,
}

impl<S> Front<S> {
    pub(super) fn new(service: S, connection: Arc<Connection>, streams: Option<Streams>, tags: Tags) -> Self {
        Self {
            service: TowerToHyperService::new(service),
            connection,
            streams,
            tags,
        }
    }
}

impl<S, B> HyperService<Request<Incoming>> for Front<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    B: Body,
{
    type Response = Response<AnswerBody<B>>;
    type Error = S::Error;
    type Future = Answer<<TowerToHyperService<S> as HyperService<Request<RequestBody>>>::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let connection = &self.connection;
        let number = connection.request_begins();
        if self.streams.is_none() && request.version() <= Version::HTTP_10 {
            connection.may_be_close_delimited();
        }
        let progress = InProgress::new(InUse::of(connection.clone()));
        let connection = connection.clone();
        let stream = self.streams.as_ref().map(Streams::begin);
        let (exchange, mut request) = match stream.clone() {
            Some(stream) => {
                let request = request.map(|body| {
                    let in_use = in_use(&body, &connection);
                    RequestBody::of_stream(body, stream.clone(), in_use)
                });
                (Exchange::Http2 { connection, stream }, request)
            }
            None => {
                let request = request.map(|body| {
                    let in_use = in_use(&body, &connection);
                    RequestBody::of_connection(body, in_use)
                });
                (Exchange::Http1 { connection, number }, request)
            }
        };
        let extensions = request.extensions_mut();
        extensions.insert(CutHandle::of(Arc::new(exchange)));
        (self.tags)(extensions);
        Answer::new(self.service.call(request), progress, stream)
    }
}

/// Whoever reads a body needs its connection.
fn in_use(body: &Incoming, connection: &Arc<Connection>) -> Option<InUse> {
    (!body.is_end_stream()).then(|| InUse::of(connection.clone()))
}
