//! What a translator runs: a flat list of steps that refer to each other by number.

use std::fmt;
use std::sync::Arc;

use super::edit::{Entry, Literal};
use super::loss::Lost;
use super::translator::Kits;

/// A step of a program: its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepId(pub(super) usize);

impl StepId {
    /// The step that copies: every program begins with it.
    pub(super) const COPY: Self = Self(0);
}

/// What happens to one value as it streams by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It leaves as it is.
    Copy,
    /// It is held until its end, and then edited as a tree.
    Hold(Box<[Entry]>),
    /// Text is put before and after it.
    Surround { before: Vec<u8>, inner: StepId, after: Literal },
    /// One member of it takes its place.
    Pick(Pick),
    /// Each element or member's value has its own step.
    Each { inner: StepId },
    /// Members are renamed, dropped, added and stepped into as they come.
    Object(Object),
    /// It leaves later, from the end of the object around it; this is the number of its capture.
    Capture(usize),
}

/// One member of an object takes its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) key: String,
    pub(super) inner: StepId,
    pub(super) change: Option<Arc<str>>,
    /// Members beside it that are lost, and the numbers of these losses; at most [`Pick::MOST`].
    pub(super) lost: Vec<(String, u32)>,
}

impl Pick {
    /// Members beside it are told apart by bits.
    pub(super) const MOST: usize = 62;
}

/// The members of an object that a program touches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// At most [`Object::MOST`].
    pub(super) slots: Vec<Slot>,
    /// What the object's end adds.
    pub(super) added: Vec<Added>,
    /// The numbers of what is lost, each if one of some slots (bits) was there.
    pub(super) lost: Vec<(u64, u32)>,
    /// Where members change their place: how to do it in one reading, if nothing unusual turns up.
    pub(super) attempt: Option<Attempt>,
}

/// An object some of whose members change their place. It is read once, and each such member is noted where it
/// stands and written at the end. Should the object be unusual, so that order decides (a place is taken, a name
/// stands twice), what was written is taken back and the object is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The step that holds the object, with the same edits.
    pub(super) held: StepId,
    /// How many captures there are.
    pub(super) captures: usize,
}

impl Object {
    /// Slots are told apart by the bits of one word.
    pub(super) const MOST: usize = 64;

    /// The bit of the slot of this name.
    pub(super) fn bit(&self, name: &str) -> Option<u64> {
        self.slots.iter().position(|slot| slot.name == name).map(|at| 1 << at)
    }
}

/// A member that a program touches, by its name in the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) action: Action,
    /// Where an op reads it: two of it are a failure, unless one of these slots is there, as bits.
    pub(super) unique: Option<u64>,
    /// The slots that win over this one when both are there, as bits.
    pub(super) yields_to: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It leaves, perhaps under another name (JSON text).
    Keep { rename: Option<Vec<u8>>, inner: StepId },
    /// It leaves like that, unless captures have taken everything out of it.
    KeepUnlessEmptied { rename: Option<Vec<u8>>, inner: StepId },
    /// Its value leaves later.
    Capture { capture: StepId },
    /// It stands where something else is to go: the attempt fails.
    GiveUp,
    /// It goes.
    Drop,
    /// It must not be there; where what cannot be translated stays, it leaves like that.
    Refuse { rename: Option<Vec<u8>>, change: Option<Arc<str>> },
}

/// A member added at an object's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// `"name":value`, unless one of the slots in `unless` (bits) was there.
    Literal { member: Literal, unless: u64 },
    /// A captured value, if there was one.
    Captured(Captured),
    /// An object of captured values, if there was one, under a name (JSON text).
    Object { name: Vec<u8>, members: Vec<Captured> },
}

/// A captured value's new name (JSON text), and what becomes of the value: a step that copies or holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) name: Vec<u8>,
    pub(super) capture: usize,
    pub(super) inner: StepId,
}

/// A compiled, immutable edit of one kind of document.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// The first copies.
    pub(super) steps: Vec<Step>,
    pub(super) root: StepId,
    /// What is lost, by number.
    pub(super) losses: Vec<Arc<Lost>>,
    pub(super) kits: Kits,
}

impl Default for Program {
    fn default() -> Self {
        Self { steps: vec![Step::Copy], root: StepId(0), losses: Vec::new(), kits: Kits::default() }
    }
}

/// How much of a document has to be held before its translation can leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing is touched; the bytes need not even be scanned.
    S0,
    /// It streams.
    S1,
    /// One member's value or array element at a time is held.
    S2,
    /// The whole document is held.
    S3,
}

impl Program {
    /// Whether every document leaves as it came.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        *self.step(self.root) == Step::Copy
    }

    /// How much of a document is held.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class_of(self.root, true)
    }

    pub(super) fn step(&self, id: StepId) -> &Step {
        &self.steps[id.0]
    }

    fn class_of(&self, id: StepId, whole: bool) -> Class {
        match self.step(id) {
            Step::Copy if whole => Class::S0,
            Step::Copy => Class::S1,
            Step::Hold(_) if whole => Class::S3,
            Step::Hold(_) | Step::Capture(_) => Class::S2,
            Step::Surround { inner, .. } | Step::Pick(Pick { inner, .. }) => {
                self.class_of(*inner, whole).max(Class::S1)
            }
            Step::Each { inner } => self.class_of(*inner, false),
            Step::Object(object) if object.attempt.is_some() => {
                if whole {
                    Class::S3
                } else {
                    Class::S2
                }
            }
            Step::Object(object) => object.slots.iter().fold(Class::S1, |class, slot| match &slot.action {
                Action::Keep { inner, .. } => class.max(self.class_of(*inner, false)),
                Action::KeepUnlessEmptied { .. }
                | Action::Capture { .. }
                | Action::GiveUp
                | Action::Drop
                | Action::Refuse { .. } => class,
            }),
        }
    }

    fn list(&self, id: StepId, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pad = "  ".repeat(indent);
        match self.step(id) {
            Step::Copy => writeln!(f, "{pad}copy"),
            Step::Capture(number) => writeln!(f, "{pad}capture {number}"),
            Step::Hold(entries) => {
                writeln!(f, "{pad}hold")?;
                entries.iter().try_for_each(|entry| writeln!(f, "{pad}  {entry}"))
            }
            Step::Surround { before, inner, after } => {
                writeln!(f, "{pad}surround {} ... {after}", String::from_utf8_lossy(before))?;
                self.list(*inner, indent + 1, f)
            }
            Step::Pick(Pick { key, inner, .. }) => {
                writeln!(f, "{pad}pick {key:?}")?;
                self.list(*inner, indent + 1, f)
            }
            Step::Each { inner } => {
                writeln!(f, "{pad}each")?;
                self.list(*inner, indent + 1, f)
            }
            Step::Object(object) => self.list_object(object, indent, f),
        }
    }

    fn list_object(&self, object: &Object, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pad = "  ".repeat(indent);
        writeln!(f, "{pad}object{}", if object.attempt.is_some() { ", held if unusual" } else { "" })?;
        for slot in &object.slots {
            match &slot.action {
                Action::Drop => writeln!(f, "{pad}  drop {:?}", slot.name)?,
                Action::GiveUp => writeln!(f, "{pad}  unusual {:?}", slot.name)?,
                Action::Refuse { .. } => writeln!(f, "{pad}  refuse {:?}", slot.name)?,
                Action::Capture { capture } => {
                    writeln!(f, "{pad}  capture {:?} as {}", slot.name, self.number(*capture))?;
                }
                Action::Keep { rename, inner } | Action::KeepUnlessEmptied { rename, inner } => {
                    write!(f, "{pad}  member {:?}", slot.name)?;
                    if let Some(name) = rename {
                        write!(f, " as {}", String::from_utf8_lossy(name))?;
                    }
                    writeln!(f)?;
                    if *self.step(*inner) != Step::Copy {
                        self.list(*inner, indent + 2, f)?;
                    }
                }
            }
        }
        object.added.iter().try_for_each(|added| match added {
            Added::Literal { member, .. } => writeln!(f, "{pad}  add {member}"),
            Added::Captured(captured) => self.list_captured(captured, indent + 1, f),
            Added::Object { name, members } => {
                writeln!(f, "{pad}  add {} of", String::from_utf8_lossy(name))?;
                members.iter().try_for_each(|captured| self.list_captured(captured, indent + 2, f))
            }
        })
    }

    fn list_captured(&self, captured: &Captured, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pad = "  ".repeat(indent);
        writeln!(f, "{pad}add {} from {}", String::from_utf8_lossy(&captured.name), captured.capture)?;
        if captured.inner == StepId::COPY { Ok(()) } else { self.list(captured.inner, indent + 1, f) }
    }

    /// The number of a capture step.
    pub(super) fn number(&self, id: StepId) -> usize {
        match self.step(id) {
            Step::Capture(number) => *number,
            _ => 0,
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list(self.root, 0, f)
    }
}
