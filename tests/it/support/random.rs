//! A small random number generator whose seed is printed with every failure (`SplitMix64`).

pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below a usize")
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Seeds of random cases: `LEGATO_SEED` and as many as `LEGATO_CASES` says.
pub(crate) fn seeds(cases: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let start = number("LEGATO_SEED").unwrap_or(1_u64);
    let end = start + number("LEGATO_CASES").unwrap_or(cases);
    // Shown by the test runner when the test fails, or with `--nocapture`.
    #[expect(clippy::print_stdout, reason = "a failure must be repeatable")]
    {
        println!("seeds {start} to {}", end - 1);
    }
    start..end
}
