//! Numbers that are as good as random, computed from a seed: equal seeds give equal numbers.

/// The increment of `SplitMix64`: multiples of it are far apart.
pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns a number of which each bit depends on all bits of `number`: the output of `SplitMix64`
/// for this state.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Returns the jitter sample of `seed`, which is a number from 0 to 1, excluding 1.
#[must_use]
pub fn jitter_sample(seed: u64) -> f64 {
    f64::from((mix(seed) >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::{GAMMA, jitter_sample, mix};

    #[test]
    fn the_numbers_are_the_first_outputs_of_splitmix64() {
        assert_eq!(mix(GAMMA), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(GAMMA.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_jitter_sample_is_the_upper_half_of_the_number_as_a_fraction() {
        assert_eq!(jitter_sample(GAMMA), f64::from(0xe220_a839_u32) / 4_294_967_296.0);
    }
}
