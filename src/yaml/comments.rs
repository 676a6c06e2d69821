//! Comments, which are no part of the tree.

use super::{Kind, Node, Span};

/// A comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'t> {
    /// From its `#` to the end of its line.
    pub span: Span,
    /// What follows the `#`, without spaces around it.
    pub text: &'t str,
    /// Whether nothing stands before it on its line.
    pub is_alone: bool,
}

/// The comments of a text, given its tree: every `#` at the start of a word that is no part of a scalar.
#[must_use]
pub fn comments<'t>(text: &'t str, node: &Node) -> Vec<Comment<'t>> {
    let mut scalars = Vec::new();
    collect(text, node, &mut scalars);
    scalars.sort_unstable();
    let mut comments = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('#')) {
        let at = from + found;
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| !c.is_whitespace()) || is_in(&scalars, at) {
            from = at + 1;
            continue;
        }
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let span = Span { start: at, end };
        comments.push(Comment { span, text: text[at + 1..end].trim(), is_alone: text[line..at].trim().is_empty() });
        from = end;
    }
    comments
}

/// The places of all scalars. Trees are no deeper than their limits let them be.
fn collect(text: &str, node: &Node, scalars: &mut Vec<Span>) {
    match &node.kind {
        Kind::Scalar(_) => scalars.push(Span { start: node.span.start, end: end_of(text, node.span) }),
        Kind::Sequence(nodes) => nodes.iter().for_each(|node| collect(text, node, scalars)),
        Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            collect(text, key, scalars);
            collect(text, value, scalars);
        }),
    }
}

/// Where a scalar ends: the place of one in quotes may reach to what follows on its line.
fn end_of(text: &str, span: Span) -> usize {
    let scalar = text.get(span.start..span.end).unwrap_or_default();
    let Some(quote) = scalar.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return span.end };
    let mut chars = scalar.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', '"') => drop(chars.next()),
            ('\'', '\'') if chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            _ if c == quote => return span.start + at + c.len_utf8(),
            _ => {}
        }
    }
    span.end
}

fn is_in(scalars: &[Span], at: usize) -> bool {
    let after = scalars.partition_point(|span| span.start <= at);
    after > 0 && at < scalars[after - 1].end
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, parse};
    use super::*;

    #[test]
    fn only_what_yaml_skips_is_a_comment() {
        let text = "\
# first
a: b#c  # second
d: \"# no \\\" # no\" # third
e: 'it''s # no' # too
f: |
  # no
  x # no
g: >-
  # no
  # no

h: [a, # fourth
  b]   #fifth
i:
  j: a#b
  # sixth
";
        let node = parse(text, "a.yaml", Limits::default()).unwrap();
        let found: Vec<(&str, bool)> = comments(text, &node).iter().map(|c| (c.text, c.is_alone)).collect();
        let want = [
            ("first", true),
            ("second", false),
            ("third", false),
            ("too", false),
            ("fourth", false),
            ("fifth", false),
            ("sixth", true),
        ];
        assert_eq!(found, want);
    }
}
