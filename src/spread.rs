//! What is to happen to many, but not to all at once.

use std::time::Duration;

/// A part of `time` that differs from one number to the next and is even over many: no more is needed to keep them
/// apart.
pub(crate) fn spread(time: Duration, number: u64) -> Duration {
    let part = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let seconds = time.as_secs_f64() * (part as f64 / f64::from(u32::MAX));
    Duration::try_from_secs_f64(seconds).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_even_over_few_and_many() {
        const TIME: Duration = Duration::from_secs(10);
        for count in [10, 1000] {
            let mut tenths = [0_u64; 10];
            for number in 0..count {
                let part = spread(TIME, number);
                assert!(part <= TIME);
                tenths[(part.as_millis() / 1000).min(9) as usize] += 1;
            }
            let fair = count / 10;
            assert!(
                tenths.iter().all(|tenth| tenth.abs_diff(fair) <= fair / 10 + 1),
                "{tenths:?}"
            );
        }
        assert_eq!(spread(Duration::ZERO, 7), Duration::ZERO);
        assert!(spread(Duration::MAX, u64::MAX) <= Duration::MAX);
    }
}
