//! Where a path stands in a file's text, and how a line reads with another path in its place.

use std::collections::HashMap;

use crate::diagnostic::Span;
use crate::rules::Place;
use crate::rules::lens::Op;
use crate::rules::path::Location;
use crate::yaml::{self, Kind, Node};

/// The texts of an API's files, by name.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a>(&'a HashMap<&'a str, &'a str>);

/// Longer lines are not worth printing again.
const LONGEST_LINE: usize = 160;

impl<'a> Texts<'a> {
    pub(super) fn new(texts: &'a HashMap<&'a str, &'a str>) -> Self {
        Self(texts)
    }

    /// The text of a file; empty if it is not among them.
    pub(super) fn of(self, file: &str) -> &'a str {
        self.0.get(file).copied().unwrap_or_default()
    }

    /// Where a path stands within an op. Ops inside `each` write only the last part of it, so that the longest
    /// ending that stands there counts; the whole op if there is none.
    pub(super) fn find(self, file: &str, op: Span, place: &Place) -> Span {
        let text = self.of(file).get(op.start..op.end).unwrap_or_default();
        let mut endings = (0..place.tokens.len().max(1)).map(|from| ending(place, from));
        let found = endings.find_map(|ending| Some((standing(text, &ending)?, ending.len())));
        found.map_or(op, |(at, length)| Span { start: op.start + at, end: op.start + at + length })
    }

    /// How many of a path's first tokens do not stand within an op: what is said of a shape is said in each of its places,
    /// whose paths its author has not written.
    pub(super) fn unwritten(self, file: &str, op: Span, place: &Place) -> usize {
        let text = self.of(file).get(op.start..op.end).unwrap_or_default();
        let found = (0..place.tokens.len()).find(|from| standing(text, &ending(place, *from)).is_some());
        // Shapes are in bodies; a header may be written in other letters.
        found.unwrap_or(if place.location == Location::Body { place.tokens.len() } else { 0 })
    }

    /// The line of a path, with another in its place. Where only the ending of the old path is written there, only
    /// that of the new one is.
    pub(super) fn with_path(self, file: &str, at: Span, old: &Place, new: &Place) -> Option<String> {
        let written = self.of(file).get(at.start..at.end)?;
        let from = (0..old.tokens.len().max(1)).find(|from| ending(old, *from) == written)?;
        let shares = old.tokens.get(..from) == new.tokens.get(..from) && old.location == new.location;
        shares.then(|| self.with_text(file, at, &ending(new, from)))?
    }

    /// Where the value of one of an op's own arguments stands.
    pub(super) fn argument(self, file: &str, op: Span, name: &str) -> Option<Span> {
        let arguments = self.arguments(file, op)?;
        let (_, value) = arguments.as_mapping()?.iter().find(|(key, _)| key.text() == Some(name))?;
        Some(Span { start: op.start + value.span.start, end: op.start + value.span.end })
    }

    /// The line of an op, with one more argument.
    pub(super) fn with_argument(self, file: &str, op: Span, argument: &str) -> Option<String> {
        let arguments = self.arguments(file, op)?;
        let end = op.start + arguments.span.end;
        let brace = Span { start: end.checked_sub(1)?, end };
        let is_flow = self.of(file).get(brace.start..brace.end) == Some("}");
        is_flow.then(|| self.with_text(file, brace, &format!(", {argument}}}")))?
    }

    /// What stands after the name of an op.
    fn arguments(self, file: &str, op: Span) -> Option<Node> {
        let text = self.of(file).get(op.start..op.end)?;
        let node = yaml::parse(text, "", yaml::Limits::default()).ok()?;
        match node.kind {
            Kind::Mapping(entries) => {
                let is_op = |(name, _): &(Node, Node)| name.text().is_some_and(|name| Op::NAMES.contains(&name));
                entries.into_iter().find(is_op).map(|(_, arguments)| arguments)
            }
            Kind::Scalar(_) | Kind::Sequence(_) => None,
        }
    }

    /// The line of a place, with another text there.
    pub(super) fn with_text(self, file: &str, at: Span, by: &str) -> Option<String> {
        let text = self.of(file);
        let start = text.get(..at.start)?.rfind('\n').map_or(0, |end| end + 1);
        let end = text.get(at.end..)?.find('\n').map_or(text.len(), |more| at.end + more);
        let line = format!("{}{by}{}", &text[start..at.start], &text[at.end..end]);
        Some(line.trim().to_owned()).filter(|line| line.len() <= LONGEST_LINE)
    }
}

/// A path without its first tokens, as text.
fn ending(place: &Place, from: usize) -> String {
    Place { location: place.location, tokens: place.tokens[from.min(place.tokens.len())..].to_vec() }.to_string()
}

/// Where a path stands in a text by itself, not as a part of a longer one.
fn standing(text: &str, path: &str) -> Option<usize> {
    let is_of_path = |c: char| c.is_alphanumeric() || "_-~/*.:".contains(c);
    text.match_indices(path).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back().is_some_and(is_of_path);
        let mut after = text[at + path.len()..].chars();
        let follows = match after.next() {
            // The colon of a key is not a part of it.
            Some(':') => after.next().is_some_and(|c| !c.is_whitespace()),
            Some(c) => is_of_path(c),
            None => false,
        };
        !before && !follows
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_by_themselves() {
        for (text, path, want) in [
            ("map: {at: /a, x}", "/a", Some(10)),
            ("rename: {/ab: c, /a: b}", "/a", Some(17)),
            ("move: {from: /x/a, to: /a/b}", "/a", None),
            ("{at: \"header:/a\", to: /b}", "/a", None),
            ("{at: \"header:/a\"}", "header:/a", Some(6)),
        ] {
            assert_eq!(standing(text, path), want, "{text}");
        }
    }
}
