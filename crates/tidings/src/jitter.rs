//! Randomness in time, so that a crowd of clients does not act in one moment.

use std::time::Duration;

/// A random duration up to this one.
pub(crate) fn up_to(limit: Duration) -> Duration {
    part(limit, fastrand::u32(..))
}

fn part(limit: Duration, of_u32_max: u32) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    // Fewer than 2^94 nanoseconds times 2^32. Floating point would round the longest ones up, beyond
    // what a `Duration` holds.
    let nanos = limit.as_nanos() * u128::from(of_u32_max) / u128::from(u32::MAX);
    Duration::new((nanos / NANOS) as u64, (nanos % NANOS) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_between_nothing_and_the_whole() {
        for limit in [Duration::ZERO, Duration::from_millis(1500), Duration::MAX] {
            assert_eq!(part(limit, 0), Duration::ZERO);
            assert_eq!(part(limit, u32::MAX), limit);
            assert!(part(limit, u32::MAX / 2) <= limit / 2);
            assert!(up_to(limit) <= limit);
        }
    }
}
