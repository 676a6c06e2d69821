//! What a program costs, before it has run.

use super::{Class, Program};

impl Program {
    /// How many steps it has: none where every document leaves as it came.
    #[must_use]
    pub fn steps(&self) -> usize {
        // The first copies, and every program has it.
        self.steps.len() - 1
    }

    /// About how long it takes for a kilobyte of short members, in nanoseconds on one core: what `bench/README.md`
    /// has for the class, to tell cheap from dear. Long texts cost a tenth of it.
    #[must_use]
    pub fn nanoseconds_per_kilobyte(&self) -> u32 {
        match (self.class(), self.steps()) {
            (Class::S0, _) => 0,
            // An envelope alone is as fast as reading.
            (Class::S1, ..=2) => 1000,
            (Class::S1, _) => 2000,
            (Class::S2, _) => 4000,
            (Class::S3, _) => 5000,
        }
    }
}
