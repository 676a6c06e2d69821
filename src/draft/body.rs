//! Hypotheses about whole bodies: an envelope, a list of one, another case of names. Each is tried, and the draft
//! with the fewest ops that explains the most wins.

use std::collections::BTreeSet;

use crate::json::edit::{Case, Path};
use crate::json::{Items, Kind};

use super::columns::{Column, Row, Text, columns, member, name};
use super::emit::join_renames;
use super::fill;
use super::op::{Edit, Fill, Op, Shell};
use super::scope;
use super::verify::{self, Residue};
use super::{Context, Pair};

/// A draft so cheap has no simpler rival.
const CHEAP: usize = 4;
/// What a place costs that nothing explains, a decision that is left open, a place that verification finds different,
/// and a body of which nothing is explained.
const UNEXPLAINED: usize = 20;
const OPEN: usize = 8;
const DIFFERENT: usize = 10;
const WHOLE: usize = 500;

/// One message's ops, and what they do not explain.
#[derive(Debug, Clone, Default)]
pub struct Drafted {
    /// In order.
    pub(super) ops: Vec<Op>,
    /// Places that no op explains.
    pub(super) unexplained: Vec<String>,
    /// What running the ops over the pairs left different.
    pub(super) residue: Residue,
}

impl Drafted {
    /// The ops as a list that `legato translate --ops` reads; what is unknown is left out.
    #[must_use]
    pub fn bare_ops(&self) -> String {
        verify::bare(&self.ops)
    }

    fn cost(&self) -> usize {
        let ops: usize = self.ops.iter().map(|op| op.edit.cost() + if op.is_open() { OPEN } else { 0 }).sum();
        let whole = if self.residue.whole { WHOLE } else { 0 };
        ops + UNEXPLAINED * self.unexplained.len() + DIFFERENT * self.residue.places.len() + whole
    }
}

/// The best draft for one message.
#[must_use]
pub(super) fn draft(pairs: &[Pair], context: &Context) -> Drafted {
    let plain = attempt(pairs, &Frame::Plain, None, context).unwrap_or_default();
    if plain.cost() <= CHEAP {
        return plain;
    }
    let mut best = plain;
    for case in [None, Some(Case::Camel), Some(Case::Snake)] {
        let Some(cased) = recased(pairs, case) else { continue };
        for frame in frames(&cased) {
            if case.is_none() && frame == Frame::Plain {
                continue;
            }
            let drafted = attempt(pairs, &frame, case, context);
            best = drafted.filter(|drafted| drafted.cost() < best.cost()).unwrap_or(best);
        }
    }
    best
}

/// What a whole body became.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Frame {
    /// Nothing.
    Plain,
    /// A member of a new object.
    Envelope(String),
    /// What was one of its members.
    Open(String),
    /// A list of one.
    List,
    /// The one element of the list that it was.
    Element,
}

/// The pairs with the old names in another case; `None` if the new documents do not suggest it.
fn recased(pairs: &[Pair], case: Option<Case>) -> Option<Vec<Pair>> {
    let Some(case) = case else { return Some(pairs.to_vec()) };
    let names = |side: fn(&Pair) -> &[u8]| {
        let mut names = BTreeSet::new();
        for pair in pairs {
            collect_names(side(pair), &mut names);
        }
        names
    };
    let (old, new) = (names(|pair| &pair.old), names(|pair| &pair.new));
    let changed: Vec<String> = old.iter().filter_map(|name| other_case(name, case)).collect();
    let hits = changed.iter().filter(|name| new.contains(*name)).count();
    if hits == 0 || 2 * hits < changed.len() {
        return None;
    }
    let recase = [Op::new(Edit::Recase { to: case }, 1.0, "")];
    pairs.iter().map(|pair| Some(Pair { old: verify::up(&recase, &pair.old)?, ..pair.clone() })).collect()
}

fn collect_names(text: Text<'_>, names: &mut BTreeSet<String>) {
    if !matches!(Kind::of(text), Kind::Object | Kind::Array) {
        return;
    }
    for item in Items::new(text, 0) {
        if !item.name.is_empty() {
            names.insert(name(&text[item.name]));
        }
        collect_names(&text[item.value], names);
    }
}

/// A name in another case; `None` if that changes nothing.
fn other_case(name: &str, case: Case) -> Option<String> {
    let mut out = String::new();
    let mut raise = false;
    for c in name.chars() {
        match case {
            Case::Camel if c == '_' && !out.is_empty() => raise = true,
            Case::Camel if raise => {
                out.extend(c.to_uppercase());
                raise = false;
            }
            Case::Snake if c.is_uppercase() => {
                out.push('_');
                out.extend(c.to_lowercase());
            }
            _ => out.push(c),
        }
    }
    (out != name).then_some(out)
}

/// The hypotheses that the documents allow.
fn frames(pairs: &[Pair]) -> Vec<Frame> {
    let kinds = |side: fn(&Pair) -> &[u8]| -> Option<Kind> {
        let first = Kind::of(side(pairs.first()?));
        pairs.iter().all(|pair| Kind::of(side(pair)) == first).then_some(first)
    };
    let (old, new) = (kinds(|pair| &pair.old), kinds(|pair| &pair.new));
    let mut frames = vec![Frame::Plain];
    frames.extend(members(pairs, |pair| (&pair.new, &pair.old)).into_iter().map(Frame::Envelope));
    frames.extend(members(pairs, |pair| (&pair.old, &pair.new)).into_iter().map(Frame::Open));
    match (old, new) {
        (Some(Kind::Array), Some(Kind::Object)) => frames.push(Frame::Element),
        (Some(Kind::Object), Some(Kind::Array)) => frames.push(Frame::List),
        _ => {}
    }
    frames
}

/// Members that every outer document has, of the kind of the inner one, with something of what is in that.
fn members(pairs: &[Pair], sides: fn(&Pair) -> (&[u8], &[u8])) -> Vec<String> {
    let Some(first) = pairs.first() else { return Vec::new() };
    let (outer, _) = sides(first);
    if Kind::of(outer) != Kind::Object {
        return Vec::new();
    }
    let fits = |wanted: &String| {
        pairs.iter().all(|pair| {
            let (outer, inner) = sides(pair);
            member(outer, wanted).is_some_and(|value| {
                let kind = Kind::of(value);
                kind == Kind::of(inner)
            })
        })
    };
    let (outer, inner) = sides(first);
    Items::new(outer, 0)
        .map(|item| name(&outer[item.name]))
        .filter(fits)
        .filter(|wanted| member(outer, wanted).is_some_and(|value| resembles(value, inner)))
        .collect()
}

/// Whether a fifth of what is in `inner` is in `value`, by place or by value; lists may hold anything.
fn resembles(value: Text<'_>, inner: Text<'_>) -> bool {
    let (found, wanted) = (columns(&[value]), columns(&[inner]));
    let is_in = |column: &&Column<'_>| {
        found.iter().any(|other| {
            other.keys == column.keys
                || (other.cells == column.cells && column.cells[0].is_some_and(|text| text.len() > 5))
        })
    };
    Kind::of(inner) == Kind::Array || 5 * wanted.iter().filter(is_in).count() >= wanted.len()
}

/// The draft under a hypothesis; `None` if the documents contradict it.
fn attempt(pairs: &[Pair], frame: &Frame, case: Option<Case>, context: &Context) -> Option<Drafted> {
    let cased = recased(pairs, case)?;
    let rows: Vec<Row<'_>> = cased.iter().map(|pair| frame.row(pair)).collect::<Option<_>>()?;
    let found = scope::scope(&rows, &[], context);
    let mut ops: Vec<Op> =
        case.map(|to| Op::new(Edit::Recase { to }, 0.95, "names in the other case")).into_iter().collect();
    ops.extend(frame.before(&cased, context));
    ops.extend(found.phases.into_ops());
    ops.extend(frame.after(&cased, context));
    let ops = join_renames(ops);
    let residue = verify::verify(&ops, pairs, context);
    Some(Drafted { ops, unexplained: found.unexplained, residue })
}

impl Frame {
    /// What is inside, in both versions.
    fn row<'a>(&self, pair: &'a Pair) -> Option<Row<'a>> {
        let only = |text: &'a [u8]| {
            let mut items = Items::new(text, 0);
            match (items.next(), items.next()) {
                (Some(item), None) => Some(&text[item.value]),
                _ => None,
            }
        };
        let (old, new): (&[u8], &[u8]) = (&pair.old, &pair.new);
        Some(match self {
            Self::Plain => Row { old, new },
            Self::Envelope(key) => Row { old, new: member(new, key)? },
            Self::Open(key) => Row { old: member(old, key)?, new },
            Self::List => Row { old, new: only(new)? },
            Self::Element => Row { old: only(old)?, new },
        })
    }

    fn before(&self, pairs: &[Pair], context: &Context) -> Option<Op> {
        let unwrap = |into| Edit::Wrap { at: Path::new(), into, turned: true };
        match self {
            Self::Open(key) => {
                let old: Vec<Text<'_>> = pairs.iter().map(|pair| pair.old.as_slice()).collect();
                let (shell, question) = shell(key, &old, context);
                Some(Op { question, ..Op::new(unwrap(Some(shell)), 0.95, "the body was a member of an object") })
            }
            Self::Element => Some(Op::new(unwrap(None), 0.95, "the body was a list of one")),
            Self::Plain | Self::Envelope(_) | Self::List => None,
        }
    }

    fn after(&self, pairs: &[Pair], context: &Context) -> Option<Op> {
        match self {
            Self::Envelope(key) => {
                let new: Vec<Text<'_>> = pairs.iter().map(|pair| pair.new.as_slice()).collect();
                let (shell, question) = shell(key, &new, context);
                let because = "in every body";
                Some(Op { question, ..Op::new(Edit::Envelope(shell), 0.97, because) })
            }
            Self::List => {
                let edit = Edit::Wrap { at: Path::new(), into: None, turned: false };
                Some(Op::new(edit, 0.95, "the body is a list of one"))
            }
            Self::Plain | Self::Open(_) | Self::Element => None,
        }
    }
}

/// The object that has the body as its member, with what stands beside it, and what is unclear about that.
fn shell(key: &str, documents: &[Text<'_>], context: &Context) -> (Shell, Option<String>) {
    let is_beside = |column: &Column<'_>| column.keys.first().is_some_and(|first| first != key);
    let beside: Vec<Column<'_>> = columns(documents).into_iter().filter(is_beside).collect();
    let rests: Vec<fill::Rest> = beside.iter().map(|column| fill::come(column, &[], context)).collect();
    let unknown = rests.iter().find(|rest| !matches!(rest.fill, Fill::Value(_)));
    let question = unknown.map(|rest| format!("where does `{}` come from?", rest.keys.join("/")));
    (Shell { key: key.to_owned(), with: super::emit::members(&rests) }, question)
}
