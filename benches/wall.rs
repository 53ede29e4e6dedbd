//! How long each row takes, by the clock on the wall. For a feeling only: what is compared are the counts.

#[expect(dead_code, reason = "times need no more of a row than its name")]
mod rows;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use self::rows::SCENARIOS;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .without_plots();
    targets = every_row
}
criterion_main!(benches);

fn every_row(criterion: &mut Criterion) {
    for scenario in SCENARIOS {
        let mut group = criterion.benchmark_group(scenario.name);
        for row in rows::all() {
            group.bench_function(BenchmarkId::from_parameter(row.name), |bencher| {
                bencher.iter_custom(|n| {
                    let mut elapsed = Duration::ZERO;
                    row.run(scenario, usize::try_from(n).unwrap_or(usize::MAX), &mut |work| {
                        elapsed = time(work)
                    });
                    elapsed
                });
            });
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures on the real clock")]
fn time(work: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
