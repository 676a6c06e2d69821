//! Names and what they become, found from either side.

/// Names and what they become, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renames {
    pairs: Vec<(String, String)>,
    /// Positions by old name, and by new name.
    by_old: Vec<usize>,
    by_new: Vec<usize>,
}

impl Renames {
    /// What a name becomes.
    #[must_use]
    pub fn new_name(&self, old: &str) -> Option<&str> {
        let at = self.by_old.partition_point(|at| *self.pairs[*at].0 < *old);
        let (found, new) = &self.pairs[*self.by_old.get(at)?];
        (found == old).then_some(new)
    }

    /// Whether some name becomes this one.
    #[must_use]
    pub fn makes(&self, new: &str) -> bool {
        let at = self.by_new.partition_point(|at| *self.pairs[*at].1 < *new);
        self.by_new.get(at).is_some_and(|at| self.pairs[*at].1 == new)
    }
}

impl From<Vec<(String, String)>> for Renames {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let (mut by_old, mut by_new): (Vec<usize>, Vec<usize>) = (0..pairs.len()).map(|at| (at, at)).unzip();
        by_old.sort_by(|a, b| pairs[*a].0.cmp(&pairs[*b].0));
        by_new.sort_by(|a, b| pairs[*a].1.cmp(&pairs[*b].1));
        Self { pairs, by_old, by_new }
    }
}

impl std::ops::Deref for Renames {
    type Target = [(String, String)];

    fn deref(&self) -> &Self::Target {
        &self.pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_from_either_side() {
        let pairs = [("b", "a"), ("a", "c"), ("z", "b")].map(|(old, new)| (old.to_string(), new.to_string()));
        let renames = Renames::from(pairs.to_vec());
        assert_eq!(["a", "b", "c", "z"].map(|name| renames.new_name(name)), [Some("c"), Some("a"), None, Some("b")]);
        assert_eq!(["a", "b", "c", "z"].map(|name| renames.makes(name)), [true, true, true, false]);
    }
}
