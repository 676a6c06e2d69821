//! API versions and how a client's version is found.

mod source;
pub use source::Source;

use std::sync::Arc;

/// A version of an API: an index into [`Versions`], so that order is age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u16);

/// One version's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersion {
    /// The label, such as `2` or `2024-06-01`.
    pub label: Arc<str>,
    /// When it was released: Unix seconds.
    pub released: Option<i64>,
    /// When it was or will be deprecated (RFC 9745): Unix seconds.
    pub deprecated: Option<i64>,
    /// When it stops (RFC 8594): Unix seconds.
    pub sunset: Option<i64>,
    /// Where clients read how to leave this version: a URL.
    pub guide: Option<String>,
}

/// An API's versions, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(pub Vec<ApiVersion>);

impl Versions {
    /// The version with this label.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<VersionId> {
        self.0
            .iter()
            .position(|v| &*v.label == label)
            .and_then(|i| u16::try_from(i).ok())
            .map(VersionId)
    }

    /// A version's declaration.
    #[must_use]
    pub fn get(&self, id: VersionId) -> &ApiVersion {
        &self.0[usize::from(id.0)]
    }

    /// The newest.
    #[must_use]
    pub fn latest(&self) -> VersionId {
        VersionId(u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX))
    }

    /// All labels, oldest first.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|v| &*v.label)
    }
}
