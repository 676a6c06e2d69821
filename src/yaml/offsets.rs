//! From the parser's places to byte offsets.

use saphyr_parser::{Marker, ScalarStyle};

use super::Span;

/// The parser counts characters, diagnostics count bytes. One byte offset is kept for every [`STRIDE`] characters.
pub(super) struct Offsets<'s> {
    source: &'s str,
    strides: Vec<usize>,
}

const STRIDE: usize = 64;

impl<'s> Offsets<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let strides = source.char_indices().step_by(STRIDE).map(|(offset, _)| offset).collect();
        Self { source, strides }
    }

    fn byte(&self, marker: Marker) -> usize {
        let Some(start) = self.strides.get(marker.index() / STRIDE) else {
            return self.source.len();
        };
        let rest = &self.source[*start..];
        rest.char_indices().nth(marker.index() % STRIDE).map_or(self.source.len(), |(offset, _)| start + offset)
    }

    pub(super) fn span(&self, span: saphyr_parser::Span) -> Span {
        Span { start: self.byte(span.start), end: self.byte(span.end) }
    }

    /// The span of a scalar: the scanner counts in what follows, up to the next token or, for blocks, white space.
    pub(super) fn scalar(&self, span: Span, style: ScalarStyle) -> Span {
        let text = &self.source[span.start..span.end];
        let end = match style {
            ScalarStyle::SingleQuoted => quoted_end(text, '\'', '\''),
            ScalarStyle::DoubleQuoted => quoted_end(text, '"', '\\'),
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        Span { start: span.start, end: span.start + end.unwrap_or_else(|| text.trim_end().len()) }
    }

    /// The start of a list: at its first dash or bracket. Where a list is not indented below its key, the scanner says
    /// the first element's.
    pub(super) fn list_start(&self, span: Span) -> usize {
        let text = &self.source[span.start..];
        let has_dash = text.starts_with('-') && text[1..].starts_with(char::is_whitespace);
        if span.end > span.start || has_dash {
            return span.start;
        }
        let before = self.source[..span.start].trim_end();
        if before.ends_with('-') { before.len() - 1 } else { span.start }
    }

    /// The end of a collection in brackets, of which the scanner counts in what follows; `None`: it is a block.
    pub(super) fn bracket_end(&self, span: Span) -> Option<usize> {
        let is_bracket = span.end > span.start && self.source[span.start..].starts_with([']', '}']);
        is_bracket.then_some(span.start + 1)
    }

    /// The one character at a place; nothing at the end.
    pub(super) fn character(&self, marker: Marker) -> Span {
        let start = self.byte(marker);
        let width = self.source[start..].chars().next().map_or(0, char::len_utf8);
        Span { start, end: start + width }
    }
}

/// Where a quoted text ends, behind its closing quote. What follows an escape is no quote; in single quotes, a quote
/// is the escape of another.
fn quoted_end(text: &str, quote: char, escape: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = escape == quote && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || (c == escape && c != quote) {
            chars.next();
        } else if c == quote {
            return Some(at + c.len_utf8());
        }
    }
    None
}
