//! Edits between one value and many: spread over elements, collapsed from them, elements dropped.

use std::cmp::Ordering;

use super::super::edit::{Collapse, Condition, Token};
use super::super::error::Code;
use super::super::loss::When;
use super::super::text::name_is;
use super::super::tree::NodeId;
use super::super::valid::{Kind, compare_numbers, same};
use super::{Became, Done, Editor};

impl<'a> Editor<'a> {
    pub(super) fn spread(
        &mut self,
        root: NodeId,
        from: &[String],
        to: &'a [Token],
        key: &'a str,
        refuse_empty: bool,
    ) -> Done<Became> {
        let Some(chain) = self.parents(root, from)? else { return Ok(Became::Same) };
        let (Some(name), Some(&parent)) = (from.last(), chain.last()) else { return Ok(Became::Same) };
        let Some(link) = self.tree.member(parent, name)? else { return Ok(Became::Same) };
        let text = self.tree.text(self.tree.value(link)).into_owned();
        let mut places = 0;
        self.visit(root, to, &mut |e, node| {
            if e.tree.kind(node) != Kind::Object {
                return Ok(Became::Same);
            }
            places += 1;
            let value = e.tree.make(|out| out.extend_from_slice(&text));
            match e.tree.member(node, key)? {
                Some(link) => e.tree.set_value(link, value),
                None => e.tree.append(node, key, value),
            }
            e.tree.set_edited(node);
            Ok(Became::Edited)
        })?;
        if places == 0 && refuse_empty {
            return Err(self.error_at(from, Code::InformationLost, "there is no element to hold the value"));
        }
        if places == 0 {
            self.lose(&When::Acted);
        }
        self.tree.remove_member(parent, name);
        for node in chain {
            self.tree.set_edited(node);
        }
        Ok(Became::Edited)
    }

    pub(super) fn gather(
        &mut self,
        root: NodeId,
        from: &'a [Token],
        key: &'a str,
        to: &[String],
        how: Collapse,
    ) -> Done<Became> {
        let mut values = Vec::new();
        self.visit(root, from, &mut |e, node| {
            if let Some(link) = e.tree.member(node, key)? {
                values.push(e.tree.text(e.tree.value(link)).into_owned());
            }
            Ok(Became::Same)
        })?;
        if values.is_empty() {
            return Ok(Became::Same);
        }
        let Some(chosen) = choose(&values, how) else {
            return Err(self.error_at(
                to,
                Code::InformationLost,
                "the elements disagree, and only one value has a place",
            ));
        };
        if self.tree.kind(root) != Kind::Object {
            let found = self.tree.kind(root).name();
            return Err(self.error_at(to, Code::ParentNotObject, &format!("nothing can be put into {found}")));
        }
        if values.iter().any(|value| !same(value, chosen)) {
            self.lose(&When::Acted);
        }
        self.visit(root, from, &mut |e, node| {
            if e.tree.member(node, key)?.is_none() {
                return Ok(Became::Same);
            }
            e.tree.remove(node, |tree, link| name_is(tree.name(link), key));
            Ok(Became::Edited)
        })?;
        let Some((name, above)) = to.split_last() else { return Ok(Became::Same) };
        let parent = self.make_parents(root, above)?;
        let value = self.tree.make(|out| out.extend_from_slice(chosen));
        match self.tree.member(parent, name)? {
            Some(link) => self.tree.set_value(link, value),
            None => self.tree.append(parent, name, value),
        }
        Ok(Became::Edited)
    }

    pub(super) fn drop_elements(&mut self, array: NodeId, when: &[Condition]) -> Done<Became> {
        if self.tree.kind(array) != Kind::Array {
            return Ok(Became::Same);
        }
        let mut gone = Vec::new();
        let mut at = self.tree.first(array);
        while let Some(link) = at {
            at = self.tree.next(link);
            if self.holds(when, self.tree.value(link))? {
                gone.push(link);
                self.lose(&When::Acted);
            }
        }
        if gone.is_empty() {
            return Ok(Became::Same);
        }
        let mut gone = gone.into_iter().peekable();
        self.tree.remove(array, |_, link| gone.next_if_eq(&link).is_some());
        Ok(Became::Edited)
    }
}

/// The one of several values, if there is one.
fn choose(values: &[Vec<u8>], how: Collapse) -> Option<&[u8]> {
    let first = values.first()?;
    let extreme = |wanted: Ordering| {
        values.iter().try_fold(first, |best, value| {
            let numbers = Kind::of(value) == Kind::Number && Kind::of(best) == Kind::Number;
            let order = if numbers { compare_numbers(value, best) } else { None };
            order.map(|order| if order == wanted { value } else { best })
        })
    };
    let chosen = match how {
        _ if values.len() == 1 => Some(first),
        Collapse::Same => values.iter().all(|value| same(value, first)).then_some(first),
        Collapse::First => Some(first),
        Collapse::Last => values.last(),
        Collapse::Min => extreme(Ordering::Less),
        Collapse::Max => extreme(Ordering::Greater),
    };
    chosen.map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_is_chosen() {
        let values: Vec<Vec<u8>> = ["9", "1e1", "9.5"].map(|v| v.as_bytes().to_vec()).to_vec();
        let chosen = |how| choose(&values, how).map(|v| String::from_utf8_lossy(v).into_owned());
        assert_eq!(chosen(Collapse::First).as_deref(), Some("9"));
        assert_eq!(chosen(Collapse::Last).as_deref(), Some("9.5"));
        assert_eq!(chosen(Collapse::Min).as_deref(), Some("9"));
        assert_eq!(chosen(Collapse::Max).as_deref(), Some("1e1"));
        assert_eq!(chosen(Collapse::Same), None);
        assert_eq!(choose(&[b"1".to_vec(), b"1.0".to_vec()], Collapse::Same), Some(&b"1"[..]));
        assert_eq!(choose(&[b"1".to_vec(), b"\"x\"".to_vec()], Collapse::Max), None);
    }
}
