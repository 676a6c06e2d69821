//! What an op does to the skeleton of a message: which places it looks at, takes away, makes and changes.
//!
//! Conflicts between ops are found on this, without a document. Paths are those of the whole message's document
//! ([`crate::rules::Place::in_message`]), before the edit for what it reads and takes, after it for what it makes.

use crate::json::edit::{Condition, Edit, Entry, Keys, Otherwise, Path, Source, Test, Token, ValueEdit};
use crate::json::{Conversion, Kind, Way};
use crate::rules::Direction;

use crate::rules::path::{Location, Part};

use super::{Carried, Lowered, Mode, Op, carry};

/// What one edit does.
#[derive(Debug, Default)]
pub(in crate::rules) struct Effect {
    /// Values that it looks at; that they are missing is nothing it minds.
    pub(in crate::rules) reads: Vec<Path>,
    /// Places where nothing is afterwards, but for what it makes.
    pub(in crate::rules) takes: Vec<Path>,
    /// Places where something is afterwards that was not there before.
    pub(in crate::rules) makes: Vec<Made>,
    /// Values that become others in their place.
    pub(in crate::rules) changes: Vec<Path>,
    /// What kind of value it expects, null aside.
    pub(in crate::rules) expects: Vec<(Path, Kind)>,
    /// What kind of value is there afterwards, null aside.
    pub(in crate::rules) kinds: Vec<(Path, Kind)>,
}

/// A place that an edit makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules) struct Made {
    /// The place.
    pub(in crate::rules) at: Path,
    /// How.
    pub(in crate::rules) how: Making,
}

/// How a place comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rules) enum Making {
    /// A value comes from elsewhere.
    Arrives,
    /// It is new.
    Added,
    /// It is a part of what its own value became.
    Becomes,
}

impl Effect {
    /// Every place after the edit or before that is another because of it.
    pub(in crate::rules) fn writes(&self) -> impl Iterator<Item = &Path> {
        self.takes.iter().chain(self.makes.iter().map(|made| &made.at)).chain(&self.changes)
    }
}

/// One edit of an op on its way up.
#[derive(Debug)]
pub(in crate::rules) struct Stage {
    /// The edit, on the document of its part.
    lowered: Lowered,
    /// What it does, whether or not its guard lets it.
    pub(in crate::rules) effect: Effect,
    /// What its guard looks at.
    pub(in crate::rules) guard: Vec<(Path, Test)>,
}

/// One edit, or one of those that an edit runs inside other values, with everything that decides whether it runs.
#[derive(Debug)]
pub(in crate::rules) struct Leaf {
    /// The edit, in its scope.
    pub(in crate::rules) edit: Edit,
    /// What it does, whether or not its guards let it.
    pub(in crate::rules) effect: Effect,
    /// What the guards look at.
    pub(in crate::rules) guard: Vec<(Path, Test)>,
    /// The edit from the whole document of its part.
    lowered: Lowered,
}

impl Op {
    /// What it does going up, edit by edit.
    pub(in crate::rules) fn stages(&self) -> Vec<Stage> {
        self.lower(Direction::Up, Mode::Full).into_iter().map(Stage::new).collect()
    }

    /// What it does in a direction, down to the single edits inside other values.
    pub(in crate::rules) fn leaves(&self, direction: Direction) -> Vec<Leaf> {
        let of = |lowered: Lowered| {
            let part = lowered.part;
            singles(lowered.entry).into_iter().map(move |entry| Leaf::new(Lowered { part, entry }))
        };
        self.lower(direction, Mode::Full).into_iter().flat_map(of).collect()
    }
}

/// An edit of several inside other values as several edits of one.
fn singles(entry: Entry) -> Vec<Entry> {
    match entry.edit {
        Edit::Each { at, entries } => {
            let single = |inner: Entry| Entry {
                guard: entry.guard.clone(),
                edit: Edit::Each { at: at.clone(), entries: vec![inner] },
                change: entry.change.clone(),
                losses: Vec::new(),
            };
            entries.into_iter().flat_map(singles).map(single).collect()
        }
        _ => vec![entry],
    }
}

impl Leaf {
    /// Of an edit that runs one edit, however deep inside.
    fn new(lowered: Lowered) -> Self {
        let (mut scope, mut guard, mut entry) = (start_of(lowered.part), Vec::new(), &lowered.entry);
        loop {
            guard.extend(entry.guard.iter().map(|condition| (join(&scope, &condition.path), condition.test.clone())));
            let Edit::Each { at, entries } = &entry.edit else { break };
            let Some(inner) = entries.first() else { break };
            scope.extend(at.iter().cloned());
            entry = inner;
        }
        let mut all = Effect::default();
        all.extend_within(&scope, &effect(&entry.edit), Certainty::Certain);
        Self { edit: entry.edit.clone(), effect: all, guard, lowered }
    }

    /// Where a path of the whole message's document goes.
    pub(in crate::rules) fn carry(&self, path: &[Token]) -> Carried {
        self.lowered.carry(path)
    }
}

/// Where a part begins in the whole message's document.
fn start_of(part: Part) -> Path {
    match part {
        Part::Head | Part::Both => Path::new(),
        Part::Body => vec![Token::Key(Location::Body.name().to_owned())],
    }
}

impl Stage {
    fn new(lowered: Lowered) -> Self {
        let at = start_of(lowered.part);
        let mut all = Effect::default();
        all.extend_within(&at, &effect(&lowered.entry.edit), Certainty::Certain);
        let guard = lowered.entry.guard.iter().map(|condition| (join(&at, &condition.path), condition.test.clone()));
        Self { guard: guard.collect(), effect: all, lowered }
    }

    /// The edit.
    pub(in crate::rules) fn edit(&self) -> &Edit {
        &self.lowered.entry.edit
    }

    /// Where a path goes.
    pub(in crate::rules) fn carry(&self, path: &[Token]) -> Carried {
        self.lowered.carry(path)
    }

    /// Every path that goes elsewhere is one of these or inside.
    pub(in crate::rules) fn reach(&self) -> Vec<Path> {
        self.lowered.reach()
    }

    /// Where a path goes if the guard lets the edit run.
    pub(in crate::rules) fn carry_unguarded(&self, path: &[Token]) -> Carried {
        let entry = Entry { guard: Vec::new(), edit: self.edit().clone(), change: None, losses: Vec::new() };
        Lowered { part: self.lowered.part, entry }.carry(path)
    }
}

impl Lowered {
    /// Every path of the whole message's document that goes elsewhere is one of these or inside.
    pub(super) fn reach(&self) -> Vec<Path> {
        let start = start_of(self.part);
        carry::reach(&self.entry.edit).into_iter().map(|path| [start.as_slice(), &path].concat()).collect()
    }

    /// Where a path of the whole message's document goes.
    pub(super) fn carry(&self, path: &[Token]) -> Carried {
        match (self.part, path.split_first()) {
            (Part::Head | Part::Both, _) => carry(&self.entry, path),
            (Part::Body, Some((Token::Key(location), rest))) if location == Location::Body.name() => {
                match carry(&self.entry, rest) {
                    Carried::To(to) => Carried::To(path[..1].iter().cloned().chain(to).collect()),
                    other => other,
                }
            }
            (Part::Body, _) => Carried::Same,
        }
    }
}

fn effect(edit: &Edit) -> Effect {
    let nothing = Effect::default();
    match edit {
        Edit::Rename { at, pairs } => {
            let old: Vec<Path> = pairs.iter().map(|(old, _)| join(at, [old])).collect();
            let makes = pairs.iter().map(|(_, new)| made(join(at, [new]), Making::Arrives)).collect();
            Effect { reads: old.clone(), takes: old, makes, ..nothing }
        }
        Edit::Move { scope, from, to, .. } => {
            let (from, to) = (join(scope, from), join(scope, to));
            Effect { reads: vec![from.clone()], takes: vec![from], makes: vec![made(to, Making::Arrives)], ..nothing }
        }
        Edit::Put { scope, at, value, create, .. } => put(scope, at, value, *create),
        Edit::Take { scope, at, .. } => {
            let at = join(scope, at);
            Effect { reads: vec![at.clone()], takes: vec![at], ..nothing }
        }
        Edit::Change { at, how } => change(at, how),
        Edit::Envelope { key, with } => {
            let names =
                std::iter::once((key, Making::Becomes)).chain(with.iter().map(|(name, _)| (name, Making::Added)));
            let makes = names.map(|(name, how)| made(join(&[], [name]), how)).collect();
            Effect { takes: vec![Path::new()], makes, kinds: vec![(Path::new(), Kind::Object)], ..nothing }
        }
        Edit::Open { key, .. } => {
            let reads = vec![join(&[], [key])];
            Effect { reads, takes: vec![Path::new()], makes: vec![made(Path::new(), Making::Becomes)], ..nothing }
        }
        Edit::Presence { scope, at, null, missing } => {
            let at = join(scope, at);
            let copies = [null, missing].into_iter().flatten().filter_map(|source| copy(scope, source));
            Effect { reads: copies.chain([at.clone()]).collect(), changes: vec![at], ..nothing }
        }
        Edit::Split { scope, key, into, .. } => {
            let (whole, parts) = (join(scope, [key]), into.iter().map(|name| join(scope, [name])));
            let kinds = parts.clone().map(|part| (part, Kind::String)).collect();
            let makes = parts.map(|part| made(part, Making::Arrives)).collect();
            let (reads, takes) = (vec![whole.clone()], vec![whole.clone()]);
            Effect { reads, takes, makes, expects: vec![(whole, Kind::String)], kinds, ..nothing }
        }
        Edit::Join { scope, from, key, .. } => {
            let parts: Vec<Path> = from.iter().map(|name| join(scope, [name])).collect();
            let makes = vec![made(join(scope, [key]), Making::Arrives)];
            Effect { reads: parts.clone(), takes: parts, makes, ..nothing }
        }
        Edit::Spread { from, to, key, .. } => moved(join(&[], from), join(to, [key])),
        Edit::Collapse { from, key, to, .. } => moved(join(from, [key]), join(&[], to)),
        Edit::DropElements { at, when } => {
            let element: Path = at.iter().cloned().chain([Token::Any]).collect();
            Effect { reads: conditions(&element, when), expects: vec![(at.clone(), Kind::Array)], ..nothing }
        }
        Edit::DropMessage { when } => Effect { reads: conditions(&[], when), ..nothing },
        Edit::Each { at, entries } => {
            entries.iter().fold(Effect { reads: vec![at.clone()], ..nothing }, |mut all, entry| {
                let mut inner = effect(&entry.edit);
                inner.reads.extend(conditions(&[], &entry.guard));
                let certainty = if entry.guard.is_empty() { Certainty::Certain } else { Certainty::Guarded };
                all.extend_within(at, &inner, certainty);
                all
            })
        }
        // At which depths it finds its values depends on the document.
        Edit::Recurse { at, entries, .. } => entries.iter().fold(nothing, |mut all, entry| {
            all.extend_within(at, &effect(&entry.edit), Certainty::Guarded);
            all
        }),
    }
}

/// Whether an edit runs on every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Certain,
    Guarded,
}

impl Effect {
    /// Adds what happens within each value at a path. What a guard may prevent is a change of the value as a whole.
    fn extend_within(&mut self, at: &[Token], inner: &Self, certainty: Certainty) {
        let prefix = |path: &Path| [at, path.as_slice()].concat();
        self.reads.extend(inner.reads.iter().map(prefix));
        if certainty == Certainty::Certain {
            self.takes.extend(inner.takes.iter().map(prefix));
            self.makes.extend(inner.makes.iter().map(|made| Made { at: prefix(&made.at), how: made.how }));
            self.kinds.extend(inner.kinds.iter().map(|(path, kind)| (prefix(path), *kind)));
            self.expects.extend(inner.expects.iter().map(|(path, kind)| (prefix(path), *kind)));
            self.changes.extend(inner.changes.iter().map(prefix));
        } else {
            self.changes.extend(inner.writes().map(prefix));
        }
    }
}

fn join<'k>(scope: &[Token], keys: impl IntoIterator<Item = &'k String>) -> Path {
    scope.iter().cloned().chain(keys.into_iter().map(|key| Token::Key(key.clone()))).collect()
}

fn made(at: Path, how: Making) -> Made {
    Made { at, how }
}

fn moved(from: Path, to: Path) -> Effect {
    let makes = vec![made(to, Making::Arrives)];
    Effect { reads: vec![from.clone()], takes: vec![from], makes, ..Effect::default() }
}

/// Where a copy is taken from.
fn copy(scope: &[Token], source: &Source) -> Option<Path> {
    match source {
        Source::Copy(keys) => Some(join(scope, keys)),
        Source::Literal(_) | Source::Absent | Source::Refuse => None,
    }
}

fn conditions(scope: &[Token], conditions: &[Condition]) -> Vec<Path> {
    conditions.iter().map(|condition| join(scope, &condition.path)).collect()
}

fn put(scope: &[Token], at: &Keys, value: &Source, create: bool) -> Effect {
    let at = join(scope, at);
    let parent = at[..at.len() - 1].to_vec();
    // Without `create` there has to be something to add to.
    let reads = copy(scope, value).into_iter().chain((!create && !parent.is_empty()).then_some(parent)).collect();
    Effect { reads, makes: vec![made(at, Making::Added)], ..Effect::default() }
}

fn change(at: &Path, how: &ValueEdit) -> Effect {
    let inside = |tokens: &[Token]| [at.as_slice(), tokens].concat();
    let member = |name: &String| inside(&[Token::Key(name.clone())]);
    let every = || vec![inside(&[Token::Any])];
    match how {
        ValueEdit::Map { pairs, otherwise } => {
            let expected = common_kind(pairs.iter().map(|(from, _)| from)).map(|kind| (kind, otherwise));
            let kind = common_kind(pairs.iter().map(|(_, to)| to));
            in_place(at, expected, kind.and_then(|kind| certain(kind, otherwise)))
        }
        ValueEdit::Convert { conversion, way, otherwise } => {
            let (from, to) = kinds_of(conversion, *way);
            in_place(at, Some((from, otherwise)), certain(to, otherwise))
        }
        ValueEdit::Recase { .. } | ValueEdit::Limit { .. } => in_place(at, None, None),
        ValueEdit::Jq { .. } => shaped(at, vec![at.clone()], None, None),
        ValueEdit::ToArray { .. } => shaped(at, every(), Some(Kind::Array), None),
        ValueEdit::FromArray { otherwise, .. } => shaped(at, vec![at.clone()], None, Some((Kind::Array, otherwise))),
        ValueEdit::ToMember { key, with, .. } => {
            let names = std::iter::once(key).chain(with.iter().map(|(name, _)| name));
            shaped(at, names.map(member).collect(), Some(Kind::Object), None)
        }
        ValueEdit::FromMember { otherwise, .. } => shaped(at, vec![at.clone()], None, Some((Kind::Object, otherwise))),
        ValueEdit::ToEntries { key, value, otherwise } => {
            let of_entry = |name: &String| inside(&[Token::Any, Token::Key(name.clone())]);
            let makes = value.as_ref().map_or_else(every, |value| vec![of_entry(key), of_entry(value)]);
            shaped(at, makes, certain(Kind::Array, otherwise), Some((Kind::Object, otherwise)))
        }
        ValueEdit::FromEntries { otherwise, .. } => {
            shaped(at, every(), certain(Kind::Object, otherwise), Some((Kind::Array, otherwise)))
        }
        ValueEdit::ToObject { keys, otherwise, .. } => {
            let makes = keys.iter().map(member).collect();
            shaped(at, makes, certain(Kind::Object, otherwise), Some((Kind::Array, otherwise)))
        }
        ValueEdit::ToTuple { otherwise, .. } => {
            shaped(at, every(), certain(Kind::Array, otherwise), Some((Kind::Object, otherwise)))
        }
    }
}

/// What an edit expects of a value, and what it does where the value is of another kind.
type Expected<'e> = Option<(Kind, &'e Otherwise)>;

/// A value that becomes another, with no parts that have a place of their own.
fn in_place(at: &Path, expected: Expected<'_>, kind: Option<Kind>) -> Effect {
    // A value of another kind is a mistake only where `else` does not say what becomes of it.
    let expected = expected.filter(|(_, otherwise)| **otherwise == Otherwise::Fail);
    let of = |kind: Kind| (at.clone(), kind);
    Effect {
        reads: vec![at.clone()],
        changes: vec![at.clone()],
        expects: expected.map(|(kind, _)| of(kind)).into_iter().collect(),
        kinds: kind.map(of).into_iter().collect(),
        ..Effect::default()
    }
}

/// A value that becomes one with other parts.
fn shaped(at: &Path, parts: Vec<Path>, kind: Option<Kind>, expected: Expected<'_>) -> Effect {
    let makes = parts.into_iter().map(|at| made(at, Making::Becomes)).collect();
    Effect { takes: vec![at.clone()], makes, ..in_place(at, expected, kind) }
}

/// What the value becomes, if `else` leaves nothing else.
fn certain(kind: Kind, otherwise: &Otherwise) -> Option<Kind> {
    (*otherwise == Otherwise::Fail).then_some(kind)
}

/// The kind that all these JSON texts are of, if they are of one.
fn common_kind<'t>(texts: impl Iterator<Item = &'t Vec<u8>>) -> Option<Kind> {
    let mut kinds = texts.map(|text| Kind::of(text)).filter(|kind| *kind != Kind::Null);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

fn kinds_of(conversion: &Conversion, way: Way) -> (Kind, Kind) {
    let (first, second) = match conversion {
        Conversion::IntegerString | Conversion::NumberString | Conversion::MinorUnitsDecimal(_) => {
            (Kind::Number, Kind::String)
        }
        Conversion::UnixSecondsRfc3339 | Conversion::UnixMillisRfc3339 => (Kind::Number, Kind::String),
        Conversion::BooleanString => (Kind::Boolean, Kind::String),
        Conversion::BooleanInteger => (Kind::Boolean, Kind::Number),
        Conversion::CsvArray(_) => (Kind::String, Kind::Array),
    };
    match way {
        Way::There => (first, second),
        Way::Back => (second, first),
    }
}
