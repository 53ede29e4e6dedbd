//! Tests of this module: against a strict parser, a naive reference and two parsers written elsewhere.

mod cut;
mod foreign;
mod frames;
mod insertion;
mod naive;
mod parser;
mod scan;
mod streams;
mod structure;

use proptest::test_runner::{Config, RngSeed};

/// The same cases in every run.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(92),
        failure_persistence: None,
        ..Config::default()
    }
}
