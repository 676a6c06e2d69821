//! Drafting from two `OpenAPI` documents: names, types and places alone, so that everything is a suggestion.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::json::edit::{Path, Token};
use crate::json::{Conversion, Way};

use super::body::Drafted;
use super::change::{Call, Part};
use super::columns::Keys;
use super::emit::{self, Phases, join_renames};
use super::fill::Rest;
use super::names::similarity;
use super::op::{Edit, Fill, Op, Shell};
use super::schema::{self, Leaf};
use super::scope::Match;

/// Below this, two names are not taken for one.
const ACCEPT: f64 = 0.7;
/// Without values nothing is surer than this.
const SUGGESTED: f64 = 0.7;
/// A second choice this near is mentioned.
const MARGIN: f64 = 0.15;
/// Lists within lists that are looked into.
const MOST_LISTS: usize = 8;

/// The calls that both documents have, with what became of their messages.
#[must_use]
pub fn draft_contracts(old: &Value, new: &Value) -> Vec<Call> {
    let later = schema::operations(new);
    let find = |name: &str| later.iter().find(|(other, _)| schema::shape_of_call(other) == schema::shape_of_call(name));
    let mut calls = Vec::new();
    for (name, operation) in schema::operations(old) {
        let Some((_, other)) = find(&name) else { continue };
        let messages = [
            (Part::Request, schema::request(operation), schema::request(other)),
            (Part::Response("2xx".to_owned()), schema::response(operation), schema::response(other)),
        ];
        let parts = messages
            .into_iter()
            .filter_map(|(part, before, after)| Some((part, message((old, before?), (new, after?)))))
            .collect();
        calls.push(Call { call: Some(name), parts });
    }
    calls
}

/// Calls of the older document that the newer one does not have, and the other way round.
#[must_use]
pub fn unpaired_calls(old: &Value, new: &Value) -> Vec<String> {
    let names = |document| -> Vec<String> { schema::operations(document).into_iter().map(|(name, _)| name).collect() };
    let (before, after) = (names(old), names(new));
    let lacks = |list: &[String], name: &str| {
        !list.iter().any(|other| schema::shape_of_call(other) == schema::shape_of_call(name))
    };
    let gone =
        before.iter().filter(|name| lacks(&after, name)).map(|name| format!("{name}: only in the older version"));
    let come =
        after.iter().filter(|name| lacks(&before, name)).map(|name| format!("{name}: only in the newer version"));
    gone.chain(come).collect()
}

/// A schema and the document that its references are in.
type Schema<'a> = (&'a Value, &'a Value);

fn message(old: Schema<'_>, new: Schema<'_>) -> Drafted {
    let (before, after) = (schema::leaves(old.0, old.1), schema::leaves(new.0, new.1));
    let mut nested = Nested { inside: vec![schema::resolve(old.0, old.1)], unexplained: Vec::new() };
    let (phases, envelope) = match enveloped(&before, &after) {
        Some(key) => {
            let (inside, beside): (Vec<Leaf<'_>>, Vec<Leaf<'_>>) =
                after.into_iter().partition(|leaf| leaf.keys.first() == Some(&key));
            let inside = inside.into_iter().map(|leaf| Leaf { keys: leaf.keys[1..].to_vec(), ..leaf }).collect();
            (scope((old.0, before), (new.0, inside), &mut nested), Some(envelope(key, &beside)))
        }
        None => (scope((old.0, before), (new.0, after), &mut nested), None),
    };
    let ops = join_renames(phases.into_ops().into_iter().chain(envelope).collect());
    Drafted { ops, unexplained: nested.unexplained, ..Drafted::default() }
}

/// The member of the new body that holds most of what the old one was.
fn enveloped(old: &[Leaf<'_>], new: &[Leaf<'_>]) -> Option<String> {
    let places: BTreeSet<&Keys> = new.iter().map(|leaf| &leaf.keys).collect();
    let kept = old.iter().filter(|leaf| places.contains(&leaf.keys)).count();
    let tops: BTreeSet<&String> = new.iter().filter_map(|leaf| leaf.keys.first()).collect();
    let below = |key: &str| {
        let inside = |leaf: &Leaf<'_>| [vec![key.to_owned()], leaf.keys.clone()].concat();
        old.iter().filter(|leaf| places.contains(&inside(leaf))).count()
    };
    let best = tops.into_iter().max_by_key(|key| below(key))?;
    let count = below(best);
    (count > kept && 2 * count >= old.len()).then(|| best.clone())
}

fn envelope(key: String, beside: &[Leaf<'_>]) -> Op {
    let rests: Vec<Rest> = beside.iter().map(|leaf| rest(leaf, "what do newer clients get?")).collect();
    let question = rests.iter().find(|rest| !matches!(rest.fill, Fill::Value(_)));
    let question = question.map(|rest| format!("where does `{}` come from?", rest.keys.join("/")));
    let with = emit::members(&rests);
    Op { question, ..Op::new(Edit::Envelope(Shell { key, with }), SUGGESTED, "the schema is inside another") }
}

/// The schemas of the lists around a scope, and what they keep from being drafted.
struct Nested<'a> {
    inside: Vec<&'a Value>,
    unexplained: Vec<String>,
}

impl<'a> Nested<'a> {
    /// Goes into the elements of a list, unless they are what they are in.
    fn enter(&mut self, list: &Leaf<'_>, elements: &'a Value) -> bool {
        if self.inside.len() < MOST_LISTS && !self.inside.iter().any(|other| std::ptr::eq(*other, elements)) {
            self.inside.push(elements);
            return true;
        }
        self.unexplained.push(format!("/{}: its elements hold lists of their own kind", list.keys.join("/")));
        false
    }
}

fn scope<'a>(old: (&'a Value, Vec<Leaf<'a>>), new: (&Value, Vec<Leaf<'_>>), nested: &mut Nested<'a>) -> Phases {
    let ((old_document, before), (new_document, after)) = (old, new);
    let mut lists = Phases::default();
    let mut matches = Vec::new();
    let pairs = pair(&before, &after);
    for (old, new, score, question) in &pairs {
        let (was, is) = (&before[*old], &after[*new]);
        if let (Some(inner), Some(other)) = (was.items, is.items)
            && nested.enter(was, inner)
        {
            let inside = |keys: &Keys| -> Path { keys.iter().cloned().map(Token::Key).chain([Token::Any]).collect() };
            let leaves = (schema::leaves(old_document, inner), schema::leaves(new_document, other));
            let elements = scope((old_document, leaves.0), (new_document, leaves.1), nested);
            nested.inside.pop();
            lists.extend(elements.within(&inside(&was.keys), &inside(&is.keys)));
        }
        matches.push(Match {
            old: was.keys.clone(),
            new: is.keys.clone(),
            values: value_op(was, is).into_iter().collect(),
            score: *score,
            because: "suggested by name and type".to_owned(),
            question: question.clone(),
        });
    }
    let gone = (0..before.len()).filter(|at| pairs.iter().all(|(old, ..)| old != at));
    let come = (0..after.len()).filter(|at| pairs.iter().all(|(_, new, ..)| new != at));
    let gone = gone.map(|at| rest(&before[at], "what do older clients get?")).collect();
    let come = come.map(|at| rest(&after[at], "what do newer clients get?")).collect();
    lists.extend(emit::phases(matches, gone, come));
    lists
}

/// Old and new leaf, how sure that is, and what else it could be.
type Paired = (usize, usize, f64, Option<String>);

/// The same places, then the likeliest of the others.
fn pair(before: &[Leaf<'_>], after: &[Leaf<'_>]) -> Vec<Paired> {
    let mut pairs: Vec<Paired> = Vec::new();
    for (old, leaf) in before.iter().enumerate() {
        if let Some(new) = after.iter().position(|other| other.keys == leaf.keys) {
            pairs.push((old, new, 0.95, None));
        }
    }
    let is_free = |pairs: &[Paired], old: usize, new: usize| pairs.iter().all(|(o, n, ..)| *o != old && *n != new);
    let mut candidates: Vec<(usize, usize, f64)> = Vec::new();
    for (old, was) in before.iter().enumerate() {
        let free = (0..after.len()).filter(|new| is_free(&pairs, old, *new));
        candidates.extend(free.map(|new| (old, new, score(was, &after[new]))).filter(|(.., score)| *score >= ACCEPT));
    }
    candidates.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    for &(old, new, score) in &candidates {
        if is_free(&pairs, old, new) {
            let rival = candidates.iter().find(|(o, n, other)| {
                (*o == old) != (*n == new) && *other > score - MARGIN && (is_free(&pairs, *o, *n))
            });
            let question = rival
                .map(|(o, n, _)| format!("or is `{}` now `{}`?", before[*o].keys.join("/"), after[*n].keys.join("/")));
            pairs.push((old, new, score.min(SUGGESTED), question));
        }
    }
    pairs
}

fn score(old: &Leaf<'_>, new: &Leaf<'_>) -> f64 {
    let name = |leaf: &Leaf<'_>| leaf.keys.last().cloned().unwrap_or_default();
    let near = old.keys.split_last().map(|(_, parent)| parent) == new.keys.split_last().map(|(_, parent)| parent);
    let enums = old.one_of.iter().any(|value| new.one_of.contains(value)) || old.one_of == new.one_of;
    let typed = [(old.kind == new.kind, 0.5), (old.format == new.format, 0.25), (enums, 0.25)];
    let typed: f64 = typed.into_iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).sum();
    0.55 * similarity(&name(old), &name(new)) + if near { 0.30 } else { 0.0 } + 0.15 * typed
}

fn rest(leaf: &Leaf<'_>, question: &str) -> Rest {
    let only = match leaf.one_of.as_slice() {
        [one] => Some(*one),
        _ => leaf.default,
    };
    let (fill, because) = match only {
        Some(value) => (Fill::Value(value.to_string()), "the schema's default"),
        None if !leaf.required => (Fill::Absent, "optional"),
        None => (Fill::Unknown, "required"),
    };
    let question = (fill == Fill::Unknown).then(|| question.to_owned());
    Rest { keys: leaf.keys.clone(), fill, because: because.to_owned(), question }
}

/// What makes a value of the new type of one of the old.
fn value_op(old: &Leaf<'_>, new: &Leaf<'_>) -> Option<Op> {
    let at: Path = old.keys.iter().cloned().map(Token::Key).collect();
    let ask =
        |edit, question: &str| Op { question: Some(question.to_owned()), ..Op::new(edit, 0.5, "the types differ") };
    if old.kind == new.kind {
        return map(&at, old, new);
    }
    if new.items.is_some_and(|items| items["type"] == old.kind) {
        return Some(ask(Edit::Wrap { at, into: None, turned: false }, "is it a list of the one value?"));
    }
    if old.items.is_some_and(|items| items["type"] == new.kind) {
        return Some(ask(Edit::Wrap { at, into: None, turned: true }, "is it the one value of the list?"));
    }
    let (conversion, way) = conversion(old, new)?;
    let question = match conversion {
        Conversion::UnixSecondsRfc3339 => "seconds, or milliseconds (`unix_millis`)?",
        Conversion::MinorUnitsDecimal(_) => "how many decimals does the currency have?",
        _ => return Some(Op::new(Edit::Convert { at, conversion, way }, SUGGESTED, "the types differ")),
    };
    Some(ask(Edit::Convert { at, conversion, way }, question))
}

fn conversion(old: &Leaf<'_>, new: &Leaf<'_>) -> Option<(Conversion, Way)> {
    let there = |from: &Leaf<'_>, to: &Leaf<'_>| match (from.kind, to.kind) {
        ("integer" | "number", "string") if to.format == "date-time" => Some(Conversion::UnixSecondsRfc3339),
        ("integer", "string") if to.format == "decimal" => Some(Conversion::MinorUnitsDecimal(2)),
        ("integer", "string") => Some(Conversion::IntegerString),
        ("number", "string") => Some(Conversion::NumberString),
        ("boolean", "string") => Some(Conversion::BooleanString),
        ("boolean", "integer") => Some(Conversion::BooleanInteger),
        _ => None,
    };
    there(old, new).map(|c| (c, Way::There)).or_else(|| there(new, old).map(|c| (c, Way::Back)))
}

/// Values that both enumerations have stay; the others pair up in the order in which they are listed.
fn map(at: &Path, old: &Leaf<'_>, new: &Leaf<'_>) -> Option<Op> {
    if old.one_of.is_empty() || new.one_of.is_empty() || old.one_of == new.one_of {
        return None;
    }
    let only = |list: &[&Value], other: &[&Value]| -> Vec<String> {
        list.iter().filter(|value| !other.contains(value)).map(ToString::to_string).collect()
    };
    let (gone, come) = (only(&old.one_of, &new.one_of), only(&new.one_of, &old.one_of));
    if gone.is_empty() && come.is_empty() {
        return None;
    }
    let kept = old.one_of.iter().filter(|value| new.one_of.contains(value)).map(ToString::to_string);
    let mut pairs: Vec<(String, String)> = kept.map(|value| (value.clone(), value)).collect();
    pairs.extend(gone.iter().cloned().zip(come.iter().cloned()));
    let question = format!("which is which? only before: {}; only now: {}", gone.join(", "), come.join(", "));
    let op = Op::new(Edit::Map { at: at.clone(), pairs }, 0.5, "the enumerations differ");
    Some(Op { question: Some(question), ..op })
}
