//! Where a path of the body goes through an op: what shapes, checks and JSON Patch follow.
//!
//! A path names a value, and the question is where that value stands afterwards; that an op gives it another form
//! in its place (`map`, `convert`, `presence`) is not a matter of place. The answer is about the one direction that
//! is asked for, and about documents in which the op finds what it expects. A token `*` of a path stands for every
//! element or member value, an index or name for one.

use crate::json::edit::{Case, Edit, Entry, Keys, Nest, Order, Path, Renames, Token, ValueEdit};
use crate::json::written;
use crate::rules::Direction;
use crate::rules::path::Part;

use super::{Mode, Op, lower_ops};

/// Where a path's value stands after an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// Where it stood.
    Same,
    /// Elsewhere.
    To(Path),
    /// Nowhere: the op takes it away.
    Gone,
    /// At no single certain place: the op makes something else of it, or what it does depends on the document.
    Unknown,
}

impl Op {
    /// Where the value at a path of the body stands after the op. An op on the head alone leaves the body alone.
    #[must_use]
    pub fn carry(&self, direction: Direction, path: &[Token]) -> Carried {
        let lowered = self.lower(direction, Mode::Full);
        let body = lowered.iter().filter(|lowered| lowered.part == Part::Body);
        carry_all(body.map(|lowered| &lowered.entry), path)
    }
}

/// Where the value at a path of the body stands after a list of ops.
#[must_use]
pub fn carry_ops(ops: &[Op], direction: Direction, path: &[Token]) -> Carried {
    let lowered = lower_ops(ops, direction, Mode::Full);
    let body = lowered.iter().filter(|lowered| lowered.part == Part::Body);
    carry_all(body.map(|lowered| &lowered.entry), path)
}

/// Where a path goes through edits that run one after the other.
pub(in crate::rules) fn carry_all<'e>(entries: impl IntoIterator<Item = &'e Entry>, path: &[Token]) -> Carried {
    let mut at = path.to_vec();
    for entry in entries {
        match carry(entry, &at) {
            Carried::Same => {}
            Carried::To(to) => at = to,
            end @ (Carried::Gone | Carried::Unknown) => return end,
        }
    }
    if at == path { Carried::Same } else { Carried::To(at) }
}

/// Where a path goes through one edit. With a guard, it may or may not run.
pub(in crate::rules) fn carry(entry: &Entry, path: &[Token]) -> Carried {
    match edit(&entry.edit, path) {
        Carried::To(_) | Carried::Gone if !entry.guard.is_empty() => Carried::Unknown,
        carried => carried,
    }
}

/// The paths that an edit may take elsewhere: every path that is not one of these, or inside, stays the same.
pub(super) fn reach(edit: &Edit) -> Vec<Path> {
    let members = |scope: &[Token], names: &mut dyn Iterator<Item = &String>| {
        names.map(|member| join(scope, std::slice::from_ref(member))).collect()
    };
    match edit {
        Edit::Rename { at, pairs } => members(at, &mut pairs.iter().flat_map(|(old, new)| [old, new])),
        Edit::Move { scope, from, to, .. } => vec![join(scope, from), join(scope, to)],
        Edit::Put { .. } | Edit::Presence { .. } | Edit::DropMessage { .. } => Vec::new(),
        Edit::Take { scope, at, .. } => vec![join(scope, at)],
        Edit::Change { at, .. } | Edit::DropElements { at, .. } | Edit::Recurse { at, .. } => vec![at.clone()],
        Edit::Envelope { .. } | Edit::Open { .. } => vec![Path::new()],
        Edit::Split { scope, key, into: parts, .. } | Edit::Join { scope, from: parts, key, .. } => {
            members(scope, &mut parts.iter().chain([key]))
        }
        Edit::Spread { from: one, to: many, key, .. } | Edit::Collapse { from: many, key, to: one, .. } => {
            vec![join(&[], one), join(many, std::slice::from_ref(key))]
        }
        Edit::Each { at, entries } => {
            let inner = entries.iter().flat_map(|entry| reach(&entry.edit));
            inner.map(|path| [at.as_slice(), &path].concat()).collect()
        }
    }
}

fn edit(edit: &Edit, path: &[Token]) -> Carried {
    match edit {
        Edit::Rename { at, pairs } => rename(at, pairs, path),
        Edit::Move { scope, from, to, .. } => relocate(scope, from, to, path),
        Edit::Put { .. } | Edit::Presence { .. } | Edit::DropMessage { .. } => Carried::Same,
        Edit::Take { scope, at, .. } => match fit(&join(scope, at), path) {
            Fit::Inside(_) => Carried::Gone,
            Fit::Partly => Carried::Unknown,
            Fit::Outside => Carried::Same,
        },
        Edit::Change { at, how } => change(at, how, path),
        Edit::Envelope { key, .. } => Carried::To(std::iter::once(name(key)).chain(path.iter().cloned()).collect()),
        Edit::Open { key, .. } => open(&[], key, path),
        Edit::Split { scope, key, into: parts, .. } | Edit::Join { scope, from: parts, key, .. } => {
            uncertain(parts.iter().chain([key]).map(|member| join(scope, std::slice::from_ref(member))), path)
        }
        Edit::Spread { from: one, to: many, key, .. } | Edit::Collapse { from: many, key, to: one, .. } => {
            uncertain([join(&[], one), join(many, std::slice::from_ref(key))], path)
        }
        Edit::DropElements { at, .. } => match fit(at, path) {
            // Every element that stays is still one of the elements, at another index.
            Fit::Inside([Token::Key(_), ..]) | Fit::Partly => Carried::Unknown,
            Fit::Inside(_) | Fit::Outside => Carried::Same,
        },
        Edit::Each { at, entries } => match fit(at, path) {
            Fit::Inside(rest) => within(path, rest, carry_all(entries, rest)),
            Fit::Partly => Carried::Unknown,
            Fit::Outside => Carried::Same,
        },
        Edit::Recurse { at, form, nest, entries, order } => match fit(at, path) {
            Fit::Inside(rest) => within(path, rest, nested(rest, *form, nest, entries, *order)),
            Fit::Partly => Carried::Unknown,
            Fit::Outside => Carried::Same,
        },
    }
}

/// Where a path of a value goes whose edits run within it and within those of its values that are of some form.
fn nested(path: &[Token], form: usize, nest: &Nest, entries: &[Entry], order: Order) -> Carried {
    let Some(own) = nest.forms.get(form) else { return Carried::Same };
    let outer = |path: &[Token]| if own.is_edited { carry_all(entries, path) } else { Carried::Same };
    let inner = |path: &[Token]| {
        let mut at = path.to_vec();
        for (inside, form) in &own.inside {
            match fit(inside, &at) {
                Fit::Inside(rest) => match within(&at, rest, nested(rest, *form, nest, entries, order)) {
                    Carried::Same => {}
                    Carried::To(to) => at = to,
                    end @ (Carried::Gone | Carried::Unknown) => return end,
                },
                Fit::Partly => return Carried::Unknown,
                Fit::Outside => {}
            }
        }
        Carried::To(at)
    };
    match order {
        Order::InnerFirst => then(path, inner, outer),
        Order::OuterFirst => then(path, outer, inner),
    }
}

/// Where a path goes in two steps.
fn then(path: &[Token], first: impl Fn(&[Token]) -> Carried, second: impl Fn(&[Token]) -> Carried) -> Carried {
    match first(path) {
        Carried::Same => second(path),
        Carried::To(to) => match second(&to) {
            Carried::Same => Carried::To(to),
            end => end,
        },
        end @ (Carried::Gone | Carried::Unknown) => end,
    }
}

/// How a path lies to the values that a pattern names.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::rules) enum Fit<'p> {
    /// It is one of them, or inside; what follows.
    Inside(&'p [Token]),
    /// It stands for several places, and some of them are inside.
    Partly,
    /// It is above them or beside.
    Outside,
}

pub(in crate::rules) fn fit<'p>(pattern: &[Token], path: &'p [Token]) -> Fit<'p> {
    let Some(rest) = path.get(pattern.len()..) else { return Fit::Outside };
    let mut is_partly = false;
    for pair in pattern.iter().zip(path) {
        match pair {
            (Token::Any, _) => {}
            (Token::Key(_), Token::Any) => is_partly = true,
            (Token::Key(a), Token::Key(b)) if a == b => {}
            (Token::Key(_), Token::Key(_)) => return Fit::Outside,
        }
    }
    if is_partly { Fit::Partly } else { Fit::Inside(rest) }
}

fn name(key: &str) -> Token {
    Token::Key(key.to_owned())
}

fn join(scope: &[Token], keys: &[String]) -> Path {
    scope.iter().cloned().chain(keys.iter().map(|key| name(key))).collect()
}

/// The first tokens of a path, then others, then what follows.
fn splice(path: &[Token], kept: usize, others: impl IntoIterator<Item = Token>, rest: &[Token]) -> Carried {
    Carried::To(path[..kept].iter().cloned().chain(others).chain(rest.iter().cloned()).collect())
}

/// What became of a path of which `rest` is the part inside a scope.
fn within(path: &[Token], rest: &[Token], inner: Carried) -> Carried {
    match inner {
        Carried::To(inner) => splice(path, path.len() - rest.len(), inner, &[]),
        other => other,
    }
}

fn uncertain(places: impl IntoIterator<Item = Path>, path: &[Token]) -> Carried {
    let touched = places.into_iter().any(|place| fit(&place, path) != Fit::Outside);
    if touched { Carried::Unknown } else { Carried::Same }
}

fn rename(at: &[Token], pairs: &Renames, path: &[Token]) -> Carried {
    let (member, rest) = match fit(at, path) {
        Fit::Inside([Token::Key(member), rest @ ..]) => (member, rest),
        // Some of the values may have the name that changes.
        Fit::Inside([Token::Any, ..]) | Fit::Partly => return Carried::Unknown,
        Fit::Inside([]) | Fit::Outside => return Carried::Same,
    };
    match pairs.new_name(member) {
        Some(new) => splice(path, path.len() - rest.len() - 1, [name(new)], rest),
        // What has a name that another takes over is shadowed where that one is there.
        None if pairs.makes(member) => Carried::Unknown,
        None => Carried::Same,
    }
}

fn relocate(scope: &[Token], from: &Keys, to: &Keys, path: &[Token]) -> Carried {
    match (fit(&join(scope, from), path), fit(&join(scope, to), path)) {
        (Fit::Inside(rest), _) => splice(path, scope.len(), to.iter().map(|key| name(key)), rest),
        (Fit::Outside, Fit::Outside) => Carried::Same,
        (Fit::Partly, _) | (Fit::Outside, Fit::Inside(_) | Fit::Partly) => Carried::Unknown,
    }
}

fn change(at: &[Token], how: &ValueEdit, path: &[Token]) -> Carried {
    let rest = match fit(at, path) {
        Fit::Inside(rest) => rest,
        Fit::Partly => return Carried::Unknown,
        Fit::Outside => return Carried::Same,
    };
    let at = path.len() - rest.len();
    match (how, rest) {
        (ValueEdit::Map { .. } | ValueEdit::Convert { .. }, []) | (ValueEdit::Limit { .. }, _) => Carried::Same,
        (ValueEdit::ToArray { .. }, rest) => splice(path, at, [Token::Any], rest),
        (ValueEdit::ToMember { key, .. }, rest) => splice(path, at, [name(key)], rest),
        (ValueEdit::FromMember { key, .. }, _) => open(&path[..at], key, path),
        (ValueEdit::FromArray { .. }, [Token::Any, rest @ ..]) => splice(path, at, [], rest),
        (ValueEdit::ToEntries { value, .. }, [Token::Any, rest @ ..]) => {
            splice(path, at + 1, value.iter().map(|value| name(value)), rest)
        }
        (ValueEdit::FromEntries { key, value, .. }, [Token::Any, rest @ ..]) => {
            entry(path, at + 1, key, value.as_ref(), rest)
        }
        (ValueEdit::ToObject { keys, .. }, [Token::Key(index), rest @ ..]) => {
            match index.parse::<usize>().ok().and_then(|index| keys.get(index)) {
                Some(key) => splice(path, at, [name(key)], rest),
                None => Carried::Unknown,
            }
        }
        (ValueEdit::ToTuple { keys, .. }, [Token::Key(member), rest @ ..]) => {
            match keys.iter().position(|key| key == member) {
                Some(index) => splice(path, at, [name(&index.to_string())], rest),
                None => Carried::Unknown,
            }
        }
        (ValueEdit::Recase { to, except }, rest) => recase(path, at, *to, except, rest),
        (
            ValueEdit::Map { .. }
            | ValueEdit::Convert { .. }
            | ValueEdit::FromArray { .. }
            | ValueEdit::ToEntries { .. }
            | ValueEdit::FromEntries { .. }
            | ValueEdit::ToObject { .. }
            | ValueEdit::ToTuple { .. }
            | ValueEdit::Jq { .. },
            _,
        ) => Carried::Unknown,
    }
}

/// The member `key` of the value at `at` comes to stand there; what is beside it goes.
fn open(at: &[Token], key: &str, path: &[Token]) -> Carried {
    match &path[at.len()..] {
        [Token::Key(member), rest @ ..] if member == key => splice(path, at.len(), [], rest),
        [Token::Key(_), ..] => Carried::Gone,
        [] | [Token::Any, ..] => Carried::Unknown,
    }
}

/// A path through an entry that becomes a member; the entry is the last of the tokens kept.
fn entry(path: &[Token], kept: usize, key: &str, value: Option<&String>, rest: &[Token]) -> Carried {
    match (value, rest) {
        (Some(value), [Token::Key(member), rest @ ..]) if member == value => splice(path, kept, [], rest),
        (None, [Token::Key(member), ..]) if member != key => Carried::Same,
        (None, []) => Carried::Same,
        // The entry's name is a name now, and what else is in it has no place.
        (_, [Token::Key(_), ..]) => Carried::Gone,
        (Some(_), []) | (_, [Token::Any, ..]) => Carried::Unknown,
    }
}

/// Names from `at` on are written another way, up to one that stays with all that is in it.
fn recase(path: &[Token], at: usize, to: Case, except: &[String], rest: &[Token]) -> Carried {
    let written = |key: &String| String::from_utf8(written(key.as_bytes(), to)).unwrap_or_else(|_| key.clone());
    let stays = |token: &Token| match token {
        Token::Any => false,
        Token::Key(key) => except.contains(key) || except.contains(&written(key)),
    };
    let until = rest.iter().position(stays).unwrap_or(rest.len());
    let recased = rest[..until].iter().map(|token| match token {
        Token::Key(key) => Token::Key(written(key)),
        Token::Any => Token::Any,
    });
    let inside: Path = recased.collect();
    splice(path, at, inside, &rest[until..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Place;

    /// Where a path goes through a list of ops, as text.
    fn carried(ops: &str, direction: Direction, path: &str) -> String {
        let node = crate::yaml::parse(ops, "ops", crate::yaml::Limits::default()).unwrap();
        let mut reader = crate::yaml::Reader::new("ops");
        let ops = super::super::parse_ops(&mut reader, &node);
        assert!(reader.into_diagnostics().is_empty(), "{ops:?}");
        let place = Place::parse(path).unwrap();
        match carry_ops(&ops, direction, &place.tokens) {
            Carried::Same => "same".to_owned(),
            Carried::To(tokens) => Place { tokens, ..place }.to_string(),
            Carried::Gone => "gone".to_owned(),
            Carried::Unknown => "unknown".to_owned(),
        }
    }

    /// Older paths, what the ops make of them, and what the way back makes of that.
    #[test]
    fn paths_go_where_their_values_go() {
        let moves = "[rename: {/a: b, /b: a, /l/*/x: y}, move: {from: /c, to: /p/c}]";
        let cases = [
            (moves, "/a/deep", "/b/deep"),
            (moves, "/l/3/x/z", "/l/3/y/z"),
            (moves, "/l/*/x", "/l/*/y"),
            (moves, "/c/*", "/p/c/*"),
            ("[wrap: {at: /t, into: array}]", "/t/n", "/t/*/n"),
            ("[wrap: {at: /t, into: {key: k}}]", "/t/n", "/t/k/n"),
            ("[unwrap: {at: /t, into: array}]", "/t/*/n", "/t/n"),
            ("[envelope: {key: data}]", "/users/*", "/data/users/*"),
            ("[envelope: {key: data}]", "body:", "/data"),
            ("[entries: {at: /s, key: k, value: v}]", "/s/*/n", "/s/*/v/n"),
            ("[tuple: {at: /p, keys: [x, y]}]", "/p/1/n", "/p/y/n"),
            ("[recase: {from: snake, to: camel, except: [my_map]}]", "/a_b/*/my_map/c_d", "/aB/*/my_map/c_d"),
            ("[each: {at: /l/*, ops: [{rename: {/x: y}}, {move: {from: /y, to: /z/y}}]}]", "/l/*/x/q", "/l/*/z/y/q"),
        ];
        for (ops, older, newer) in cases {
            assert_eq!(carried(ops, Direction::Up, older), newer, "{ops} up");
            assert_eq!(carried(ops, Direction::Down, newer), older, "{ops} down");
        }
    }

    #[test]
    fn paths_that_go_nowhere_certain_say_so() {
        for (ops, path, want) in [
            ("[rename: {/a: b}]", "/x", "same"),
            ("[rename: {/a: b}]", "/ab", "same"),
            ("[rename: {/a: b}]", "body:", "same"),
            ("[rename: {/a: b}]", "/b", "unknown"),
            ("[rename: {/a: b}]", "/*", "unknown"),
            ("[{rename: {/a: b}, where: {/c: 1}}]", "/a", "unknown"),
            ("[{rename: {/a: b}, where: {/c: 1}}]", "/x", "same"),
            ("[move: {from: /a/b, to: /a}]", "/a/c", "unknown"),
            ("[remove: {at: /a, restore: absent}]", "/a/b", "gone"),
            ("[remove: {at: /a/b, restore: absent}]", "/a", "same"),
            ("[add: {at: /a, default: absent}]", "/a", "same"),
            ("[map: {at: /a, pairs: [[1, 2]]}]", "/a", "same"),
            ("[map: {at: /a, pairs: [[1, 2]]}]", "/a/b", "unknown"),
            ("[split: {at: /n, into: [/g, /f]}]", "/g", "unknown"),
            ("[split: {at: /n, into: [/g, /f]}]", "/m", "same"),
            ("[drop: {at: /l/*, when: {/k: 1}, on: up}]", "/l/*/k", "same"),
            ("[drop: {at: /l/*, when: {/k: 1}, on: up}]", "/l/0", "unknown"),
            ("[unwrap: {at: /t, into: {key: k}}]", "/t/other", "gone"),
            ("[entries: {at: /s, key: k, value: v}]", "/s/name", "unknown"),
            ("[spread: {from: /p, to: /l/*/p}]", "/p", "unknown"),
        ] {
            assert_eq!(carried(ops, Direction::Up, path), want, "{ops} {path}");
        }
    }
}
