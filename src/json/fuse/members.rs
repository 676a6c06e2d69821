//! What a list of edits makes of an object, member by member.

use std::sync::Arc;

use super::super::edit::{Edit, Entry, Keys, Literal, Occupied, Source, Token};
use super::super::loss::{Loss, When};
use super::super::program::{Action, Added, Attempt, Captured, Object, Slot, Step, StepId};
use super::super::text::quoted;
use super::{Builder, below, first_key, flatten, may_remove};

/// What a list of edits makes of an object's members, as far as that can be said member by member.
#[derive(Default)]
pub(super) struct Members {
    /// By name after the edits so far. Names that are not here stand for themselves.
    now: Vec<(String, Vec<Candidate>)>,
    dropped: Vec<String>,
    refused: Vec<Refused>,
    /// The numbers of what is lost, each if one of some members of the document is there.
    lost: Vec<(Vec<String>, u32)>,
    /// Whether an edit is about a name under which a member was refused: where what is refused stays, the edit would
    /// have to work on that.
    is_mixed: bool,
    /// Members of the document that an edit reads, so that two of one name are a failure: unless one of these other
    /// members is there, which then stood under the name that was read.
    unique: Vec<(String, Vec<String>)>,
    captures: Vec<Capture>,
    /// Members of the document that stand where something else is to go. With one of them the order of things
    /// decides, which is left to the held edit.
    unusual: Vec<String>,
}

/// Members of the document that have no place. Where what cannot be translated stays, they keep the name that they have
/// by then, and the first one that is there wins.
struct Refused {
    name: String,
    members: Vec<String>,
    change: Option<Arc<str>>,
}

/// A value of the document that changes its place.
struct Capture {
    /// The member of the document, and the member inside it if it is that.
    from: (String, Option<String>),
    /// Edits of the value.
    entries: Vec<Entry>,
}

/// What may stand under a name; the first candidate that is there wins.
#[derive(Clone)]
enum Candidate {
    /// The document's member of this name, with edits of its value.
    Member(String, Vec<Entry>),
    /// The document's member of this name, without the members that are captured.
    Opened(String),
    /// A literal, where nothing else is there.
    Literal(Literal),
    /// A captured value.
    Captured(usize),
    /// An object of captured values.
    Gathered(Vec<(String, usize)>),
}

impl Members {
    fn at(&mut self, name: &str) -> &mut Vec<Candidate> {
        self.is_mixed |= self.refused.iter().any(|refused| refused.name == name);
        let at = self.now.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
            // The document's own member of this name, unless an earlier edit has taken it elsewhere.
            let own = vec![Candidate::Member(name.to_owned(), Vec::new())];
            self.now.push((name.to_owned(), own));
            self.now.len() - 1
        });
        &mut self.now[at].1
    }

    /// Says that an edit reads the member of this name: the document must not have two.
    fn read(&mut self, name: &str) {
        let members = self.at(name).iter().map_while(|candidate| match candidate {
            Candidate::Member(member, _) => Some(Some(member.clone())),
            Candidate::Opened(_) | Candidate::Captured(_) | Candidate::Gathered(_) => Some(None),
            // Where nothing before it is there, this is.
            Candidate::Literal(_) => None,
        });
        let members: Vec<String> = members.flatten().collect();
        for (at, member) in members.iter().enumerate() {
            // When it was read before, no more stood before it.
            if !self.unique.iter().any(|(known, _)| known == member) {
                self.unique.push((member.clone(), members[..at].to_vec()));
            }
        }
    }

    /// Takes in the next edit; `None` if it cannot be done while members stream by.
    pub(super) fn take_in(&mut self, entry: &Entry) -> Option<()> {
        if entry.guard.is_empty() { self.take_in_unguarded(entry) } else { self.step_into(entry) }?;
        // Every name that was looked at is a slot of the document's member in the end.
        let fits = self.now.len() <= Object::MOST && self.captures.len() <= Object::MOST;
        (fits && !self.is_mixed).then_some(())
    }

    fn take_in_unguarded(&mut self, entry: &Entry) -> Option<()> {
        match &entry.edit {
            Edit::Rename { at, pairs } if at.is_empty() => self.rename(pairs),
            Edit::Put { scope, at, value, if_present: Occupied::Keep, .. } if scope.is_empty() && at.len() == 1 => {
                self.put(&at[0], value)
            }
            Edit::Take { scope, at, refuse, .. } if scope.is_empty() && at.len() == 1 => {
                self.take(&at[0], *refuse, entry)
            }
            Edit::Move { scope, from, to, patch: false, .. } if scope.is_empty() && from.first() != to.first() => {
                self.relocate(from, to)
            }
            Edit::Envelope { .. } | Edit::Open { .. } => None,
            _ => self.step_into(entry),
        }
    }

    fn rename(&mut self, pairs: &[(String, String)]) -> Option<()> {
        if pairs.len() > Object::MOST {
            return None;
        }
        let mut moved = Vec::with_capacity(pairs.len());
        for (old, _) in pairs {
            self.read(old);
            moved.push(std::mem::take(self.at(old)));
        }
        for ((_, new), mut arriving) in pairs.iter().zip(moved) {
            let there = self.at(new);
            may_go(there)?;
            if arriving.iter().any(Candidate::moves) {
                self.vacate(new)?;
                *self.at(new) = arriving;
                continue;
            }
            // The declared member wins over one that happens to have its new name.
            arriving.append(there);
            *there = arriving;
        }
        Some(())
    }

    /// Makes a name free for something that moves there: what the document has under it is unusual.
    fn vacate(&mut self, name: &str) -> Option<()> {
        for candidate in std::mem::take(self.at(name)) {
            match candidate {
                Candidate::Member(member, entries) if entries.is_empty() => self.unusual.push(member),
                _ => return None,
            }
        }
        Some(())
    }

    fn put(&mut self, name: &str, value: &Source) -> Option<()> {
        self.read(name);
        if self.at(name).iter().any(Candidate::moves) {
            return None;
        }
        match value {
            // A literal stands in for whatever is missing, so nothing after it is ever wanted.
            Source::Literal(_) if matches!(self.at(name).last(), Some(Candidate::Literal(_))) => {}
            Source::Literal(literal) => self.at(name).push(Candidate::Literal(literal.clone())),
            Source::Absent => {}
            Source::Copy(_) | Source::Refuse => return None,
        }
        Some(())
    }

    fn take(&mut self, name: &str, refuse: bool, entry: &Entry) -> Option<()> {
        self.read(name);
        may_go(self.at(name))?;
        let made = self.at(name).iter().any(|candidate| matches!(candidate, Candidate::Literal(_)));
        if refuse && made {
            return None;
        }
        self.lose(name, &entry.losses);
        let members = std::mem::take(self.at(name)).into_iter().filter_map(|candidate| match candidate {
            Candidate::Member(member, _) => Some(member),
            _ => None,
        });
        if refuse {
            let members = members.collect();
            self.refused.push(Refused { name: name.to_owned(), members, change: entry.change.clone() });
        } else {
            self.dropped.extend(members);
        }
        Some(())
    }

    /// Says what is lost when what stands under a name goes. A literal that stands there is no loss, and neither are
    /// members that give way to it.
    fn lose(&mut self, name: &str, losses: &[Loss]) {
        for loss in losses.iter().filter(|loss| loss.when == When::Acted) {
            let there = self.at(name).iter().map_while(|candidate| match candidate {
                Candidate::Member(member, _) => Some(member.clone()),
                _ => None,
            });
            let members = there.collect();
            self.lost.push((members, loss.number()));
        }
    }

    /// A member, or a member's member, becomes another one.
    fn relocate(&mut self, from: &Keys, to: &Keys) -> Option<()> {
        let capture = match from.as_slice() {
            [name] => self.capture_member(name)?,
            [outer, name] => self.capture_inside(outer, name)?,
            _ => return None,
        };
        match to.as_slice() {
            [name] => {
                self.vacate(name)?;
                self.at(name).push(Candidate::Captured(capture));
            }
            [outer, name] => self.gather(outer, name, capture)?,
            _ => return None,
        }
        Some(())
    }

    fn capture_member(&mut self, name: &str) -> Option<usize> {
        self.read(name);
        let candidates = std::mem::take(self.at(name));
        match candidates.as_slice() {
            [Candidate::Captured(capture)] => Some(*capture),
            [Candidate::Member(member, entries)] if !is_index(member) => {
                let from = (member.clone(), None);
                self.capture(from, entries.clone())
            }
            _ => None,
        }
    }

    fn capture_inside(&mut self, outer: &str, name: &str) -> Option<usize> {
        if is_index(outer) || is_index(name) {
            return None;
        }
        self.read(outer);
        let candidates = self.at(outer);
        match candidates.as_mut_slice() {
            [Candidate::Gathered(members)] => {
                let at = members.iter().position(|(n, _)| n == name)?;
                let (_, capture) = members.remove(at);
                Some(capture)
            }
            [Candidate::Member(member, entries)] if entries.is_empty() => {
                let from = (member.clone(), Some(name.to_owned()));
                candidates[0] = Candidate::Opened(from.0.clone());
                self.capture(from, Vec::new())
            }
            [Candidate::Opened(member)] => {
                let from = (member.clone(), Some(name.to_owned()));
                self.capture(from, Vec::new())
            }
            _ => None,
        }
    }

    fn capture(&mut self, from: (String, Option<String>), entries: Vec<Entry>) -> Option<usize> {
        // What was taken out of an object is not there to be taken again.
        if self.captures.iter().any(|capture| capture.from == from) {
            return None;
        }
        self.captures.push(Capture { from, entries });
        Some(self.captures.len() - 1)
    }

    /// Puts a captured value into an object that is made of such values alone.
    fn gather(&mut self, outer: &str, name: &str, capture: usize) -> Option<()> {
        if let [Candidate::Gathered(members)] = self.at(outer).as_mut_slice() {
            if members.iter().any(|(n, _)| n == name) {
                return None;
            }
            members.push((name.to_owned(), capture));
            return Some(());
        }
        self.vacate(outer)?;
        self.at(outer).push(Candidate::Gathered(vec![(name.to_owned(), capture)]));
        Some(())
    }

    /// An edit of one member's value.
    fn step_into(&mut self, entry: &Entry) -> Option<()> {
        let key = first_key(&entry.edit)?;
        // In an array a number is an index.
        if is_index(&key) {
            return None;
        }
        let inner = below(entry, &Token::Key(key.clone()))?;
        if may_remove(&inner) {
            return None;
        }
        self.read(&key);
        let mut captured = Vec::new();
        for candidate in self.at(&key) {
            match candidate {
                Candidate::Member(_, entries) => entries.push(inner.clone()),
                Candidate::Captured(capture) => captured.push((*capture, inner.clone())),
                Candidate::Gathered(members) => {
                    let name = first_key(&inner.edit)?;
                    let innermost = below(&inner, &Token::Key(name.clone())).filter(|e| !may_remove(e))?;
                    let (_, capture) = members.iter().find(|(n, _)| *n == name)?;
                    captured.push((*capture, innermost));
                }
                Candidate::Literal(_) | Candidate::Opened(_) => return None,
            }
        }
        for (capture, entry) in captured {
            self.captures.get_mut(capture)?.entries.push(entry);
        }
        Some(())
    }

    /// The object's program; `entries` are all the edits, for an object that turns out to be unusual.
    pub(super) fn into_object(self, builder: &mut Builder, entries: &[Entry]) -> Option<Object> {
        let mut object = Object::default();
        let captures: Vec<StepId> =
            (0..self.captures.len()).map(|number| builder.push(Step::Capture(number))).collect();
        for name in self.dropped {
            object.slots.push(Slot { name, action: Action::Drop, unique: None, yields_to: 0 });
        }
        for Refused { name, members, change } in self.refused {
            let mut yields_to = 0;
            for member in members {
                let bit = 1_u64.checked_shl(u32::try_from(object.slots.len()).ok()?)?;
                let action = Action::Refuse { rename: new_name(&member, &name), change: change.clone() };
                object.slots.push(Slot { name: member, action, unique: None, yields_to });
                yields_to |= bit;
            }
        }
        for name in self.unusual {
            object.slots.push(Slot { name, action: Action::GiveUp, unique: None, yields_to: 0 });
        }
        let inner: Vec<StepId> = self.captures.iter().map(|capture| builder.hold(&capture.entries)).collect();
        for (capture, id) in self.captures.iter().zip(&captures) {
            if let (name, None) = &capture.from {
                let action = Action::Capture { capture: *id };
                object.slots.push(Slot { name: name.clone(), action, unique: None, yields_to: 0 });
            }
        }
        let shared = Shared { captures: &self.captures, steps: &captures, inner: &inner };
        for (name, candidates) in self.now {
            shared.add_name(builder, &mut object, &name, candidates)?;
        }
        if !captures.is_empty() {
            object.attempt = Some(Attempt { held: builder.push(Step::Hold(entries.into())), captures: captures.len() });
        }
        if object.slots.len() > Object::MOST || !distinct(&object.slots) {
            return None;
        }
        for (name, unless) in &self.unique {
            let unless = unless.iter().map(|other| object.bit(other)).sum::<Option<u64>>()?;
            object.slots.iter_mut().find(|slot| slot.name == *name)?.unique = Some(unless);
        }
        for (members, number) in self.lost {
            let slots = members.iter().map(|member| object.bit(member)).sum::<Option<u64>>()?;
            object.lost.push((slots, number));
        }
        Some(object)
    }
}

/// What the names of one object have in common.
struct Shared<'a> {
    captures: &'a [Capture],
    steps: &'a [StepId],
    inner: &'a [StepId],
}

impl Shared<'_> {
    /// Adds what stands under one name.
    fn add_name(
        &self,
        builder: &mut Builder,
        object: &mut Object,
        name: &str,
        candidates: Vec<Candidate>,
    ) -> Option<()> {
        let (mut winners, mut settled) = (0, false);
        for candidate in candidates {
            match candidate {
                // A literal stands in for whatever is missing, so nothing after it is ever wanted.
                Candidate::Member(member, _) if settled => {
                    object.slots.push(Slot { name: member, action: Action::Drop, unique: None, yields_to: 0 });
                }
                Candidate::Literal(_) if settled => {}
                Candidate::Member(member, entries) => {
                    let bit = 1_u64.checked_shl(u32::try_from(object.slots.len()).ok()?)?;
                    let action =
                        Action::Keep { rename: new_name(&member, name), inner: builder.fuse(flatten(entries)) };
                    object.slots.push(Slot { name: member, action, unique: None, yields_to: winners });
                    winners |= bit;
                }
                Candidate::Opened(member) => {
                    let inner = builder.push(Step::Object(self.opened(&member)));
                    let action = Action::KeepUnlessEmptied { rename: new_name(&member, name), inner };
                    object.slots.push(Slot { name: member, action, unique: None, yields_to: 0 });
                }
                Candidate::Literal(value) => {
                    let mut member = Literal::default();
                    member.push_text(&quoted(name));
                    member.push_text(b":");
                    member.push(&value);
                    object.added.push(Added::Literal { member, unless: winners });
                    settled = true;
                }
                Candidate::Captured(capture) => object.added.push(Added::Captured(self.captured(name, capture))),
                Candidate::Gathered(members) => {
                    let members = members.iter().map(|(name, capture)| self.captured(name, *capture)).collect();
                    object.added.push(Added::Object { name: quoted(name), members });
                }
            }
        }
        Some(())
    }

    fn captured(&self, name: &str, capture: usize) -> Captured {
        Captured { name: quoted(name), capture, inner: self.inner[capture] }
    }

    /// The members that are captured out of a member's value.
    fn opened(&self, member: &str) -> Object {
        let inside = self.captures.iter().zip(self.steps).filter_map(|(capture, step)| match &capture.from {
            (outer, Some(name)) if outer == member => Some((name.clone(), *step)),
            _ => None,
        });
        let slot = |(name, capture)| Slot { name, action: Action::Capture { capture }, unique: Some(0), yields_to: 0 };
        Object { slots: inside.map(slot).collect(), ..Object::default() }
    }
}

impl Candidate {
    /// Whether it is there only if the document has something elsewhere.
    fn moves(&self) -> bool {
        match self {
            Self::Captured(_) | Self::Gathered(_) | Self::Opened(_) => true,
            Self::Member(..) | Self::Literal(_) => false,
        }
    }
}

/// A member's name in the result (JSON text), if it is another than in the document.
fn new_name(member: &str, name: &str) -> Option<Vec<u8>> {
    (member != name).then(|| quoted(name))
}

fn is_index(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

/// Whether values can be dropped unseen: not if earlier edits look at them, which may fail, or have moved them.
fn may_go(candidates: &[Candidate]) -> Option<()> {
    let unseen = |candidate: &Candidate| match candidate {
        Candidate::Literal(_) => true,
        Candidate::Member(_, entries) => entries.is_empty(),
        Candidate::Opened(_) | Candidate::Captured(_) | Candidate::Gathered(_) => false,
    };
    candidates.iter().all(unseen).then_some(())
}

/// A document's member goes to one place; two slots of a name would mean that an edit list has confused us.
fn distinct(slots: &[Slot]) -> bool {
    slots.iter().enumerate().all(|(at, slot)| slots[..at].iter().all(|other| other.name != slot.name))
}
