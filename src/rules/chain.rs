//! Everything that lies between two versions: which calls the changes on the way name, and what they do to each.

use std::collections::HashSet;
use std::sync::Arc;

use crate::json::Program;
use crate::json::edit::Entry;
use crate::route::{Router, Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, HttpBlock, PatchMode};
use super::head::HeadPlan;
use super::lens::{Lowered, Mode, Op, body_in_message, lower_ops};
use super::path::Part;
use super::plan::{Absent, CallPlan, MessagePlan, Pair, ResponsePlans};
use super::step::{Side, Step, by_place, literals, renamed};
use super::{Api, Direction, StatusRange, socket, socketio};

/// The way of requests from a client's version to a backend's.
pub(super) fn steps(api: &Api, client: VersionId, backend: VersionId) -> Vec<Step<'_>> {
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
    compile(api, &steps(api, client, backend), (client, backend))
}

/// Compiles one change alone, for clients on the side from which `direction` leads.
pub(super) fn change_pair(api: &Api, change: &Change, direction: Direction) -> Pair {
    let (older, newer) = (VersionId(change.since.0 - 1), change.since);
    let versions = if direction == Direction::Up { (older, newer) } else { (newer, older) };
    compile(api, &[Step { change, direction }], versions)
}

fn compile(api: &Api, steps: &[Step<'_>], (client, backend): (VersionId, VersionId)) -> Pair {
    let arrays = |version: VersionId| api.query_arrays.get(usize::from(version.0)).copied().unwrap_or_default();
    let mut calls = Vec::new();
    let mut router = Router::new();
    for template in templates(steps, Vec::new()).unwrap_or_default() {
        router.insert(&template, calls.len());
        calls.push(call(api, steps, &template));
    }
    let every = Template { method: None, segments: vec![Segment::Rest] };
    let changes: Vec<_> = steps.iter().map(|step| (step.change, step.direction)).collect();
    Pair {
        router,
        calls,
        default: call(api, steps, &every),
        sockets: socket::compile(&changes),
        namespaces: socketio::compile(&changes),
        arrays: (arrays(client), arrays(backend)),
    }
}

/// Overlapping templates meet in others. Real APIs have a few such meetings; files made to have very many are refused.
const MOST_MEETINGS: usize = 2000;

/// Every call that some change on the way touches, as the client spells it, and where two such templates overlap,
/// what they have in common: there the rules of both apply. `more` are further calls, as the client spells them.
/// `None` if these are too many.
pub(super) fn templates(steps: &[Step<'_>], more: Vec<Template>) -> Option<Vec<Template>> {
    let mut all = Distinct::default();
    for (at, step) in steps.iter().enumerate() {
        for (block, call) in step.change.http.iter().flat_map(|block| block.calls.iter().map(move |call| (block, call)))
        {
            let is_near = block.is_added() == (step.direction == Direction::Down);
            let near = if is_near { call.clone() } else { step.route(call, Side::Far) };
            all.add(steps[..at].iter().rev().fold(near, |template, earlier| earlier.route(&template, Side::Far)));
        }
    }
    for call in more {
        all.add(call);
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
    templates(&steps(api, VersionId(0), api.versions.latest()), Vec::new()).is_none()
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

/// Compiles one call.
fn call(api: &Api, steps: &[Step<'_>], template: &Template) -> CallPlan {
    let mut here = template.clone();
    let (mut concerned, mut blocks) = (Vec::new(), Vec::new());
    let (mut request, mut patch) = (Message::default(), Message::default());
    for step in steps {
        if !step.concerns(&here) {
            continue;
        }
        let next = step.route(&here, Side::Near);
        let (older, newer) = step.spellings(&here, &next);
        let found = step.blocks(older);
        if let Some(absence) = step.absence(older, newer, &found) {
            return CallPlan::absent(label(template), absence);
        }
        let way = step.way(&here, Side::Near);
        request.add_params(way.map(|(from, to)| literals(&here, from, to)).unwrap_or_default());
        // Ops name parameters as the older side does.
        if step.direction == Direction::Down {
            request.rename_params(renamed(&here, &next, way));
        }
        for block in in_order(&found, step.direction) {
            let names =
                block.calls.iter().find(|call| call.covers(older)).map(|own| by_place(older, own)).unwrap_or_default();
            let back = names.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
            request.rename_params(names);
            request.extend(&step.change.id, &block.request, step.direction, mode(api, &here));
            patch.extend(&step.change.id, &block.request, step.direction, Mode::Full);
            request.rename_params(back);
        }
        if step.direction == Direction::Up {
            request.rename_params(renamed(&here, &next, way));
        }
        concerned.push(*step);
        blocks.push(found);
        here = next;
    }
    let far = here;
    let may_patch = template.method.as_ref().is_none_or(|method| *method == http::Method::PATCH);
    CallPlan {
        label: label(template),
        request: request.compile(),
        patch: if may_patch { patch.of_body() } else { Vec::new() },
        absence: None,
        route: (far != *template || !keeps_path(&far)).then(|| (template.clone(), far)),
        responses: responses(&concerned, &blocks),
    }
}

fn label(template: &Template) -> String {
    let is_every = template.method.is_none() && template.has_rest() && template.segments.len() == 1;
    if is_every { "*".to_owned() } else { template.to_string() }
}

impl CallPlan {
    /// The plan of a call that is never sent on.
    fn absent(label: String, absence: Absent) -> Self {
        let nothing = || Message::default().compile();
        Self {
            label,
            request: nothing(),
            route: None,
            responses: ResponsePlans(vec![(100, nothing())]),
            absence: Some(absence),
            patch: Vec::new(),
        }
    }
}

/// Whether a template has nothing that an op on `path:` could change.
fn keeps_path(template: &Template) -> bool {
    template.params().count() == 0 || template.has_rest()
}

pub(super) fn in_order<T>(list: &[T], direction: Direction) -> Vec<&T> {
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

/// The edits of one message, in order.
#[derive(Debug, Default, Clone, PartialEq)]
struct Message(Vec<Lowered>);

impl Message {
    fn extend(&mut self, change: &Arc<str>, ops: &[Op], direction: Direction, mode: Mode) {
        self.0.extend(lower_ops(ops, direction, mode).into_iter().map(|mut lowered| {
            lowered.entry.change = Some(Arc::clone(change));
            lowered
        }));
    }

    /// Gives the document parameters that the call has no name for.
    fn add_params(&mut self, params: Vec<(String, String)>) {
        self.0.extend(
            params
                .into_iter()
                .map(|(name, text)| Lowered { part: Part::Head, entry: HeadPlan::add_param(name, &text) }),
        );
    }

    /// The edits of the body alone.
    fn of_body(self) -> Vec<Entry> {
        self.0.into_iter().filter(|lowered| lowered.part == Part::Body).map(|lowered| lowered.entry).collect()
    }

    fn rename_params(&mut self, pairs: Vec<(String, String)>) {
        if !pairs.is_empty() {
            self.0.push(Lowered { part: Part::Head, entry: HeadPlan::rename_params(pairs) });
        }
    }

    fn compile(self) -> MessagePlan {
        if self.0.iter().any(|lowered| lowered.part == Part::Both) {
            let entries = self.0.into_iter().map(|Lowered { part, entry }| match part {
                Part::Head | Part::Both => entry,
                Part::Body => body_in_message(entry),
            });
            let head = Some(HeadPlan::new(entries.collect()));
            return MessagePlan { head, body: Arc::default(), is_united: true };
        }
        let (head, body): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|lowered| lowered.part == Part::Head);
        let entries = |lowered: Vec<Lowered>| lowered.into_iter().map(|lowered| lowered.entry).collect::<Vec<_>>();
        let uses_head = head.iter().any(|lowered| lowered.entry.change.is_some());
        MessagePlan {
            head: uses_head.then(|| HeadPlan::new(entries(head))),
            body: Arc::new(Program::fuse(entries(body))),
            is_united: false,
        }
    }
}

/// The responses' plans: one for each group of statuses that are treated alike.
fn responses(steps: &[Step<'_>], blocks: &[Vec<&HttpBlock>]) -> ResponsePlans {
    let mut plans: Vec<(u16, Message)> = Vec::new();
    for start in starts(blocks.iter().flatten().copied()) {
        let message = response(steps, blocks, start);
        if plans.last().is_none_or(|(_, last)| *last != message) {
            plans.push((start, message));
        }
    }
    ResponsePlans(plans.into_iter().map(|(start, message)| (start, message.compile())).collect())
}

/// The lowest statuses of groups that these blocks treat alike, from 100 up.
pub(super) fn starts<'b>(blocks: impl Iterator<Item = &'b HttpBlock>) -> Vec<u16> {
    let mut starts: Vec<u16> = vec![100];
    for (range, ops) in blocks.flat_map(|block| &block.response) {
        starts.extend([range.first, range.last + 1]);
        for op in ops.iter().filter(|op| op.touches_status()) {
            match op.statuses() {
                Some(statuses) => starts.extend(statuses.into_iter().flat_map(|status| [status, status + 1])),
                // What such an op makes of a status is not known beforehand: look at every one.
                None => starts.extend(100..600),
            }
        }
    }
    starts.retain(|start| (100..600).contains(start));
    starts.sort_unstable();
    starts.dedup();
    starts.retain(|start| (100..600).contains(start));
    starts
}

/// Ranges are of statuses as the older version has them.
pub(super) fn older_status(ops: &[Op], direction: Direction, status: u16) -> u16 {
    if direction == Direction::Up || !ops.iter().any(Op::touches_status) {
        return status;
    }
    status_after(&lower_ops(ops, direction, Mode::Full), status)
}

/// What the edits of a message make of a status, as far as that depends on nothing else.
pub(super) fn status_after(lowered: &[Lowered], status: u16) -> u16 {
    let head = lowered.iter().filter(|lowered| lowered.part == Part::Head);
    HeadPlan::status_after(head.map(|lowered| lowered.entry.clone()).collect(), status)
}

/// What a block says of responses with this status: the narrowest range that fits decides.
pub(super) fn response_ops(block: &HttpBlock, direction: Direction, status: u16) -> &[Op] {
    let fits = |(range, ops): &&(StatusRange, Vec<Op>)| range.contains(older_status(ops, direction, status));
    block.response.iter().filter(fits).min_by_key(|(range, _)| range.width()).map_or(&[], |(_, ops)| ops)
}

/// Appends what a change's blocks do to a response with this status, and returns the status it has then.
fn response_step(
    step: Step<'_>,
    blocks: &[&HttpBlock],
    direction: Direction,
    status: u16,
    message: &mut Message,
) -> u16 {
    let before = message.0.len();
    for block in in_order(blocks, direction) {
        message.extend(&step.change.id, response_ops(block, direction, status), direction, Mode::Full);
    }
    status_after(&message.0[before..], status)
}

/// The status that the older version has where the newer has this one.
pub(super) fn status_below(step: Step<'_>, blocks: &[&HttpBlock], status: u16) -> u16 {
    response_step(step, blocks, Direction::Down, status, &mut Message::default())
}

/// The edits of a response with this status, from the backend back to the client.
fn response(steps: &[Step<'_>], blocks: &[Vec<&HttpBlock>], status: u16) -> Message {
    let mut message = Message::default();
    let mut status = status;
    for (step, blocks) in steps.iter().zip(blocks).rev() {
        status = response_step(*step, blocks, step.direction.turned(), status, &mut message);
    }
    message
}
