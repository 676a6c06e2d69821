//! Everything that lies between two versions: which calls the changes on the way name, and what they do to each.

use std::collections::HashSet;
use std::sync::Arc;

use crate::json::Program;
use crate::json::edit::Entry;
use crate::route::{Router, Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, HttpBlock, PatchMode};
use super::head::HeadPlan;
use super::lens::{Lowered, Mode, Op, lower_ops};
use super::path::Part;
use super::plan::{CallPlan, MessagePlan, Pair, ResponsePlans};
use super::{Api, Direction, StatusRange, socket};

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
    for template in templates(steps).unwrap_or_default() {
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

/// Overlapping templates meet in others. Real APIs have a few such meetings; files made to have very many are refused.
const MOST_MEETINGS: usize = 2000;

/// Every call that some change on the way touches, as the client spells it, and where two such templates overlap,
/// what they have in common: there the rules of both apply. `None` if these are too many.
fn templates(steps: &[Step<'_>]) -> Option<Vec<Template>> {
    let mut all = Distinct::default();
    for (at, step) in steps.iter().enumerate() {
        for call in step.change.http.iter().flat_map(|block| &block.calls) {
            let near = match step.direction {
                Direction::Up => call.clone(),
                Direction::Down => step.route(call, Side::Far),
            };
            all.add(steps[..at].iter().rev().fold(near, |template, earlier| earlier.route(&template, Side::Far)));
        }
    }
    let named = all.templates.len();
    let mut at = 1;
    while at < all.templates.len() {
        for other in 0..at {
            if let Some(meeting) = meet(&all.templates[at], &all.templates[other]) {
                all.add(meeting);
            }
        }
        if all.templates.len() > named + MOST_MEETINGS {
            return None;
        }
        at += 1;
    }
    Some(all.templates)
}

/// Whether the calls of an API's changes overlap in too many ways.
pub(super) fn overlaps_too_much(api: &Api) -> bool {
    templates(&steps(api, VersionId(0), api.versions.latest())).is_none()
}

/// Templates of different shapes, in the order in which they came.
#[derive(Default)]
struct Distinct {
    templates: Vec<Template>,
    shapes: HashSet<String>,
}

impl Distinct {
    fn add(&mut self, template: Template) {
        let nameless = template.segments.iter().map(|segment| {
            if let Segment::Param(_) = segment { Segment::Param(String::new()) } else { segment.clone() }
        });
        let shape = Template { method: template.method.clone(), segments: nameless.collect() }.to_string();
        if self.shapes.insert(shape) {
            self.templates.push(template);
        }
    }
}

/// The calls that both templates name, if there are any.
pub(super) fn meet(a: &Template, b: &Template) -> Option<Template> {
    let method = match (&a.method, &b.method) {
        (Some(a), Some(b)) if a != b => return None,
        (a, b) => a.clone().or_else(|| b.clone()),
    };
    let (short, long) = if a.segments.len() <= b.segments.len() { (a, b) } else { (b, a) };
    if short.segments.len() < long.segments.len() && !short.has_rest() {
        return None;
    }
    let both = |(at, segment): (usize, &Segment)| match (segment, short.segments.get(at)) {
        (Segment::Literal(a), Some(Segment::Literal(b))) if a != b => None,
        (Segment::Param(_) | Segment::Rest, Some(other @ (Segment::Literal(_) | Segment::Param(_)))) => {
            Some(other.clone())
        }
        _ => Some(segment.clone()),
    };
    let segments = long.segments.iter().enumerate().map(both).collect::<Option<Vec<_>>>()?;
    Some(Template { method, segments })
}

/// Which side of a step a template is spelled for: where the request comes from, or where it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Near,
    Far,
}

impl<'s> Step<'s> {
    /// The template on the other side of the step; `side` is where it comes from.
    fn route(&self, template: &Template, side: Side) -> Template {
        let routes = self.change.http.iter().filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?)));
        let older_to_newer = (self.direction == Direction::Up) == (side == Side::Near);
        let sides = routes.map(|(old, new)| if older_to_newer { (old, new) } else { (new, old) });
        let best = sides
            .filter(|(from, _)| from.covers(template))
            .reduce(|best, next| if next.0.more_specific(best.0) { next } else { best });
        best.map_or_else(|| template.clone(), |(from, to)| rewrite(template, from, to))
    }

    /// Whether a block or a route of the step may be about a call, as the near side spells it. What this says of a
    /// call is asked for every call and every change, so that it has to be cheap.
    fn concerns(&self, near: &Template) -> bool {
        let as_get = as_get(near);
        let covers = |t: &Template| t.covers(near) || as_get.as_ref().is_some_and(|call| t.covers(call));
        let http = &self.change.http;
        http.iter().any(|block| block.calls.is_empty() || block.calls.iter().chain(&block.route).any(covers))
    }

    /// The template as the older version spells it, given how the near and the far side do.
    fn older<'t>(&self, near: &'t Template, far: &'t Template) -> &'t Template {
        match self.direction {
            Direction::Up => near,
            Direction::Down => far,
        }
    }

    /// The blocks about a call that is spelled as in the older version: those of the most specific template that
    /// covers it, and those about every call. HEAD is as GET where nothing else is said of it.
    fn blocks(&self, call: &Template) -> Vec<&'s HttpBlock> {
        let named = || self.change.http.iter().flat_map(|block| &block.calls);
        let best =
            |call: &Template| named().filter(|t| t.covers(call)).reduce(|a, b| if b.more_specific(a) { b } else { a });
        let best = best(call).or_else(|| best(&as_get(call)?));
        let applies = |block: &&HttpBlock| {
            block.calls.is_empty() || best.is_some_and(|best| block.calls.iter().any(|t| t.same_shape(best)))
        };
        self.change.http.iter().filter(applies).collect()
    }
}

/// A call with HEAD as one with GET.
fn as_get(call: &Template) -> Option<Template> {
    (call.method == Some(http::Method::HEAD))
        .then(|| Template { method: Some(http::Method::GET), segments: call.segments.clone() })
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
            (Segment::Param(_), Some(given)) if matches!(given.as_slice(), [Segment::Param(_)]) => {
                segments.push(segment.clone());
            }
            (_, Some(given)) => segments.extend(given),
            (_, None) => segments.push(segment.clone()),
        }
    }
    let method = if to.method == from.method { template.method.clone() } else { to.method.clone() };
    Template { method, segments }
}

/// Compiles one call.
fn call(api: &Api, steps: &[Step<'_>], template: &Template) -> CallPlan {
    let mut here = template.clone();
    let (mut concerned, mut blocks) = (Vec::new(), Vec::new());
    let mut request = Message::default();
    for step in steps {
        if !step.concerns(&here) {
            continue;
        }
        let next = step.route(&here, Side::Near);
        let older = step.older(&here, &next);
        let found = step.blocks(older);
        // Ops name parameters as the older side does.
        if step.direction == Direction::Down {
            request.rename_params(by_order(&here, &next));
        }
        for block in in_order(&found, step.direction) {
            let names =
                block.calls.iter().find(|call| call.covers(older)).map(|own| by_place(older, own)).unwrap_or_default();
            let back = names.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
            request.rename_params(names);
            request.extend(&step.change.id, &block.request, step.direction, mode(api, &here));
            request.rename_params(back);
        }
        if step.direction == Direction::Up {
            request.rename_params(by_order(&here, &next));
        }
        concerned.push(*step);
        blocks.push(found);
        here = next;
    }
    let far = here;
    let label = if template.method.is_none() && template.has_rest() && template.segments.len() == 1 {
        "*".to_owned()
    } else {
        template.to_string()
    };
    CallPlan {
        label,
        request: request.compile(),
        route: (far != *template || !keeps_path(&far)).then(|| (template.clone(), far)),
        responses: responses(&concerned, &blocks),
    }
}

/// The names that change where parameters pair up by their order.
fn by_order(from: &Template, to: &Template) -> Vec<(String, String)> {
    from.params().zip(to.params()).filter(|(a, b)| a != b).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The names that the parameters of a template have in another that covers it. One that the other has no name for
/// gets a name that no parameter can have.
fn by_place(template: &Template, other: &Template) -> Vec<(String, String)> {
    let pairs =
        template.segments.iter().enumerate().filter_map(|(at, segment)| match (segment, other.segments.get(at)) {
            (Segment::Param(name), Some(Segment::Param(own))) => Some((name.clone(), own.clone())),
            (Segment::Param(name), _) => Some((name.clone(), format!("*{name}"))),
            (Segment::Literal(_) | Segment::Rest, _) => None,
        });
    pairs.filter(|(a, b)| a != b).collect()
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

    fn rename_params(&mut self, pairs: Vec<(String, String)>) {
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
        for op in ops.iter().filter(|op| op.touches_status()) {
            match op.statuses() {
                Some(statuses) => starts.extend(statuses.into_iter().flat_map(|status| [status, status + 1])),
                // What such an op makes of a status is not known beforehand: look at every one.
                None => starts.extend(100..600),
            }
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
