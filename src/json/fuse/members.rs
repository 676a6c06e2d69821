//! What a list of edits makes of an object, member by member.

use std::sync::Arc;

use super::super::edit::{Edit, Entry, Literal, Occupied, Source, Token};
use super::super::program::{Action, Added, Object, Slot};
use super::super::text::quoted;
use super::{Builder, below, first_key, flatten, may_remove};

/// What a list of edits makes of an object's members, as far as that can be said member by member.
#[derive(Default)]
pub(super) struct Members {
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
        let names: Vec<String> = self
            .at(name)
            .iter()
            .filter_map(|c| if let Candidate::Member(n, _) = c { Some(n.clone()) } else { None })
            .collect();
        self.unique.extend(names);
    }

    /// Takes in the next edit; `None` if it cannot be done while members stream by.
    pub(super) fn take_in(&mut self, entry: &Entry) -> Option<()> {
        if !entry.guard.is_empty() {
            return self.step_into(entry);
        }
        match &entry.edit {
            Edit::Rename { at, pairs } if at.is_empty() => self.rename(pairs)?,
            Edit::Put { scope, at, value, if_present: Occupied::Keep, .. } if scope.is_empty() && at.len() == 1 => {
                self.read(&at[0]);
                match value {
                    Source::Literal(literal) => self.at(&at[0]).push(Candidate::Literal(literal.clone())),
                    Source::Absent => {}
                    Source::Copy(_) | Source::Refuse => return None,
                }
            }
            Edit::Take { scope, at, refuse, .. } if scope.is_empty() && at.len() == 1 => {
                self.take(&at[0], *refuse, entry.change.as_ref())?
            }
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

    pub(super) fn into_object(self, builder: &mut Builder) -> Option<Object> {
        let mut object = Object::default();
        for (name, action) in self.dropped {
            object.slots.push(Slot { unique: true, name, action, yields_to: 0 });
        }
        for (name, candidates) in self.now {
            let (mut winners, mut settled) = (0, false);
            for candidate in candidates {
                match candidate {
                    // A literal stands in for whatever is missing, so nothing after it is ever wanted.
                    Candidate::Member(member, _) if settled => {
                        let unique = self.unique.contains(&member);
                        object.slots.push(Slot { name: member, action: Action::Drop, unique, yields_to: 0 });
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
                        object.added.push(Added { member, unless: winners });
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
    let unseen = |candidate: &Candidate| {
        matches!(candidate, Candidate::Literal(_))
            || matches!(candidate, Candidate::Member(_, entries) if entries.is_empty())
    };
    candidates.iter().all(unseen).then_some(())
}

/// A document's member goes to one place; two slots of a name would mean that an edit list has confused us.
fn distinct(slots: &[Slot]) -> bool {
    slots.iter().enumerate().all(|(at, slot)| slots[..at].iter().all(|other| other.name != slot.name))
}
