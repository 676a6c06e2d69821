//! What a run of a program may use: steps, and stack.
//!
//! The interpreter knows no bounds, and what it runs is a loop as soon as it meets `range` or a large array. But it
//! does nothing without copying, making or comparing a value, and all of that is ours: each of these spends steps in
//! proportion to its work and memory. When none are left the run is unwound, since a program could catch an error.
//! Steps are counted, not time, so that a document always fares alike.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Bytes of stack that a run may use: half of what threads have.
const STACK: usize = 1 << 20;

/// How deep values may nest, as dropping one takes stack as well.
pub(super) const DEPTH: u32 = 512;

thread_local! {
    // Operators of values have no argument for it.
    static STEPS: Cell<usize> = const { Cell::new(0) };
    static STACK_TOP: Cell<usize> = const { Cell::new(0) };
}

#[cfg(test)]
thread_local! {
    /// Runs of this thread that were ended.
    pub(super) static ENDED: Cell<usize> = const { Cell::new(0) };
}

/// Why a run was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    Steps,
    Nesting,
    /// The interpreter panicked.
    Broken,
}

/// Runs something that spends at most so many steps.
pub(super) fn within<T>(steps: usize, run: impl FnOnce() -> T) -> Result<T, Exhausted> {
    STEPS.set(steps);
    let top = 0;
    STACK_TOP.set(address(&top));
    catch_unwind(AssertUnwindSafe(run)).map_err(|why| *why.downcast_ref().unwrap_or(&Exhausted::Broken))
}

/// How many steps the last run has left over.
pub(super) fn left() -> usize {
    STEPS.get()
}

/// Spends steps.
pub(super) fn spend(steps: usize) {
    let here = 0;
    match STEPS.get().checked_sub(steps) {
        Some(left) => STEPS.set(left),
        None => end(Exhausted::Steps),
    }
    if STACK_TOP.get().abs_diff(address(&here)) > STACK {
        end(Exhausted::Nesting);
    }
}

/// Spends what handling so many bytes costs.
pub(super) fn spend_bytes(bytes: usize) {
    spend(1 + bytes / 32);
}

#[cold]
pub(super) fn end(why: Exhausted) {
    // What is dropped on the way out may spend too.
    if !std::thread::panicking() {
        #[cfg(test)]
        ENDED.set(ENDED.get() + 1);
        resume_unwind(Box::new(why));
    }
}

fn address(at: &u8) -> usize {
    std::ptr::from_ref(at).addr()
}
