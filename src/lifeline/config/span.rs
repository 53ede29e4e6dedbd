//! A duration as people write it.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::ConfigError;
use crate::platform::{Written, parse_duration};

/// A duration in human form, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(Option<Duration>);

// === impl Span ===

impl Span {
    /// So long.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(Some(duration))
    }

    /// No limit.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The duration. `None`: no limit.
    #[must_use]
    pub const fn get(self) -> Option<Duration> {
        self.0
    }

    pub(super) fn some(self, name: &str) -> Result<Duration, ConfigError> {
        self.0
            .ok_or_else(|| ConfigError::new(format!("`{name}` cannot be `none`: it needs a duration")))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit as text, as \"15s\" or \"350ms\", or \"none\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                let refused = || E::invalid_value(de::Unexpected::Str(text), &self);
                if text == "none" {
                    return Ok(Span::none());
                }
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(refused());
                }
                // Zero is no way to say `none`: what it means is for each setting to say.
                let duration = parse_duration(text).map_err(|_| refused())?;
                Ok(Span::new(duration.unwrap_or_default()))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_str("none"),
            Some(time) => serializer.collect_str(&Written(time)),
        }
    }
}
