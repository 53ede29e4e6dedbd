//! `ReqwestService`: reqwest's client in the shape of every other client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::reqwest::{Body, Client, Error, Request, Response, ResponseBuilderExt};
use pin_project_lite::pin_project;
use tower_service::Service;

/// A [`Client`] as a service of `http::Request` and `http::Response`, for any layer to wrap; see the
/// [module docs](super).
#[derive(Clone, Debug)]
pub struct ReqwestService {
    client: Client,
}

pin_project! {
    /// The future of [`ReqwestService`].
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct ReqwestFuture {
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State {
        Sent {
            #[pin]
            pending: <Client as Service<Request>>::Future,
        },
        // What reqwest cannot send, such as a target that is not absolute.
        Refused {
            error: Option<Error>,
        },
    }
}

// === impl ReqwestService ===

impl ReqwestService {
    /// Sends through `client`, whose own timeouts stay what they are: leave them unset.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Service<http::Request<Body>> for ReqwestService {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match Request::try_from(request) {
            Ok(request) => ReqwestFuture::new(&self.client, request),
            Err(error) => ReqwestFuture {
                state: State::Refused { error: Some(error) },
            },
        }
    }
}

// === impl ReqwestFuture ===

impl ReqwestFuture {
    pub(super) fn new(mut client: &Client, request: Request) -> Self {
        Self {
            state: State::Sent {
                pending: Service::call(&mut client, request),
            },
        }
    }
}

impl Future for ReqwestFuture {
    type Output = Result<http::Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Sent { pending } => Poll::Ready(ready!(pending.poll(cx)).map(into_http)),
            StateProj::Refused { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Pending,
            },
        }
    }
}

/// Keeps the URL that a redirect may have led to, so that the way back to a [`Response`] finds it.
fn into_http(response: Response) -> http::Response<Body> {
    let url = response.url().clone();
    let mut response = http::Response::from(response);
    if let Ok(carrier) = http::Response::builder().url(url).body(()) {
        response
            .extensions_mut()
            .extend(carrier.into_parts().0.extensions);
    }
    response
}
