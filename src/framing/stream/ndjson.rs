//! Lines of JSON (`application/x-ndjson`, `application/jsonl`).
//!
//! A line ends in LF; a CR before it is white space. Empty lines are no documents.

use bytes::Bytes;

/// Where in a line that has not ended the search goes on.
#[derive(Debug)]
pub(super) struct Scanner {
    at: usize,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { at: 0 }
    }

    /// The end of the first line, with its LF.
    pub(super) fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        let found = memchr::memchr(b'\n', buffer.get(self.at..)?).map(|end| self.at + end + 1);
        self.at = buffer.len();
        found
    }

    pub(super) fn take(&mut self, raw: Bytes) -> Line {
        self.at = 0;
        Line { raw }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    raw: Bytes,
}

impl Line {
    /// As it came, with its end.
    pub(super) fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The line without its end; `None` if it is empty.
    pub(super) fn document(&self) -> Option<&[u8]> {
        let (document, _) = self.raw.split_at(self.end());
        (!document.trim_ascii().is_empty()).then_some(document)
    }

    pub(super) fn write_with(&self, document: &[u8], out: &mut Vec<u8>) {
        let (_, end) = self.raw.split_at(self.end());
        out.extend_from_slice(document);
        out.extend_from_slice(end);
    }

    /// Where the line's end begins.
    fn end(&self) -> usize {
        let line = self.raw.strip_suffix(b"\n").unwrap_or(&self.raw);
        line.strip_suffix(b"\r").unwrap_or(line).len()
    }
}
