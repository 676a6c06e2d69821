//! Runs primitive edits on a held scope.

mod alone;
mod limit;
mod many;
mod members;
mod names;
mod nested;
mod parts;
mod shapes;
mod values;

use super::edit::{Condition, Edit, Entry, Test, Token};
use super::error::{Code, Error};
use super::loss::{Loss, When};
use super::tally::Tally;
use super::text::{name_is, push_pointer, unescape};
use super::tree::{Arena, LinkId, NodeId, Tree};
use super::valid::{Kind, same};
use super::{OnError, Values};

/// Translates the value `text` in place of itself: appends the result to `out`. `Ok(false)` means that the value
/// is to be taken away.
///
/// # Errors
/// Whatever an edit says; the pointer is relative to the value.
pub(super) fn apply<'a>(
    entries: &'a [Entry],
    text: &'a [u8],
    values: &'a Values,
    arena: &'a mut Arena,
    tally: &'a mut Tally,
    out: &mut Vec<u8>,
) -> Result<bool, Error> {
    let (tree, root) = Tree::new(text, arena);
    let mut editor = Editor { tree, values, tally, trail: Vec::new(), losses: &[], gone: None };
    match editor.run(entries, root) {
        Ok(Some(root)) => {
            editor.tree.emit(root, out);
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) => Err(editor.locate(error)),
    }
}

pub(super) use alone::{counted, edited};
pub(crate) use limit::is_bound;
pub(crate) use names::written;

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
    tally: &'a mut Tally,
    /// The names and indexes from the scope to the value at hand, for messages.
    trail: Vec<Place<'a>>,
    /// What the edit at hand may lose.
    losses: &'a [Loss],
    /// The number of what was lost with the last value that went.
    gone: Option<u32>,
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
                    self.tally.skip();
                    self.trail.truncate(depth);
                }
                Err(error) => return Err(self.name_change(error, entry)),
            }
        }
        Ok(Some(node))
    }

    /// Whether what fails may stay as it is. That an envelope is missing is known only when what would have to stay has
    /// left, where a document streams; so it may not stay where one is held either.
    fn may_skip(&self, error: &Error) -> bool {
        self.values.on_error == OnError::BestEffort
            && !matches!(
                error.code,
                Code::TooLarge
                    | Code::TooDeep
                    | Code::DuplicateKey
                    | Code::JqExhausted
                    | Code::Dropped
                    | Code::NotEnveloped
            )
    }

    fn name_change(&self, mut error: Error, entry: &Entry) -> Error {
        if error.change.is_none() {
            error.change.clone_from(&entry.change);
        }
        self.locate(error)
    }

    fn locate(&self, error: Error) -> Error {
        if error.pointer.is_some() { error } else { error.at(self.pointer()) }
    }

    /// An error about the value at `keys` below the one at hand.
    #[cold]
    fn error_at(&self, keys: &[String], code: Code, detail: &str) -> Error {
        let mut pointer = self.pointer();
        for key in keys {
            push_pointer(key, &mut pointer);
        }
        Error::new(code, 0, detail).at(pointer)
    }

    /// Where the value at hand is.
    fn pointer(&self) -> String {
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
        pointer
    }

    fn entry(&mut self, entry: &'a Entry, root: NodeId) -> Done<Became> {
        if !self.holds(&entry.guard, root)? {
            return Ok(Became::Same);
        }
        self.losses = &entry.losses;
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
                Some(link) => {
                    self.lose_beside(root);
                    Ok(Became::Other(self.tree.value(link)))
                }
                None => self
                    .fall_back(otherwise, Code::NotEnveloped, || format!("expected an object with the member `{key}`")),
            },
            Edit::Presence { scope, at, null, missing } => {
                self.visit(root, scope, &mut |e, node| e.presence(node, at, null.as_ref(), missing.as_ref()))
            }
            Edit::Split { scope, key, into, how, otherwise } => {
                self.visit(root, scope, &mut |e, node| e.split(node, key, into, how, otherwise))
            }
            Edit::Join { scope, from, key, how } => {
                self.visit(root, scope, &mut |e, node| e.join(node, from, key, how))
            }
            Edit::Spread { from, to, key, refuse_empty } => self.spread(root, from, to, key, *refuse_empty),
            Edit::Collapse { from, key, to, how } => self.gather(root, from, key, to, *how),
            Edit::DropElements { at, when } => self.visit(root, at, &mut |e, node| e.drop_elements(node, when)),
            Edit::DropMessage { when } if self.holds(when, root)? => {
                // Whatever else was lost on the way is lost with the message.
                self.tally.forget_losses();
                self.lose(&When::Acted);
                Err(Error::new(Code::Dropped, 0, "the receiver must not see this message"))
            }
            Edit::DropMessage { .. } => Ok(Became::Same),
            Edit::Each { at, entries } => self.visit(root, at, &mut |e, node| e.within(node, entries)),
            Edit::Recurse { at, form, nest, entries, order } => {
                self.visit(root, at, &mut |e, node| e.nested(node, *form, nest, entries, *order))
            }
        }
    }

    /// Counts what the edit at hand loses by something that it did.
    #[inline]
    fn lose(&mut self, when: &When) {
        self.tally.lose(self.losses, when);
    }

    /// A value goes, by something that the edit at hand did.
    fn gone(&mut self, when: &When) -> Became {
        self.gone = self.tally.lose(self.losses, when);
        Became::Nothing
    }

    /// Counts the members that are lost beside one that takes their object's place. What the program put there itself is
    /// no loss.
    fn lose_beside(&mut self, object: NodeId) {
        for loss in self.losses {
            let When::Member(name) = &loss.when else { continue };
            let mut at = self.tree.first(object);
            while let Some(link) = at.filter(|link| !name_is(self.tree.name(*link), name)) {
                at = self.tree.next(link);
            }
            if at.is_some_and(|link| !self.tree.is_given(self.tree.value(link))) {
                self.tally.count(loss.number());
            }
        }
    }

    /// The value that went cannot go, and is not lost.
    #[cold]
    fn not_an_element(&mut self) -> Error {
        if let Some(number) = self.gone.take() {
            self.tally.uncount(number);
        }
        Error::new(Code::CannotRemoveIndex, 0, "an element cannot be taken out of its array")
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
                Some(link) => {
                    let became = self.visit_link(node, link, Place::Key(key), rest, edit)?;
                    if became == Became::Nothing {
                        self.tree.remove(node, |_, l| l == link);
                    }
                    became != Became::Same
                }
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
        let (mut edited, mut index, mut gone) = (false, 0_usize, Vec::new());
        let mut at = self.tree.first(node);
        while let Some(link) = at {
            at = self.tree.next(link);
            let step = if array { Place::Index(index) } else { Place::Member(link) };
            let became = self.visit_link(node, link, step, rest, edit)?;
            edited |= became != Became::Same;
            if became == Became::Nothing {
                gone.push(link);
            }
            index += 1;
        }
        if !gone.is_empty() {
            // Both in the order of the members, so that one pass takes out any number of them.
            let mut gone = gone.into_iter().peekable();
            self.tree.remove(node, |_, link| gone.next_if_eq(&link).is_some());
        }
        Ok(edited)
    }

    /// What became of a member's value; if that is nothing, the caller takes the member out.
    fn visit_link(
        &mut self,
        parent: NodeId,
        link: LinkId,
        step: Place<'a>,
        rest: &'a [Token],
        edit: OnValue<'_, 'a>,
    ) -> Done<Became> {
        self.trail.push(step);
        let value = self.tree.value(link);
        let became = match self.visit(value, rest, edit) {
            Err(error) if self.may_skip(&error) && rest.is_empty() => {
                self.tally.skip();
                Became::Same
            }
            other => other?,
        };
        match became {
            Became::Same | Became::Edited => {}
            Became::Other(node) => self.tree.set_value(link, node),
            Became::Nothing if self.tree.kind(parent) == Kind::Object => {}
            Became::Nothing => return Err(self.not_an_element()),
        }
        self.trail.pop();
        Ok(became)
    }
}
