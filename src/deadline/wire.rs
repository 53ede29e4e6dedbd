//! How callers say on the wire what time they leave: `grpc-timeout` and Envoy's milliseconds.

use std::time::Duration;

/// The largest value that `grpc-timeout` can carry: eight digits.
const GRPC_MAX: u128 = 99_999_999;

/// `grpc-timeout`: one to eight digits and a unit (gRPC over HTTP/2, "Timeout").
pub(crate) fn parse_grpc_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.len() > 8 {
        return None;
    }
    let n = parse_digits(digits)?;
    Some(match unit {
        b'H' => Duration::from_secs(n * 3600),
        b'M' => Duration::from_secs(n * 60),
        b'S' => Duration::from_secs(n),
        b'm' => Duration::from_millis(n),
        b'u' => Duration::from_micros(n),
        b'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

/// `x-envoy-expected-rq-timeout-ms`: milliseconds in digits. Envoy writes none for "no timeout" and never a
/// zero, so a zero is somebody else's mistake.
pub(crate) fn parse_millis(value: &[u8]) -> Option<Duration> {
    if value.len() > 18 {
        return None;
    }
    parse_digits(value)
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis)
}

/// The finest `grpc-timeout` that holds `left`, rounded down, so that the callee never believes in more time
/// than there is.
pub(crate) fn format_grpc_timeout(left: Duration) -> String {
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (left.as_secs().into(), 'S'),
    ];
    let minutes = (u128::from(left.as_secs() / 60), 'M');
    let hours = (u128::from(left.as_secs() / 3600).min(GRPC_MAX), 'H');
    let (n, unit) = units
        .into_iter()
        .chain([minutes])
        .find(|(n, _)| *n <= GRPC_MAX)
        .unwrap_or(hours);
    format!("{n}{unit}")
}

/// Whole milliseconds, rounded down, but at least one: a zero means something else to whoever reads it.
pub(crate) fn format_millis(left: Duration) -> String {
    left.as_millis().max(1).to_string()
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
