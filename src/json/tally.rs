//! What the edits of one document have come to so far.
//!
//! Most documents come to nothing that has to be remembered, and then a tally is a word that says so: a part of the document
//! that may be taken back, such as an object that is done as one before it, begins and ends for next to nothing.

use std::sync::Arc;

use super::jq::Spent;
use super::loss::{Loss, Losses, Lost, When};

/// What the edits of one document have come to so far.
#[derive(Debug, Default)]
pub(super) struct Tally(Option<Box<Sums>>);

#[derive(Debug, Default)]
struct Sums {
    /// Whether an edit was skipped (best effort).
    is_partial: bool,
    /// What programs of jq have taken.
    jq: Spent,
    /// How often something was lost, by number.
    lost: Vec<u64>,
    /// Those of a part that has ended, with nothing lost, for the next one.
    spare: Option<Box<Sums>>,
}

impl Tally {
    /// Whether an edit was skipped (best effort).
    pub(super) fn is_partial(&self) -> bool {
        self.0.as_ref().is_some_and(|sums| sums.is_partial)
    }

    /// An edit was skipped.
    #[cold]
    pub(super) fn skip(&mut self) {
        self.sums().is_partial = true;
    }

    /// What programs of jq have taken, to add to.
    pub(super) fn jq(&mut self) -> &mut Spent {
        &mut self.sums().jq
    }

    /// What was lost, by its names.
    pub(super) fn losses(&self, names: &[Arc<Lost>]) -> Losses {
        self.0.as_ref().map(|sums| Losses::of(names, &sums.lost)).unwrap_or_default()
    }

    /// Counts what an edit loses by something that it did. The number, if that loses something.
    #[inline]
    pub(super) fn lose(&mut self, losses: &[Loss], when: &When) -> Option<u32> {
        if losses.is_empty() { None } else { self.lose_one(losses, when) }
    }

    #[cold]
    fn lose_one(&mut self, losses: &[Loss], when: &When) -> Option<u32> {
        let number = losses.iter().find(|loss| loss.when == *when)?.number();
        self.count(number);
        Some(number)
    }

    /// Something of this number was lost.
    #[cold]
    pub(super) fn count(&mut self, number: u32) {
        *self.sums().at(number as usize) += 1;
    }

    /// What was counted last was not lost after all.
    #[cold]
    pub(super) fn uncount(&mut self, number: u32) {
        let count = self.sums().at(number as usize);
        *count = count.saturating_sub(1);
    }

    /// Nothing of what was counted was lost.
    #[cold]
    pub(super) fn forget_losses(&mut self) {
        self.sums().lost.clear();
    }

    /// Begins a part that may be taken back: with what comes back, which then stands again.
    #[inline]
    pub(super) fn begin(&mut self) -> Self {
        if self.0.is_none() { Self(None) } else { self.put_aside() }
    }

    #[cold]
    fn put_aside(&mut self) -> Self {
        let mut before = self.0.take();
        if let Some(sums) = before.as_deref_mut() {
            let spare = sums.spare.take();
            if spare.is_some() || sums.is_partial || sums.jq != Spent::default() {
                let mut part = spare.unwrap_or_default();
                (part.is_partial, part.jq) = (sums.is_partial, sums.jq);
                self.0 = Some(part);
            }
        }
        Self(before)
    }

    /// Ends such a part, which stays.
    #[inline]
    pub(super) fn keep(&mut self, before: Self) {
        if let Some(before) = before.0 {
            self.keep_with(before);
        }
    }

    #[cold]
    fn keep_with(&mut self, mut sums: Box<Sums>) {
        if let Some(mut part) = self.0.take() {
            (sums.is_partial, sums.jq) = (part.is_partial, part.jq);
            for (number, more) in part.lost.iter_mut().enumerate().filter(|(_, more)| **more > 0) {
                *sums.at(number) += std::mem::take(more);
            }
            sums.spare = Some(part);
        }
        self.0 = Some(sums);
    }

    /// Takes such a part back.
    #[cold]
    pub(super) fn take_back(&mut self, before: Self) {
        *self = before;
    }

    fn sums(&mut self) -> &mut Sums {
        self.0.get_or_insert_default()
    }
}

impl Sums {
    fn at(&mut self, number: usize) -> &mut u64 {
        if self.lost.len() <= number {
            self.lost.resize(number + 1, 0);
        }
        &mut self.lost[number]
    }
}
