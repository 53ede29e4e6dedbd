//! What a bench has found, for `benches/report.py`: lines of tab-separated text in the file that
//! `BENCHES_RECORD` names. Without it a bench only prints.
#![expect(
    clippy::expect_used,
    reason = "a figure that is lost would be missing from the report"
)]

use std::env;
use std::fs::OpenOptions;
use std::io::Write;

/// One line: which bench, doing what, whose layer, which unit, and one figure or one for each round.
pub(crate) fn record(bench: &str, case: &str, who: &str, unit: &str, figures: &[f64]) {
    let Some(path) = env::var_os("BENCHES_RECORD") else {
        return;
    };
    let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
    let line = [bench, case, who, unit, &figures.join(" ")].join("\t") + "\n";
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("a line in the file that BENCHES_RECORD names");
}
