//! Many edits to one program.
//!
//! A list of edits is looked at as a whole: what all of it does at one level is done while the level streams by,
//! and what lies below is fused in the same way, relative to the value it is about. Where edits of one scope
//! cannot be done in one reading of it, the scope is held and the edits run on it in order, which is always
//! right. Fusing only ever changes what is held, not what comes out.

mod members;

use std::sync::Arc;

use super::edit::{Condition, Edit, Entry, Keys, Literal, Occupied, Otherwise, Over, Path, Source, Token, ValueEdit};
use members::Members;

use super::loss::{Loss, When, number};
use super::program::{Pick, Program, Step, StepId};
use super::text::quoted;
use super::translator::Kits;

impl Program {
    /// Fuses edits, which run in order, to one program.
    #[must_use]
    pub fn fuse(mut entries: Vec<Entry>) -> Self {
        let losses = number(&mut entries);
        let mut builder = Builder { steps: vec![Step::Copy], depth: 0 };
        let root = builder.fuse(flatten(entries));
        Self { steps: builder.steps, root, losses, kits: Kits::default() }
    }
}

impl Program {
    /// The edits as they are, on a document that is held as a whole: what fusing is compared with.
    #[must_use]
    pub fn hold(mut entries: Vec<Entry>) -> Self {
        let losses = number(&mut entries);
        let steps = vec![Step::Copy, Step::Hold(entries.into())];
        Self { steps, root: StepId(1), losses, kits: Kits::default() }
    }
}

impl Program {
    /// Checks that a document is JSON and changes nothing.
    #[must_use]
    pub fn check() -> Self {
        let nothing = Step::Surround { before: Vec::new(), inner: StepId::COPY, after: Literal::default() };
        Self { steps: vec![Step::Copy, nothing], root: StepId(1), ..Self::default() }
    }
}

struct Builder {
    steps: Vec<Step>,
    /// Within how many scopes the one at hand is.
    depth: usize,
}

/// Scopes within so many others are held. Each is gone into by a call of its own, and takes the edits along.
const MOST_SCOPES: usize = 64;

impl Builder {
    fn push(&mut self, step: Step) -> StepId {
        self.steps.push(step);
        StepId(self.steps.len() - 1)
    }

    /// Holds a value for edits of it, if there are any.
    fn hold(&mut self, entries: &[Entry]) -> StepId {
        if entries.is_empty() { StepId::COPY } else { self.push(Step::Hold(entries.into())) }
    }

    fn fuse(&mut self, entries: Vec<Entry>) -> StepId {
        let entries = cancel_envelopes(entries);
        if entries.is_empty() {
            return StepId::COPY;
        }
        let streams = if self.depth < MOST_SCOPES { self.stream(&entries) } else { None };
        streams.unwrap_or_else(|| self.push(Step::Hold(entries.into())))
    }

    fn stream(&mut self, entries: &[Entry]) -> Option<StepId> {
        self.depth += 1;
        let streams = self
            .envelope(entries)
            .or_else(|| self.open(entries))
            .or_else(|| self.each(entries))
            .or_else(|| self.object(entries));
        self.depth -= 1;
        streams
    }

    /// Edits, an envelope, and edits of what is inside it: the inner ones run as one within the envelope's text.
    fn envelope(&mut self, entries: &[Entry]) -> Option<StepId> {
        let at = entries.iter().position(|e| matches!(e.edit, Edit::Envelope { .. }))?;
        let Entry { guard, edit: Edit::Envelope { key, with }, .. } = &entries[at] else {
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
        Some(self.push(Step::Surround { before, inner, after }))
    }

    /// Edits inside an envelope that is then taken off, and edits of what was inside.
    fn open(&mut self, entries: &[Entry]) -> Option<StepId> {
        let at = entries.iter().position(|e| matches!(e.edit, Edit::Open { .. }))?;
        let Entry { guard, edit: Edit::Open { key, otherwise: Otherwise::Fail }, change, losses } = &entries[at] else {
            return None;
        };
        let lost: Vec<(String, u32)> = losses.iter().filter_map(member_lost).collect();
        if !guard.is_empty() || lost.len() > Pick::MOST {
            return None;
        }
        let mut inner = Vec::new();
        for entry in &entries[..at] {
            inner.push(below(entry, &Token::Key(key.clone())).filter(|e| !may_remove(e))?);
        }
        inner.extend_from_slice(&entries[at + 1..]);
        let inner = self.fuse(flatten(inner));
        Some(self.push(Step::Pick(Pick { key: key.clone(), inner, change: change.clone(), lost })))
    }

    /// Edits of nothing but the elements.
    fn each(&mut self, entries: &[Entry]) -> Option<StepId> {
        let inner = entries.iter().map(|entry| below(entry, &Token::Any)).collect::<Option<Vec<_>>>()?;
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
        let object = members.into_object(self, entries)?;
        Some(self.push(Step::Object(object)))
    }
}

/// The member that is lost, and the loss's number.
fn member_lost(loss: &Loss) -> Option<(String, u32)> {
    match &loss.when {
        When::Member(name) => Some((name.clone(), loss.number())),
        When::Acted | When::Empty | When::Null | When::Missing => None,
    }
}

/// Puts the entries of unguarded `each` blocks in the place of the block, with its path before theirs, as far
/// as that says the same.
fn flatten(entries: Vec<Entry>) -> Vec<Entry> {
    let mut flat = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry { guard, edit: Edit::Each { at, entries }, change, losses } if guard.is_empty() => {
                let inner = flatten(entries);
                let pushed: Option<Vec<_>> = inner.iter().map(|e| above(e, &at)).collect();
                match pushed {
                    Some(pushed) => flat.extend(pushed),
                    None => flat.push(Entry { guard, edit: Edit::Each { at, entries: inner }, change, losses }),
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
        Edit::Rename { at, pairs } => Edit::Rename { at: join(at), pairs: pairs.clone() },
        Edit::Move { scope, from, to, conflict, patch } => {
            Edit::Move { scope: join(scope), from: from.clone(), to: to.clone(), conflict: *conflict, patch: *patch }
        }
        Edit::Put { scope, at, value, create, if_present } => Edit::Put {
            scope: join(scope),
            at: at.clone(),
            value: value.clone(),
            create: *create,
            if_present: *if_present,
        },
        Edit::Take { scope, at, prune, refuse } => {
            Edit::Take { scope: join(scope), at: at.clone(), prune: *prune, refuse: *refuse }
        }
        Edit::Change { at, how } => Edit::Change { at: join(at), how: how.clone() },
        Edit::Each { at, entries } => Edit::Each { at: join(at), entries: entries.clone() },
        Edit::Recurse { at, form, nest, entries, order } => {
            Edit::Recurse { at: join(at), form: *form, nest: Arc::clone(nest), entries: entries.clone(), order: *order }
        }
        Edit::Presence { scope, at, null, missing } => {
            Edit::Presence { scope: join(scope), at: at.clone(), null: null.clone(), missing: missing.clone() }
        }
        Edit::Split { scope, key, into, how, otherwise } => Edit::Split {
            scope: join(scope),
            key: key.clone(),
            into: into.clone(),
            how: how.clone(),
            otherwise: otherwise.clone(),
        },
        Edit::Join { scope, from, key, how } => {
            Edit::Join { scope: join(scope), from: from.clone(), key: key.clone(), how: how.clone() }
        }
        Edit::DropElements { at, when } => Edit::DropElements { at: join(at), when: when.clone() },
        Edit::Envelope { .. }
        | Edit::Open { .. }
        | Edit::Spread { .. }
        | Edit::Collapse { .. }
        | Edit::DropMessage { .. } => return None,
    };
    Some(Entry { edit, ..entry.clone() })
}

/// The entry as one of the scope that lies at `token`, if it touches nothing else.
fn below(entry: &Entry, token: &Token) -> Option<Entry> {
    let guard = entry.guard.iter().map(|condition| below_guard(condition, token)).collect::<Option<Vec<_>>>()?;
    let strip = |path: &Path| path.split_first().filter(|(first, _)| *first == token).map(|(_, rest)| rest.to_vec());
    let edit = match &entry.edit {
        Edit::Rename { at, pairs } => Edit::Rename { at: strip(at)?, pairs: pairs.clone() },
        Edit::Change { at, how } => Edit::Change { at: strip(at)?, how: how.clone() },
        Edit::Each { at, entries } => Edit::Each { at: strip(at)?, entries: entries.clone() },
        Edit::Recurse { at, form, nest, entries, order } => Edit::Recurse {
            at: strip(at)?,
            form: *form,
            nest: Arc::clone(nest),
            entries: entries.clone(),
            order: *order,
        },
        Edit::Move { scope, from, to, conflict, patch } => {
            let (scope, keys) = strip_scope(scope, &[from, to], token)?;
            let [from, to] = <[Keys; 2]>::try_from(keys).ok()?;
            Edit::Move { scope, from, to, conflict: *conflict, patch: *patch }
        }
        Edit::Put { scope, at, value, create, if_present } => below_put(scope, at, value, *create, *if_present, token)?,
        Edit::Take { scope, at, prune, refuse } => {
            // Pruning may take away the value at `token` itself, which its own scope cannot do.
            let inside = !scope.is_empty() || !*prune;
            let (scope, mut keys) = strip_scope(scope, &[at], token).filter(|_| inside)?;
            Edit::Take { scope, at: keys.pop()?, prune: *prune, refuse: *refuse }
        }
        Edit::Presence { scope, at, null, missing } => {
            let copies = [null, missing].into_iter().flatten().any(|fill| matches!(fill, Source::Copy(_)));
            let (scope, mut keys) = strip_scope(scope, &[at], token).filter(|_| !scope.is_empty() || !copies)?;
            Edit::Presence { scope, at: keys.pop()?, null: null.clone(), missing: missing.clone() }
        }
        Edit::Split { scope, key, into, how, otherwise } => Edit::Split {
            scope: strip(scope)?,
            key: key.clone(),
            into: into.clone(),
            how: how.clone(),
            otherwise: otherwise.clone(),
        },
        Edit::Join { scope, from, key, how } => {
            Edit::Join { scope: strip(scope)?, from: from.clone(), key: key.clone(), how: how.clone() }
        }
        Edit::DropElements { at, when } => Edit::DropElements { at: strip(at)?, when: when.clone() },
        Edit::Envelope { .. }
        | Edit::Open { .. }
        | Edit::Spread { .. }
        | Edit::Collapse { .. }
        | Edit::DropMessage { .. } => return None,
    };
    Some(Entry { guard, edit, change: entry.change.clone(), losses: entry.losses.clone() })
}

fn below_guard(condition: &Condition, token: &Token) -> Option<Condition> {
    let Token::Key(key) = token else { return None };
    let (first, rest) = condition.path.split_first()?;
    (first == key).then(|| Condition { path: rest.to_vec(), test: condition.test.clone() })
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
    Some(Edit::Put { scope, at: keys.pop()?, value: value.clone(), create, if_present })
}

/// Takes `token` off a scope, or, where the scope is empty, off all the keys, which must keep at least one name.
fn strip_scope(scope: &Path, keys: &[&Keys], token: &Token) -> Option<(Path, Vec<Keys>)> {
    if let Some((first, rest)) = scope.split_first() {
        return (first == token).then(|| (rest.to_vec(), keys.iter().map(|k| (*k).clone()).collect()));
    }
    let Token::Key(key) = token else { return None };
    let stripped = keys.iter().map(|k| {
        k.split_first().filter(|(first, rest)| *first == key && !rest.is_empty()).map(|(_, rest)| rest.to_vec())
    });
    Some((Path::new(), stripped.collect::<Option<_>>()?))
}

/// The name of the one member of its scope that an edit is about.
fn first_key(edit: &Edit) -> Option<String> {
    let of_path = |path: &Path| match path.first() {
        Some(Token::Key(key)) => Some(key.clone()),
        Some(Token::Any) | None => None,
    };
    match edit {
        Edit::Rename { at, .. }
        | Edit::Change { at, .. }
        | Edit::Each { at, .. }
        | Edit::Recurse { at, .. }
        | Edit::DropElements { at, .. } => of_path(at),
        Edit::Presence { scope, at, .. } if scope.is_empty() => at.first().cloned(),
        Edit::Move { scope, from, .. } if scope.is_empty() => from.first().cloned(),
        Edit::Put { scope, at, .. } | Edit::Take { scope, at, .. } if scope.is_empty() => at.first().cloned(),
        Edit::Move { scope, .. }
        | Edit::Put { scope, .. }
        | Edit::Take { scope, .. }
        | Edit::Presence { scope, .. }
        | Edit::Split { scope, .. }
        | Edit::Join { scope, .. } => of_path(scope),
        Edit::Envelope { .. }
        | Edit::Open { .. }
        | Edit::Spread { .. }
        | Edit::Collapse { .. }
        | Edit::DropMessage { .. } => None,
    }
}

/// Whether an edit of a value may take the value away, for which its name must not have left yet.
fn may_remove(entry: &Entry) -> bool {
    match &entry.edit {
        Edit::Change { at, how } => at.is_empty() && value_may_go(how),
        Edit::Each { at, entries } | Edit::Recurse { at, entries, .. } => {
            at.is_empty() && entries.iter().any(may_remove)
        }
        Edit::Open { otherwise, .. } => *otherwise == Otherwise::Drop,
        Edit::Rename { .. }
        | Edit::Move { .. }
        | Edit::Put { .. }
        | Edit::Take { .. }
        | Edit::Envelope { .. }
        | Edit::Presence { .. }
        | Edit::Split { .. }
        | Edit::Join { .. }
        | Edit::Spread { .. }
        | Edit::Collapse { .. }
        | Edit::DropElements { .. }
        | Edit::DropMessage { .. } => false,
    }
}

fn value_may_go(how: &ValueEdit) -> bool {
    match how {
        ValueEdit::FromArray { empty, otherwise, .. } => {
            *empty == super::edit::Empty::Absent || *otherwise == Otherwise::Drop
        }
        ValueEdit::FromMember { .. } => true,
        ValueEdit::Map { otherwise, .. }
        | ValueEdit::Convert { otherwise, .. }
        | ValueEdit::ToEntries { otherwise, .. }
        | ValueEdit::FromEntries { otherwise, .. }
        | ValueEdit::ToObject { otherwise, .. }
        | ValueEdit::ToTuple { otherwise, .. } => *otherwise == Otherwise::Drop,
        ValueEdit::Limit { over, .. } => *over == Over::Otherwise(Otherwise::Drop),
        ValueEdit::ToArray { .. } | ValueEdit::ToMember { .. } | ValueEdit::Recase { .. } | ValueEdit::Jq { .. } => {
            false
        }
    }
}
