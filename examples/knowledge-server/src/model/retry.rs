//! `Retry-After`: when a server that is busy wants to be asked again.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

/// How long to wait before the request may be sent again. `None`: it is not to be sent again.
pub(super) fn asked_for(response: &Response) -> Option<Duration> {
    #[expect(clippy::disallowed_methods, reason = "the server may name a date")]
    let now = SystemTime::now();
    wait(response.status(), response.headers(), now)
}

fn wait(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if ![StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
        return None;
    }
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are a wait without end.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(status: u16, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        // 1994-11-06T08:49:37Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        wait(StatusCode::from_u16(status).unwrap(), &headers, now)
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(waits(429, "2"), Some(Duration::from_secs(2)));
        assert_eq!(waits(503, "0"), Some(Duration::ZERO));
        assert_eq!(
            waits(503, "Sun, 06 Nov 1994 08:49:47 GMT"),
            Some(Duration::from_secs(10))
        );
        assert_eq!(waits(503, "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(waits(429, "99999999999999999999999"), Some(Duration::MAX));
    }

    #[test]
    fn nothing_else_is_tried_again() {
        for (status, value) in [
            (500, "1"),
            (200, "1"),
            (401, "1"),
            (429, "soon"),
            (429, "-1"),
            (429, "1.5"),
            (429, ""),
        ] {
            assert_eq!(waits(status, value), None, "{status} {value}");
        }
        assert_eq!(
            wait(
                StatusCode::TOO_MANY_REQUESTS,
                &HeaderMap::new(),
                SystemTime::UNIX_EPOCH
            ),
            None
        );
    }
}
