//! What is known of a message's skeleton while ops run over it, without a document: which places are certainly
//! empty, which were made, and of which kind values are.
//!
//! A place of which nothing is known is unknown, not empty. What a guard may prevent is not known either.

use std::collections::HashSet;

use crate::json::Kind;
use crate::json::edit::{Path, Token};
use crate::rules::ast::Change;
use crate::rules::by_path::ByPath;
use crate::rules::lens::{Carried, Effect, Making, Op, Stage};
use crate::rules::path::covers;

/// An op and the change it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) change: &'a Change,
    pub(super) op: &'a Op,
}

/// What is known of a message.
#[derive(Debug, Default)]
pub(super) struct Skeleton<'a> {
    gone: ByPath<Gone<'a>>,
    /// Where what was in a place that is empty is by now, and the number of that place.
    became: ByPath<(usize, Path)>,
    empty: usize,
    made: ByPath<Made<'a>>,
    kinds: ByPath<Known<'a>>,
}

/// A place where nothing is.
#[derive(Debug)]
pub(super) struct Gone<'a> {
    pub(super) at: Path,
    number: usize,
    pub(super) by: By<'a>,
}

/// A place that an op made.
#[derive(Debug)]
pub(super) struct Made<'a> {
    pub(super) at: Path,
    pub(super) by: By<'a>,
}

/// A value of which the kind is known, unless it is null.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) at: Path,
    pub(super) kind: Kind,
    pub(super) by: By<'a>,
}

impl<'a> Skeleton<'a> {
    /// How much was looked at so far.
    pub(super) fn looks(&self) -> usize {
        self.gone.looks() + self.became.looks() + self.made.looks() + self.kinds.looks()
    }

    /// What took away the value at a path, if it is certain that nothing is there.
    pub(super) fn gone(&self, path: &[Token]) -> Option<&Gone<'a>> {
        let gone = self.gone.above(path).into_iter().rev().filter(|gone| covers(&gone.at, path));
        let mut gone = gone.peekable();
        gone.peek()?;
        let made = self.made.meeting(path);
        gone.find(|gone| !made.iter().any(|made| is_in(&made.at, &gone.at)))
    }

    /// Where what was in an empty place is by now.
    pub(super) fn became(&self, gone: &Gone<'_>) -> Vec<&Path> {
        let became = self.became.inside(&[]).into_iter().filter(|(number, _)| *number == gone.number);
        became.map(|(_, path)| path).collect()
    }

    /// What was made at a path or inside.
    pub(super) fn made(&self, path: &[Token]) -> Option<&Made<'a>> {
        self.made.inside(path).pop()
    }

    /// The value at a path, if it is known to be of another kind.
    pub(super) fn other_kind(&self, path: &[Token], kind: Kind) -> Option<&Known<'a>> {
        let mut above = self.kinds.above(path).into_iter();
        above.find(|known| known.at.len() == path.len() && covers(&known.at, path) && known.kind != kind)
    }

    /// A value on the way to a path that is known to have no such parts.
    pub(super) fn blocked(&self, path: &[Token]) -> Option<&Known<'a>> {
        self.kinds.above(path).into_iter().find(|known| {
            let next = if covers(&known.at, path) { path.get(known.at.len()) } else { None };
            match (known.kind, next) {
                (_, None) | (Kind::Object, _) | (Kind::Array, Some(Token::Any)) => false,
                (Kind::Array, Some(Token::Key(key))) => !key.bytes().all(|b| b.is_ascii_digit()),
                (Kind::String | Kind::Number | Kind::Boolean | Kind::Null, Some(_)) => true,
            }
        })
    }

    /// Goes through an edit.
    pub(super) fn apply(&mut self, stage: &Stage, by: By<'a>) {
        let effect = &stage.effect;
        let reach = stage.reach();
        pass(&mut self.became, &reach, |(_, at)| at, |at| follow(stage, at));
        pass(&mut self.gone, &reach, |gone| &mut gone.at, |at| follow(stage, at));
        pass(&mut self.made, &reach, |made| &mut made.at, |at| follow(stage, at));
        drop(self.kinds.take(&effect.changes));
        pass(&mut self.kinds, &reach, |known| &mut known.at, |at| follow(stage, at));
        if !stage.guard.is_empty() {
            return;
        }
        for at in &effect.takes {
            let became = match stage.carry(at) {
                Carried::To(path) => vec![path],
                Carried::Same | Carried::Gone => Vec::new(),
                Carried::Unknown => arriving(effect),
            };
            self.empty += 1;
            let number = self.empty;
            self.gone.push(at, Gone { at: at.clone(), number, by });
            for path in became {
                self.became.push(&path.clone(), (number, path));
            }
        }
        let takes: HashSet<&Path> = effect.takes.iter().collect();
        for made in &effect.makes {
            let at = &made.at;
            for (number, gone) in self.gone.take(std::slice::from_ref(at)) {
                if takes.contains(&gone.at) && gone.at != *at {
                    self.gone.put(&gone.at.clone(), (number, gone));
                }
            }
            self.made.push(at, Made { at: at.clone(), by });
        }
        for (at, kind) in &effect.kinds {
            self.kinds.push(at, Known { at: at.clone(), kind: *kind, by });
        }
    }
}

/// Takes the things that an edit reaches along, and leaves out those that lead nowhere certain.
pub(super) fn pass<T>(
    things: &mut ByPath<T>,
    reach: &[Path],
    at: impl Fn(&mut T) -> &mut Path,
    follow: impl Fn(&mut Path) -> bool,
) {
    for (number, mut thing) in things.take(reach) {
        let path = at(&mut thing);
        if follow(path) {
            let path = path.clone();
            things.put(&path, (number, thing));
        }
    }
}

/// Where values that come from elsewhere arrive.
fn arriving(effect: &Effect) -> Vec<Path> {
    let arriving = effect.makes.iter().filter(|made| made.how == Making::Arrives);
    arriving.map(|made| made.at.clone()).collect()
}

/// Takes a path through an edit; `false` if it leads nowhere certain.
pub(super) fn follow(stage: &Stage, path: &mut Path) -> bool {
    match stage.carry(path) {
        Carried::Same => true,
        Carried::To(to) => {
            *path = to;
            true
        }
        Carried::Gone | Carried::Unknown => false,
    }
}

/// Whether some place of the one is one of the other's, or above or inside.
pub(super) fn meets(a: &[Token], b: &[Token]) -> bool {
    a.iter().zip(b).all(|(a, b)| *a == Token::Any || *b == Token::Any || a == b)
}

/// Whether some place of the path is one of the other's, or inside.
pub(super) fn is_in(path: &[Token], other: &[Token]) -> bool {
    path.len() >= other.len() && meets(path, other)
}
