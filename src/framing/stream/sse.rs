//! Server-sent events (`text/event-stream`, WHATWG HTML section 9.2).
//!
//! An event ends at an empty line. Lines end in LF, CR or CRLF, and a byte-order mark may stand before the first. An
//! event's document is its `data` lines joined; everything else (`id`, `event`, `retry`, comments, unknown fields)
//! stays where it is, byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// Where in an event that has not ended the search goes on.
#[derive(Debug)]
pub(super) struct Scanner {
    /// Whether nothing has been taken yet.
    is_first: bool,
    /// Whether what was taken ended in a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Where the event's first line begins.
    first: usize,
    /// Where the line begins that is searched for its end.
    line: usize,
    at: usize,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { is_first: true, after_cr: false, first: 0, line: 0, at: 0 }
    }

    /// The end of the first event, with its empty line.
    pub(super) fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        if self.at == 0 && !self.begin(buffer) {
            return None;
        }
        while let Some(found) = memchr::memchr2(b'\n', b'\r', buffer.get(self.at..)?) {
            let end = self.at + found;
            let is_cr = buffer.get(end) == Some(&b'\r');
            let is_crlf = is_cr && buffer.get(end + 1) == Some(&b'\n');
            let next = end + if is_crlf { 2 } else { 1 };
            // The second half of a CRLF that came in two pieces ends no line of its own.
            let is_rest = !is_cr && end == self.line && end > self.first && buffer.get(end - 1) == Some(&b'\r');
            let is_empty = end == self.line && !is_rest;
            (self.line, self.at) = (next, next);
            if is_empty {
                return Some(next);
            }
        }
        self.at = buffer.len();
        None
    }

    /// Steps over what may stand before the first line; says whether it is there.
    fn begin(&mut self, buffer: &[u8]) -> bool {
        let Some(start) = buffer.first() else { return false };
        let skipped = if self.is_first && MARK.starts_with(buffer) && buffer.len() < MARK.len() {
            return false;
        } else if self.is_first && buffer.starts_with(MARK) {
            MARK.len()
        } else {
            usize::from(self.after_cr && *start == b'\n')
        };
        (self.first, self.line, self.at) = (skipped, skipped, skipped);
        // An LF alone is not looked at again.
        self.after_cr = false;
        self.is_first = false;
        true
    }

    pub(super) fn take(&mut self, raw: Bytes) -> Event {
        let first = self.first.min(raw.len());
        *self = Self { is_first: false, after_cr: raw.last() == Some(&b'\r'), first: 0, line: 0, at: 0 };
        Event { raw, first }
    }
}

/// One event, or comments and empty lines without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    raw: Bytes,
    /// Where its first line begins: behind a byte-order mark, or the end of the line before.
    first: usize,
}

impl Event {
    /// As it came.
    pub(super) fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The `data` lines joined by LF; `None` where there is none.
    pub(super) fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut values = self.lines().filter_map(|line| self.value(&line, b"data"));
        let first = values.next()?;
        let mut joined = Cow::Borrowed(first);
        for value in values {
            let all = joined.to_mut();
            all.push(b'\n');
            all.extend_from_slice(value);
        }
        Some(joined)
    }

    /// Appends the event with other data, spelt as its first `data` line is and in its place.
    pub(super) fn write_with(&self, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw[..self.first]);
        let mut is_written = false;
        for line in self.lines() {
            let Some(value) = self.value(&line, b"data") else {
                out.extend_from_slice(&self.raw[line.text.start..line.end]);
                continue;
            };
            if std::mem::replace(&mut is_written, true) {
                continue;
            }
            let spelling = &self.raw[line.text.start..line.text.end - value.len()];
            let spelling = if spelling == b"data" { b"data: " } else { spelling };
            let end = &self.raw[line.text.end..line.end];
            write_lines(data, spelling, end, out);
        }
    }

    /// Appends the event without what makes it one.
    pub(super) fn write_dropped(&self, out: &mut Vec<u8>) {
        let is_kept = |line: &Line| self.value(line, b"data").is_none() && self.value(line, b"event").is_none();
        if self.lines().any(|line| is_kept(&line) && !line.text.is_empty()) {
            for line in self.lines().filter(is_kept) {
                out.extend_from_slice(&self.raw[line.text.start..line.end]);
            }
        }
    }

    fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let mut at = self.first;
        std::iter::from_fn(move || {
            let rest = self.raw.get(at..).filter(|rest| !rest.is_empty())?;
            let text = at..at + memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let is_crlf = self.raw[text.end..].starts_with(b"\r\n");
            at = (text.end + if is_crlf { 2 } else { 1 }).min(self.raw.len());
            Some(Line { text, end: at })
        })
    }

    /// What a line of this name says.
    fn value(&self, line: &Line, name: &[u8]) -> Option<&[u8]> {
        let text = &self.raw[line.text.clone()];
        match text.strip_prefix(name)? {
            [] => Some(&[]),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        }
    }
}

/// One line of an event.
struct Line {
    text: Range<usize>,
    /// Where its end ends.
    end: usize,
}

/// Appends a `data` line for each line of a document.
fn write_lines(data: &[u8], spelling: &[u8], end: &[u8], out: &mut Vec<u8>) {
    // A line that the stream's end cut off has no end to spell this one like.
    let between = if end.is_empty() { b"\n" } else { end };
    let mut rest = data;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        for part in [spelling, &rest[..at], between] {
            out.extend_from_slice(part);
        }
        rest = rest[at..].strip_prefix(b"\r\n").unwrap_or(&rest[at + 1..]);
    }
    for part in [spelling, rest, end] {
        out.extend_from_slice(part);
    }
}
