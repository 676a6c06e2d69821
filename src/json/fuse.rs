//! Many edits to one program.
//!
//! A list of edits is looked at as a whole: what all of it does at one level is done while the level streams by,
//! and what lies below is fused in the same way, relative to the value it is about. Where edits of one scope
//! cannot be done in one reading of it, the scope is held and the edits run on it in order, which is always
//! right. Fusing only ever changes what is held, not what comes out.

use std::sync::Arc;

use super::edit::{
    Condition, Edit, Entry, Keys, Literal, Occupied, Otherwise, Path, Source, Token, ValueEdit,
};
use super::program::{Action, Added, Object, Program, Slot, Step, StepId};
use super::text::quoted;

impl Program {
    /// Fuses edits, which run in order, to one program.
    #[must_use]
    pub fn fuse(entries: Vec<Entry>) -> Self {
        let mut builder = Builder {
            steps: vec![Step::Copy],
        };
        let root = builder.fuse(flatten(entries));
        Self {
            steps: builder.steps,
            root,
        }
    }
}

impl Program {
    /// The edits as they are, on a document that is held as a whole: what fusing is compared with.
    #[must_use]
    pub fn hold(entries: Vec<Entry>) -> Self {
        Self { steps: vec![Step::Copy, Step::Hold(entries.into())], root: StepId(1) }
    }
}

const COPY: StepId = StepId(0);

struct Builder {
    steps: Vec<Step>,
}

impl Builder {
    fn push(&mut self, step: Step) -> StepId {
        self.steps.push(step);
        StepId(self.steps.len() - 1)
    }

    fn fuse(&mut self, entries: Vec<Entry>) -> StepId {
        let entries = cancel_envelopes(entries);
        if entries.is_empty() {
            return COPY;
        }
        let streams = self
            .envelope(&entries)
            .or_else(|| self.open(&entries))
            .or_else(|| self.each(&entries))
            .or_else(|| self.object(&entries));
        streams.unwrap_or_else(|| self.push(Step::Hold(entries.into())))
    }

    /// Edits, an envelope, and edits of what is inside it: the inner ones run as one within the envelope's text.
    fn envelope(&mut self, entries: &[Entry]) -> Option<StepId> {
        let at = entries
            .iter()
            .position(|e| matches!(e.edit, Edit::Envelope { .. }))?;
        let Entry {
            guard,
            edit: Edit::Envelope { key, with },
            ..
        } = &entries[at]
        else {
            return None;
        };
        if !guard.is_empty() || with.iter().any(|(name, _)| name == key) {
            return None;
        }
        let mut inner = entries[..at].to_vec();
        for entry in &entries[at + 1..] {
            inner.push(below(entry, &Token::Key(key.clone())).filter(|e| !may_remove(e))?);
        }
        let mut after = Literal::default();
        after.push_members(with);
        after.push_text(b"}");
        let before = [b"{", quoted(key).as_slice(), b":"].concat();
        let inner = self.fuse(flatten(inner));
        Some(self.push(Step::Surround {
            before,
            inner,
            after,
        }))
    }

    /// Edits inside an envelope that is then taken off, and edits of what was inside.
    fn open(&mut self, entries: &[Entry]) -> Option<StepId> {
        let at = entries
            .iter()
            .position(|e| matches!(e.edit, Edit::Open { .. }))?;
        let Entry {
            guard,
            edit:
                Edit::Open {
                    key,
                    otherwise: Otherwise::Fail,
                },
            change,
        } = &entries[at]
        else {
            return None;
        };
        if !guard.is_empty() {
            return None;
        }
        let mut inner = Vec::new();
        for entry in &entries[..at] {
            inner.push(below(entry, &Token::Key(key.clone())).filter(|e| !may_remove(e))?);
        }
        inner.extend_from_slice(&entries[at + 1..]);
        let inner = self.fuse(flatten(inner));
        Some(self.push(Step::Pick {
            key: key.clone(),
            inner,
            otherwise: Otherwise::Fail,
            change: change.clone(),
        }))
    }

    /// Edits of nothing but the elements.
    fn each(&mut self, entries: &[Entry]) -> Option<StepId> {
        let inner = entries
            .iter()
            .map(|entry| below(entry, &Token::Any))
            .collect::<Option<Vec<_>>>()?;
        if inner.iter().any(may_remove) {
            return None;
        }
        let inner = self.fuse(flatten(inner));
        Some(self.push(Step::Each { inner }))
    }

    /// Edits of members that can be done as the members come.
    fn object(&mut self, entries: &[Entry]) -> Option<StepId> {
        let mut members = Members::default();
        for entry in entries {
            members.take_in(entry)?;
        }
        let object = members.into_object(self)?;
        Some(self.push(Step::Object(object)))
    }
}

/// Puts the entries of unguarded `each` blocks in the place of the block, with its path before theirs, as far
/// as that says the same.
fn flatten(entries: Vec<Entry>) -> Vec<Entry> {
    let mut flat = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry {
                guard,
                edit: Edit::Each { at, entries },
                change,
            } if guard.is_empty() => {
                let inner = flatten(entries);
                let pushed: Option<Vec<_>> = inner.iter().map(|e| above(e, &at)).collect();
                match pushed {
                    Some(pushed) => flat.extend(pushed),
                    None => flat.push(Entry {
                        guard,
                        edit: Edit::Each { at, entries: inner },
                        change,
                    }),
                }
            }
            other => flat.push(other),
        }
    }
    flat
}

/// An envelope that is at once taken off again is nothing.
fn cancel_envelopes(entries: Vec<Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let cancels = match (kept.last().map(|e| (&e.guard, &e.edit)), &entry.edit) {
            (Some((guard, Edit::Envelope { key: put_on, .. })), Edit::Open { key, .. }) => {
                guard.is_empty() && entry.guard.is_empty() && put_on == key
            }
            _ => false,
        };
        if cancels {
            kept.pop();
        } else {
            kept.push(entry);
        }
    }
    kept
}

/// The entry of an `each` block as an entry of the block's own scope.
fn above(entry: &Entry, prefix: &Path) -> Option<Entry> {
    if prefix.is_empty() {
        return Some(entry.clone());
    }
    if !entry.guard.is_empty() {
        return None;
    }
    let join = |path: &Path| prefix.iter().chain(path).cloned().collect::<Path>();
    let edit = match &entry.edit {
        Edit::Rename { at, pairs } => Edit::Rename {
            at: join(at),
            pairs: pairs.clone(),
        },
        Edit::Move {
            scope,
            from, to, conflict, patch } => Edit::Move {
            scope: join(scope),
            from: from.clone(),
            to: to.clone(),
            conflict: *conflict,
            patch: *patch,
        },
        Edit::Put {
            scope,
            at,
            value,
            create,
            if_present,
        } => Edit::Put {
            scope: join(scope),
            at: at.clone(),
            value: value.clone(),
            create: *create,
            if_present: *if_present,
        },
        Edit::Take {
            scope,
            at,
            prune,
            refuse,
        } => Edit::Take {
            scope: join(scope),
            at: at.clone(),
            prune: *prune,
            refuse: *refuse,
        },
        Edit::Change { at, how } => Edit::Change {
            at: join(at),
            how: how.clone(),
        },
        Edit::Each { at, entries } => Edit::Each {
            at: join(at),
            entries: entries.clone(),
        },
        Edit::Envelope { .. } | Edit::Open { .. } => return None,
    };
    Some(Entry {
        edit,
        ..entry.clone()
    })
}

/// The entry as one of the scope that lies at `token`, if it touches nothing else.
fn below(entry: &Entry, token: &Token) -> Option<Entry> {
    let guard = entry
        .guard
        .iter()
        .map(|condition| below_guard(condition, token))
        .collect::<Option<Vec<_>>>()?;
    let strip = |path: &Path| {
        path.split_first()
            .filter(|(first, _)| *first == token)
            .map(|(_, rest)| rest.to_vec())
    };
    let edit = match &entry.edit {
        Edit::Rename { at, pairs } => Edit::Rename {
            at: strip(at)?,
            pairs: pairs.clone(),
        },
        Edit::Change { at, how } => Edit::Change {
            at: strip(at)?,
            how: how.clone(),
        },
        Edit::Each { at, entries } => Edit::Each {
            at: strip(at)?,
            entries: entries.clone(),
        },
        Edit::Move {
            scope,
            from, to, conflict, patch } => {
            let (scope, keys) = strip_scope(scope, &[from, to], token)?;
            let [from, to] = <[Keys; 2]>::try_from(keys).ok()?;
            Edit::Move {
                scope,
                from,
                to,
                conflict: *conflict,
                patch: *patch,
            }
        }
        Edit::Put {
            scope,
            at,
            value,
            create,
            if_present,
        } => below_put(scope, at, value, *create, *if_present, token)?,
        Edit::Take {
            scope,
            at,
            prune,
            refuse,
        } => {
            // Pruning may take away the value at `token` itself, which its own scope cannot do.
            let inside = !scope.is_empty() || !*prune;
            let (scope, mut keys) = strip_scope(scope, &[at], token).filter(|_| inside)?;
            Edit::Take {
                scope,
                at: keys.pop()?,
                prune: *prune,
                refuse: *refuse,
            }
        }
        Edit::Envelope { .. } | Edit::Open { .. } => return None,
    };
    Some(Entry {
        guard,
        edit,
        change: entry.change.clone(),
    })
}

fn below_guard(condition: &Condition, token: &Token) -> Option<Condition> {
    let Token::Key(key) = token else { return None };
    let (first, rest) = condition.path.split_first()?;
    (first == key).then(|| Condition {
        path: rest.to_vec(),
        test: condition.test.clone(),
    })
}

fn below_put(
    scope: &Path,
    at: &Keys,
    value: &Source,
    create: bool,
    if_present: Occupied,
    token: &Token,
) -> Option<Edit> {
    // A copied value is found from the scope, and a missing parent is made in it: neither survives a narrower one.
    let movable = !scope.is_empty() || (!create && !matches!(value, Source::Copy(_)));
    let (scope, mut keys) = strip_scope(scope, &[at], token).filter(|_| movable)?;
    Some(Edit::Put {
        scope,
        at: keys.pop()?,
        value: value.clone(),
        create,
        if_present,
    })
}

/// Takes `token` off a scope, or, where the scope is empty, off all the keys, which must keep at least one name.
fn strip_scope(scope: &Path, keys: &[&Keys], token: &Token) -> Option<(Path, Vec<Keys>)> {
    if let Some((first, rest)) = scope.split_first() {
        return (first == token)
            .then(|| (rest.to_vec(), keys.iter().map(|k| (*k).clone()).collect()));
    }
    let Token::Key(key) = token else { return None };
    let stripped = keys.iter().map(|k| {
        k.split_first()
            .filter(|(first, rest)| *first == key && !rest.is_empty())
            .map(|(_, rest)| rest.to_vec())
    });
    Some((Path::new(), stripped.collect::<Option<_>>()?))
}

/// What a list of edits makes of an object's members, as far as that can be said member by member.
#[derive(Default)]
struct Members {
    /// By name after the edits so far. Names that are not here stand for themselves.
    now: Vec<(String, Vec<Candidate>)>,
    dropped: Vec<(String, Action)>,
    unique: Vec<String>,
}

/// What may stand under a name; the first candidate that is there wins.
#[derive(Clone)]
enum Candidate {
    /// The document's member of this name, with edits of its value.
    Member(String, Vec<Entry>),
    /// A literal, where nothing else is there.
    Literal(Literal),
}

impl Members {
    fn at(&mut self, name: &str) -> &mut Vec<Candidate> {
        let at = self
            .now
            .iter()
            .position(|(n, _)| n == name)
            .unwrap_or_else(|| {
                // The document's own member of this name, unless an earlier edit has taken it elsewhere.
                let own = vec![Candidate::Member(name.to_owned(), Vec::new())];
                self.now.push((name.to_owned(), own));
                self.now.len() - 1
            });
        &mut self.now[at].1
    }

    /// Says that an edit reads the member of this name: the document must not have two.
    fn read(&mut self, name: &str) {
        let names: Vec<String> = self
            .at(name)
            .iter()
            .filter_map(|c| {
                if let Candidate::Member(n, _) = c {
                    Some(n.clone())
                } else {
                    None
                }
            })
            .collect();
        self.unique.extend(names);
    }

    /// Takes in the next edit; `None` if it cannot be done while members stream by.
    fn take_in(&mut self, entry: &Entry) -> Option<()> {
        if !entry.guard.is_empty() {
            return self.step_into(entry);
        }
        match &entry.edit {
            Edit::Rename { at, pairs } if at.is_empty() => self.rename(pairs)?,
            Edit::Put {
                scope,
                at,
                value,
                if_present: Occupied::Keep,
                ..
            } if scope.is_empty() && at.len() == 1 => {
                self.read(&at[0]);
                match value {
                    Source::Literal(literal) => {
                        self.at(&at[0]).push(Candidate::Literal(literal.clone()))
                    }
                    Source::Absent => {}
                    Source::Copy(_) | Source::Refuse => return None,
                }
            }
            Edit::Take {
                scope, at, refuse, ..
            } if scope.is_empty() && at.len() == 1 => self.take(&at[0], *refuse, entry.change.as_ref())?,
            Edit::Envelope { .. } | Edit::Open { .. } => return None,
            _ => self.step_into(entry)?,
        }
        Some(())
    }

    fn rename(&mut self, pairs: &[(String, String)]) -> Option<()> {
        let mut moved = Vec::with_capacity(pairs.len());
        for (old, _) in pairs {
            self.read(old);
            moved.push(std::mem::take(self.at(old)));
        }
        for ((_, new), mut arriving) in pairs.iter().zip(moved) {
            let there = self.at(new);
            may_go(there)?;
            // The declared member wins over one that happens to have its new name.
            arriving.append(there);
            *there = arriving;
        }
        Some(())
    }

    fn take(&mut self, name: &str, refuse: bool, change: Option<&Arc<str>>) -> Option<()> {
        self.read(name);
        may_go(self.at(name))?;
        for candidate in std::mem::take(self.at(name)) {
            if let Candidate::Member(member, _) = candidate {
                let action = if refuse { Action::Refuse { change: change.cloned() } } else { Action::Drop };
                self.dropped.push((member, action));
            }
        }
        Some(())
    }

    /// An edit of one member's value.
    fn step_into(&mut self, entry: &Entry) -> Option<()> {
        let key = first_key(&entry.edit)?;
        // In an array a number is an index.
        if key.bytes().all(|b| b.is_ascii_digit()) && !key.is_empty() {
            return None;
        }
        let inner = below(entry, &Token::Key(key.clone()))?;
        if may_remove(&inner) {
            return None;
        }
        self.read(&key);
        for candidate in self.at(&key) {
            match candidate {
                Candidate::Member(_, entries) => entries.push(inner.clone()),
                Candidate::Literal(_) => return None,
            }
        }
        Some(())
    }

    fn into_object(self, builder: &mut Builder) -> Option<Object> {
        let mut object = Object::default();
        for (name, action) in self.dropped {
            object.slots.push(Slot {
                unique: true,
                name,
                action,
                yields_to: 0,
            });
        }
        for (name, candidates) in self.now {
            let (mut winners, mut settled) = (0, false);
            for candidate in candidates {
                match candidate {
                    // A literal stands in for whatever is missing, so nothing after it is ever wanted.
                    Candidate::Member(member, _) if settled => {
                        let unique = self.unique.contains(&member);
                        object.slots.push(Slot {
                            name: member,
                            action: Action::Drop,
                            unique,
                            yields_to: 0,
                        });
                    }
                    Candidate::Literal(_) if settled => {}
                    Candidate::Member(member, entries) => {
                        let bit = 1_u64.checked_shl(u32::try_from(object.slots.len()).ok()?)?;
                        let inner = builder.fuse(flatten(entries));
                        let rename = (member != name).then(|| quoted(&name));
                        let unique = self.unique.contains(&member);
                        object.slots.push(Slot {
                            name: member,
                            action: Action::Keep { rename, inner },
                            unique,
                            yields_to: winners,
                        });
                        winners |= bit;
                    }
                    Candidate::Literal(value) => {
                        let mut member = Literal::default();
                        member.push_text(&quoted(&name));
                        member.push_text(b":");
                        member.push(&value);
                        object.added.push(Added {
                            member,
                            unless: winners,
                        });
                        settled = true;
                    }
                }
            }
        }
        (object.slots.len() <= Object::MOST && distinct(&object.slots)).then_some(object)
    }
}

/// Whether values can be dropped unseen: not if earlier edits look at them, which may fail.
fn may_go(candidates: &[Candidate]) -> Option<()> {
    let unseen = |candidate: &Candidate| matches!(candidate, Candidate::Literal(_)) || matches!(candidate, Candidate::Member(_, entries) if entries.is_empty());
    candidates.iter().all(unseen).then_some(())
}

/// A document's member goes to one place; two slots of a name would mean that an edit list has confused us.
fn distinct(slots: &[Slot]) -> bool {
    slots
        .iter()
        .enumerate()
        .all(|(at, slot)| slots[..at].iter().all(|other| other.name != slot.name))
}

/// The name of the one member of its scope that an edit is about.
fn first_key(edit: &Edit) -> Option<String> {
    let of_path = |path: &Path| match path.first() {
        Some(Token::Key(key)) => Some(key.clone()),
        Some(Token::Any) | None => None,
    };
    match edit {
        Edit::Rename { at, .. } | Edit::Change { at, .. } | Edit::Each { at, .. } => of_path(at),
        Edit::Move { scope, from, .. } if scope.is_empty() => from.first().cloned(),
        Edit::Put { scope, at, .. } | Edit::Take { scope, at, .. } if scope.is_empty() => {
            at.first().cloned()
        }
        Edit::Move { scope, .. } | Edit::Put { scope, .. } | Edit::Take { scope, .. } => {
            of_path(scope)
        }
        Edit::Envelope { .. } | Edit::Open { .. } => None,
    }
}

/// Whether an edit of a value may take the value away, for which its name must not have left yet.
fn may_remove(entry: &Entry) -> bool {
    match &entry.edit {
        Edit::Change { at, how } => at.is_empty() && value_may_go(how),
        Edit::Each { at, entries } => at.is_empty() && entries.iter().any(may_remove),
        Edit::Open { otherwise, .. } => *otherwise == Otherwise::Drop,
        Edit::Rename { .. }
        | Edit::Move { .. }
        | Edit::Put { .. }
        | Edit::Take { .. }
        | Edit::Envelope { .. } => false,
    }
}

fn value_may_go(how: &ValueEdit) -> bool {
    match how {
        ValueEdit::Map { otherwise, .. } | ValueEdit::Convert { otherwise, .. } => {
            *otherwise == Otherwise::Drop
        }
        ValueEdit::FromArray {
            empty, otherwise, ..
        } => *empty == super::edit::Empty::Absent || *otherwise == Otherwise::Drop,
        ValueEdit::FromMember { .. } => true,
        ValueEdit::ToArray { .. } | ValueEdit::ToMember { .. } => false,
    }
}
