//! What all the streams of one layer share, and a stream's own part of it.

use std::fmt;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

use super::farewells::Farewells;
use super::progress::Progress;
use super::settings::HeartbeatSettings;
use crate::event::{Event, Reporter};
use crate::media;
use crate::refusal::MadeByLifeline;

/// One pointer of a stream's state.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) settings: HeartbeatSettings,
    pub(super) reporter: Reporter,
    pub(super) progress: Option<Progress>,
    pub(super) farewells: Farewells,
}

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

// === impl Plan ===

impl Plan {
    pub(super) fn new(settings: HeartbeatSettings) -> Self {
        Self {
            settings,
            reporter: Reporter::log(),
            progress: None,
            farewells: Farewells::default(),
        }
    }

    /// Whether its streams have use for what is known of the call that they answer.
    pub(super) const fn watches_calls(&self) -> bool {
        self.progress.is_some() || self.settings.goodbye
    }

    /// The plan of a request with these settings. They are the layer's own, unless somebody overrides them.
    pub(super) fn with(self: Arc<Self>, settings: &HeartbeatSettings) -> Arc<Self> {
        if self.settings == *settings {
            return self;
        }
        Arc::new(Self {
            settings: *settings,
            ..(*self).clone()
        })
    }

    pub(super) fn report(&self, event: &Event) {
        self.reporter.report(event);
    }

    /// Adds what proxies have to be told of a stream.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        if self.settings.accel_header {
            headers
                .entry(ACCEL_BUFFERING)
                .or_insert(HeaderValue::from_static("no"));
        }
        if self.settings.cache_header {
            headers
                .entry(CACHE_CONTROL)
                .or_insert(HeaderValue::from_static("no-cache, no-transform"));
        }
    }

    /// The head of a response that is committed before the service has given one.
    pub(super) fn head<B>(&self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        response.extensions_mut().insert(MadeByLifeline::CommittedEarly);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::EVENT_STREAM));
        self.mark(headers);
        response
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Whether a response is a stream that beats may be put into.
pub(super) fn may_beat<B: Body>(response: &Response<B>) -> bool {
    let status = response.status();
    media::is_event_stream(response.headers())
        && !response.headers().contains_key(CONTENT_LENGTH)
        && !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
        // A body that knows its size is all there, and the server will announce that size.
        && response.body().size_hint().exact().is_none()
        && !response.body().is_end_stream()
}

/// The headers of a late response that nobody will see, but for those that the connection or the stream's
/// own head speaks for.
pub(super) fn lost_headers(headers: &HeaderMap) -> u16 {
    const SPOKEN_FOR: [&str; 7] = [
        "content-type",
        "content-length",
        "transfer-encoding",
        "connection",
        "date",
        "cache-control",
        "x-accel-buffering",
    ];
    let lost = headers
        .keys()
        .filter(|name| !SPOKEN_FOR.contains(&name.as_str()))
        .count();
    u16::try_from(lost).unwrap_or(u16::MAX)
}
