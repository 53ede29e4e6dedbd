//! What a body's headers say that it is.

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// The media type of an event stream.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// Whether the body is an event stream whose lines can be read: one that is not compressed.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    is(headers, EVENT_STREAM) && !is_encoded(headers)
}

/// Whether the body is of this media type, whatever its parameters and case.
pub(crate) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let essence = value
            .as_bytes()
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes())
    })
}

/// Whether a content coding hides the body's bytes.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a parameter is a weight of nothing, by which a caller says what it does not accept.
fn refuses(parameter: &[u8]) -> bool {
    let Ok(parameter) = std::str::from_utf8(parameter) else {
        return false;
    };
    let weight = parameter
        .split_once('=')
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    weight.is_some_and(|(_, value)| value.trim().parse() == Ok(0.0))
}

/// Hands over the media ranges that an `Accept` header lists, without their parameters.
#[inline]
pub(crate) fn for_each_accepted(headers: &HeaderMap, each: impl FnMut(&[u8])) {
    // A map that has no such name is asked once, and not walked.
    if headers.contains_key(ACCEPT) {
        walk_accepted(headers, each);
    }
}

#[inline(never)]
fn walk_accepted(headers: &HeaderMap, mut each: impl FnMut(&[u8])) {
    for value in headers.get_all(ACCEPT) {
        for range in value.as_bytes().split(|byte| *byte == b',') {
            let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let media_type = parts.next().unwrap_or_default();
            if !parts.any(refuses) {
                each(media_type);
            }
        }
    }
}

/// Whether the caller names this media type among those that it accepts. Wildcards do not count.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut accepts = false;
    let media_type = media_type.as_bytes();
    for_each_accepted(headers, |range| accepts |= range.eq_ignore_ascii_case(media_type));
    accepts
}

/// Whether the body is one of gRPC's, which names its messages' format after a plus sign. gRPC-Web is another
/// protocol.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some(value) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else {
        return false;
    };
    let (start, rest) = value.split_at(value.len().min(GRPC.len()));
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_media_type_is_known_with_parameters_and_in_any_case() {
        for value in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            " text/event-stream ;a=b",
        ] {
            assert!(is_event_stream(&headers(CONTENT_TYPE, &[value])), "{value}");
        }
        for value in [
            "text/event-streams",
            "text/plain",
            "",
            "text/plain; text/event-stream",
        ] {
            assert!(!is_event_stream(&headers(CONTENT_TYPE, &[value])), "{value}");
        }
    }

    #[test]
    fn a_compressed_stream_cannot_be_read() {
        let mut gzipped = headers(CONTENT_TYPE, &["text/event-stream"]);
        gzipped.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_event_stream(&gzipped));
        gzipped.insert(CONTENT_ENCODING, HeaderValue::from_static("Identity"));
        assert!(is_event_stream(&gzipped));
    }

    #[test]
    fn accepted_ranges_are_listed_without_their_weights() {
        let several = headers(
            ACCEPT,
            &[
                "application/json, text/event-stream;q=0.5, text/plain; q=0.000",
                "*/*",
            ],
        );
        let mut ranges = Vec::new();
        for_each_accepted(&several, |range| {
            ranges.push(String::from_utf8_lossy(range).into_owned())
        });
        assert_eq!(ranges, ["application/json", "text/event-stream", "*/*"]);
    }

    #[test]
    fn grpc_is_known_whatever_its_messages_are() {
        for value in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; a=b",
        ] {
            assert!(is_grpc(&headers(CONTENT_TYPE, &[value])), "{value}");
        }
        for value in [
            "application/json",
            "application/grpc-web+proto",
            "application/grpcs",
        ] {
            assert!(!is_grpc(&headers(CONTENT_TYPE, &[value])), "{value}");
        }
    }
}
