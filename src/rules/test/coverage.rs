//! What the tests of rule files made the ops do: ops that changed something, pairs of `map` that were used.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;

use crate::diagnostic::Span;
use crate::json::edit::{Edit, Token, ValueEdit};
use crate::json::{Items, Kind, Limits, same, unescape};
use crate::rules::ast::{Change, QueryArrays};
use crate::rules::document::Document;
use crate::rules::head::HeadPlan;
use crate::rules::lens::{Mode, Op, lower_ops};
use crate::rules::path::{Location, Part};
use crate::rules::stage::{Cause, Stage};
use crate::rules::target::Asked;
use crate::rules::{Direction, RuleSet};

use super::track::run;
use super::{Headers, Track, header_map};

/// Which ops and pairs tests exercised.
#[derive(Debug, Default)]
pub struct Coverage {
    units: BTreeMap<Key, Unit>,
}

/// A file, where an op stands in it, the direction up or not, and one of the op's pairs.
type Key = (Arc<str>, Span, bool, Option<usize>);

#[derive(Debug)]
struct Unit {
    /// What to call it.
    what: String,
    exercised: bool,
}

/// An op or a pair that no test exercised in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The file.
    pub file: Arc<str>,
    /// Where the op stands.
    pub span: Span,
    /// Such as `convert`, or `map` with a pair.
    pub what: String,
    /// Up or down.
    pub direction: Direction,
}

impl Coverage {
    /// Everything that there is to exercise, and nothing of it done.
    pub(super) fn of(rules: &RuleSet) -> Self {
        let mut coverage = Self::default();
        for change in rules.apis.values().flat_map(|api| &api.changes) {
            for direction in [Direction::Up, Direction::Down] {
                ops_of(change).for_each(|op| coverage.add(&change.file, op, direction));
            }
        }
        coverage
    }

    /// How many ops and pairs there are, each direction counted, and how many of them tests exercised.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.units.len(), self.units.values().filter(|unit| unit.exercised).count())
    }

    /// What no test exercised, in the order of the files.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        let missed = self.units.iter().filter(|(_, unit)| !unit.exercised);
        missed.map(|((file, span, up, _), unit)| Gap {
            file: Arc::clone(file),
            span: *span,
            what: unit.what.clone(),
            direction: if *up { Direction::Up } else { Direction::Down },
        })
    }

    fn add(&mut self, file: &Arc<str>, op: &Op, direction: Direction) {
        let lowered = lower_ops(std::slice::from_ref(op), direction, Mode::Full);
        // Tests do not look at the parameters of a path one by one.
        if lowered.is_empty() || op.places().any(|place| place.location == Location::Path) {
            return;
        }
        let mut unit = |pair, what| {
            let key = (Arc::clone(file), op.span, direction == Direction::Up, pair);
            self.units.entry(key).or_insert(Unit { what, exercised: false });
        };
        unit(None, format!("`{}`", op.lens.name()));
        for (number, (from, to)) in pairs(lowered.iter().map(|lowered| &lowered.entry.edit)) {
            let text = |json: &[u8]| String::from_utf8_lossy(json).into_owned();
            unit(Some(number), format!("the pair {} to {} of `map`", text(from), text(to)));
        }
        if let Some((_, ops)) = op.inside() {
            for op in ops {
                self.add(file, op, direction);
            }
        }
    }

    fn note(&mut self, change: &Change, op: &Op, direction: Direction, pair: Option<usize>) {
        let key = (Arc::clone(&change.file), op.span, direction == Direction::Up, pair);
        if let Some(unit) = self.units.get_mut(&key) {
            unit.exercised = true;
        }
    }

    /// Notes what the ops do to a body.
    pub(super) fn body(&mut self, track: &Track<'_>, body: &[u8]) {
        let mut bodies = vec![body.to_vec()];
        for stage in &track.stages {
            bodies = self.stage(stage, track, &bodies);
        }
    }

    /// Notes what the ops do to a whole message.
    pub(super) fn message(&mut self, track: &Track<'_>, sent: &[u8]) {
        let Some(mut document) = track.to_edit(sent) else { return };
        for stage in &track.stages {
            let Some(after) = track.run_stage(stage, &document) else { return };
            if let Cause::Op { change, op, direction } = stage.cause {
                let acts = !same(&after, &document);
                if acts {
                    self.note(change, op, direction, None);
                }
                for part in [Part::Head, Part::Both] {
                    self.pairs_of(stage, part, &document, acts);
                }
                if let Some(body) = Document(&document).member(Location::Body.name()) {
                    self.pairs_of(stage, Part::Body, body, acts);
                    self.inside(stage, track, body);
                }
            }
            document = after;
        }
    }

    /// Notes what one stage does to some values, and gives what they become.
    fn stage(&mut self, stage: &Stage<'_>, track: &Track<'_>, values: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let program = stage.program();
        let mut after = Vec::new();
        for value in values {
            let done = run(&program, &track.values, value);
            if let Cause::Op { change, op, direction } = stage.cause
                && stage.is_about(Part::Body)
            {
                let acts = !matches!(&done, Ok(Some(done)) if same(done, value));
                if acts {
                    self.note(change, op, direction, None);
                }
                self.pairs_of(stage, Part::Body, value, acts);
                self.inside(stage, track, value);
            }
            after.extend(done.ok().flatten());
        }
        after
    }

    /// Notes the pairs of a `map` that a value uses.
    fn pairs_of(&mut self, stage: &Stage<'_>, part: Part, value: &[u8], acts: bool) {
        let Cause::Op { change, op, direction } = stage.cause else { return };
        for entry in stage.of(part) {
            let Edit::Change { at, .. } = &entry.edit else { continue };
            let found = values_at(value, at);
            for (number, (from, to)) in pairs([&entry.edit]) {
                // A value that a guard kept from changing used no pair.
                let used = acts || (entry.guard.is_empty() && same(from, to));
                if used && found.iter().any(|found| same(found, from)) {
                    self.note(change, op, direction, Some(number));
                }
            }
        }
    }

    /// Notes what the ops of an `each` do to the values that it is about.
    fn inside(&mut self, stage: &Stage<'_>, track: &Track<'_>, value: &[u8]) {
        let Cause::Op { change, op, direction } = stage.cause else { return };
        let Some((at, ops)) = op.inside() else { return };
        let mut values: Vec<Vec<u8>> = values_at(value, &at).into_iter().map(<[u8]>::to_vec).collect();
        for stage in Stage::all(change, ops, direction, Mode::Full) {
            values = self.stage(&stage, track, &values);
        }
    }

    /// Notes what the ops do to a head: of a request, or of a response with this status.
    pub(super) fn head(&mut self, track: &Track<'_>, target: &str, headers: Headers<'_>, status: Option<StatusCode>) {
        let Ok(mut headers) = header_map(headers) else { return };
        let mut target = target.to_owned();
        let mut status = status;
        for stage in track.stages.iter().filter(|stage| stage.is_about(Part::Head)) {
            let Cause::Op { change, op, direction } = stage.cause else { continue };
            let plan = HeadPlan::new(stage.of(Part::Head).cloned().collect());
            let before = (target.clone(), status, headers.clone());
            if let Some(old) = status {
                let done = plan.response(old, &mut headers, None, &track.values, Limits::default());
                status = done.map(|(status, _)| status).ok().or(status);
            } else {
                let method = http::Method::GET;
                let arrays = (QueryArrays::default(), QueryArrays::default());
                let asked = Asked { plan: Some(&plan), route: None, params: &[], arrays };
                let done = asked.translate(&method, &target, &mut headers, None, &track.values, Limits::default());
                target = done.map_or(target, |(done, _)| done.path_and_query);
            }
            if before != (target.clone(), status, headers.clone()) {
                self.note(change, op, direction, None);
                self.note_head_pairs(stage, (change, op, direction), &before.0, before.1, &before.2);
            }
        }
    }

    /// Notes the pairs of a `map` whose text the head had.
    fn note_head_pairs(
        &mut self,
        stage: &Stage<'_>,
        (change, op, direction): (&Change, &Op, Direction),
        target: &str,
        status: Option<StatusCode>,
        headers: &http::HeaderMap,
    ) {
        for (number, (from, _)) in pairs(stage.of(Part::Head).map(|entry| &entry.edit)) {
            let text = String::from_utf8_lossy(&unescape(from)).into_owned();
            let has = op.places().any(|place| match (place.location, place.tokens.first()) {
                (Location::Status, _) => status.is_some_and(|status| status.as_str() == text),
                (Location::Header, Some(Token::Key(name))) => {
                    headers.get(name).is_some_and(|v| v.as_bytes() == text.as_bytes())
                }
                (Location::Query, Some(Token::Key(name))) => target.contains(&format!("{name}={text}")),
                _ => false,
            });
            if has {
                self.note(change, op, direction, Some(number));
            }
        }
    }
}

fn ops_of(change: &Change) -> impl Iterator<Item = &Op> {
    let http =
        change.http.iter().flat_map(|block| block.request.iter().chain(block.response.iter().flat_map(|(_, ops)| ops)));
    let sides = change.ws.iter().flat_map(|block| block.client.iter().chain(&block.server));
    let messages = sides.flat_map(|frames| &frames.frames).flat_map(|frame| &frame.ops);
    let events = change.socketio.iter().flat_map(|block| block.client.iter().chain(&block.server));
    http.chain(messages).chain(events.flat_map(|event| event.frame.ops.iter().chain(&event.ack)))
}

/// Two JSON texts that correspond.
type Pair<'e> = (&'e [u8], &'e [u8]);

/// The pairs of edits that map values, with their numbers; of those with one left side, only the first can be used.
fn pairs<'e>(edits: impl IntoIterator<Item = &'e Edit>) -> Vec<(usize, Pair<'e>)> {
    let mut all: Vec<(usize, Pair<'_>)> = Vec::new();
    for edit in edits {
        let Edit::Change { how: ValueEdit::Map { pairs, .. }, .. } = edit else { continue };
        for (number, (from, to)) in pairs.iter().enumerate() {
            if !all.iter().any(|(_, (other, _))| same(other, from)) {
                all.push((number, (from, to)));
            }
        }
    }
    all
}

/// The values of a document at a path.
fn values_at<'v>(value: &'v [u8], path: &[Token]) -> Vec<&'v [u8]> {
    let Some((first, rest)) = path.split_first() else { return vec![value] };
    let kind = Kind::of(value);
    if !matches!(kind, Kind::Object | Kind::Array) {
        return Vec::new();
    }
    let fits = |number: usize, name: &[u8]| match first {
        Token::Any => true,
        Token::Key(key) if kind == Kind::Object => *unescape(name) == *key.as_bytes(),
        Token::Key(key) => key.parse() == Ok(number),
    };
    let items = Items::new(value, 0).enumerate();
    let hits = items.filter(|(number, item)| fits(*number, &value[item.name.clone()]));
    hits.flat_map(|(_, item)| values_at(&value[item.value], rest)).collect()
}
