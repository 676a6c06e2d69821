//! Files that the configuration names and others read: certificates and keys.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::code;
use super::file::not_empty;
use crate::diagnostic::{self, Diagnostic, Source, Span};
use crate::yaml::{Node, Reader};

/// A file, and where the configuration names it. Two are the same where their paths are.
#[derive(Clone)]
pub struct NamedFile {
    path: PathBuf,
    /// `None` where no configuration file names it.
    place: Option<(Arc<Source>, Span)>,
}

impl NamedFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it, for a person: drawn with the line that names it.
    #[must_use]
    pub fn error(&self, message: String) -> String {
        let Some((source, span)) = &self.place else { return message };
        let diagnostic = Diagnostic::error(code::UNUSABLE_FILE, &source.file.as_str().into(), *span, message);
        diagnostic::render(&[diagnostic], std::slice::from_ref(source), false)
    }
}

impl<P: Into<PathBuf>> From<P> for NamedFile {
    fn from(path: P) -> Self {
        Self { path: path.into(), place: None }
    }
}

impl PartialEq for NamedFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for NamedFile {}

impl fmt::Debug for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// What the names of files in a configuration are read with.
pub(super) struct Files<'b> {
    /// Where relative paths start from.
    base_dir: &'b Path,
    source: Arc<Source>,
}

impl<'b> Files<'b> {
    pub(super) fn new(base_dir: &'b Path, file: &str, text: &str) -> Self {
        Self { base_dir, source: Arc::new(Source { file: file.to_owned(), text: text.to_owned() }) }
    }

    /// A path as it is seen from the working directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.base_dir.join(name)
    }

    /// A value that names a file.
    pub(super) fn file(&self, node: &Node, what: &str, reader: &mut Reader) -> Option<NamedFile> {
        let name = not_empty(node, what, reader)?;
        Some(NamedFile { path: self.path(name), place: Some((Arc::clone(&self.source), node.span)) })
    }
}
