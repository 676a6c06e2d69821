//! Shapes in requests and responses.

use crate::route::{Segment, Template};
use crate::rules::ast::{Host, HttpBlock, Origin, ShapeBlock};
use crate::rules::chain;
use crate::rules::lens::Op;
use crate::rules::step::{Side, Step};
use crate::rules::steps::Steps;
use crate::rules::{Api, Direction, StatusRange};
use crate::version::VersionId;

use super::places::Places;
use super::{Expansion, Item, items};

/// Follows the shapes of every call.
pub(super) fn expand(api: &Api, expansion: &mut Expansion) {
    let steps = chain::steps(api, VersionId(0), api.versions.latest());
    let occurrences: Vec<Template> = hosts(api).filter_map(calls).flat_map(templates).collect();
    // Calls that overlap in too many ways are reported elsewhere.
    let all = chain::templates(&steps, occurrences.clone()).unwrap_or_default();
    for call in all {
        if occurrences.iter().any(|occurrence| occurrence.covers(&call)) {
            Family::new(api, expansion, &steps, call).walk(expansion, &steps);
        }
    }
}

fn hosts(api: &Api) -> impl Iterator<Item = &Host> {
    api.shapes.iter().flat_map(|shape| &shape.occurrences).map(|occurrence| &occurrence.host)
}

fn calls(host: &Host) -> Option<&[Template]> {
    match host {
        Host::Request(calls) | Host::Response(calls, _) => Some(calls),
        Host::Frame { .. } | Host::Event { .. } | Host::Shape(_) => None,
    }
}

/// The templates of an occurrence; `*` is one here.
fn templates(calls: &[Template]) -> Vec<Template> {
    if calls.is_empty() { vec![Template { method: None, segments: vec![Segment::Rest] }] } else { calls.to_vec() }
}

/// The messages of one call.
struct Family {
    /// As the version at hand spells it.
    call: Template,
    /// Whether the oldest version's spelling is one of an occurrence.
    is_named: bool,
    request: Places,
    /// By status in the version at hand: of all from one in `starts` up to the next.
    responses: Vec<Places>,
    starts: Vec<u16>,
}

impl Family {
    /// The messages in the oldest version. The most specific call of an occurrence decides, and those about every
    /// call are beside it.
    fn new(api: &Api, expansion: &Expansion, steps: &Steps<'_>, call: Template) -> Self {
        let about = || hosts(api).filter_map(calls).flatten().filter(|template| template.covers(&call));
        let best = about().reduce(|a, b| if b.more_specific(a) { b } else { a });
        let fits = |calls: &[Template]| {
            calls.is_empty() || best.is_some_and(|best| calls.iter().any(|template| template.same_shape(best)))
        };
        let request = expansion.places(api, |host| if let Host::Request(calls) = host { fits(calls) } else { false });
        let starts = starts(api, steps, &call);
        let of_status = |status: &u16| {
            expansion.places(api, |host| match host {
                Host::Response(calls, range) => range.contains(*status) && fits(calls),
                Host::Request(_) | Host::Frame { .. } | Host::Event { .. } | Host::Shape(_) => false,
            })
        };
        let responses = starts.iter().map(of_status).collect();
        let is_named = best.is_some_and(|best| best.same_shape(&call));
        Self { call, is_named, request, responses, starts }
    }

    /// Follows the places up the chain. Every block about a shape becomes one about this call, also where the call has
    /// no such shape: a more general call that has it must not reach there.
    fn walk(mut self, expansion: &mut Expansion, steps: &Steps<'_>) {
        for (index, step) in steps.all.iter().enumerate() {
            let about = step.blocks(&self.call);
            if about.iter().any(|block| block.is_gone()) {
                return;
            }
            self.see(expansion, index, &about);
            for item in items(step.change, &step.change.http, |before| before.http) {
                match item {
                    Item::Block(block) if about.iter().any(|other| std::ptr::eq(*other, block)) => {
                        self.follow(block, step);
                    }
                    Item::Block(_) => {}
                    Item::Shape(at, shape) => {
                        let block = self.block(expansion, (index, step), at, shape);
                        expansion.made[index].http.push((shape.before.http, block));
                    }
                }
            }
            let below = |status: &u16| self.places(chain::status_below(*step, &about, *status)).clone();
            self.responses = self.starts.iter().map(below).collect();
            self.call = step.route(&self.call, Side::Near);
        }
    }

    /// The places in a response with this status.
    fn places(&self, status: u16) -> &Places {
        let after = self.starts.partition_point(|start| *start <= status);
        &self.responses[after.saturating_sub(1)]
    }

    /// Notes which blocks reach into the shapes of a call that the occurrences name, and that some do not.
    fn see(&self, expansion: &mut Expansion, index: usize, about: &[&HttpBlock]) {
        if !self.is_named {
            return;
        }
        let requests = format!("the requests of `{}`", self.call);
        let responses = format!("the responses of `{}`", self.call);
        expansion.see(index, &requests, &self.request, &[], None);
        self.responses.iter().for_each(|places| expansion.see(index, &responses, places, &[], None));
        for block in about {
            expansion.see(index, &requests, &self.request, &block.request, Some(block.span));
            for (start, places) in self.starts.iter().zip(&self.responses) {
                let ops = chain::response_ops(block, Direction::Up, *start);
                expansion.see(index, &responses, places, ops, Some(block.span));
            }
        }
    }

    fn follow(&mut self, block: &HttpBlock, step: &Step<'_>) {
        self.request.follow(&block.request, &step.change.id);
        for (start, places) in self.starts.iter().zip(&mut self.responses) {
            places.follow(chain::response_ops(block, Direction::Up, *start), &step.change.id);
        }
    }

    fn block(
        &mut self,
        expansion: &mut Expansion,
        (index, step): (usize, &Step<'_>),
        at: usize,
        shape: &ShapeBlock,
    ) -> HttpBlock {
        let request = expansion.apply((index, step.change), at, &mut self.request);
        let mut response: Vec<(StatusRange, Vec<Op>)> = Vec::new();
        let ends = self.starts.iter().skip(1).map(|start| start - 1).chain([599]);
        for ((first, last), places) in self.starts.iter().zip(ends).zip(&mut self.responses) {
            let ops = expansion.apply((index, step.change), at, places);
            match response.last_mut() {
                Some((range, same)) if range.last + 1 == *first && *same == ops => range.last = last,
                _ => response.push((StatusRange { first: *first, last }, ops)),
            }
        }
        response.retain(|(_, ops)| !ops.is_empty());
        HttpBlock {
            calls: vec![self.call.clone()],
            route: None,
            request,
            response,
            absence: None,
            origin: Origin::Shape,
            span: shape.span,
        }
    }
}

/// The lowest statuses of groups that occurrences and blocks treat alike, wherever on the way a block is.
fn starts(api: &Api, steps: &Steps<'_>, call: &Template) -> Vec<u16> {
    let mut starts = chain::starts(steps.follow(call).flat_map(|hop| hop.step.blocks(&hop.near)));
    for host in hosts(api) {
        if let Host::Response(_, range) = host {
            starts.extend([range.first, range.last + 1].into_iter().filter(|start| *start < 600));
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}
