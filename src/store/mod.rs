//! Where rule files come from.

mod directory;

use std::io;
use std::path::PathBuf;

use crate::diagnostic::Source;

/// A place that holds rule files.
#[derive(Debug, Clone)]
pub enum RuleStore {
    /// A directory: `<api>/api.yaml`, `<api>/changes/...`. It is watched.
    Directory(PathBuf),
    /// Files that are part of the program. They never change.
    Fixed(&'static [(&'static str, &'static str)]),
}

impl RuleStore {
    /// Reads all rule files, in the order of their names: paths relative to the store, with `/` between segments.
    ///
    /// # Errors
    /// A file cannot be read, is too large or not UTF-8, or there are too many; the text names it.
    pub fn read(&self) -> io::Result<Vec<Source>> {
        match self {
            Self::Directory(path) => directory::read(path),
            Self::Fixed(files) => {
                let source = |&(file, text): &(&str, &str)| Source { file: file.to_owned(), text: text.to_owned() };
                Ok(files.iter().map(source).collect())
            }
        }
    }
}
