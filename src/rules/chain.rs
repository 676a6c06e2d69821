//! Everything that lies between two versions: which calls the changes on the way name, and what they do to each.

use std::collections::HashSet;
use std::sync::Arc;

use crate::json::Program;
use crate::json::edit::Entry;
use crate::route::{Index, Router, Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, HttpBlock, PatchMode};
use super::head::HeadPlan;
use super::lens::{Lowered, Mode, Op, lower_ops};
use super::path::Part;
use super::plan::{Absent, CallPlan, MessagePlan, Pair, ResponsePlans};
use super::stage::{Cause, Stage, bodies, whole};
use super::step::{Side, Step, by_place, literals, renamed};
use super::steps::{Hop, Steps};
use super::{Api, Direction, StatusRange, socket, socketio};

/// The way of requests from a client's version to a backend's.
pub(super) fn steps(api: &Api, client: VersionId, backend: VersionId) -> Steps<'_> {
    let Some(direction) = Direction::between(client, backend) else { return Steps::default() };
    let (older, newer) = (client.min(backend), client.max(backend));
    let between = api.changes.iter().filter(|change| change.since > older && change.since <= newer);
    let mut steps: Vec<Step<'_>> = between.map(|change| Step { change, direction }).collect();
    if direction == Direction::Down {
        steps.reverse();
    }
    Steps::new(steps)
}

/// Compiles everything between a client's version and a backend's.
pub(super) fn pair(api: &Api, client: VersionId, backend: VersionId) -> Pair {
    compile(api, &steps(api, client, backend), (client, backend))
}

/// Compiles what some steps do, for clients of one version before a backend of another.
pub(super) fn compile(api: &Api, steps: &Steps<'_>, (client, backend): (VersionId, VersionId)) -> Pair {
    let arrays = |version: VersionId| api.query_arrays.get(usize::from(version.0)).copied().unwrap_or_default();
    let mut calls = Vec::new();
    let mut router = Router::new();
    for template in templates(steps, Vec::new()).unwrap_or_default() {
        router.insert(&template, calls.len());
        calls.push(call(api, steps, &template));
    }
    let every = Template { method: None, segments: vec![Segment::Rest] };
    Pair {
        router,
        calls,
        default: call(api, steps, &every),
        sockets: socket::compile(&steps.all),
        namespaces: socketio::compile(&steps.all),
        arrays: (arrays(client), arrays(backend)),
    }
}

/// A call of one version, as another spells it; the first of those that it may be there.
pub(super) fn spelled(api: &Api, call: &Template, backend: VersionId, client: VersionId) -> Template {
    let steps = steps(api, client, backend);
    steps.back(steps.all.len(), call.clone()).0
}

/// Overlapping templates meet in others. Real APIs have a few such meetings; files made to have very many are refused.
const MOST_MEETINGS: usize = 2000;

/// Every call that some change on the way touches, as the client spells it, and where two such templates overlap,
/// what they have in common: there the rules of both apply. `more` are further calls, as the client spells them.
/// `None` if these are too many, or become others too often.
pub(super) fn templates(steps: &Steps<'_>, more: Vec<Template>) -> Option<Vec<Template>> {
    let mut all = Distinct::default();
    let mut hops = 0;
    for (at, step) in steps.all.iter().enumerate() {
        for (block, call) in step.change.http.iter().flat_map(|block| block.calls.iter().map(move |call| (block, call)))
        {
            let is_near = block.is_added() == (step.direction == Direction::Down);
            let near = if is_near { call.clone() } else { step.route(call, Side::Far) };
            let (first, count) = steps.back(at, near);
            all.add(first);
            hops += count;
            if hops > MOST_OPS {
                return None;
            }
        }
    }
    for call in more {
        all.add(call);
    }
    let named = all.templates.len();
    let mut before: Index<usize> = Index::default();
    let mut at = 0;
    while at < all.templates.len() {
        for other in before.meeting(&all.templates[at]) {
            if let Some(meeting) = meet(&all.templates[at], &all.templates[other]) {
                all.add(meeting);
            }
        }
        if all.templates.len() > named + MOST_MEETINGS {
            return None;
        }
        before.insert(&all.templates[at], at);
        at += 1;
    }
    Some(all.templates)
}

/// What changes say too much of to be looked at in a bearable time.
pub(super) enum TooMuch {
    /// Calls overlap, or become others, in too many ways.
    Overlaps,
    /// Too many calls meet too many ops.
    Ops,
    /// Too many messages of sockets do.
    Messages,
}

/// Ops that all calls meet on their way through all changes, and that all messages of sockets do. A thousand calls that
/// each meet a hundred ops are far below this.
pub(super) const MOST_OPS: usize = 500_000;

/// What the changes of an API say too much of.
pub(super) fn too_much(api: &Api) -> Option<TooMuch> {
    let steps = steps(api, VersionId(0), api.versions.latest());
    let Some(templates) = templates(&steps, Vec::new()) else { return Some(TooMuch::Overlaps) };
    let mut ops = 0;
    for hop in templates.iter().flat_map(|template| steps.follow(template)) {
        let blocks = hop.step.blocks(&hop.near);
        ops += 1 + blocks.iter().map(|block| block.count()).sum::<usize>();
        if ops > MOST_OPS {
            return Some(TooMuch::Ops);
        }
    }
    // Messages whose names become one meet the same ops from there on, whichever way that is.
    let back = self::steps(api, api.versions.latest(), VersionId(0));
    let is_bearable = |steps: &Steps<'_>| socket::is_bearable(&steps.all) && socketio::is_bearable(&steps.all);
    (!(is_bearable(&steps) && is_bearable(&back))).then_some(TooMuch::Messages)
}

/// Templates of different shapes, in the order in which they came.
#[derive(Default)]
struct Distinct {
    templates: Vec<Template>,
    shapes: HashSet<Template>,
}

impl Distinct {
    fn add(&mut self, template: Template) {
        if self.shapes.insert(template.shape()) {
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
fn call(api: &Api, steps: &Steps<'_>, template: &Template) -> CallPlan {
    let way = match way(api, steps, template) {
        Ok(way) => way,
        Err(absence) => return CallPlan::absent(label(template), absence),
    };
    let may_patch = template.method.as_ref().is_none_or(|method| *method == http::Method::PATCH);
    CallPlan {
        label: label(template),
        request: way.request.compile(),
        partial: partial(api, steps, template, &way.request),
        patch: if may_patch { bodies(&way.patch.stages) } else { Vec::new() },
        changes: way.steps.iter().map(|step| Arc::clone(&step.change.id)).collect(),
        absence: None,
        route: (way.far != *template || !keeps_path(&way.far)).then(|| (template.clone(), way.far)),
        responses: responses(&way.steps, &way.blocks),
    }
}

/// The plan of the requests with PATCH among those of any method, if it is another.
fn partial(api: &Api, steps: &Steps<'_>, template: &Template, whole: &Message<'_>) -> Option<MessagePlan> {
    let way = way(api, steps, &as_patch(template).filter(|_| api.patch == PatchMode::Merge)?).ok()?;
    (!way.request.edits().eq(whole.edits())).then(|| way.request.compile())
}

/// The calls with PATCH among those of any method.
fn as_patch(template: &Template) -> Option<Template> {
    let twin = || Template { method: Some(http::Method::PATCH), segments: template.segments.clone() };
    template.method.is_none().then(twin)
}

/// What a call meets on its way.
struct Way<'s> {
    request: Message<'s>,
    /// The request's ops as they are for whole documents.
    patch: Message<'s>,
    /// The steps that say something of the call.
    steps: Vec<Step<'s>>,
    /// The blocks of each of them.
    blocks: Vec<Vec<&'s HttpBlock>>,
    /// The call as the backend spells it.
    far: Template,
}

/// The way of a call, or why it ends before a backend.
fn way<'s>(api: &Api, steps: &Steps<'s>, template: &Template) -> Result<Way<'s>, Absent> {
    let (mut concerned, mut blocks) = (Vec::new(), Vec::new());
    let (mut request, mut patch) = (Message::default(), Message::default());
    let mut hops = steps.follow(template);
    for Hop { step, near: here, far: next } in &mut hops {
        let (older, newer) = step.spellings(&here, &next);
        let found = step.blocks(older);
        if let Some(absence) = step.absence(older, newer, &found) {
            return Err(absence);
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
            request.extend(step.change, &block.request, step.direction, mode(api, &here));
            patch.extend(step.change, &block.request, step.direction, Mode::Full);
            request.rename_params(back);
        }
        if step.direction == Direction::Up {
            request.rename_params(renamed(&here, &next, way));
        }
        concerned.push(step);
        blocks.push(found);
    }
    Ok(Way { request, patch, steps: concerned, blocks, far: hops.here })
}

/// One message of a call, for reports: of the request, or of the response with this status.
pub(super) struct Stages<'s> {
    /// What it meets on its way.
    pub(super) all: Vec<Stage<'s>>,
    /// The call as the client spells it, and as the backend does.
    pub(super) route: (Template, Template),
    /// Why there is no way.
    pub(super) absence: Option<Absent>,
}

/// What the request of a call, or its response with this status, meets on its way.
pub(super) fn stages<'s>(
    api: &Api,
    steps: &Steps<'s>,
    method: &http::Method,
    path: &str,
    status: Option<u16>,
) -> Stages<'s> {
    let mut router = Router::new();
    for template in templates(steps, Vec::new()).unwrap_or_default() {
        router.insert(&template, template.clone());
    }
    let every = Template { method: None, segments: vec![Segment::Rest] };
    let template = router.find(method, path).map_or(&every, |found| found.value);
    let twin = as_patch(template).filter(|_| *method == http::Method::PATCH);
    match way(api, steps, twin.as_ref().unwrap_or(template)) {
        Ok(way) => {
            let message = match status {
                None => way.request,
                Some(status) => response(&way.steps, &way.blocks, status),
            };
            Stages { all: message.stages, route: (template.clone(), way.far), absence: None }
        }
        Err(absence) => Stages { all: Vec::new(), route: (template.clone(), template.clone()), absence: Some(absence) },
    }
}

fn label(template: &Template) -> Arc<str> {
    let is_every = template.method.is_none() && template.has_rest() && template.segments.len() == 1;
    if is_every { "*".into() } else { template.to_string().into() }
}

impl CallPlan {
    /// The plan of a call that is never sent on.
    fn absent(label: Arc<str>, absence: Absent) -> Self {
        let nothing = || Message::default().compile();
        Self {
            label,
            request: nothing(),
            partial: None,
            route: None,
            responses: ResponsePlans(vec![(100, nothing())]),
            changes: vec![Arc::clone(&absence.change)],
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

/// What one message meets on its way.
#[derive(Debug, Default, Clone)]
struct Message<'s> {
    stages: Vec<Stage<'s>>,
}

impl<'s> Message<'s> {
    fn extend(&mut self, change: &'s Change, ops: &'s [Op], direction: Direction, mode: Mode) {
        self.stages.extend(Stage::all(change, ops, direction, mode));
    }

    fn params(&mut self, entries: impl Iterator<Item = Entry>) {
        let edits: Vec<Lowered> = entries.map(|entry| Lowered { part: Part::Head, entry }).collect();
        if !edits.is_empty() {
            self.stages.push(Stage { cause: Cause::Parameters, edits });
        }
    }

    /// Gives the document parameters that the call has no name for.
    fn add_params(&mut self, params: Vec<(String, String)>) {
        self.params(params.into_iter().map(|(name, text)| HeadPlan::add_param(name, &text)));
    }

    fn rename_params(&mut self, pairs: Vec<(String, String)>) {
        self.params((!pairs.is_empty()).then(|| HeadPlan::rename_params(pairs)).into_iter());
    }

    fn edits(&self) -> impl Iterator<Item = &Lowered> {
        self.stages.iter().flat_map(|stage| &stage.edits)
    }

    fn compile(&self) -> MessagePlan {
        if self.edits().any(|edit| edit.part == Part::Both) {
            let head = Some(HeadPlan::new(whole(&self.stages)));
            return MessagePlan { head, body: Arc::default(), is_united: true };
        }
        let head: Vec<Entry> = self.stages.iter().flat_map(|stage| stage.of(Part::Head)).cloned().collect();
        let uses_head = head.iter().any(|entry| entry.change.is_some());
        MessagePlan {
            head: uses_head.then(|| HeadPlan::new(head)),
            body: Arc::new(Program::fuse(bodies(&self.stages))),
            is_united: false,
        }
    }
}

/// The responses' plans: one for each group of statuses that are treated alike.
fn responses(steps: &[Step<'_>], blocks: &[Vec<&HttpBlock>]) -> ResponsePlans {
    let mut plans: Vec<(u16, Message<'_>)> = Vec::new();
    for start in starts(blocks.iter().flatten().copied()) {
        let message = response(steps, blocks, start);
        if plans.last().is_none_or(|(_, last)| !last.edits().eq(message.edits())) {
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
pub(super) fn status_after<'l>(lowered: impl IntoIterator<Item = &'l Lowered>, status: u16) -> u16 {
    let head = lowered.into_iter().filter(|lowered| lowered.part == Part::Head);
    let head: Vec<Entry> = head.map(|lowered| lowered.entry.clone()).collect();
    if head.is_empty() { status } else { HeadPlan::status_after(head, status) }
}

/// What a block says of responses with this status: the narrowest range that fits decides.
pub(super) fn response_ops(block: &HttpBlock, direction: Direction, status: u16) -> &[Op] {
    let fits = |(range, ops): &&(StatusRange, Vec<Op>)| range.contains(older_status(ops, direction, status));
    block.response.iter().filter(fits).min_by_key(|(range, _)| range.width()).map_or(&[], |(_, ops)| ops)
}

/// Appends what a change's blocks do to a response with this status, and returns the status it has then.
fn response_step<'s>(
    step: Step<'s>,
    blocks: &[&'s HttpBlock],
    direction: Direction,
    status: u16,
    message: &mut Message<'s>,
) -> u16 {
    let before = message.stages.len();
    for block in in_order(blocks, direction) {
        message.extend(step.change, response_ops(block, direction, status), direction, Mode::Full);
    }
    status_after(message.stages[before..].iter().flat_map(|stage| &stage.edits), status)
}

/// The status that the older version has where the newer has this one.
pub(super) fn status_below(step: Step<'_>, blocks: &[&HttpBlock], status: u16) -> u16 {
    response_step(step, blocks, Direction::Down, status, &mut Message::default())
}

/// The edits of a response with this status, from the backend back to the client.
fn response<'s>(steps: &[Step<'s>], blocks: &[Vec<&'s HttpBlock>], status: u16) -> Message<'s> {
    let mut message = Message::default();
    let mut status = status;
    for (step, blocks) in steps.iter().zip(blocks).rev() {
        status = response_step(*step, blocks, step.direction.turned(), status, &mut message);
    }
    message
}
