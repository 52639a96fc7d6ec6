//! Random numbers from a seed that is handed in: the same seed gives the same numbers.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
//! Good enough to spread delays, and for nothing that must not be guessed.

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `limit`; 0 if that is 0. Each is as likely as any other, but for
    /// one part in 2^64 / `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// The next number, from 0 up to but not including 1.
    pub fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
        let part = (self.draw() >> 11) as f64;
        part / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_limit_are_even_and_a_limit_of_none_gives_none() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(random.below(10)).unwrap()] += 1;
        }
        // Chi-square with nine degrees of freedom: beyond 27.9 once in a thousand.
        let square = |count: u32| (f64::from(count) - 1_000.0).powi(2) / 1_000.0;
        let chi: f64 = counts.into_iter().map(square).sum();
        assert!(chi < 27.9, "{counts:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn numbers_are_spread_over_the_range_and_repeat_with_their_seed() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..10_000).map(|_| random.uniform()).collect::<Vec<f64>>()
        };
        let numbers = draw(7);
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let share = numbers
                .iter()
                .filter(|n| (from..from + 0.1).contains(n))
                .count();
            assert!((900..1_100).contains(&share), "{share} from {from}");
        }
        assert!(
            numbers
                .iter()
                .zip(draw(7))
                .all(|(one, other)| one.to_bits() == other.to_bits())
        );
        assert!(
            numbers
                .iter()
                .zip(draw(8))
                .any(|(one, other)| one.to_bits() != other.to_bits())
        );
    }

    #[test]
    fn the_numbers_are_those_of_the_algorithm() {
        let mut random = Random::new(1_234_567);
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(published.map(|_| random.draw()), published);
    }
}
