//! `recase`: every name inside a value is written another way.

use crate::json::edit::{Case, Edit, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes, WHOLE_BODY};
use super::{Edits, Lens, place};

/// What there is to say of `recase`.
pub(super) const DEFINITION: Definition = Definition {
    name: "recase",
    summary: "names are `camelCase` instead of `snake_case`, or the other way",
    does: "Every name inside the value changes, values do not. `except` is for maps that hold users' own names. `imageURL` \
           comes back as `image_uRL`.",
    arguments: Arguments::Forms(&[&[
        WHOLE_BODY,
        Parameter::required("from", Takes::Word(CASES), "how names are written in the older version"),
        Parameter::required("to", Takes::Word(CASES), "how they are written in the newer"),
        Parameter::optional("except", Takes::Names, "names that stay, with everything inside them"),
    ]]),
    inverse: "`from` and `to` swapped",
    lost: "names that are written the new way already, and acronyms",
    examples: &[Example {
        ops: "- recase: {from: snake, to: camel, except: [metadata]}\n",
        documents: &[Documents::both(
            r#"{"created_at":1,"metadata":{"my_key":2}}"#,
            r#"{"createdAt":1,"metadata":{"my_key":2}}"#,
        )],
    }],
    parse: |reader, args| Recase::parse(reader, args).map(Lens::Recase),
};

const CASES: &[&str] = &["snake", "camel"];

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recase {
    at: Place,
    from: Case,
    to: Case,
    except: Vec<String>,
}

impl Recase {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`recase`")?;
        let at = fields.get("at").map_or(Some(Place::body()), |node| place(reader, node));
        let choices = [("snake", Case::Snake), ("camel", Case::Camel)];
        let from = fields.require(reader, "from").and_then(|node| reader.one_of(node, "`from`", &choices).copied());
        let to = fields.require(reader, "to").and_then(|node| reader.one_of(node, "`to`", &choices).copied());
        let names = fields.get("except").and_then(|node| reader.list(node, "`except`")).unwrap_or_default();
        let except = names.iter().filter_map(|node| reader.string(node, "a name").map(str::to_owned)).collect();
        fields.finish(reader);
        let (from, to) = (from?, to?);
        if from == to {
            reader.bad_value(args, "`from` and `to` are the same");
            return None;
        }
        Some(Self { at: at?, from, to, except })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// The names that stay, and others with them, each once.
    pub(in crate::rules) fn excepting<'n>(&'n self, more: impl Iterator<Item = &'n String>) -> Vec<&'n str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.except.iter().chain(more) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let to = match direction {
            Direction::Up => self.to,
            Direction::Down => self.from,
        };
        let how = ValueEdit::Recase { to, except: self.except.clone() };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}
