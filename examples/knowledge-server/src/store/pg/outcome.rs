//! What an error of the database means to the caller.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::limit::Limit;
use crate::store::StoreError;

/// The error of a statement under `limit`.
pub(super) fn of_statement(limit: &Limit, error: &Error) -> StoreError {
    match error.code() {
        Some(code) if *code == SqlState::QUERY_CANCELED && limit.is_up_in_server() => limit.expired(),
        // By an administrator, or a limit that is not ours.
        Some(code) if *code == SqlState::QUERY_CANCELED => {
            StoreError::Unavailable("the statement was cancelled in the database".into())
        }
        _ => of_session(error),
    }
}

/// The error of anything else.
pub(super) fn of_session(error: &Error) -> StoreError {
    let Some(refused) = error.as_db_error() else {
        return without_answer(error);
    };
    let code = refused.code().code();
    let text = format!("{} ({code})", refused.message());
    match PASSING.iter().any(|class| code.starts_with(class)) {
        true => StoreError::Unavailable(text),
        false => StoreError::Failed(text),
    }
}

/// What may be over later: a connection, resources such as too many connections, a lock, shutdown and start.
const PASSING: [&str; 4] = ["08", "53", "55P03", "57P"];

fn without_answer(error: &Error) -> StoreError {
    let source = error.source();
    let text = source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let is_broken = source.is_some_and(|source| source.is::<std::io::Error>());
    match error.is_closed() || is_broken {
        true => StoreError::Unavailable(text),
        false => StoreError::Failed(text),
    }
}
