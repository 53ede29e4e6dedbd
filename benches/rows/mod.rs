//! What is measured: every row of the tables, and how a row is driven.
//!
//! A layer gets its row by one line in [`all`]. Every row has the same handler, request, runtime and response
//! body; the driver polls in one task, so that nothing but the layer differs.

pub(crate) mod driver;
mod floor;
mod ours;
mod parts;
mod peers;
mod sse;

pub(crate) use self::driver::{Row, SCENARIOS, Whose};

/// The name of the row that the others are compared with.
pub(crate) const BARE: &str = "bare";

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = vec![
        Row::bare(BARE),
        Row::layer("forward only (floor)", floor::ForwardLayer),
    ];
    rows.extend(peers::rows().into_iter().map(|row| row.of(Whose::Peers)));
    rows.extend(ours::rows().into_iter().map(|row| row.of(Whose::Ours)));
    rows.extend(sse::rows());
    rows
}
