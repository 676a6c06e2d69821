//! Edits of which members an object has: renamed, moved, added, taken away.

use super::super::edit::{Occupied, Source};
use super::super::error::{Code, Error};
use super::super::loss::When;
use super::super::text::name_is;
use super::super::tree::{LinkId, NodeId};
use super::super::valid::Kind;
use super::{Became, Done, Editor};

impl Editor<'_> {
    pub(super) fn rename(&mut self, node: NodeId, pairs: &[(String, String)]) -> Done<Became> {
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
    pub(super) fn parents(&mut self, scope: NodeId, keys: &[String]) -> Done<Option<Vec<NodeId>>> {
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

    pub(super) fn relocate(
        &mut self,
        scope: NodeId,
        from: &[String],
        to: &[String],
        conflict: Occupied,
        patch: bool,
    ) -> Done<Became> {
        if patch && let Some(deleted) = self.delete_with_parent(scope, from, to)? {
            return Ok(deleted);
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
                    return Err(self.error_at(to, Code::Conflict, "something stands there already"));
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

    /// In a partial update, null for an object above `from` deletes what was moved out of it too. `None`: there is no
    /// such null.
    fn delete_with_parent(&mut self, scope: NodeId, from: &[String], to: &[String]) -> Done<Option<Became>> {
        let mut node = scope;
        for key in &from[..from.len().saturating_sub(1)] {
            let Some(link) = self.tree.member(node, key)? else { return Ok(None) };
            node = self.tree.value(link);
            if self.tree.kind(node) == Kind::Null {
                return self.put_null(scope, to).map(Some);
            }
        }
        Ok(None)
    }

    /// Puts null at `to`, unless something that is no object is in the way.
    fn put_null(&mut self, scope: NodeId, to: &[String]) -> Done<Became> {
        let Some((name, above)) = to.split_last() else { return Ok(Became::Same) };
        for depth in 1..=above.len() {
            match self.tree.find(scope, &above[..depth])? {
                None => break,
                Some(node) if self.tree.kind(node) != Kind::Object => return Ok(Became::Same),
                Some(_) => {}
            }
        }
        let dest = self.make_parents(scope, above)?;
        let null = self.tree.make(|out| out.extend_from_slice(b"null"));
        self.tree.remove_member(dest, name);
        self.tree.append(dest, name, null);
        Ok(Became::Edited)
    }

    /// Whether a value that deletes would go into a parent that is deleted anyway.
    pub(super) fn deleted_along(&mut self, scope: NodeId, to: &[String], value: NodeId) -> Done<bool> {
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
    pub(super) fn occupied(&mut self, scope: NodeId, from: &[String], to: &[String]) -> Done<bool> {
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
    pub(super) fn cut(&mut self, chain: &[NodeId], keys: &[String], prune: bool, keep: Option<&[String]>) {
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
    pub(super) fn make_parents(&mut self, scope: NodeId, keys: &[String]) -> Done<NodeId> {
        let mut node = scope;
        self.tree.set_edited(node);
        for key in keys {
            node = if let Some(link) = self.tree.member(node, key)? {
                self.tree.value(link)
            } else {
                let object = self.tree.make_object();
                self.tree.append(node, key, object);
                object
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

    pub(super) fn put(
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
                return Err(self.error_at(at, Code::Conflict, "something stands there already"));
            }
            (Some(_), Occupied::Replace) | (None, _) => {}
        }
        let Some(value) = self.source(scope, value, at)? else {
            return Ok(Became::Same);
        };
        let parent = self.make_parents(scope, above)?;
        match present {
            Some(link) => self.tree.set_value(link, value),
            None => self.tree.append(parent, name, value),
        }
        Ok(Became::Edited)
    }

    pub(super) fn source(&mut self, scope: NodeId, source: &Source, at: &[String]) -> Done<Option<NodeId>> {
        match source {
            Source::Literal(literal) => {
                let values = self.values;
                Ok(Some(self.tree.give(|out| literal.render(values, out))))
            }
            Source::Copy(path) => Ok(self.tree.find(scope, path)?.map(|node| {
                let text = self.tree.text(node).into_owned();
                self.tree.give(|out| out.extend_from_slice(&text))
            })),
            Source::Absent => Ok(None),
            Source::Refuse => Err(self.error_at(
                at,
                Code::InformationLost,
                "a value is needed there, and there is nothing to make it from",
            )),
        }
    }

    pub(super) fn take(&mut self, scope: NodeId, at: &[String], prune: bool, refuse: bool) -> Done<Became> {
        let Some(chain) = self.parents(scope, at)? else {
            return Ok(Became::Same);
        };
        let (Some(name), Some(&parent)) = (at.last(), chain.last()) else {
            return Ok(Became::Same);
        };
        let Some(link) = self.tree.member(parent, name)? else { return Ok(Became::Same) };
        if refuse {
            return Err(self.error_at(at, Code::InformationLost, "the value has no place in the other version"));
        }
        if !self.tree.is_given(self.tree.value(link)) {
            self.lose(&When::Acted);
        }
        self.cut(&chain, at, prune, None);
        Ok(Became::Edited)
    }
}
