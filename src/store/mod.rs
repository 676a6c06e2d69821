//! Where rule files come from.

mod directory;

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
    /// Files that cannot be read, are too large or not UTF-8, or too many: one line for each, which names it.
    pub fn read(&self) -> Result<Vec<Source>, String> {
        match self {
            Self::Directory(path) => directory::read(path).map_err(|errors| told(&errors)),
            Self::Fixed(files) => {
                let source = |&(file, text): &(&str, &str)| Source { file: file.to_owned(), text: text.to_owned() };
                Ok(files.iter().map(source).collect())
            }
        }
    }
}

/// More than these nobody reads.
const MOST_TOLD: usize = 100;

fn told(errors: &[String]) -> String {
    let mut lines: Vec<String> =
        errors.iter().take(MOST_TOLD).map(|error| format!("cannot read the rules: {error}")).collect();
    if let more @ 1.. = errors.len().saturating_sub(MOST_TOLD) {
        lines.push(format!("cannot read the rules: and {more} more"));
    }
    lines.join("\n")
}
