//! Runs primitive edits on a held scope.

use super::convert::Way;
use super::edit::{Condition, Edit, Empty, Entry, Many, Occupied, Otherwise, Source, Test, Token, ValueEdit};
use super::error::{Code, Error};
use super::text::{name_is, push_pointer, unescape};
use super::tree::{Arena, LinkId, NodeId, Tree};
use super::valid::{Kind, same};
use super::{OnError, Values};

/// Translates the value `text` in place of itself: appends the result to `out`. `Ok(false)` means that the value
/// is to be taken away. `partial` is set where an edit was skipped (best effort).
///
/// # Errors
/// Whatever an edit says; the pointer is relative to the value.
pub(super) fn apply<'a>(
    entries: &'a [Entry],
    text: &'a [u8],
    values: &'a Values,
    arena: &'a mut Arena,
    partial: &'a mut bool,
    out: &mut Vec<u8>,
) -> Result<bool, Error> {
    let (tree, root) = Tree::new(text, arena);
    let mut editor = Editor { tree, values, partial, trail: Vec::new() };
    match editor.run(entries, root) {
        Ok(Some(root)) => {
            editor.tree.emit(root, out);
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) => Err(editor.locate(error)),
    }
}

/// What an edit made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Same,
    /// The same node with other content.
    Edited,
    Other(NodeId),
    Nothing,
}

struct Editor<'a> {
    tree: Tree<'a>,
    values: &'a Values,
    partial: &'a mut bool,
    /// The names and indexes from the scope to the value at hand, for messages.
    trail: Vec<Place<'a>>,
}

/// One step of the way to a value.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Key(&'a str),
    Index(usize),
    Member(LinkId),
}

type Done<T> = Result<T, Error>;

/// What is done with each value that a path leads to.
type OnValue<'e, 'a> = &'e mut dyn FnMut(&mut Editor<'a>, NodeId) -> Done<Became>;

impl<'a> Editor<'a> {
    /// Runs edits in order; `None`: the value is gone.
    fn run(&mut self, entries: &'a [Entry], root: NodeId) -> Done<Option<NodeId>> {
        let mut node = root;
        for entry in entries {
            let depth = self.trail.len();
            match self.entry(entry, node) {
                Ok(Became::Same | Became::Edited) => {}
                Ok(Became::Other(other)) => node = other,
                Ok(Became::Nothing) => return Ok(None),
                Err(error) if self.may_skip(&error) => {
                    *self.partial = true;
                    self.trail.truncate(depth);
                }
                Err(error) => return Err(self.name_change(error, entry)),
            }
        }
        Ok(Some(node))
    }

    fn may_skip(&self, error: &Error) -> bool {
        self.values.on_error == OnError::BestEffort && error.code != Code::TooLarge
    }

    fn name_change(&self, mut error: Error, entry: &Entry) -> Error {
        if error.change.is_none() {
            error.change.clone_from(&entry.change);
        }
        self.locate(error)
    }

    fn locate(&self, error: Error) -> Error {
        if error.pointer.is_some() {
            return error;
        }
        let mut pointer = String::new();
        for place in &self.trail {
            match place {
                Place::Key(key) => push_pointer(key, &mut pointer),
                Place::Index(index) => push_pointer(&index.to_string(), &mut pointer),
                Place::Member(link) => {
                    push_pointer(&String::from_utf8_lossy(&unescape(self.tree.name(*link))), &mut pointer);
                }
            }
        }
        error.at(pointer)
    }

    fn entry(&mut self, entry: &'a Entry, root: NodeId) -> Done<Became> {
        if !self.holds(&entry.guard, root)? {
            return Ok(Became::Same);
        }
        match &entry.edit {
            Edit::Rename { at, pairs } => self.visit(root, at, &mut |e, node| e.rename(node, pairs)),
            Edit::Move { scope, from, to, conflict, patch } => {
                self.visit(root, scope, &mut |e, node| e.relocate(node, from, to, *conflict, *patch))
            }
            Edit::Put { scope, at, value, create, if_present } => {
                self.visit(root, scope, &mut |e, node| e.put(node, at, value, *create, *if_present))
            }
            Edit::Take { scope, at, prune, refuse } => {
                self.visit(root, scope, &mut |e, node| e.take(node, at, *prune, *refuse))
            }
            Edit::Change { at, how } => self.visit(root, at, &mut |e, node| e.change(node, how)),
            Edit::Envelope { key, with } => {
                let object = self.tree.make_object();
                self.tree.append(object, key, root);
                self.append_literals(object, with);
                Ok(Became::Other(object))
            }
            Edit::Open { key, otherwise } => match self.tree.member(root, key)? {
                Some(link) => Ok(Became::Other(self.tree.value(link))),
                None => self
                    .fall_back(otherwise, Code::NotEnveloped, || format!("expected an object with the member `{key}`")),
            },
            Edit::Each { at, entries } => self.visit(root, at, &mut |e, node| e.within(node, entries)),
        }
    }

    fn within(&mut self, node: NodeId, entries: &'a [Entry]) -> Done<Became> {
        Ok(match self.run(entries, node)? {
            None => Became::Nothing,
            Some(same) if same == node => Became::Edited,
            Some(other) => Became::Other(other),
        })
    }

    fn holds(&mut self, guard: &[Condition], root: NodeId) -> Done<bool> {
        for condition in guard {
            let found = self.tree.find(root, &condition.path)?;
            let equals = |literals: &[Vec<u8>]| {
                found.is_some_and(|node| literals.iter().any(|l| same(&self.tree.text(node), l)))
            };
            let holds = match &condition.test {
                Test::In(literals) => equals(literals),
                Test::NotIn(literals) => !equals(literals),
                Test::Exists(wanted) => found.is_some() == *wanted,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Calls `edit` for each value at `path` below `node`, and puts back what it became.
    fn visit(&mut self, node: NodeId, path: &'a [Token], edit: OnValue<'_, 'a>) -> Done<Became> {
        let Some((token, rest)) = path.split_first() else {
            return edit(self, node);
        };
        let edited = match token {
            Token::Key(key) => match self.tree.child(node, key)? {
                Some(link) => self.visit_link(node, link, Place::Key(key), rest, edit)?,
                None => false,
            },
            Token::Any => self.visit_all(node, rest, edit)?,
        };
        if !edited {
            return Ok(Became::Same);
        }
        self.tree.set_edited(node);
        Ok(Became::Edited)
    }

    fn visit_all(&mut self, node: NodeId, rest: &'a [Token], edit: OnValue<'_, 'a>) -> Done<bool> {
        let array = self.tree.kind(node) == Kind::Array;
        let (mut edited, mut index) = (false, 0_usize);
        let mut at = self.tree.first(node);
        while let Some(link) = at {
            at = self.tree.next(link);
            let step = if array { Place::Index(index) } else { Place::Member(link) };
            edited |= self.visit_link(node, link, step, rest, edit)?;
            index += 1;
        }
        Ok(edited)
    }

    fn visit_link(
        &mut self,
        parent: NodeId,
        link: LinkId,
        step: Place<'a>,
        rest: &'a [Token],
        edit: OnValue<'_, 'a>,
    ) -> Done<bool> {
        self.trail.push(step);
        let value = self.tree.value(link);
        let became = match self.visit(value, rest, edit) {
            Err(error) if self.may_skip(&error) && rest.is_empty() => {
                *self.partial = true;
                Became::Same
            }
            other => other?,
        };
        match became {
            Became::Same | Became::Edited => {}
            Became::Other(node) => self.tree.set_value(link, node),
            Became::Nothing if self.tree.kind(parent) == Kind::Object => self.tree.remove(parent, |_, l| l == link),
            Became::Nothing => {
                return Err(Error::new(Code::CannotRemoveIndex, 0, "an element cannot be taken out of its array"));
            }
        }
        self.trail.pop();
        Ok(became != Became::Same)
    }

    fn rename(&mut self, node: NodeId, pairs: &[(String, String)]) -> Done<Became> {
        let mut arriving: Vec<(LinkId, &str)> = Vec::new();
        for (old, new) in pairs {
            if let Some(link) = self.tree.member(node, old)? {
                arriving.push((link, new));
            }
        }
        if arriving.is_empty() {
            return Ok(Became::Same);
        }
        // An undeclared member that has one of the new names gives way to the declared one.
        self.tree.remove(node, |tree, link| {
            let name = tree.name(link);
            let renamed = arriving.iter().any(|(l, _)| *l == link);
            !renamed && arriving.iter().any(|(_, new)| name_is(name, new))
        });
        for (link, new) in arriving {
            self.tree.rename(link, new);
        }
        self.tree.set_edited(node);
        Ok(Became::Edited)
    }

    /// The objects from `scope` down to the parent of the last key, if they are all there.
    fn parents(&mut self, scope: NodeId, keys: &[String]) -> Done<Option<Vec<NodeId>>> {
        let mut chain = vec![scope];
        let mut node = scope;
        for key in &keys[..keys.len().saturating_sub(1)] {
            let Some(link) = self.tree.member(node, key)? else {
                return Ok(None);
            };
            node = self.tree.value(link);
            chain.push(node);
        }
        Ok((self.tree.kind(node) == Kind::Object).then_some(chain))
    }

    fn relocate(
        &mut self,
        scope: NodeId,
        from: &[String],
        to: &[String],
        conflict: Occupied,
        patch: bool,
    ) -> Done<Became> {
        if patch && self.delete_with_parent(scope, from, to)? {
            return Ok(Became::Edited);
        }
        let Some(chain) = self.parents(scope, from)? else {
            return Ok(Became::Same);
        };
        let (Some(last), Some(&parent)) = (from.last(), chain.last()) else {
            return Ok(Became::Same);
        };
        let Some(link) = self.tree.member(parent, last)? else {
            return Ok(Became::Same);
        };
        let value = self.tree.value(link);
        let into_itself = to.starts_with(from);
        let gone = patch && !into_itself && self.deleted_along(scope, to, value)?;
        if !into_itself && !gone {
            let occupied = self.occupied(scope, from, to)?;
            match conflict {
                Occupied::Fail if occupied => {
                    return Err(Error::new(
                        Code::Conflict,
                        0,
                        format!("something stands at `/{}` already", to.join("/")),
                    ));
                }
                Occupied::Keep if occupied => {
                    self.cut(&chain, from, true, None);
                    return Ok(Became::Edited);
                }
                Occupied::Fail | Occupied::Keep | Occupied::Replace => {}
            }
        }
        self.cut(&chain, from, !into_itself, Some(to));
        let Some((name, above)) = to.split_last().filter(|_| !gone) else {
            return Ok(Became::Edited);
        };
        let dest = self.make_parents(scope, above)?;
        self.tree.remove_member(dest, name);
        self.tree.append(dest, name, value);
        Ok(Became::Edited)
    }

    /// In a partial update, null for an object above `from` deletes what was moved out of it too. Says whether
    /// that is so.
    fn delete_with_parent(&mut self, scope: NodeId, from: &[String], to: &[String]) -> Done<bool> {
        for depth in 1..from.len() {
            let Some(node) = self.tree.find(scope, &from[..depth])? else { return Ok(false) };
            if self.tree.kind(node) != Kind::Null {
                continue;
            }
            if let Some((name, above)) = to.split_last() {
                let dest = self.make_parents(scope, above)?;
                let null = self.tree.make(|out| out.extend_from_slice(b"null"));
                self.tree.remove_member(dest, name);
                self.tree.append(dest, name, null);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a value that deletes would go into a parent that is deleted anyway.
    fn deleted_along(&mut self, scope: NodeId, to: &[String], value: NodeId) -> Done<bool> {
        if self.tree.kind(value) != Kind::Null {
            return Ok(false);
        }
        for depth in 1..to.len() {
            match self.tree.find(scope, &to[..depth])? {
                Some(node) if self.tree.kind(node) == Kind::Null => return Ok(true),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether there is a value at `to`, where a move from `from` would put one.
    ///
    /// # Errors
    /// [`Code::ParentNotObject`] where a parent is in the way and would not go with the move.
    fn occupied(&mut self, scope: NodeId, from: &[String], to: &[String]) -> Done<bool> {
        let mut node = scope;
        for (depth, key) in to.iter().enumerate() {
            if self.tree.kind(node) != Kind::Object {
                return Err(Error::new(
                    Code::ParentNotObject,
                    0,
                    format!("`{key}` cannot be put into {}", self.tree.kind(node).name()),
                ));
            }
            match self.tree.member(node, key)? {
                None => return Ok(false),
                Some(_) if from == &to[..=depth] => return Ok(false),
                Some(link) => node = self.tree.value(link),
            }
        }
        Ok(true)
    }

    /// Takes the member at `keys` out of the last object of `chain`, and with `prune` every object that this
    /// empties: never the scope itself, and none on the way to `keep`.
    fn cut(&mut self, chain: &[NodeId], keys: &[String], prune: bool, keep: Option<&[String]>) {
        if let (Some(&parent), Some(key)) = (chain.last(), keys.last()) {
            self.tree.remove_member(parent, key);
        }
        for &node in chain {
            self.tree.set_edited(node);
        }
        if !prune {
            return;
        }
        for depth in (1..chain.len()).rev() {
            let needed = keep.is_some_and(|keep| keep.len() > depth && keep[..depth] == keys[..depth]);
            if needed || self.tree.first(chain[depth]).is_some() {
                return;
            }
            self.tree.remove_member(chain[depth - 1], &keys[depth - 1]);
        }
    }

    /// The object at `keys` below `scope`, made as far as it is missing.
    fn make_parents(&mut self, scope: NodeId, keys: &[String]) -> Done<NodeId> {
        let mut node = scope;
        self.tree.set_edited(node);
        for key in keys {
            node = match self.tree.member(node, key)? {
                Some(link) => self.tree.value(link),
                None => {
                    let object = self.tree.make_object();
                    self.tree.append(node, key, object);
                    object
                }
            };
            if self.tree.kind(node) != Kind::Object {
                return Err(Error::new(
                    Code::ParentNotObject,
                    0,
                    format!("`{key}` is {}, not an object", self.tree.kind(node).name()),
                ));
            }
            self.tree.first(node);
            self.tree.set_edited(node);
        }
        Ok(node)
    }

    fn put(
        &mut self,
        scope: NodeId,
        at: &[String],
        value: &Source,
        create: bool,
        if_present: Occupied,
    ) -> Done<Became> {
        let Some((name, above)) = at.split_last() else {
            return Ok(Became::Same);
        };
        let mut node = scope;
        let mut missing = false;
        for key in above {
            match self.tree.member(node, key)? {
                Some(link) => node = self.tree.value(link),
                None if create && self.tree.kind(node) == Kind::Object => {
                    missing = true;
                    break;
                }
                None => return Ok(Became::Same),
            }
        }
        if self.tree.kind(node) != Kind::Object {
            return Ok(Became::Same);
        }
        let present = if missing { None } else { self.tree.member(node, name)? };
        match (present, if_present) {
            (Some(_), Occupied::Keep) => return Ok(Became::Same),
            (Some(_), Occupied::Fail) => {
                return Err(Error::new(Code::Conflict, 0, format!("`{name}` is there already")));
            }
            (Some(_), Occupied::Replace) | (None, _) => {}
        }
        let Some(value) = self.source(scope, value, name)? else {
            return Ok(Became::Same);
        };
        let parent = self.make_parents(scope, above)?;
        match present {
            Some(link) => self.tree.set_value(link, value),
            None => self.tree.append(parent, name, value),
        }
        Ok(Became::Edited)
    }

    fn source(&mut self, scope: NodeId, source: &Source, name: &str) -> Done<Option<NodeId>> {
        match source {
            Source::Literal(literal) => {
                let values = self.values;
                Ok(Some(self.tree.make(|out| literal.render(values, out))))
            }
            Source::Copy(path) => Ok(self.tree.find(scope, path)?.map(|node| {
                let text = self.tree.text(node).into_owned();
                self.tree.make(|out| out.extend_from_slice(&text))
            })),
            Source::Absent => Ok(None),
            Source::Refuse => Err(Error::new(
                Code::InformationLost,
                0,
                format!("`{name}` is needed and there is nothing to make it from"),
            )),
        }
    }

    fn take(&mut self, scope: NodeId, at: &[String], prune: bool, refuse: bool) -> Done<Became> {
        let Some(chain) = self.parents(scope, at)? else {
            return Ok(Became::Same);
        };
        let (Some(name), Some(&parent)) = (at.last(), chain.last()) else {
            return Ok(Became::Same);
        };
        if self.tree.member(parent, name)?.is_none() {
            return Ok(Became::Same);
        }
        if refuse {
            return Err(Error::new(Code::InformationLost, 0, format!("`{name}` has no place in the other version")));
        }
        self.cut(&chain, at, prune, None);
        Ok(Became::Edited)
    }

    fn change(&mut self, node: NodeId, how: &ValueEdit) -> Done<Became> {
        match how {
            ValueEdit::Map { pairs, otherwise } => self.map(node, pairs, otherwise),
            ValueEdit::Convert { conversion, way, otherwise } => {
                if self.tree.kind(node) == Kind::Null {
                    return Ok(Became::Same);
                }
                if let Some(made) = conversion.run(*way, &self.tree.text(node)) {
                    return Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&made))));
                }
                let (from, to) = match (conversion.names(), way) {
                    (names, Way::There) => names,
                    ((first, second), Way::Back) => (second, first),
                };
                let found = excerpt(&self.tree.text(node));
                self.fall_back(otherwise, Code::CannotConvert, || {
                    format!("{found} cannot be converted from {from} to {to}")
                })
            }
            ValueEdit::ToArray { keep_null } => Ok(match (self.tree.kind(node), *keep_null) {
                (Kind::Null, true) => Became::Same,
                (Kind::Null, false) => Became::Other(self.tree.make(|out| out.extend_from_slice(b"[]"))),
                _ => {
                    let array = self.tree.make_array_of(node);
                    self.tree.set_edited(array);
                    Became::Other(array)
                }
            }),
            ValueEdit::FromArray { many, empty, otherwise } => self.from_array(node, *many, *empty, otherwise),
            ValueEdit::ToMember { keep_null: true, .. } if self.tree.kind(node) == Kind::Null => Ok(Became::Same),
            ValueEdit::ToMember { key, with, .. } => {
                let object = self.tree.make_object();
                self.tree.append(object, key, node);
                self.append_literals(object, with);
                Ok(Became::Other(object))
            }
            ValueEdit::FromMember { key, otherwise } => match self.tree.kind(node) {
                Kind::Object => Ok(self
                    .tree
                    .member(node, key)?
                    .map_or(Became::Nothing, |link| Became::Other(self.tree.value(link)))),
                Kind::Null => Ok(Became::Same),
                kind => self
                    .fall_back(otherwise, Code::NotAnObject, || format!("expected an object, found {}", kind.name())),
            },
        }
    }

    fn map(&mut self, node: NodeId, pairs: &[(Vec<u8>, Vec<u8>)], otherwise: &Otherwise) -> Done<Became> {
        let pair = {
            let text = self.tree.text(node);
            pairs.iter().find(|(from, _)| same(&text, from))
        };
        if let Some((from, to)) = pair {
            return Ok(if same(from, to) {
                Became::Same
            } else {
                Became::Other(self.tree.make(|out| out.extend_from_slice(to)))
            });
        }
        if self.tree.kind(node) == Kind::Null {
            return Ok(Became::Same);
        }
        let found = excerpt(&self.tree.text(node));
        self.fall_back(otherwise, Code::NoMapping, || format!("{found} has no counterpart in the other version"))
    }

    fn from_array(&mut self, node: NodeId, many: Many, empty: Empty, otherwise: &Otherwise) -> Done<Became> {
        match self.tree.kind(node) {
            Kind::Array => {}
            Kind::Null => return Ok(Became::Same),
            kind => {
                return self
                    .fall_back(otherwise, Code::NotAnArray, || format!("expected an array, found {}", kind.name()));
            }
        }
        let Some(first) = self.tree.first(node) else {
            return match empty {
                Empty::Null => Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(b"null")))),
                Empty::Absent => Ok(Became::Nothing),
                Empty::Fail => Err(Error::new(Code::EmptyArray, 0, "the array is empty, and one element is needed")),
            };
        };
        let (mut last, mut count) = (first, 1);
        while let Some(next) = self.tree.next(last) {
            (last, count) = (next, count + 1);
        }
        match many {
            Many::Fail if count > 1 => Err(Error::new(
                Code::InformationLost,
                0,
                format!("the array has {count} elements, and only one has a place"),
            )),
            Many::Fail | Many::First => Ok(Became::Other(self.tree.value(first))),
            Many::Last => Ok(Became::Other(self.tree.value(last))),
        }
    }

    fn append_literals(&mut self, object: NodeId, with: &[(String, super::edit::Literal)]) {
        let values = self.values;
        for (name, literal) in with {
            let value = self.tree.make(|out| literal.render(values, out));
            self.tree.append(object, name, value);
        }
    }

    fn fall_back(&mut self, otherwise: &Otherwise, code: Code, detail: impl FnOnce() -> String) -> Done<Became> {
        match otherwise {
            Otherwise::Fail => Err(Error::new(code, 0, detail())),
            Otherwise::Keep => Ok(Became::Same),
            Otherwise::Drop => Ok(Became::Nothing),
            Otherwise::Value(text) => Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(text)))),
        }
    }
}

/// The start of a value, for a message: at most 40 characters, safe to print.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let short: String = text
        .chars()
        .take(40)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(40).is_some() { format!("`{short}...`") } else { format!("`{short}`") }
}
