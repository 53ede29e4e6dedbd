//! Where a model is, which it is, and the key to it.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::ModelError;

/// A model behind an OpenAI-like API.
#[derive(Clone, Debug)]
pub struct Endpoint {
    base: String,
    host: String,
    model: String,
    key: Option<ApiKey>,
}

/// A key that shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

// === impl Endpoint ===

impl Endpoint {
    /// The model `model` at `url`, the base of the API: `http://127.0.0.1:8080/v1`.
    ///
    /// # Errors
    /// [`ModelError::Settings`] where the URL is none, is not one of HTTP, needs the feature `tls` that is off, or
    /// has a password in it, which would end up in logs.
    pub fn new(url: &str, model: impl Into<String>, key: Option<ApiKey>) -> Result<Self, ModelError> {
        let wrong = |why: &str| ModelError::Settings(format!("its URL {why}"));
        let parsed = Url::parse(url).map_err(|error| wrong(&format!("is none: {error}")))?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(wrong("is not one of HTTP"));
        }
        if parsed.scheme() == "https" && !cfg!(feature = "tls") {
            return Err(wrong("needs a server that was built with `--features tls`"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong(
                "has a user or a password in it: a key comes from the environment",
            ));
        }
        if let Some(key) = &key {
            key.header()?;
        }
        let host = parsed.host_str().unwrap_or_default();
        let host = parsed
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            host,
            model: model.into(),
            key,
        })
    }

    /// The name of the model.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The host, with its port where that is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub(super) const fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// The first line of what the model's server said, without the key, which some servers repeat.
    pub(super) fn quoted(&self, text: &str) -> String {
        const MOST: usize = 300;
        let line: String = text
            .trim()
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(MOST)
            .collect();
        match &self.key {
            Some(key) => line.replace(&key.0, "[key]"),
            None => line,
        }
    }
}

// === impl ApiKey ===

impl ApiKey {
    /// A key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key in this variable of the environment, if it is set and not empty.
    #[must_use]
    pub fn from_env(name: &str) -> Option<Self> {
        let key = std::env::var(name).ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| Self::new(key))
    }

    pub(super) fn header(&self) -> Result<HeaderValue, ModelError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .map_err(|_| ModelError::Settings("its key has characters that no header may have".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}
