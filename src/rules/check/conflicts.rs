//! Ops that contradict each other: found by walking every kind of message from the oldest version to the newest.

use std::cell::LazyCell;
use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::edit::{Edit, Path, Token};
use crate::rules::ast::Change;
use crate::rules::by_path::{ByPath, MOST_LOOKS};
use crate::rules::lens::{Effect, Making, Op, Stage};
use crate::rules::messages::Message;
use crate::rules::{Place, diagnostics as code};

use super::marks::Texts;
use super::skeleton::{By, Gone, Known, Made, Skeleton, follow, is_in, pass};

/// Reports every op of every message that contradicts one before it; `false` if they are too many to compare.
pub(super) fn check(messages: &[Message<'_>], texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let mut found = Found { texts, diagnostics, seen: HashSet::new() };
    for message in messages {
        let mut walk = Walk { skeleton: Skeleton::default(), written: ByPath::default(), change: None };
        for by in message.lists.iter().flat_map(|(change, ops)| ops.iter().map(|op| By { change, op })) {
            walk.step(by, &mut found);
            if walk.skeleton.looks() + walk.written.looks() > MOST_LOOKS {
                return too_many(by.change, message, found.diagnostics);
            }
        }
    }
    true
}

/// Reports a message whose ops are too many to compare; always `false`.
pub(super) fn too_many(change: &Change, message: &Message<'_>, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let text = format!("the ops on {} up to this change meet in too many places to be checked", message.name);
    let mut diagnostic = Diagnostic::error(crate::yaml::code::LIMIT, &change.file, change.span, text);
    diagnostic.help("write fewer ops about the same values, or put some of the changes together");
    diagnostics.push(diagnostic);
    false
}

/// One message on its way.
struct Walk<'a> {
    skeleton: Skeleton<'a>,
    /// What the ops of the change at hand wrote.
    written: ByPath<(Path, By<'a>)>,
    change: Option<&'a Change>,
}

impl<'a> Walk<'a> {
    fn step(&mut self, by: By<'a>, found: &mut Found<'_, '_>) {
        if self.change.replace(by.change).is_some_and(|change| change.id != by.change.id) {
            self.written = ByPath::default();
        }
        for stage in &by.op.stages() {
            let is_dangling = self.look(by, stage, found);
            for (path, kind) in &stage.effect.expects {
                if let Some(known) = self.skeleton.other_kind(path, *kind) {
                    found.wrong_kind(by, &Place::of_message(path), kind.name(), known);
                }
            }
            if stage.guard.is_empty() && !is_dangling {
                found.made_twice(by, &self.skeleton, &stage.effect);
            }
            self.skeleton.apply(stage, by);
            if stage.guard.is_empty() {
                self.one_of_all(by, stage, found);
            }
        }
    }

    /// Whether what an edit and its guard look at is certainly not there.
    fn look(&self, by: By<'a>, stage: &Stage, found: &mut Found<'_, '_>) -> bool {
        let mut is_dangling = false;
        for path in stage.effect.reads.iter().chain(stage.guard.iter().map(|(path, _)| path)) {
            // The locations of the whole message come before a place's own tokens.
            let unwritten =
                LazyCell::new(|| found.texts.unwritten(&by.change.file, by.op.span, &Place::of_message(path)));
            let is_authors = |at: &Path| *unwritten == 0 || at.len() > *unwritten + 1;
            if let Some(gone) = self.skeleton.gone(path).filter(|gone| is_authors(&gone.at)) {
                is_dangling = true;
                found.dangling(by, path, gone, &self.skeleton.became(gone));
            } else if let Some(known) = self.skeleton.blocked(path).filter(|known| is_authors(&known.at)) {
                found.no_such_part(by, path, known);
            }
        }
        is_dangling
    }

    /// An op on every element or member and one on a certain one both write it. What changes in its place is compared
    /// with places before the edit, what arrives with those after it.
    fn one_of_all(&mut self, by: By<'a>, stage: &Stage, found: &mut Found<'_, '_>) {
        let effect = &stage.effect;
        let arrives = effect.makes.iter().filter(|made| made.how != Making::Becomes).map(|made| &made.at);
        let arrives: Vec<&Path> = arrives.collect();
        self.compare(by, effect.changes.iter(), found);
        pass(&mut self.written, &stage.reach(), |(path, _)| path, |path| follow(stage, path));
        self.compare(by, arrives.iter().copied(), found);
        for path in effect.changes.iter().chain(arrives) {
            self.written.push(path, (path.clone(), by));
        }
    }

    fn compare<'p>(&self, by: By<'a>, paths: impl Iterator<Item = &'p Path>, found: &mut Found<'_, '_>) {
        for path in paths {
            let is_rival = |other: &Path| other.len() == path.len() && other != path && is_in(other, path);
            if let Some((other, first)) = self.written.above(path).into_iter().find(|(other, _)| is_rival(other)) {
                found.overlap(by, &Place::of_message(path), &Place::of_message(other), *first);
            }
        }
    }
}

/// What was found, each thing once however many messages show it.
struct Found<'f, 't> {
    texts: Texts<'t>,
    diagnostics: &'f mut Vec<Diagnostic>,
    seen: HashSet<(&'static str, Span, String)>,
}

impl Found<'_, '_> {
    fn report(&mut self, by: By<'_>, mut diagnostic: Diagnostic, first: By<'_>, label: &str) {
        if !self.seen.insert((diagnostic.code, by.op.span, diagnostic.message.clone())) {
            return;
        }
        // An op inside itself marks nothing.
        if first.change.file == by.change.file && first.op.span != by.op.span {
            diagnostic.secondary(first.op.span, label);
        }
        self.diagnostics.push(diagnostic);
    }

    fn dangling(&mut self, by: By<'_>, path: &[Token], gone: &Gone<'_>, became: &[&Path]) {
        let here = &Place::of_message(path);
        let (file, span) = self.place(by, here);
        let now: Vec<Place> = became.iter().map(|path| Place::of_message(path)).collect();
        let went = match now.as_slice() {
            [] => format!("`{}`{} took it away", gone.by.op.lens.name(), of_change(gone.by, by)),
            now => format!("`{}`{} made {} of it", gone.by.op.lens.name(), of_change(gone.by, by), listed(now)),
        };
        let message = if gone.at.len() == path.len() || now.is_empty() {
            format!("nothing is at `{here}` here: {went}")
        } else {
            format!(
                "nothing is at `{here}` here: `{}`{} moved what was there",
                gone.by.op.lens.name(),
                of_change(gone.by, by)
            )
        };
        let mut diagnostic = Diagnostic::error(code::DANGLING, file, span, message);
        if let [became] = became {
            let rest = Place::of_message(&[became.as_slice(), &path[gone.at.len()..]].concat());
            let line = self.texts.with_path(file, span, here, &rest);
            diagnostic.help(match line {
                Some(line) => format!("did you mean `{rest}`? write `{line}`"),
                None => format!("did you mean `{rest}`?"),
            });
        } else {
            diagnostic.help("ops run in order: each sees what those before it, of earlier changes too, have left");
        }
        self.report(by, diagnostic, gone.by, "this took it away");
    }

    fn no_such_part(&mut self, by: By<'_>, path: &[Token], known: &Known<'_>) {
        let here = &Place::of_message(path);
        let (file, span) = self.place(by, here);
        let message = format!(
            "there is no `{here}` in {}, which `{}`{} makes of `{}`",
            known.kind.name(),
            known.by.op.lens.name(),
            of_change(known.by, by),
            Place::of_message(&known.at),
        );
        let mut diagnostic = Diagnostic::error(code::KIND, file, span, message);
        let at = known.at.len();
        if known.kind == crate::json::Kind::Array {
            let every = Place::of_message(&[&path[..at], &[Token::Any], &path[at..]].concat());
            diagnostic.help(match self.texts.with_path(file, span, here, &every) {
                Some(line) => format!("did you mean `{every}`? write `{line}`"),
                None => format!("did you mean `{every}`?"),
            });
        } else {
            diagnostic.help("write this op before the one that changes the value's kind");
        }
        self.report(by, diagnostic, known.by, "this changes its kind");
    }

    fn wrong_kind(&mut self, by: By<'_>, here: &Place, expected: &str, known: &Known<'_>) {
        let (file, span) = self.place(by, here);
        let message = format!(
            "`{}` expects {expected} at `{here}`, and `{}`{} makes it {}",
            by.op.lens.name(),
            known.by.op.lens.name(),
            of_change(known.by, by),
            known.kind.name(),
        );
        let mut diagnostic = Diagnostic::error(code::KIND, file, span, message);
        diagnostic.help("exchange the two ops, or write the op for the kind of value that is there by now");
        self.report(by, diagnostic, known.by, "this changes its kind");
    }

    /// An op makes something where an earlier one made something.
    fn made_twice(&mut self, by: By<'_>, skeleton: &Skeleton<'_>, effect: &Effect) {
        for made in effect.makes.iter().filter(|made| made.how != Making::Becomes) {
            let Some(first) = skeleton.made(&made.at) else { continue };
            // What is taken away at the same time, or lies around what moves, is no rival.
            if !effect.takes.iter().any(|taken| is_in(&first.at, taken) || is_in(taken, &first.at)) {
                match made.how {
                    Making::Added => self.added_again(by, &Place::of_message(&made.at), first),
                    Making::Arrives | Making::Becomes => self.overwritten(by, &Place::of_message(&made.at), first),
                }
            }
        }
    }

    fn added_again(&mut self, by: By<'_>, here: &Place, first: &Made<'_>) {
        let (file, span) = self.place(by, here);
        let message = format!(
            "`add` at `{here}`, where `{}`{} makes `{}`: going down, `add` would take it away",
            first.by.op.lens.name(),
            of_change(first.by, by),
            Place::of_message(&first.at)
        );
        let mut diagnostic = Diagnostic::error(code::ADDED_AGAIN, file, span, message);
        diagnostic.help(format!(
            "a default for a value that may be missing is `presence: {{at: {}, up: {{missing: {{value: ...}}}}}}`",
            quoted(here)
        ));
        self.report(by, diagnostic, first.by, "this makes it");
    }

    fn overwritten(&mut self, by: By<'_>, here: &Place, first: &Made<'_>) {
        let (file, span) = self.place(by, here);
        let message = format!(
            "`{}` writes `{here}` over `{}`, which `{}`{} makes",
            by.op.lens.name(),
            Place::of_message(&first.at),
            first.by.op.lens.name(),
            of_change(first.by, by),
        );
        let mut diagnostic = Diagnostic::error(code::SAME_PLACE, file, span, message);
        diagnostic.help("two values cannot have one place: give one of them another");
        self.report(by, diagnostic, first.by, "this makes it");
    }

    fn overlap(&mut self, by: By<'_>, here: &Place, other: &Place, first: By<'_>) {
        let (file, span) = self.place(by, here);
        let message = format!("`{here}` and `{other}` are the same place in some documents, and two ops write it");
        let mut diagnostic = Diagnostic::error(code::SAME_PLACE, file, span, message);
        diagnostic.help("write one op for every element, with a guard in `each` where some are to be left out");
        self.report(by, diagnostic, first, "the other is here");
    }

    fn place<'b>(&self, by: By<'b>, here: &Place) -> (&'b std::sync::Arc<str>, Span) {
        (&by.change.file, self.texts.find(&by.change.file, by.op.span, here))
    }
}

/// Of which change an op is, if of another than the one at hand.
pub(super) fn of_change(by: By<'_>, at_hand: By<'_>) -> String {
    if by.change.id == at_hand.change.id { String::new() } else { format!(" of `{}`", by.change.id) }
}

fn listed(places: &[Place]) -> String {
    places.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(" and ")
}

/// A path as it is written in a flow mapping.
pub(super) fn quoted(place: &Place) -> String {
    let text = place.to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-~*.".contains(c);
    if text.starts_with('/') && text.chars().all(is_plain) { text } else { format!("{text:?}") }
}

/// Reports what is wrong with each op by itself: moves into their own subtree, guards on what the op changes.
pub(super) fn alone<'a>(
    change: &Change,
    ops: impl Iterator<Item = &'a Op>,
    texts: Texts<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for op in ops {
        own_subtree(change, op, texts, diagnostics);
        super::guards::own_guard(change, op, diagnostics);
        alone(change, op.inner().iter(), texts, diagnostics);
    }
}

/// A value that moves into itself is one that is wrapped.
fn own_subtree(change: &Change, op: &Op, texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for stage in op.stages() {
        let (Edit::Move { from, to, .. }, [old], [new]) =
            (stage.edit(), stage.effect.takes.as_slice(), stage.effect.makes.as_slice())
        else {
            continue;
        };
        let (name, at, keys) = match (to.strip_prefix(from.as_slice()), from.strip_prefix(to.as_slice())) {
            (Some(keys), _) => ("wrap", old, keys),
            (_, Some(keys)) => ("unwrap", &new.at, keys),
            (None, None) => continue,
        };
        let at = Place::of_message(at);
        let message = format!("`move` between `{at}` and a place inside it is `{name}`");
        let mut diagnostic = Diagnostic::hint(code::OWN_SUBTREE, &change.file, op.span, message);
        if let [key] = keys {
            let key = quoted_key(key);
            let by = format!("{name}: {{at: {}, into: {{key: {key}}}}}", quoted(&at));
            let whole = texts.of(&change.file).get(op.span.start..op.span.end).unwrap_or_default();
            // Guards and remarks beside the op are not taken along.
            let line = if whole.contains('\n') { None } else { texts.with_text(&change.file, op.span, &by) };
            diagnostic.help(format!("write `{}`", line.unwrap_or(by)));
        } else {
            diagnostic.help(format!("write one `{name}` for each step, such as `into: {{key: name}}`"));
        }
        diagnostics.push(diagnostic);
    }
}

fn quoted_key(key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain && !key.starts_with(|c: char| c.is_ascii_digit()) { key.to_owned() } else { format!("{key:?}") }
}
