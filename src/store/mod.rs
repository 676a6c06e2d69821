//! Where rule files come from.

mod directory;

use std::io;
use std::path::PathBuf;

/// A place that holds rule files.
#[derive(Debug, Clone)]
pub enum RuleStore {
    /// A directory: `<api>/api.yaml`, `<api>/changes/...`. It is watched.
    Directory(PathBuf),
    /// Files that are part of the program. They never change.
    Fixed(&'static [(&'static str, &'static str)]),
}

/// A rule file: its path relative to the store, with `/` between segments, and its text.
pub type RuleFile = (String, String);

impl RuleStore {
    /// Reads all rule files, in the order of their paths.
    ///
    /// # Errors
    /// A file cannot be read, is too large or not UTF-8, or there are too many; the text names it.
    pub fn read(&self) -> io::Result<Vec<RuleFile>> {
        match self {
            Self::Directory(path) => directory::read(path),
            Self::Fixed(files) => Ok(files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect()),
        }
    }
}
