//! What stands between hyper and the service, for one connection.

use std::sync::Arc;

use http::{Extensions, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service as HyperService;
use hyper_util::service::TowerToHyperService;
use tower_service::Service;

use super::connection::Connection;
use super::exchange::{Answer, AnswerBody, Exchange, InProgress};
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
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    B: Body,
{
    type Response = Response<AnswerBody<B>>;
    type Error = S::Error;
    type Future = Answer<<TowerToHyperService<S> as HyperService<Request<Incoming>>>::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let connection = self.connection.clone();
        let exchange = match &self.streams {
            Some(streams) => Exchange::Http2 {
                connection,
                stream: streams.begin(),
            },
            None => Exchange::Http1(connection),
        };
        let progress = InProgress::begin(
            self.connection.clone(),
            self.streams.is_none() && request.version() <= Version::HTTP_10,
        );
        let extensions = request.extensions_mut();
        extensions.insert(CutHandle::of(Arc::new(exchange)));
        (self.tags)(extensions);
        Answer::new(self.service.call(request), progress)
    }
}
