//! From the parser's places to byte offsets.

use saphyr_parser::Marker;

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

    /// The span without the white space at its end, which the scanner counts in for blocks.
    pub(super) fn trim(&self, span: Span) -> Span {
        let text = self.source[span.start..span.end].trim_end();
        Span { start: span.start, end: span.start + text.len() }
    }

    /// The one character at a place; nothing at the end.
    pub(super) fn character(&self, marker: Marker) -> Span {
        let start = self.byte(marker);
        let width = self.source[start..].chars().next().map_or(0, char::len_utf8);
        Span { start, end: start + width }
    }
}
