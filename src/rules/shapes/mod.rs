//! Blocks about shapes as blocks about calls, sockets and namespaces.
//!
//! `shapes.yaml` says where each shape occurs in the oldest version. Every kind of message that has one is followed
//! up the chain of changes, op by op; where a change has a block about a shape, the shape's places in that message
//! at that point become ops of a block of their own, which stands among the change's other blocks.

mod http;
mod messages;
mod places;
mod uneven;

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::yaml::code as yaml_code;
use crate::yaml::reader::suggestion;

use super::Api;
use super::ast::{Before, Change, Host, HttpBlock, Shape, ShapeBlock, SocketIoBlock, WsBlock};
use super::diagnostics as code;
use super::lens::Op;
use places::{Inside, Lost, Places, ShapeId};
use uneven::Seen;

/// Puts what blocks about shapes say among the other blocks.
pub(super) fn expand(api: &mut Api, diagnostics: &mut Vec<Diagnostic>) {
    // Of a file with errors only a part may be there, and shapes are followed through all of them.
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return;
    }
    if let Some(block) = too_many(api) {
        diagnostics.push(block);
        return;
    }
    let mut expansion = Expansion::new(api);
    http::expand(api, &mut expansion);
    messages::sockets(api, &mut expansion);
    messages::namespaces(api, &mut expansion);
    expansion.report_unmatched(api);
    uneven::report(api, &mut expansion);
    let Expansion { made, found, .. } = expansion;
    diagnostics.extend(found);
    for (change, made) in api.changes.iter_mut().zip(made) {
        insert(&mut change.http, made.http);
        insert(&mut change.ws, made.ws);
        insert(&mut change.socketio, made.socketio);
    }
}

/// Ops on shapes in all the places where they occur. A shape in a hundred calls with a hundred ops is far below this.
const MOST_OPS: usize = 100_000;

/// Reports the block about a shape from which on there are too many ops in too many places.
fn too_many(api: &Api) -> Option<Diagnostic> {
    let mut occurrences: HashMap<&str, usize> = HashMap::new();
    for shape in &api.shapes {
        *occurrences.entry(&*shape.name).or_default() += shape.occurrences.len();
    }
    let mut ops = 0;
    for (change, block) in api.changes.iter().flat_map(|change| change.shapes.iter().map(move |block| (change, block)))
    {
        ops += block.ops.len().max(1) * occurrences.get(&*block.name).copied().unwrap_or_default();
        if ops > MOST_OPS {
            let message = "the shapes of this change and those before it occur in too many places for so many ops";
            let mut diagnostic = Diagnostic::error(yaml_code::LIMIT, &change.file, block.name_span, message);
            diagnostic.help("write fewer ops about shapes, or list fewer places");
            return Some(diagnostic);
        }
    }
    None
}

/// Blocks for one change, each with the number of the author's blocks that stand before it.
#[derive(Default)]
struct Made {
    http: Vec<(usize, HttpBlock)>,
    ws: Vec<(usize, WsBlock)>,
    socketio: Vec<(usize, SocketIoBlock)>,
}

fn insert<T>(blocks: &mut Vec<T>, mut made: Vec<(usize, T)>) {
    // Blocks that stand at one position keep the order of their own in the file.
    made.sort_by_key(|(before, _)| *before);
    let mut made = made.into_iter().peekable();
    let mut all = Vec::with_capacity(blocks.len() + made.len());
    for (at, block) in std::mem::take(blocks).into_iter().enumerate() {
        while let Some((_, shape)) = made.next_if(|(before, _)| *before == at) {
            all.push(shape);
        }
        all.push(block);
    }
    all.extend(made.map(|(_, shape)| shape));
    *blocks = all;
}

/// What comes of following shapes.
struct Expansion {
    names: Vec<Arc<str>>,
    insides: Vec<Inside>,
    /// For each change.
    made: Vec<Made>,
    /// For each change, whether each of its blocks about a shape has met one.
    met: Vec<Vec<bool>>,
    seen: Vec<Seen>,
    found: Vec<Diagnostic>,
}

impl Expansion {
    fn new(api: &Api) -> Self {
        let names: Vec<Arc<str>> = api.shapes.iter().map(|shape| Arc::clone(&shape.name)).collect();
        let id = |name: &str| names.iter().position(|other| **other == *name);
        let inside = |inner: ShapeId, shape: &Shape| {
            let insides = shape.occurrences.iter().filter_map(|occurrence| match &occurrence.host {
                Host::Shape(outer) => Some(Inside { outer: id(outer)?, inner, at: occurrence.at.tokens.clone() }),
                Host::Request(_) | Host::Response(..) | Host::Frame { .. } | Host::Event { .. } => None,
            });
            insides.collect::<Vec<_>>()
        };
        let insides = api.shapes.iter().enumerate().flat_map(|(inner, shape)| inside(inner, shape)).collect();
        let made = api.changes.iter().map(|_| Made::default()).collect();
        let met = api.changes.iter().map(|change| vec![false; change.shapes.len()]).collect();
        Self { names, insides, made, met, seen: Vec::new(), found: Vec::new() }
    }

    /// The places at which messages of a kind begin: those of the occurrences that `fits` picks.
    fn places(&self, api: &Api, fits: impl Fn(&Host) -> bool) -> Places {
        let mut roots = Vec::new();
        for (id, shape) in api.shapes.iter().enumerate() {
            let here = shape.occurrences.iter().filter(|occurrence| fits(&occurrence.host));
            roots.extend(here.map(|occurrence| (id, occurrence.at.tokens.clone())));
        }
        Places::new(roots, &self.insides)
    }

    /// The ops of a change's block on a message with these places.
    fn apply(&mut self, change: (usize, &Change), at: usize, places: &mut Places) -> Vec<Op> {
        let (index, change) = change;
        let block = &change.shapes[at];
        let Some(shape) = self.names.iter().position(|name| **name == *block.name) else { return Vec::new() };
        if let Some(lost) = places.lost(shape) {
            self.met[index][at] = true;
            self.report_lost(change, block, lost);
            return Vec::new();
        }
        if !places.has(shape) {
            return Vec::new();
        }
        self.met[index][at] = true;
        let what = format!("the ops on `{}`", block.name);
        places.apply(shape, &block.ops, block.span, &|| Lost {
            what: what.clone(),
            change: Arc::clone(&change.id),
            span: block.name_span,
        })
    }

    /// Notes where a change's block reaches into shapes, and where it does not.
    fn see(&mut self, change: usize, place: &str, places: &Places, ops: &[Op], block: Option<Span>) {
        for shape in places.shapes() {
            let by = block.filter(|_| places.are_edited(shape, ops));
            self.seen.push(Seen { change, shape, place: place.to_owned(), by });
        }
    }

    fn report_lost(&mut self, change: &Change, block: &ShapeBlock, lost: &Lost) {
        let message = format!(
            "the place of `{}` is not certain here: {} of the change `{}` made it unknown",
            block.name, lost.what, lost.change
        );
        if self.found.iter().any(|other| other.message == message && other.span == block.name_span) {
            return;
        }
        let mut diagnostic = Diagnostic::error(code::SHAPE_LOST, &change.file, block.name_span, message);
        if lost.change == change.id {
            diagnostic.secondary(lost.span, "here");
        }
        diagnostic
            .help("write these ops into blocks about the calls and messages themselves, or into an earlier change");
        self.found.push(diagnostic);
    }

    fn report_unmatched(&mut self, api: &Api) {
        for (change, met) in api.changes.iter().zip(&self.met) {
            for block in change.shapes.iter().zip(met).filter(|(_, met)| !**met).map(|(block, _)| block) {
                let known = self.names.iter().any(|name| **name == *block.name);
                let (message, help) = if known {
                    (
                        format!("`{}` occurs nowhere any more", block.name),
                        "earlier changes have taken away every place that `shapes.yaml` names".to_owned(),
                    )
                } else if self.names.is_empty() {
                    (
                        format!("there is no shape `{}`", block.name),
                        "say in `shapes.yaml` where it occurs in the oldest version".to_owned(),
                    )
                } else {
                    let names: Vec<&str> = self.names.iter().map(|name| &**name).collect();
                    (format!("there is no shape `{}`", block.name), suggestion(&block.name, &names))
                };
                let mut diagnostic = Diagnostic::error(code::UNMATCHED, &change.file, block.name_span, message);
                diagnostic.help(help);
                self.found.push(diagnostic);
            }
        }
    }
}

/// What stands in a change, in the order of its file: the author's blocks of one kind, and blocks about shapes.
enum Item<'c, T> {
    Block(&'c T),
    /// By its position among them.
    Shape(usize, &'c ShapeBlock),
}

fn items<'c, T>(change: &'c Change, blocks: &'c [T], before: fn(&Before) -> usize) -> Vec<Item<'c, T>> {
    let mut shapes = change.shapes.iter().enumerate().peekable();
    let mut items = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        while let Some((shape, block)) = shapes.next_if(|(_, block)| before(&block.before) <= at) {
            items.push(Item::Shape(shape, block));
        }
        items.push(Item::Block(block));
    }
    items.extend(shapes.map(|(shape, block)| Item::Shape(shape, block)));
    items
}
