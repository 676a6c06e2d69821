//! The ops of the rule language: one file each, with its [`Definition`], its parameters and its lowering.
//!
//! An op is written from the older version to the newer. `Op::lower` gives the primitive edits of one direction;
//! going down, they are those of the op's inverse.

mod add;
mod carry;
mod convert;
mod definition;
mod drop;
mod each;
mod effect;
mod entries;
mod envelope;
mod guard;
mod jq;
mod limit;
mod loss;
mod map;
mod presence;
mod recase;
mod relocate;
mod remove;
mod rename;
mod split;
mod spread;
mod tuple;
mod wrap;

use std::sync::Arc;

use crate::diagnostic::Span;
use crate::json::edit::{Condition, Edit, Entry, Literal, Nest, Otherwise, Path, Token};
use crate::yaml::{Node, Reader};

use super::Direction;
use super::path::{Location, Part, Place, part_after_last_wildcard};

pub use carry::{Carried, carry_ops};
pub(super) use carry::{Fit, carry, carry_all, fit};
pub use definition::{Arguments, Definition, Documents, Example, Need, Parameter, Takes};
pub(super) use effect::{Effect, Leaf, Making, Stage};
pub use guard::Guard;
use guard::parse_guards;
use loss::loses_value;
pub(super) use loss::lower_counted;
pub use loss::{lost_by, unknown_losses};

/// What stands beside an op: when it runs, and a remark.
const KNOBS: &[&str] = &["where", "where_down", "note"];

/// The codes of diagnostics about ops.
pub mod code {
    /// A malformed path.
    pub const PATH: &str = "RL002";
    /// An op that is not one op.
    pub const OP: &str = "RL003";
    /// An op or guard that reaches into both head and body.
    pub const PARTS: &str = "RL004";
    /// A jq program that does not compile.
    pub const JQ: &str = "RL011";
    /// The wildcards of `from` and `to` do not align.
    pub const WILDCARDS: &str = "CF206";
}

/// One op with its guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// What it does.
    pub lens: Lens,
    /// When it runs going up, and going down unless `guard_down` says otherwise.
    pub guard: Vec<Guard>,
    /// When it runs going down.
    pub guard_down: Option<Vec<Guard>>,
    /// Where it stands in its file.
    pub span: Span,
}

/// The ops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lens {
    /// `rename`
    Rename(rename::Rename),
    /// `move`
    Move(relocate::Move),
    /// `add`
    Add(add::Add),
    /// `remove`
    Remove(remove::Remove),
    /// `map`
    Map(map::Map),
    /// `convert`
    Convert(convert::Convert),
    /// `wrap`
    Wrap(wrap::Wrap),
    /// `unwrap`
    Unwrap(wrap::Wrap),
    /// `envelope`
    Envelope(envelope::Envelope),
    /// `split`
    Split(split::Split),
    /// `entries`
    Entries(entries::Entries),
    /// `tuple`
    Tuple(tuple::Tuple),
    /// `spread`
    Spread(spread::Spread),
    /// `presence`
    Presence(presence::Presence),
    /// `recase`
    Recase(recase::Recase),
    /// `drop`
    Drop(drop::Drop),
    /// `limit`
    Limit(limit::Limit),
    /// `each`
    Each(each::Each),
    /// `jq`
    Jq(jq::Jq),
}

/// How a request body that is a partial update is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The body is the whole document.
    #[default]
    Full,
    /// RFC 7396: what is absent stays unchanged, null deletes; nothing may be filled in.
    MergePatch,
}

/// A primitive edit and the part of the message it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// Head or body.
    pub part: Part,
    /// The edit, with its guard.
    pub entry: Entry,
}

/// Parses a list of ops. Everything that is wrong is reported; what is right comes back.
pub fn parse_ops(reader: &mut Reader, node: &Node) -> Vec<Op> {
    let Some(nodes) = reader.list(node, "a list of ops") else { return Vec::new() };
    nodes.iter().filter_map(|node| Op::parse(reader, node)).collect()
}

/// Lowers a list of ops: in order going up, in reverse order and inverted going down.
#[must_use]
pub fn lower_ops(ops: &[Op], direction: Direction, mode: Mode) -> Vec<Lowered> {
    match direction {
        Direction::Up => ops.iter().flat_map(|op| op.lower(direction, mode)).collect(),
        Direction::Down => ops.iter().rev().flat_map(|op| op.lower(direction, mode)).collect(),
    }
}

impl Op {
    /// The ops, in the order of the reference.
    pub const DEFINITIONS: &'static [&'static Definition] = &[
        &rename::DEFINITION,
        &relocate::DEFINITION,
        &add::DEFINITION,
        &remove::DEFINITION,
        &map::DEFINITION,
        &convert::DEFINITION,
        &wrap::DEFINITION,
        &wrap::UNWRAP,
        &envelope::DEFINITION,
        &split::DEFINITION,
        &entries::DEFINITION,
        &tuple::DEFINITION,
        &spread::DEFINITION,
        &presence::DEFINITION,
        &recase::DEFINITION,
        &drop::DEFINITION,
        &limit::DEFINITION,
        &each::DEFINITION,
        &jq::DEFINITION,
    ];

    /// The ops' names, in the order of the reference.
    pub const NAMES: &'static [&'static str] = &names::<{ Self::DEFINITIONS.len() }>(Self::DEFINITIONS);

    /// How many ops it is, with those inside.
    fn count(&self) -> usize {
        if let Lens::Each(op) = &self.lens { 1 + op.ops().iter().map(Self::count).sum::<usize>() } else { 1 }
    }

    fn parse(reader: &mut Reader, node: &Node) -> Option<Self> {
        let entries = reader.mapping(node, "an op")?;
        let (name, args) = Self::only_one(reader, node, entries)?;
        let guards = |reader: &mut Reader, key: &str| {
            let node = entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)?;
            Some(parse_guards(reader, node))
        };
        let guard = guards(reader, "where").unwrap_or_default();
        let guard_down = guards(reader, "where_down");
        let lens = Lens::parse(reader, name, args)?;
        Some(Self { lens, guard, guard_down, span: node.span })
    }

    /// The one entry that is an op; the others say when it runs.
    fn only_one<'n>(reader: &mut Reader, node: &Node, entries: &'n [(Node, Node)]) -> Option<(&'n Node, &'n Node)> {
        let is_knob = |name: &str| KNOBS.contains(&name);
        let is_op = |name: &str| Self::NAMES.contains(&name);
        let others = || entries.iter().filter(|(name, _)| !name.text().is_some_and(is_knob));
        if let (Some((name, args)), 1) = (others().next(), others().count()) {
            return Some((name, args));
        }
        let mut unknown = others().filter(|(name, _)| !name.text().is_some_and(is_op));
        if let (Some((name, _)), None, 2) = (unknown.next(), unknown.next(), others().count()) {
            let text = name.text().unwrap_or_default();
            reader
                .error(
                    crate::yaml::code::UNKNOWN_KEY,
                    name.span,
                    format!("unknown key `{}` in an op", text.escape_debug()),
                )
                .help(crate::yaml::reader::suggestion(text, KNOBS));
            return None;
        }
        reader
            .error(code::OP, node.span, "expected exactly one op, such as `rename: {/old: new}`")
            .help("write one list item for each op; `where` and `where_down` go beside it");
        None
    }

    /// Whether it or its guards have a foot in the head and one in the body, so that both must be there when it runs.
    /// The entries of a `rename` are independent of each other, and may each be in one.
    #[must_use]
    pub fn crosses(&self) -> bool {
        let has_guard = !self.guard.is_empty() || self.guard_down.is_some();
        let independent = matches!(self.lens, Lens::Rename(_)) && !has_guard;
        !independent && self.reaches(Part::Head) && self.reaches(Part::Body)
    }

    /// Ops within each value at a path of the body.
    pub(super) fn within(at: Path, ops: Vec<Self>, span: Span) -> Self {
        Self { lens: Lens::Each(each::Each::new(at, ops, None)), guard: Vec::new(), guard_down: None, span }
    }

    /// Ops within values at a path of the body that have a form, and within those inside them.
    pub(super) fn within_nested(at: Path, ops: Vec<Self>, nest: Arc<Nest>, form: usize, span: Span) -> Self {
        let each = each::Each::new(at, ops, Some((nest, form)));
        Self { lens: Lens::Each(each), guard: Vec::new(), guard_down: None, span }
    }

    /// Whether it or one of its guards is about a part of the message.
    #[must_use]
    pub fn reaches(&self, part: Part) -> bool {
        self.places().any(|place| place.part() == part) || part == Part::Body && matches!(self.lens, Lens::Envelope(_))
    }

    /// Every place that it or one of its guards names.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let guards = self.guard.iter().chain(self.guard_down.iter().flatten()).map(|guard| &guard.place);
        self.lens.places().into_iter().chain(guards)
    }

    /// The ops inside it, if it is an `each`.
    #[must_use]
    pub fn inner(&self) -> &[Op] {
        match &self.lens {
            Lens::Each(each) => each.ops(),
            _ => &[],
        }
    }

    /// The ops that it runs inside other values, and where.
    #[must_use]
    pub fn inside(&self) -> Option<(Path, &[Self])> {
        match &self.lens {
            Lens::Each(each) => Some(each.inside()),
            _ => None,
        }
    }

    /// The op of which an edit is: itself, or one of those inside it.
    #[must_use]
    pub fn of_edit(&self, direction: Direction, edit: &Edit) -> Option<&Self> {
        if !self.inner().is_empty() {
            return self.inner().iter().find_map(|op| op.of_edit(direction, edit));
        }
        self.lower(direction, Mode::Full).iter().any(|lowered| lowered.entry.edit == *edit).then_some(self)
    }

    /// Whether it fails for values that it cannot translate because nothing says what else is to become of them.
    #[must_use]
    pub fn leaves_open(&self, direction: Direction) -> bool {
        match &self.lens {
            Lens::Map(op) => op.leaves_open(direction),
            Lens::Convert(op) => op.leaves_open(direction),
            Lens::Wrap(op) => op.leaves_open(direction),
            Lens::Unwrap(op) => op.leaves_open(direction.turned()),
            _ => false,
        }
    }

    /// Whether it drops messages as a whole, which only sockets have.
    #[must_use]
    pub fn drops_message(&self) -> bool {
        matches!(&self.lens, Lens::Drop(op) if op.drops_message())
    }

    /// Whether it may change a response's status.
    #[must_use]
    pub fn touches_status(&self) -> bool {
        self.lens.places().iter().any(|place| place.location == Location::Status)
    }

    /// The statuses that it changes or makes, if it treats all others alike.
    #[must_use]
    pub fn statuses(&self) -> Option<Vec<u16>> {
        match &self.lens {
            Lens::Map(map) => map.numbers(),
            _ => None,
        }
    }

    fn lower(&self, direction: Direction, mode: Mode) -> Vec<Lowered> {
        let guards = match (direction, &self.guard_down) {
            (Direction::Down, Some(down)) => down,
            _ => &self.guard,
        };
        let crosses = self.crosses();
        let keys = |place: &Place| if crosses { place.keys_in_message() } else { place.keys() };
        let guard: Vec<Condition> =
            guards.iter().filter_map(|g| Some(Condition { path: keys(&g.place)?, test: g.test.clone() })).collect();
        let lower = |(part, edit)| {
            let guard = guard.clone();
            if crosses {
                return Lowered { part: Part::Both, entry: Entry { guard, ..in_message(part, edit) } };
            }
            Lowered { part, entry: Entry { guard, edit, change: None, losses: Vec::new() } }
        };
        self.lens.lower(direction, mode).into_iter().map(lower).collect()
    }
}

const fn names<const N: usize>(definitions: &[&Definition]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = definitions[at].name;
        at += 1;
    }
    names
}

/// An edit of one part as one of the whole message's document.
#[must_use]
pub(super) fn in_message(part: Part, edit: Edit) -> Entry {
    let entry = Entry { guard: Vec::new(), edit, change: None, losses: Vec::new() };
    match part {
        Part::Head | Part::Both => entry,
        Part::Body => body_in_message(entry),
    }
}

/// An entry about the body as one about the whole message's document, which has it as a member.
#[must_use]
pub(super) fn body_in_message(entry: Entry) -> Entry {
    let (at, change) = (vec![Token::Key(Location::Body.name().to_owned())], entry.change.clone());
    Entry { guard: Vec::new(), edit: Edit::Each { at, entries: vec![entry] }, change, losses: Vec::new() }
}

/// A primitive edit and its part.
type Edits = Vec<(Part, Edit)>;

impl Lens {
    fn parse(reader: &mut Reader, name: &Node, args: &Node) -> Option<Self> {
        let text = name.text()?;
        if let Some(definition) = Op::DEFINITIONS.iter().find(|definition| definition.name == text) {
            return (definition.parse)(reader, args);
        }
        let message = format!("unknown op `{}`", text.escape_debug());
        reader.error(code::OP, name.span, message).help(crate::yaml::reader::suggestion(text, Op::NAMES));
        None
    }

    /// What there is to say of the op.
    #[must_use]
    pub fn definition(&self) -> &'static Definition {
        match self {
            Self::Rename(_) => &rename::DEFINITION,
            Self::Move(_) => &relocate::DEFINITION,
            Self::Add(_) => &add::DEFINITION,
            Self::Remove(_) => &remove::DEFINITION,
            Self::Map(_) => &map::DEFINITION,
            Self::Convert(_) => &convert::DEFINITION,
            Self::Wrap(_) => &wrap::DEFINITION,
            Self::Unwrap(_) => &wrap::UNWRAP,
            Self::Envelope(_) => &envelope::DEFINITION,
            Self::Split(_) => &split::DEFINITION,
            Self::Entries(_) => &entries::DEFINITION,
            Self::Tuple(_) => &tuple::DEFINITION,
            Self::Spread(_) => &spread::DEFINITION,
            Self::Presence(_) => &presence::DEFINITION,
            Self::Recase(_) => &recase::DEFINITION,
            Self::Drop(_) => &drop::DEFINITION,
            Self::Limit(_) => &limit::DEFINITION,
            Self::Each(_) => &each::DEFINITION,
            Self::Jq(_) => &jq::DEFINITION,
        }
    }

    /// The op's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.definition().name
    }

    /// Every place that the op names.
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::Rename(op) => op.places(),
            Self::Move(op) => op.places(),
            Self::Add(op) => op.places(),
            Self::Remove(op) => op.places(),
            Self::Map(op) => op.places(),
            Self::Convert(op) => op.places(),
            Self::Wrap(op) | Self::Unwrap(op) => op.places(),
            Self::Envelope(_) => Vec::new(),
            Self::Split(op) => op.places(),
            Self::Entries(op) => op.places(),
            Self::Tuple(op) => op.places(),
            Self::Spread(op) => op.places(),
            Self::Presence(op) => op.places(),
            Self::Recase(op) => op.places(),
            Self::Drop(op) => op.places(),
            Self::Limit(op) => op.places(),
            Self::Each(op) => op.places(),
            Self::Jq(op) => op.places(),
        }
    }

    fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        match self {
            Self::Rename(op) => op.lower(direction),
            Self::Move(op) => op.lower(direction, mode),
            Self::Add(op) => op.lower(direction, mode),
            Self::Remove(op) => op.lower(direction, mode),
            Self::Map(op) => op.lower(direction),
            Self::Convert(op) => op.lower(direction),
            Self::Wrap(op) => op.lower(direction, mode),
            Self::Unwrap(op) => op.lower(direction.turned(), mode),
            Self::Envelope(op) => op.lower(direction),
            Self::Split(op) => op.lower(direction, mode),
            Self::Entries(op) => op.lower(direction),
            Self::Tuple(op) => op.lower(direction),
            Self::Spread(op) => op.lower(direction),
            Self::Presence(op) => op.lower(direction, mode),
            Self::Recase(op) => op.lower(direction),
            Self::Drop(op) => op.lower(direction),
            Self::Limit(op) => op.lower(direction),
            Self::Each(op) => op.lower(direction, mode),
            Self::Jq(op) => op.lower(direction),
        }
    }
}

/// A node's value as JSON text.
fn json(reader: &mut Reader, node: &Node) -> Option<Vec<u8>> {
    match node.to_json() {
        Ok(text) => Some(text.into_bytes()),
        Err(error) => {
            reader
                .error(crate::yaml::code::BAD_VALUE, error.span, "this number has no JSON form")
                .help("write it as JSON does: decimal digits, no leading `+` or `.`");
            None
        }
    }
}

fn literal(reader: &mut Reader, node: &Node) -> Option<Literal> {
    json(reader, node).map(|text| Literal::new(&text))
}

/// A path; malformed ones are reported.
pub(super) fn place(reader: &mut Reader, node: &Node) -> Option<Place> {
    let text = reader.string(node, "a path")?;
    match Place::parse(text) {
        Ok(place) => Some(place),
        Err(message) => {
            reader.error(code::PATH, node.span, message);
            None
        }
    }
}

/// The path of a member: it ends with a name.
fn member(reader: &mut Reader, node: &Node) -> Option<Place> {
    let place = place(reader, node)?;
    if matches!(place.tokens.last(), Some(Token::Key(_))) {
        return Some(place);
    }
    reader
        .error(code::PATH, node.span, format!("expected the path of a member, found `{place}`"))
        .help("it must end with a name, as in `/items/*/name`");
    None
}

/// `else` and `else_down`, each as far as it is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fallback {
    up: Option<Otherwise>,
    down: Option<Otherwise>,
}

impl Fallback {
    fn parse(reader: &mut Reader, fields: &mut crate::yaml::Fields<'_>) -> Self {
        let up = fields.get("else").and_then(|node| otherwise(reader, node));
        let down = fields.get("else_down").and_then(|node| otherwise(reader, node)).or_else(|| up.clone());
        Self { up, down }
    }

    fn said(&self, direction: Direction) -> Option<&Otherwise> {
        match direction {
            Direction::Up => self.up.as_ref(),
            Direction::Down => self.down.as_ref(),
        }
    }

    fn of(&self, direction: Direction) -> Otherwise {
        self.said(direction).cloned().unwrap_or_default()
    }
}

fn otherwise(reader: &mut Reader, node: &Node) -> Option<Otherwise> {
    if node.as_mapping().is_some() {
        let mut fields = reader.fields(node, "an `else`")?;
        let value = fields.require(reader, "value").and_then(|value| json(reader, value));
        fields.finish(reader);
        return value.map(Otherwise::Value);
    }
    reader
        .one_of(node, "`else`", &[("fail", Otherwise::Fail), ("keep", Otherwise::Keep), ("drop", Otherwise::Drop)])
        .cloned()
}

/// `with: {...}` of `envelope` and `wrap`.
fn with(reader: &mut Reader, fields: &mut crate::yaml::Fields<'_>) -> Vec<(String, Literal)> {
    let Some(entries) = fields.get("with").and_then(|node| reader.mapping(node, "`with`")) else { return Vec::new() };
    entries.iter().filter_map(|(name, value)| Some((name.text()?.to_owned(), literal(reader, value)?))).collect()
}

/// Parts two paths after the last wildcard they share: the common scopes, and what follows in each.
fn common_scope(from: &Path, to: &Path) -> Option<(Path, crate::json::edit::Keys, crate::json::edit::Keys)> {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let at = from[..shared].iter().rposition(|token| *token == Token::Any).map_or(0, |at| at + 1);
    let (rest_of_from, rest_of_to) = (from[at..].to_vec(), to[at..].to_vec());
    let ((none, from_keys), (nothing, to_keys)) =
        (part_after_last_wildcard(&rest_of_from), part_after_last_wildcard(&rest_of_to));
    (none.is_empty() && nothing.is_empty()).then(|| (from[..at].to_vec(), from_keys, to_keys))
}
