//! Edits of what stands in an object: presence, and one string as two.

use super::super::edit::{Boundary, Otherwise, Source};
use super::super::error::{Code, Error};
use super::super::loss::When;
use super::super::text::{name_is, quote, unescape};
use super::super::tree::{LinkId, NodeId};
use super::super::valid::{Kind, same};
use super::{Became, Done, Editor};

impl Editor<'_> {
    pub(super) fn presence(
        &mut self,
        scope: NodeId,
        at: &[String],
        null: Option<&Source>,
        missing: Option<&Source>,
    ) -> Done<Became> {
        let Some(chain) = self.parents(scope, at)? else { return Ok(Became::Same) };
        let (Some(name), Some(&parent)) = (at.last(), chain.last()) else { return Ok(Became::Same) };
        let there = self.tree.member(parent, name)?;
        let fill = match there.map(|link| self.tree.kind(self.tree.value(link))) {
            None => missing,
            Some(Kind::Null) => null,
            Some(_) => None,
        };
        let Some(fill) = fill else { return Ok(Became::Same) };
        let when = if there.is_some() { &When::Null } else { &When::Missing };
        if *fill == Source::Refuse {
            return Err(self.error_at(at, Code::RequiredValueMissing, "a value is needed there"));
        }
        match (self.source(scope, fill, at)?, there) {
            (Some(value), Some(link)) => self.tree.set_value(link, value),
            (Some(value), None) => self.tree.append(parent, name, value),
            (None, Some(_)) => self.tree.remove_member(parent, name),
            (None, None) => return Ok(Became::Same),
        }
        self.lose(when);
        for node in chain {
            self.tree.set_edited(node);
        }
        Ok(Became::Edited)
    }

    pub(super) fn split(
        &mut self,
        object: NodeId,
        key: &str,
        into: &[String; 2],
        how: &Boundary,
        otherwise: &Otherwise,
    ) -> Done<Became> {
        let Some(link) = self.tree.member(object, key)? else { return Ok(Became::Same) };
        let there = self.tree.value(link);
        let value = match (self.tree.kind(there), otherwise) {
            (Kind::Null | Kind::String, _) => there,
            (kind, Otherwise::Fail) => {
                let keys = [key.to_owned()];
                let detail = format!("expected a string, found {}", kind.name());
                return Err(self.error_at(&keys, Code::NotAString, &detail));
            }
            (_, Otherwise::Keep) => return Ok(Became::Same),
            (_, Otherwise::Drop) => {
                self.lose(&When::Acted);
                self.tree.remove_member(object, key);
                self.tree.set_edited(object);
                return Ok(Became::Edited);
            }
            (_, Otherwise::Value(text)) => {
                self.lose(&When::Acted);
                self.tree.make(|out| out.extend_from_slice(text))
            }
        };
        let (first, second) = match self.tree.kind(value) {
            Kind::String => self.parts_of(value, how),
            Kind::Null => (value, how.patch.then_some(value)),
            _ => (value, None),
        };
        self.tree
            .remove(object, |tree, other| other != link && into.iter().any(|name| name_is(tree.name(other), name)));
        self.tree.rename(link, &into[0]);
        self.tree.set_value(link, first);
        if let Some(second) = second {
            self.tree.insert_after(object, link, &into[1], second);
        }
        self.tree.set_edited(object);
        Ok(Became::Edited)
    }

    /// The two parts of a string; the second may be missing.
    fn parts_of(&mut self, value: NodeId, how: &Boundary) -> (NodeId, Option<NodeId>) {
        let text = unescape(&self.tree.text(value)).into_owned();
        let separator = how.separator.as_bytes();
        let at =
            if how.last { memchr::memmem::rfind(&text, separator) } else { memchr::memmem::find(&text, separator) };
        let first = self.tree.make(|out| quote(&text[..at.unwrap_or(text.len())], out));
        let second = match (at, &how.missing) {
            (Some(at), _) => Some(self.tree.make(|out| quote(&text[at + separator.len()..], out))),
            // To clear the second part of a partial update is to say null: absent means unchanged.
            (None, _) if how.patch => Some(self.tree.make(|out| out.extend_from_slice(b"null"))),
            (None, Some(missing)) => Some(self.tree.make(|out| out.extend_from_slice(missing))),
            (None, None) => None,
        };
        (first, second)
    }

    pub(super) fn join(&mut self, object: NodeId, from: &[String; 2], key: &str, how: &Boundary) -> Done<Became> {
        let links = [self.tree.member(object, &from[0])?, self.tree.member(object, &from[1])?];
        if links == [None, None] {
            return Ok(Became::Same);
        }
        if how.patch && links.contains(&None) {
            let keys = [key.to_owned()];
            return Err(self.error_at(
                &keys,
                Code::NeedsCurrentValue,
                "half of this value changes, and the other half is not known",
            ));
        }
        let joined = self.joined(links, how)?;
        if !self.losses.is_empty() {
            self.lose_parts(links, from, joined, how);
        }
        let Some(first) = self.first_of(object, links) else { return Ok(Became::Same) };
        let others = |name: &[u8]| name_is(name, key) || from.iter().any(|part| name_is(name, part));
        self.tree.remove(object, |tree, link| link != first && others(tree.name(link)));
        self.tree.rename(first, key);
        self.tree.set_value(first, joined);
        self.tree.set_edited(object);
        Ok(Became::Edited)
    }

    /// Counts the parts that do not come back where what they are joined to is split again.
    #[cold]
    fn lose_parts(&mut self, links: [Option<LinkId>; 2], names: &[String; 2], joined: NodeId, how: &Boundary) {
        let (first, second) = match self.tree.kind(joined) {
            Kind::String => self.parts_of(joined, how),
            _ => (joined, None),
        };
        for ((link, back), name) in links.into_iter().zip([Some(first), second]).zip(names) {
            let comes_back = match (link, back) {
                (Some(link), Some(back)) => same(&self.tree.text(self.tree.value(link)), &self.tree.text(back)),
                (None, None) => true,
                _ => false,
            };
            if !comes_back {
                self.lose(&When::Member(name.clone()));
            }
        }
    }

    /// The member of the two that comes first.
    fn first_of(&mut self, object: NodeId, links: [Option<LinkId>; 2]) -> Option<LinkId> {
        let mut at = self.tree.first(object);
        while let Some(link) = at.filter(|link| !links.contains(&Some(*link))) {
            at = self.tree.next(link);
        }
        at
    }

    fn joined(&mut self, links: [Option<LinkId>; 2], how: &Boundary) -> Done<NodeId> {
        let mut parts = Vec::new();
        for link in links.into_iter().flatten() {
            let value = self.tree.value(link);
            match self.tree.kind(value) {
                Kind::Null => {}
                Kind::String => parts.push(self.tree.text(value).into_owned()),
                kind => {
                    return Err(Error::new(Code::NotAString, 0, format!("expected a string, found {}", kind.name())));
                }
            }
        }
        if parts.len() == 2 && how.missing.as_ref().is_some_and(|missing| same(missing, &parts[1])) {
            parts.pop();
        }
        if parts.is_empty() {
            return Ok(self.tree.make(|out| out.extend_from_slice(b"null")));
        }
        let texts: Vec<_> = parts.iter().map(|part| unescape(part)).collect();
        let joined = texts.join(how.separator.as_bytes());
        Ok(self.tree.make(|out| quote(&joined, out)))
    }
}
