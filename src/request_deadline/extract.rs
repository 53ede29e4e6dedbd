//! The deadline as an argument of axum's handlers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::deadline::Deadline;

/// The deadline in the request's extensions, else the [current](Deadline::current) one, which is unbounded where there
/// is none: it never refuses a request.
impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(Self::current))
    }
}
