//! What is known of a message's skeleton while ops run over it, without a document: which places are certainly
//! empty, which were made, and of which kind values are.
//!
//! A place of which nothing is known is unknown, not empty. What a guard may prevent is not known either.

use crate::json::Kind;
use crate::json::edit::{Path, Token};
use crate::rules::ast::Change;
use crate::rules::lens::{Carried, Effect, Making, Op, Stage};

/// An op and the change it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) change: &'a Change,
    pub(super) op: &'a Op,
}

/// What is known of a message.
#[derive(Debug, Default)]
pub(super) struct Skeleton<'a> {
    gone: Vec<Gone<'a>>,
    made: Vec<Made<'a>>,
    kinds: Vec<Known<'a>>,
}

/// A place where nothing is.
#[derive(Debug)]
pub(super) struct Gone<'a> {
    pub(super) at: Path,
    /// Where what was there is by now.
    pub(super) became: Vec<Path>,
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
    /// What took away the value at a path, if it is certain that nothing is there.
    pub(super) fn gone(&self, path: &[Token]) -> Option<&Gone<'a>> {
        let is_there =
            |gone: &Gone<'_>| self.made.iter().any(|made| meets(&made.at, path) && is_in(&made.at, &gone.at));
        self.gone.iter().rev().find(|gone| covers(&gone.at, path) && !is_there(gone))
    }

    /// What was made at a path or inside.
    pub(super) fn made(&self, path: &[Token]) -> Option<&Made<'a>> {
        self.made.iter().rev().find(|made| is_in(&made.at, path))
    }

    /// The value at a path, if it is known to be of another kind.
    pub(super) fn other_kind(&self, path: &[Token], kind: Kind) -> Option<&Known<'a>> {
        self.kinds.iter().find(|known| known.at.len() == path.len() && covers(&known.at, path) && known.kind != kind)
    }

    /// A value on the way to a path that is known to have no such parts.
    pub(super) fn blocked(&self, path: &[Token]) -> Option<&Known<'a>> {
        self.kinds.iter().find(|known| {
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
        self.gone.retain_mut(|gone| {
            gone.became.retain_mut(|became| follow(stage, became));
            follow(stage, &mut gone.at)
        });
        self.made.retain_mut(|made| follow(stage, &mut made.at));
        let changed = |at: &Path| effect.changes.iter().any(|path| is_in(at, path));
        self.kinds.retain_mut(|known| !changed(&known.at) && follow(stage, &mut known.at));
        if !stage.guard.is_empty() {
            return;
        }
        for at in &effect.takes {
            let became = match stage.carry(at) {
                Carried::To(path) => vec![path],
                Carried::Same | Carried::Gone => Vec::new(),
                Carried::Unknown => arriving(effect),
            };
            self.gone.push(Gone { at: at.clone(), became, by });
        }
        for made in &effect.makes {
            self.gone
                .retain(|gone| !is_in(&gone.at, &made.at) || effect.takes.contains(&gone.at) && gone.at != made.at);
            self.made.push(Made { at: made.at.clone(), by });
        }
        self.kinds.extend(effect.kinds.iter().map(|(at, kind)| Known { at: at.clone(), kind: *kind, by }));
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

/// Whether every place that the path stands for is one of the pattern's, or inside.
pub(super) fn covers(pattern: &[Token], path: &[Token]) -> bool {
    pattern.len() <= path.len() && pattern.iter().zip(path).all(|(a, b)| *a == Token::Any || a == b)
}

/// Whether some place of the one is one of the other's, or above or inside.
pub(super) fn meets(a: &[Token], b: &[Token]) -> bool {
    a.iter().zip(b).all(|(a, b)| *a == Token::Any || *b == Token::Any || a == b)
}

/// Whether some place of the path is one of the other's, or inside.
pub(super) fn is_in(path: &[Token], other: &[Token]) -> bool {
    path.len() >= other.len() && meets(path, other)
}
