//! What is known without a contract of the values that ops meet: those that other ops put there.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::edit::{Edit, Literal, Path, Source, ValueEdit};
use crate::json::{ByValue, same};
use crate::rules::Direction;
use crate::rules::lens::{Carried, Leaf, Lens, Op};
use crate::rules::messages::Message;

use super::conflicts::of_change;
use super::marks::Texts;
use super::required;
use super::skeleton::{By, meets};

/// Values of one message that are kept in mind; of more, the first are forgotten.
const MOST: usize = 256;

/// Reports `map`s that have no pair for a value which another op makes, and values that go down instead of those that
/// an earlier change always put there.
pub(super) fn check(messages: &[Message<'_>], texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut found = Found { texts, diagnostics, seen: HashSet::new() };
    for message in messages {
        for direction in [Direction::Up, Direction::Down] {
            let mut walk = Walk { message, direction, values: Vec::new() };
            ops(message, direction).for_each(|by| walk.step(by, &mut found));
        }
    }
}

/// The ops of a message in the order in which they run.
fn ops<'m>(message: &'m Message<'m>, direction: Direction) -> Box<dyn Iterator<Item = By<'m>> + 'm> {
    let ops = message.lists.iter().flat_map(|(change, ops)| ops.iter().map(move |op| By { change, op }));
    match direction {
        Direction::Up => Box::new(ops),
        Direction::Down => Box::new(ops.collect::<Vec<_>>().into_iter().rev()),
    }
}

/// A value that an op puts somewhere: a JSON text.
struct Value<'m> {
    at: Path,
    text: Vec<u8>,
    by: By<'m>,
    /// Whether it is there because something always is.
    is_default: bool,
}

struct Walk<'m> {
    message: &'m Message<'m>,
    direction: Direction,
    values: Vec<Value<'m>>,
}

impl<'m> Walk<'m> {
    fn step(&mut self, by: By<'m>, found: &mut Found<'_, '_>) {
        for leaf in by.op.leaves(self.direction) {
            let op = by.op.of_edit(self.direction, &leaf.edit).unwrap_or(by.op);
            let by = By { op, ..by };
            if leaf.guard.is_empty() {
                self.look(by, &leaf, found);
            }
            self.pass(by, &leaf);
            let forgotten = self.values.len().saturating_sub(MOST);
            self.values.drain(..forgotten);
        }
    }

    fn look(&self, by: By<'m>, leaf: &Leaf, found: &mut Found<'_, '_>) {
        let here = |at: &Path| self.values.iter().filter(|value| value.at == *at).collect::<Vec<_>>();
        if let Some((at, pairs)) = pairs(leaf).filter(|_| by.op.leaves_open(self.direction)) {
            let lacks = |value: &&Value<'_>| value.text != b"null" && target(pairs, &value.text).is_none();
            here(at).into_iter().filter(lacks).for_each(|value| found.unmet(by, self, value));
        }
        if let (Some(text), [at]) = (restored(by.op), leaf.effect.takes.as_slice())
            && (self.direction, self.message.is_response) == (Direction::Up, true)
        {
            let differs = |value: &&Value<'_>| value.is_default && !same(&value.text, &text);
            here(at).into_iter().filter(differs).for_each(|value| found.invented(by, self, value, &text));
        }
    }

    /// Takes the values through an edit, and adds those that it makes.
    fn pass(&mut self, by: By<'m>, leaf: &Leaf) {
        let is_certain = leaf.guard.is_empty();
        let changed = |value: &Value<'_>| leaf.effect.changes.iter().any(|at| meets(&value.at, at));
        if let Some((at, pairs)) = pairs(leaf) {
            for mut value in std::mem::take(&mut self.values) {
                if !changed(&value) {
                    self.values.push(value);
                } else if let Some(text) = target(pairs, &value.text).filter(|_| is_certain && value.at == *at) {
                    value.text.clone_from(text);
                    self.values.push(value);
                }
            }
            let mut known = ByValue::default();
            let mut made: Vec<&Vec<u8>> = Vec::new();
            for (number, (from, to)) in pairs.iter().enumerate().filter(|_| is_certain) {
                if known.first(number, from) == number {
                    made.push(to);
                }
            }
            made.drain(..made.len().saturating_sub(MOST));
            let made = made.into_iter().map(|to| Value { at: at.clone(), text: to.clone(), by, is_default: false });
            self.values.extend(made);
        } else {
            self.values.retain_mut(|value| !changed(value) && follow(leaf, &mut value.at));
        }
        if let (Some((at, text)), true) = (filled(leaf), is_certain) {
            self.values.push(Value { at: at.clone(), text, by, is_default: true });
        }
    }
}

fn follow(leaf: &Leaf, at: &mut Path) -> bool {
    match leaf.carry(at) {
        Carried::Same => true,
        Carried::To(to) => {
            *at = to;
            true
        }
        Carried::Gone | Carried::Unknown => false,
    }
}

/// Left and right sides, as JSON texts.
type Pairs = [(Vec<u8>, Vec<u8>)];

/// The place and the pairs of a `map`.
fn pairs(leaf: &Leaf) -> Option<(&Path, &Pairs)> {
    match (&leaf.edit, leaf.effect.changes.as_slice()) {
        (Edit::Change { how: ValueEdit::Map { pairs, .. }, .. }, [at]) => Some((at, pairs)),
        _ => None,
    }
}

fn target<'p>(pairs: &'p Pairs, text: &[u8]) -> Option<&'p Vec<u8>> {
    pairs.iter().find(|(from, _)| same(from, text)).map(|(_, to)| to)
}

/// What an edit puts where nothing is, if that is always the same.
fn filled(leaf: &Leaf) -> Option<(&Path, Vec<u8>)> {
    match (&leaf.edit, leaf.effect.makes.as_slice()) {
        (Edit::Put { value: Source::Literal(literal), .. }, [made]) => Some((&made.at, constant(literal)?)),
        _ => None,
    }
}

/// What a `remove` puts back, if that is always the same.
fn restored(op: &Op) -> Option<Vec<u8>> {
    let down = matches!(op.lens, Lens::Remove(_)).then(|| op.leaves(Direction::Down))?;
    down.first().and_then(filled).map(|(_, text)| text)
}

/// The text of a literal that is the same in every message.
fn constant(literal: &Literal) -> Option<Vec<u8>> {
    let text = literal.text();
    let varies = ["\"$now\"", "\"$version\""].iter().any(|word| memchr::memmem::find(&text, word.as_bytes()).is_some());
    // A `$uuid` is not what it was rendered to.
    (!varies && Literal::new(&text) == *literal).then_some(text)
}

/// What was found, each thing once however many messages show it.
struct Found<'f, 't> {
    texts: Texts<'t>,
    diagnostics: &'f mut Vec<Diagnostic>,
    seen: HashSet<(String, Span, Direction, Vec<u8>)>,
}

impl Found<'_, '_> {
    fn is_new(&mut self, by: By<'_>, walk: &Walk<'_>, value: &Value<'_>) -> bool {
        let (file, span) = required::id((by.change, by.op));
        self.seen.insert((file.to_owned(), span, walk.direction, value.text.clone()))
    }

    fn unmet(&mut self, by: By<'_>, walk: &Walk<'_>, value: &Value<'_>) {
        if self.is_new(by, walk, value) {
            let message = format!(
                "going {}, `map` has no pair for `{}`, which `{}`{} puts there: {}",
                walk.direction.name(),
                String::from_utf8_lossy(&value.text),
                value.by.op.lens.name(),
                of_change(value.by, by),
                walk.message.name,
            );
            let mut diagnostic = required::partial((by.change, by.op), walk.direction, message, self.texts);
            if value.by.change.file == by.change.file {
                diagnostic.secondary(value.by.op.span, "this puts it there");
            }
            self.diagnostics.push(diagnostic);
        }
    }

    fn invented(&mut self, by: By<'_>, walk: &Walk<'_>, value: &Value<'_>, text: &[u8]) {
        if self.is_new(by, walk, value) {
            let message = format!(
                "going down, clients are told `{}`, where `{}`{} says `{}` if nothing is: {}",
                String::from_utf8_lossy(text),
                value.by.op.lens.name(),
                of_change(value.by, by),
                String::from_utf8_lossy(&value.text),
                walk.message.name,
            );
            self.diagnostics.push(required::restored(by.change, by.op, message, self.texts));
        }
    }
}
