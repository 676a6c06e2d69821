//! `recase: {at, from: snake|camel, to: snake|camel, except: [name, ...]}`
//!
//! **What it does.** Every name inside a value is written another way: `created_at` and `createdAt`. Values are not
//! touched. `except` lists names that stay, with everything inside them: maps that hold users' own names. `at` is the
//! whole body by default.
//!
//! **Example.** `recase: {from: snake, to: camel}` makes `{"createdAt":1}` of `{"created_at":1}`.
//!
//! **Inverse.** The same with `from` and `to` swapped.
//!
//! **What is lost.** Names that are written the new way already, and acronyms: `imageURL` comes back as `image_uRL`.

use crate::json::edit::{Case, Edit, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, place};

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

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let to = match direction {
            Direction::Up => self.to,
            Direction::Down => self.from,
        };
        let how = ValueEdit::Recase { to, except: self.except.clone() };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}
