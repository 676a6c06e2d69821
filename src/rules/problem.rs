//! How an error made by Legato looks to clients of a version that has a form of its own for errors.

use crate::yaml::{Kind, Node, NotJson};

/// What may be said of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The URN that names its kind.
    Type,
    /// Its kind in words.
    Title,
    /// The status.
    Status,
    /// What was expected and what was found.
    Detail,
    /// The stable name of its kind.
    Code,
    /// Where in a document.
    Pointer,
    /// The change whose op failed.
    Change,
    /// The client's version.
    Version,
    /// The versions that exist.
    Supported,
    /// The time.
    Now,
}

impl Part {
    /// Every part, as shapes write it.
    pub const ALL: [(&'static str, Self); 10] = [
        ("$type", Self::Type),
        ("$title", Self::Title),
        ("$status", Self::Status),
        ("$detail", Self::Detail),
        ("$code", Self::Code),
        ("$pointer", Self::Pointer),
        ("$change", Self::Change),
        ("$version", Self::Version),
        ("$supported", Self::Supported),
        ("$now", Self::Now),
    ];
}

/// JSON text with parts of an error in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProblemShape(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

/// Why a value is no shape.
#[derive(Debug)]
pub(super) enum Unusable<'n> {
    /// A number that JSON cannot say.
    Number(NotJson),
    /// A string that looks like a part and is none.
    Part(&'n Node),
}

impl ProblemShape {
    /// Reads a shape.
    pub(super) fn parse(node: &Node) -> Result<Self, Unusable<'_>> {
        let mut shape = Self::default();
        shape.add(node)?;
        Ok(shape)
    }

    /// The JSON text for one error. `part` gives a part's JSON; one that the error has not is `null`.
    pub fn fill(&self, part: impl Fn(Part) -> Option<String>) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Part(which) => part(*which).unwrap_or_else(|| "null".to_owned()),
        });
        pieces.collect()
    }

    fn add<'n>(&mut self, node: &'n Node) -> Result<(), Unusable<'n>> {
        match &node.kind {
            Kind::Scalar(_) => self.scalar(node),
            Kind::Sequence(items) => {
                self.text("[");
                for (at, item) in items.iter().enumerate() {
                    self.text(if at == 0 { "" } else { "," });
                    self.add(item)?;
                }
                self.text("]");
                Ok(())
            }
            Kind::Mapping(members) => {
                self.text("{");
                for (at, (name, value)) in members.iter().enumerate() {
                    self.text(if at == 0 { "" } else { "," });
                    // A `str` always serialises.
                    self.text(&serde_json::to_string(name.text().unwrap_or_default()).unwrap_or_default());
                    self.text(":");
                    self.add(value)?;
                }
                self.text("}");
                Ok(())
            }
        }
    }

    fn scalar<'n>(&mut self, node: &'n Node) -> Result<(), Unusable<'n>> {
        let word = node.as_str().and_then(|text| text.strip_prefix('$')).unwrap_or_default();
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.text(&node.to_json().map_err(Unusable::Number)?);
            return Ok(());
        }
        let part = Part::ALL.iter().find(|(name, _)| node.as_str() == Some(name));
        self.0.push(Piece::Part(part.ok_or(Unusable::Part(node))?.1));
        Ok(())
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn parts_are_filled_in_and_all_else_stays() {
        let text = r#"{"$title": [$title, "a $code", $5, 1.0, null], data: {at: $pointer, s: [$status, $status]}}"#;
        let shape = ProblemShape::parse(&yaml::parse(text, "x", yaml::Limits::default()).unwrap()).unwrap();
        let filled = shape.fill(|part| match part {
            Part::Title => Some(r#""$status""#.to_owned()),
            Part::Status => Some("404".to_owned()),
            _ => None,
        });
        let want = r#"{"$title":["$status","a $code","$5",1.0,null],"data":{"at":null,"s":[404,404]}}"#;
        assert_eq!(filled, want);
    }
}
