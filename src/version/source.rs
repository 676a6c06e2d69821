//! Where a client names its version.
/// placeholder
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {}
