//! `add`: a member that exists only since this version.

use crate::json::edit::{Edit, Occupied, Source};
use crate::rules::Direction;
use crate::rules::path::{Part, Place};
use crate::yaml::{Fields, Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, SOURCE, Takes};
use super::{Edits, Lens, Mode, code, literal, member, place};

/// What there is to say of `add`.
pub(super) const DEFINITION: Definition = Definition {
    name: "add",
    summary: "a member exists only since the newer version",
    does: "Where it is missing, it is filled in. For a default that merely changed, use `presence`: going down, `add` takes \
           the member away.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Member, "the member"),
        Parameter::required("default", SOURCE, "what it is filled with; `absent`: nothing, `fail`: it has to be there"),
        CREATE,
        IF_PRESENT,
        Parameter::optional("lose", Takes::Word(&["fail"]), "`fail` refuses to take a value away, going down"),
    ]]),
    inverse: "the member goes",
    lost: "its value, going down",
    examples: &[Example {
        ops: "- add: {at: /country, default: {value: US}}\n\
              - add: {at: /meta/version, default: {value: v2}, create: true}\n",
        documents: &[Documents::both(r#"{"id":1}"#, r#"{"id":1,"country":"US","meta":{"version":"v2"}}"#)],
    }],
    parse: |reader, args| Add::parse(reader, args).map(Lens::Add),
};

pub(super) const CREATE: Parameter =
    Parameter::or("create", Takes::Boolean, "false", "whether missing parents are made; else they stay missing");

pub(super) const IF_PRESENT: Parameter = Parameter::or(
    "if_present",
    Takes::Word(&["keep", "fail", "replace"]),
    "keep",
    "a member that is there where one is to be filled in: it stays, is refused or replaced",
);

/// The parameters, shared with `remove`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    at: Place,
    default: Source,
    create: bool,
    if_present: Occupied,
    refuse: bool,
}

impl Add {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        Self::parse_as(reader, args, "`add`", "default")
    }

    /// Parses the parameters of `add`, or of `remove`, which calls the value `restore`.
    pub(super) fn parse_as(
        reader: &mut Reader,
        args: &Node,
        what: &'static str,
        default: &'static str,
    ) -> Option<Self> {
        let mut fields = reader.fields(args, what)?;
        let at = fields.require(reader, "at").and_then(|node| member(reader, node));
        let default = fields.require(reader, default).and_then(|node| source(reader, node));
        let create = fields.get("create").and_then(|node| reader.boolean(node, "`create`")).unwrap_or(false);
        let choices = [("keep", Occupied::Keep), ("fail", Occupied::Fail), ("replace", Occupied::Replace)];
        let if_present = fields
            .get("if_present")
            .and_then(|node| reader.one_of(node, "`if_present`", &choices).copied())
            .unwrap_or(Occupied::Keep);
        let refuse = fields.get("lose").is_some_and(|node| reader.one_of(node, "`lose`", &[("fail", ())]).is_some());
        fields.finish(reader);
        let (at, default) = (at?, default?);
        refuse_copy(reader, args, &at, &default)?;
        Some(Self { at, default, create, if_present, refuse })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Going down, the member's value, unless it refuses to.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        match direction {
            Direction::Down if !self.refuse => vec![self.at.clone()],
            Direction::Down | Direction::Up => Vec::new(),
        }
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        match direction {
            Direction::Up => self.put(mode),
            Direction::Down => self.take(),
        }
    }

    /// The member appears. A partial update must not write defaults, except into whole array elements.
    pub(super) fn put(&self, mode: Mode) -> Edits {
        let (scope, at) = self.at.scoped();
        if mode == Mode::MergePatch && scope.is_empty() {
            return Vec::new();
        }
        vec![(
            self.at.part(),
            Edit::Put { scope, at, value: self.default.clone(), create: self.create, if_present: self.if_present },
        )]
    }

    /// The member goes.
    pub(super) fn take(&self) -> Edits {
        let (scope, at) = self.at.scoped();
        vec![(self.at.part(), Edit::Take { scope, at, prune: self.create, refuse: self.refuse })]
    }
}

/// What is copied is another value of the same object, and only the body has objects.
pub(super) fn refuse_copy(reader: &mut Reader, args: &Node, at: &Place, source: &Source) -> Option<()> {
    if at.part() == Part::Body || !matches!(source, Source::Copy(_)) {
        return Some(());
    }
    reader
        .error(code::PARTS, args.span, format!("`from` copies within the body, and `{at}` is not in it"))
        .help("to take a value from the body into the head, `move` it");
    None
}

pub(super) fn source(reader: &mut Reader, node: &Node) -> Option<Source> {
    if node.as_mapping().is_none() && node.as_str().is_none() {
        let help = node
            .text()
            .filter(|text| !text.is_empty())
            .map(|text| format!("write `{{value: {}}}`", text.escape_debug()));
        reader.wrong_type(node, "a default", "`{value: literal}`, `{from: path}`, `absent` or `fail`").help = help;
        return None;
    }
    if let Some(text) = node.as_str().filter(|text| !matches!(*text, "absent" | "fail")) {
        let message = format!(
            "expected `{{value: literal}}`, `{{from: path}}`, `absent` or `fail`, found `{}`",
            text.escape_debug()
        );
        reader.bad_value(node, message).help(format!("write `{{value: {}}}`", text.escape_debug()));
        return None;
    }
    if node.as_mapping().is_none() {
        return reader.one_of(node, "a default", &[("absent", Source::Absent), ("fail", Source::Refuse)]).cloned();
    }
    let mut fields = reader.fields(node, "a default")?;
    let source = value_or_copy(reader, &mut fields);
    if source.is_none() && fields.get("value").is_none() && fields.get("from").is_none() {
        reader.bad_value(node, "a default is `{value: literal}`, `{from: path}`, `absent` or `fail`");
    }
    fields.finish(reader);
    source
}

fn value_or_copy(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Source> {
    let (value, from) = (fields.get("value"), fields.entry("from"));
    if let (Some(_), Some((key, _))) = (value, from) {
        reader.bad_value(key, "a default is either `value` or `from`, not both").help("remove one of them");
        return None;
    }
    if let Some(value) = value {
        return literal(reader, value).map(Source::Literal);
    }
    let (_, node) = from?;
    let place = place(reader, node)?;
    let keys = place.keys().filter(|_| place.location == crate::rules::path::Location::Body);
    if keys.is_none() {
        reader.error(code::PATH, node.span, "`from` names one other value of the same object: a body path without `*`");
    }
    keys.map(Source::Copy)
}
