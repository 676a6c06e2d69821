//! Changes in order, and everything that lies between two versions.

use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostic, Severity};
use crate::json::Program;
use crate::json::edit::Entry;
use crate::route::{Router, Segment, Template};
use crate::version::VersionId;

use super::ast::{ApiFiles, Change, HttpBlock, PatchMode};
use super::diagnostics as code;
use super::head::HeadPlan;
use super::lens::{Lowered, Mode, Op, lower_ops};
use super::path::Part;
use super::plan::{CallPlan, MessagePlan, Pair, ResponsePlans};
use super::{Api, Direction, StatusRange, socket};

/// Puts an API's changes in order: by version, then `after`, then file name.
pub(super) fn order(files: ApiFiles, diagnostics: &mut Vec<Diagnostic>) -> Option<Api> {
    let ApiFiles { name, versions, resolver, on_error, after_sunset, problems, patch, mut changes, tests } = files;
    changes.sort_by(|a, b| (a.since, &a.file).cmp(&(b.since, &b.file)));
    let errors = diagnostics.len();
    check_names(&changes, diagnostics);
    let changes = sort_by_after(changes, diagnostics);
    if diagnostics[errors..].iter().any(|d| d.severity == Severity::Error) {
        return None;
    }
    let pairs = (0..versions.0.len() * versions.0.len()).map(|_| OnceLock::new()).collect();
    Some(Api { name, versions, resolver, on_error, after_sunset, problems, patch, changes, tests, pairs })
}

fn check_names(changes: &[Change], diagnostics: &mut Vec<Diagnostic>) {
    for (at, change) in changes.iter().enumerate() {
        if let Some(first) = changes[..at].iter().find(|other| other.id == change.id) {
            let message = format!("the change `{}` stands in `{}` already", change.id, first.file);
            diagnostics.push(Diagnostic::error(code::ORDER, &change.file, change.span, message));
        }
        for (name, span) in &change.after {
            let message = match changes.iter().find(|other| *other.id == **name) {
                None => format!("there is no change `{name}`"),
                Some(other) if other.since > change.since => format!("`{name}` belongs to a later version"),
                Some(other) if other.id == change.id => "a change cannot come after itself".to_owned(),
                Some(_) => continue,
            };
            diagnostics.push(Diagnostic::error(code::ORDER, &change.file, *span, message));
        }
    }
}

/// Takes, again and again, the first change all of whose predecessors were taken.
fn sort_by_after(mut changes: Vec<Change>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Change> {
    let mut sorted: Vec<Change> = Vec::with_capacity(changes.len());
    while !changes.is_empty() {
        let waits = |change: &Change| change.after.iter().any(|(name, _)| changes.iter().any(|other| *other.id == **name));
        let Some(at) = changes.iter().position(|change| change.since == changes[0].since && !waits(change)) else {
            let first = &changes[0];
            let message = format!("the change `{}` waits for itself by way of `after`", first.id);
            diagnostics.push(Diagnostic::error(code::ORDER, &first.file, first.span, message));
            return sorted;
        };
        sorted.push(changes.remove(at));
    }
    sorted
}

/// A change on the way from one version to another.
#[derive(Clone, Copy)]
struct Step<'a> {
    change: &'a Change,
    direction: Direction,
}

/// The way of requests from a client's version to a backend's.
fn steps(api: &Api, client: VersionId, backend: VersionId) -> Vec<Step<'_>> {
    let Some(direction) = Direction::between(client, backend) else { return Vec::new() };
    let (older, newer) = (client.min(backend), client.max(backend));
    let between = api.changes.iter().filter(|change| change.since > older && change.since <= newer);
    let mut steps: Vec<Step<'_>> = between.map(|change| Step { change, direction }).collect();
    if direction == Direction::Down {
        steps.reverse();
    }
    steps
}

/// Compiles everything between a client's version and a backend's.
pub(super) fn pair(api: &Api, client: VersionId, backend: VersionId) -> Pair {
    compile(api, &steps(api, client, backend))
}

/// Compiles one change alone, for clients on the side from which `direction` leads.
pub(super) fn change_pair(api: &Api, change: &Change, direction: Direction) -> Pair {
    compile(api, &[Step { change, direction }])
}

fn compile(api: &Api, steps: &[Step<'_>]) -> Pair {
    let mut calls = Vec::new();
    let mut router = Router::new();
    for template in templates(steps) {
        router.insert(&template, calls.len());
        calls.push(call(api, steps, &template));
    }
    let every = Template { method: None, segments: vec![Segment::Rest] };
    Pair {
        router,
        calls,
        default: call(api, steps, &every),
        sockets: socket::compile(&steps.iter().map(|step| (step.change, step.direction)).collect::<Vec<_>>()),
    }
}

/// Every call that some change on the way touches, as the client spells it.
fn templates(steps: &[Step<'_>]) -> Vec<Template> {
    let mut templates: Vec<Template> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        for block in &step.change.http {
            for near in near_side(block, step.direction) {
                let template = steps[..at].iter().rev().fold(near, |template, earlier| earlier.route(&template, Side::Far));
                if !templates.iter().any(|other| other.same_shape(&template)) {
                    templates.push(template);
                }
            }
        }
    }
    templates
}

/// A block's calls as the side that the request comes from spells them.
fn near_side(block: &HttpBlock, direction: Direction) -> Vec<Template> {
    match (&block.route, direction) {
        (Some(route), Direction::Down) => vec![route.clone()],
        _ => block.calls.clone(),
    }
}

/// Which side of a step a template is spelled for: where the request comes from, or where it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Near,
    Far,
}

impl Step<'_> {
    /// The template on the other side of the step.
    fn route(&self, template: &Template, side: Side) -> Template {
        let routes = self.change.http.iter().filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?)));
        let older_to_newer = (self.direction == Direction::Up) == (side == Side::Near);
        let sides = routes.map(|(old, new)| if older_to_newer { (old, new) } else { (new, old) });
        let best = sides.filter(|(from, _)| from.covers(template)).reduce(|best, next| if next.0.more_specific(best.0) { next } else { best });
        best.map_or_else(|| template.clone(), |(from, to)| rewrite(template, from, to))
    }

    /// The blocks about a call that is spelled for the near side: those of the most specific template that covers
    /// it, and those about every call.
    fn blocks(&self, call: &Template) -> Vec<&HttpBlock> {
        let matching = |block: &HttpBlock| near_side(block, self.direction).into_iter().filter(|t| t.covers(call)).reduce(|a, b| if b.more_specific(&a) { b } else { a });
        let best = self.change.http.iter().filter_map(matching).reduce(|a, b| if b.more_specific(&a) { b } else { a });
        let applies = |block: &&HttpBlock| block.calls.is_empty() || best.as_ref().is_some_and(|best| near_side(block, self.direction).iter().any(|t| t.same_shape(best)));
        self.change.http.iter().filter(applies).collect()
    }
}

/// `template`, which `from` covers, in the shape of `to`; parameters pair up by position.
fn rewrite(template: &Template, from: &Template, to: &Template) -> Template {
    let mut bound = Vec::new();
    for (at, segment) in from.segments.iter().enumerate() {
        match segment {
            Segment::Literal(_) => {}
            Segment::Param(_) => bound.push(template.segments[at..=at].to_vec()),
            Segment::Rest => bound.push(template.segments[at..].to_vec()),
        }
    }
    let mut bound = bound.into_iter();
    let mut segments = Vec::new();
    for segment in &to.segments {
        match (segment, if matches!(segment, Segment::Literal(_)) { None } else { bound.next() }) {
            // A parameter keeps the name that this side gives it.
            (Segment::Param(_), Some(given)) if matches!(given.as_slice(), [Segment::Param(_)]) => segments.push(segment.clone()),
            (_, Some(given)) => segments.extend(given),
            (_, None) => segments.push(segment.clone()),
        }
    }
    Template { method: if to.method.is_some() { to.method.clone() } else { template.method.clone() }, segments }
}

/// Compiles one call.
fn call(api: &Api, steps: &[Step<'_>], template: &Template) -> CallPlan {
    let mut at = vec![template.clone()];
    let mut blocks = Vec::new();
    let mut request = Message::default();
    for step in steps {
        let here = at.last().unwrap_or(template).clone();
        let found = step.blocks(&here);
        let next = step.route(&here, Side::Near);
        let mode = mode(api, &here);
        // Ops name parameters as the older side does.
        if step.direction == Direction::Down {
            request.rename_params(&here, &next);
        }
        let ordered: Vec<&&HttpBlock> = in_order(&found, step.direction);
        for block in ordered {
            request.extend(&step.change.id, &block.request, step.direction, mode);
        }
        if step.direction == Direction::Up {
            request.rename_params(&here, &next);
        }
        blocks.push(found);
        at.push(next);
    }
    let far = at.last().unwrap_or(template).clone();
    let label = if template.method.is_none() && template.has_rest() && template.segments.len() == 1 { "*".to_owned() } else { template.to_string() };
    CallPlan {
        label,
        request: request.compile(),
        route: (far != *template || !keeps_path(&far)).then(|| (template.clone(), far)),
        responses: responses(steps, &blocks),
    }
}

/// Whether a template has nothing that an op on `path:` could change.
fn keeps_path(template: &Template) -> bool {
    template.params().count() == 0 || template.has_rest()
}

fn in_order<T>(list: &[T], direction: Direction) -> Vec<&T> {
    match direction {
        Direction::Up => list.iter().collect(),
        Direction::Down => list.iter().rev().collect(),
    }
}

fn mode(api: &Api, call: &Template) -> Mode {
    match api.patch {
        PatchMode::Merge if call.method == Some(http::Method::PATCH) => Mode::MergePatch,
        PatchMode::Merge | PatchMode::Full => Mode::Full,
    }
}

/// The edits of one message, part by part.
#[derive(Debug, Default, Clone, PartialEq)]
struct Message {
    head: Vec<Entry>,
    body: Vec<Entry>,
}

impl Message {
    fn extend(&mut self, change: &Arc<str>, ops: &[Op], direction: Direction, mode: Mode) {
        for Lowered { part, mut entry } in lower_ops(ops, direction, mode) {
            entry.change = Some(Arc::clone(change));
            match part {
                Part::Head => self.head.push(entry),
                Part::Body => self.body.push(entry),
            }
        }
    }

    fn rename_params(&mut self, from: &Template, to: &Template) {
        let pairs: Vec<(String, String)> = from.params().zip(to.params()).filter(|(a, b)| a != b).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        if !pairs.is_empty() {
            self.head.push(HeadPlan::rename_params(pairs));
        }
    }

    fn compile(self) -> MessagePlan {
        let uses_head = self.head.iter().any(|entry| entry.change.is_some());
        MessagePlan { head: uses_head.then(|| HeadPlan::new(self.head)), body: Arc::new(Program::fuse(self.body)) }
    }
}

/// The responses' plans: one for each group of statuses that are treated alike.
fn responses(steps: &[Step<'_>], blocks: &[Vec<&HttpBlock>]) -> ResponsePlans {
    let mut starts: Vec<u16> = vec![100];
    let all = blocks.iter().flatten().flat_map(|block| &block.response);
    for (range, ops) in all {
        starts.extend([range.first, range.last + 1]);
        if ops.iter().any(Op::touches_status) {
            // What such an op makes of a status is not known beforehand: look at every one.
            starts.extend(100..600);
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let mut plans: Vec<(u16, Message)> = Vec::new();
    for start in starts.into_iter().filter(|start| (100..600).contains(start)) {
        let message = response(steps, blocks, start);
        if plans.last().is_none_or(|(_, last)| *last != message) {
            plans.push((start, message));
        }
    }
    ResponsePlans(plans.into_iter().map(|(start, message)| (start, message.compile())).collect())
}

/// Ranges are of statuses as the older version has them.
fn older_status(ops: &[Op], direction: Direction, status: u16) -> u16 {
    if direction == Direction::Up || !ops.iter().any(Op::touches_status) {
        return status;
    }
    let lowered = lower_ops(ops, direction, Mode::Full).into_iter().filter(|lowered| lowered.part == Part::Head);
    HeadPlan::status_after(&lowered.map(|lowered| lowered.entry).collect::<Vec<_>>(), status)
}

/// The edits of a response with this status, from the backend back to the client.
fn response(steps: &[Step<'_>], blocks: &[Vec<&HttpBlock>], status: u16) -> Message {
    let mut message = Message::default();
    let mut status = status;
    for (step, blocks) in steps.iter().zip(blocks).rev() {
        let direction = step.direction.turned();
        let before = message.head.len();
        for block in in_order(blocks, direction) {
            let fits = |(range, ops): &&(StatusRange, Vec<Op>)| range.contains(older_status(ops, direction, status));
            let ops = block.response.iter().filter(fits).min_by_key(|(range, _)| range.width());
            if let Some((_, ops)) = ops {
                message.extend(&step.change.id, ops, direction, Mode::Full);
            }
        }
        status = HeadPlan::status_after(&message.head[before..], status);
    }
    message
}
