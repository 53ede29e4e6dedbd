//! The kinds of limits that a platform has, and how durations are written and read.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigError;

/// What a platform limits. Of each kind the tightest in a chain of hops wins.
///
/// Heartbeats keep [`Idle`](Self::Idle) from running out, and an early commit [`FirstByte`](Self::FirstByte).
/// Nothing that a server sends helps against [`Total`](Self::Total).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// From the request to the first byte of the response.
    FirstByte,
    /// The silence of a response that is under way. Any byte ends it, that of an SSE comment as well; HTTP/2 pings
    /// and TCP keep-alives do not.
    Idle,
    /// From the request to the end of the response, whatever is sent meanwhile.
    Total,
    /// The whole arrival of a request, its body included.
    RequestRead,
    /// How long the platform keeps a connection *to the server* open between requests, to use it again.
    UpstreamKeepAlive,
    /// From SIGTERM to SIGKILL when the server is stopped.
    Kill,
}

/// A duration as a finding says it: `55 s`, `1.5 s`, `350 ms`.
pub(super) struct Spoken(pub(super) Duration);

/// A duration as a setting is written: `55s`, `350ms`, so that [`parse_duration`] reads the same again.
pub(crate) struct Written(pub(crate) Duration);

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

// === impl Limit ===

impl Limit {
    /// Every kind, in the order of the table in `docs/platforms.md`.
    pub const ALL: &'static [Self] = &[
        Self::FirstByte,
        Self::Idle,
        Self::Total,
        Self::RequestRead,
        Self::UpstreamKeepAlive,
        Self::Kill,
    ];

    /// The name by which a configuration sets it: `first_byte`, `idle`, `total`, `request_read`, `keep_alive`,
    /// `kill`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstByte => "first_byte",
            Self::Idle => "idle",
            Self::Total => "total",
            Self::RequestRead => "request_read",
            Self::UpstreamKeepAlive => "keep_alive",
            Self::Kill => "kill",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Limit {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let found = Self::ALL.iter().find(|limit| limit.as_str() == text);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|limit| limit.as_str()).collect();
            ConfigError::new(format!(
                "`{text}` is no limit of a platform: they are {}, and `read`, which is first_byte and idle in one",
                known.join(", ")
            ))
        })
    }
}

// === impl Spoken, Written ===

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match (millis / 1000, millis % 1000) {
            (0, 0) if !self.0.is_zero() => f.write_str("less than 1 ms"),
            (0, millis) if millis > 0 => write!(f, "{millis} ms"),
            (secs, 0) => write!(f, "{secs} s"),
            (secs, millis) => {
                let fraction = format!("{millis:03}");
                write!(f, "{secs}.{} s", fraction.trim_end_matches('0'))
            }
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_nanos()) {
            (secs, 0) => write!(f, "{secs}s"),
            (_, nanos) if nanos % 1_000_000 == 0 => write!(f, "{}ms", self.0.as_millis()),
            _ => write!(f, "{}ns", self.0.as_nanos()),
        }
    }
}

/// Reads `300`, `300s`, `5m`, `1h`, `350ms`; a bare number is seconds. Zero and `none` are no limit, as they are in
/// the configurations of most proxies.
pub(crate) fn parse_duration(text: &str) -> Result<Option<Duration>, ConfigError> {
    if text == "none" {
        return Ok(None);
    }
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { "s" } else { unit };
    let nanos = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, nanos)| *nanos);
    match (number.parse::<u64>(), nanos) {
        (Ok(0), Some(_)) => Ok(None),
        (Ok(number), Some(1_000_000_000)) => Ok(Some(Duration::from_secs(number))),
        (Ok(number), Some(nanos)) => number
            .checked_mul(nanos)
            .map(|nanos| Some(Duration::from_nanos(nanos)))
            .ok_or_else(|| ConfigError::new(format!("`{text}` is longer than 584 years"))),
        _ => Err(ConfigError::new(format!(
            "`{text}` is no duration: write `300` or `300s`, `5m`, `1h`, `350ms`, or `none`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |millis| Spoken(Duration::from_millis(millis)).to_string();
        assert_eq!(
            [said(55_000), said(13_500), said(350), said(0), said(1_050)],
            ["55 s", "13.5 s", "350 ms", "0 s", "1.05 s"]
        );
        assert_eq!(Spoken(Duration::from_nanos(1)).to_string(), "less than 1 ms");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_sentence() {
        for text in [
            "",
            "s",
            "-5",
            "5 s",
            "5 parsecs",
            "1.5s",
            "99999999999999999999",
            "9999999h",
        ] {
            let refused = parse_duration(text);
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
        assert_eq!(parse_duration("5m"), Ok(Some(Duration::from_secs(300))));
        assert_eq!(parse_duration("300"), parse_duration("300s"));
        assert_eq!(parse_duration("0"), Ok(None));
        assert_eq!(parse_duration("none"), Ok(None));
    }

    #[test]
    fn every_kind_is_read_by_its_name() {
        for limit in Limit::ALL {
            assert_eq!(limit.as_str().parse(), Ok(*limit));
        }
        assert!(
            "idel"
                .parse::<Limit>()
                .unwrap_err()
                .to_string()
                .contains("first_byte, idle")
        );
    }
}
