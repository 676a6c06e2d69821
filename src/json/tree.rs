//! A held scope as a sparse tree: every value is a span of its text until an edit looks inside.
//!
//! The tree lives in vectors that are used again for the next scope, so that translating the elements of a list
//! allocates nothing once they have grown. Names, values and new text are spans of two buffers: the held text
//! and what edits have made. Members keep where they stood, so that white space around an untouched member
//! leaves as it came.

use super::error::{Code, Error};
use super::jq::Ended;
use super::text::{name_is, quote};
use super::valid::{Items, Kind};

/// A node of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(u32);

/// A member of an object or an element of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(u32);

const NONE: u32 = u32::MAX;

/// Bytes of the held text, or of what edits made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    made: bool,
    start: u32,
    end: u32,
}

impl Span {
    const NONE: Self = Self { made: true, start: 0, end: 0 };
}

#[derive(Debug, Clone, Copy)]
struct Node {
    text: Span,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nobody has looked inside.
    Closed,
    /// The same; the value is the program's own.
    Given,
    Open {
        edited: bool,
        first: u32,
        last: u32,
    },
}

#[derive(Debug, Clone, Copy)]
struct Link {
    /// Whether the span of the unit may leave as it is, as far as name and identity of the value go.
    intact: bool,
    /// Between the commas or brackets around it; empty for what edits made.
    unit: Span,
    /// The name and value as they stood in the unit.
    old_name: Span,
    old_value: Span,
    name: Span,
    value: NodeId,
    next: u32,
}

impl Link {
    /// A member or element that an edit made: it never stood anywhere.
    fn made(name: Span, value: NodeId, next: u32) -> Self {
        let nowhere = Span::NONE;
        Self { intact: false, unit: nowhere, old_name: name, old_value: nowhere, name, value, next }
    }
}

/// The storage of a tree, kept from scope to scope of one document.
#[derive(Debug, Default)]
pub(super) struct Arena {
    ended: Ended,
    made: Vec<u8>,
    nodes: Vec<Node>,
    links: Vec<Link>,
}

/// A tree over one held text.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    source: &'a [u8],
    arena: &'a mut Arena,
}

/// Positions fit 32 bits: a held scope is bounded by `Limits::buffer`, which is at most 1 GiB.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

impl<'a> Tree<'a> {
    /// A tree whose root is the one value of `source`, which is valid JSON without white space around it.
    pub(super) fn new(source: &'a [u8], arena: &'a mut Arena) -> (Self, NodeId) {
        arena.made.clear();
        arena.nodes.clear();
        arena.links.clear();
        let mut tree = Self { source, arena };
        let root = tree.node(Span { made: false, start: 0, end: position(source.len()) });
        (tree, root)
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let buffer = if span.made { &self.arena.made } else { self.source };
        &buffer[span.start as usize..span.end as usize]
    }

    fn node(&mut self, text: Span) -> NodeId {
        self.arena.nodes.push(Node { text, state: State::Closed });
        NodeId(position(self.arena.nodes.len() - 1))
    }

    fn get(&self, node: NodeId) -> &Node {
        &self.arena.nodes[node.0 as usize]
    }

    /// The run of a program that has ended the document, if one has.
    pub(super) fn ended(&mut self) -> &mut Ended {
        &mut self.arena.ended
    }

    /// What the node is.
    pub(super) fn kind(&self, node: NodeId) -> Kind {
        Kind::of(self.bytes(self.get(node).text))
    }

    /// A node for JSON text that `write` appends.
    pub(super) fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> NodeId {
        let text = self.make_text(write);
        self.node(text)
    }

    /// The same of a value that is the program's own, so that nothing is lost with it.
    pub(super) fn give(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> NodeId {
        let node = self.make(write);
        self.arena.nodes[node.0 as usize].state = State::Given;
        node
    }

    /// Whether a value is the program's own.
    pub(super) fn is_given(&self, node: NodeId) -> bool {
        matches!(self.get(node).state, State::Given)
    }

    fn make_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = position(self.arena.made.len());
        write(&mut self.arena.made);
        Span { made: true, start, end: position(self.arena.made.len()) }
    }

    /// An object without members.
    pub(super) fn make_object(&mut self) -> NodeId {
        let node = self.make(|out| out.extend_from_slice(b"{}"));
        self.open(node);
        node
    }

    /// An array of one element.
    pub(super) fn make_array_of(&mut self, element: NodeId) -> NodeId {
        let node = self.make(|out| out.extend_from_slice(b"[]"));
        self.open(node);
        self.link(node, Span::NONE, element);
        node
    }

    /// The node's JSON text as it is now.
    pub(super) fn text(&self, node: NodeId) -> std::borrow::Cow<'_, [u8]> {
        if self.is_edited(node) {
            let mut out = Vec::new();
            self.emit(node, &mut out);
            out.into()
        } else {
            self.bytes(self.get(node).text).into()
        }
    }

    fn is_edited(&self, node: NodeId) -> bool {
        matches!(self.get(node).state, State::Open { edited: true, .. })
    }

    /// Says that something below or in the node has changed.
    pub(super) fn set_edited(&mut self, node: NodeId) {
        if let State::Open { edited, .. } = &mut self.arena.nodes[node.0 as usize].state {
            *edited = true;
        }
    }

    /// Looks one level into a container.
    fn open(&mut self, node: NodeId) -> u32 {
        match self.get(node).state {
            State::Open { first, .. } => first,
            State::Closed | State::Given => self.open_closed(node),
        }
    }

    fn open_closed(&mut self, node: NodeId) -> u32 {
        let text = self.get(node).text;
        self.arena.nodes[node.0 as usize].state = State::Open { edited: false, first: NONE, last: NONE };
        // Made text may grow while its own links are added, so each item is copied out as positions.
        let mut at = text.start as usize;
        let end = text.end as usize;
        let span =
            |r: &std::ops::Range<usize>| Span { made: text.made, start: position(r.start), end: position(r.end) };
        while let Some(item) = self.item(text, &mut at, end) {
            let value = self.node(span(&item.value));
            let id = self.link(node, span(&item.name), value);
            let link = &mut self.arena.links[id.0 as usize];
            (link.intact, link.unit, link.old_value) = (true, span(&item.unit), span(&item.value));
        }
        match self.get(node).state {
            State::Open { first, .. } => first,
            State::Closed | State::Given => NONE,
        }
    }

    /// The item of the container that begins at `text.start`, at or after `at`; moves `at` past it.
    fn item(&self, text: Span, at: &mut usize, end: usize) -> Option<super::valid::Item> {
        let buffer = if text.made { &self.arena.made } else { self.source };
        let container = &buffer[..end];
        let mut items = if *at == text.start as usize {
            Items::new(container, *at)
        } else {
            Items::resume(container, *at, text.start as usize)
        };
        let item = items.next()?;
        *at = items.position();
        Some(item)
    }

    fn link(&mut self, parent: NodeId, name: Span, value: NodeId) -> LinkId {
        let id = position(self.arena.links.len());
        self.arena.links.push(Link::made(name, value, NONE));
        let mut previous = NONE;
        if let State::Open { first, last, .. } = &mut self.arena.nodes[parent.0 as usize].state {
            previous = std::mem::replace(last, id);
            if previous == NONE {
                *first = id;
            }
        }
        if previous != NONE {
            self.arena.links[previous as usize].next = id;
        }
        LinkId(id)
    }

    /// The node's first member or element.
    pub(super) fn first(&mut self, node: NodeId) -> Option<LinkId> {
        let container = matches!(self.kind(node), Kind::Object | Kind::Array);
        let first = if container { self.open(node) } else { NONE };
        (first != NONE).then_some(LinkId(first))
    }

    /// The next member or element after one.
    pub(super) fn next(&self, link: LinkId) -> Option<LinkId> {
        let next = self.arena.links[link.0 as usize].next;
        (next != NONE).then_some(LinkId(next))
    }

    /// The value of a member or element.
    pub(super) fn value(&self, link: LinkId) -> NodeId {
        self.arena.links[link.0 as usize].value
    }

    /// A member's name as JSON text.
    pub(super) fn name(&self, link: LinkId) -> &[u8] {
        self.bytes(self.arena.links[link.0 as usize].name)
    }

    /// The member of that name.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`] if there are two.
    pub(super) fn member(&mut self, node: NodeId, key: &str) -> Result<Option<LinkId>, Error> {
        if self.kind(node) != Kind::Object {
            return Ok(None);
        }
        let mut found = None;
        let mut at = self.first(node);
        while let Some(link) = at {
            if name_is(self.name(link), key) && found.replace(link).is_some() {
                return Err(Error::new(
                    Code::DuplicateKey,
                    0,
                    format!("the member `{}` stands twice in its object", key.escape_debug()),
                ));
            }
            at = self.next(link);
        }
        Ok(found)
    }

    /// The member of that name of an object, or the element at that index of an array.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`].
    pub(super) fn child(&mut self, node: NodeId, key: &str) -> Result<Option<LinkId>, Error> {
        if self.kind(node) != Kind::Array {
            return self.member(node, key);
        }
        let canonical = key == "0" || (!key.starts_with('0') && key.bytes().all(|b| b.is_ascii_digit()));
        let Some(index) = key.parse::<usize>().ok().filter(|_| canonical) else {
            return Ok(None);
        };
        let mut at = self.first(node);
        for _ in 0..index {
            at = at.and_then(|link| self.next(link));
        }
        Ok(at)
    }

    /// The value at a path of names and indexes.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`].
    pub(super) fn find(&mut self, mut node: NodeId, path: &[String]) -> Result<Option<NodeId>, Error> {
        for key in path {
            match self.child(node, key)? {
                Some(link) => node = self.value(link),
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Gives a member another name.
    pub(super) fn rename(&mut self, link: LinkId, name: &str) {
        let text = self.make_text(|out| quote(name.as_bytes(), out));
        let link = &mut self.arena.links[link.0 as usize];
        (link.name, link.intact) = (text, false);
    }

    /// Gives a member or element another value.
    pub(super) fn set_value(&mut self, link: LinkId, value: NodeId) {
        let link = &mut self.arena.links[link.0 as usize];
        (link.value, link.intact) = (value, false);
    }

    /// Appends a member.
    pub(super) fn append(&mut self, object: NodeId, name: &str, value: NodeId) {
        self.open(object);
        let name = self.make_text(|out| quote(name.as_bytes(), out));
        self.link(object, name, value);
        self.set_edited(object);
    }

    /// Puts a member after another of the same object.
    pub(super) fn insert_after(&mut self, object: NodeId, link: LinkId, name: &str, value: NodeId) {
        let name = self.make_text(|out| quote(name.as_bytes(), out));
        let id = position(self.arena.links.len());
        let next = std::mem::replace(&mut self.arena.links[link.0 as usize].next, id);
        self.arena.links.push(Link::made(name, value, next));
        if let State::Open { edited, last, .. } = &mut self.arena.nodes[object.0 as usize].state {
            *edited = true;
            if next == NONE {
                *last = id;
            }
        }
    }

    /// Takes out every member for which `gone` says so.
    pub(super) fn remove(&mut self, object: NodeId, mut gone: impl FnMut(&Self, LinkId) -> bool) {
        let mut at = self.first(object);
        let (mut first, mut last, mut removed) = (NONE, NONE, false);
        while let Some(link) = at {
            at = self.next(link);
            if gone(self, link) {
                removed = true;
                continue;
            }
            match last {
                NONE => first = link.0,
                previous => self.arena.links[previous as usize].next = link.0,
            }
            last = link.0;
        }
        if removed {
            if last != NONE {
                self.arena.links[last as usize].next = NONE;
            }
            self.arena.nodes[object.0 as usize].state = State::Open { edited: true, first, last };
        }
    }

    /// Takes out the members of that name.
    pub(super) fn remove_member(&mut self, object: NodeId, key: &str) {
        self.remove(object, |tree, link| name_is(tree.name(link), key));
    }

    /// Appends the node's JSON text.
    pub(super) fn emit(&self, node: NodeId, out: &mut Vec<u8>) {
        let State::Open { edited: true, first, .. } = self.get(node).state else {
            out.extend_from_slice(self.bytes(self.get(node).text));
            return;
        };
        let object = self.kind(node) == Kind::Object;
        out.push(if object { b'{' } else { b'[' });
        let mut at = first;
        while at != NONE {
            if at != first {
                out.push(b',');
            }
            let link = &self.arena.links[at as usize];
            self.emit_link(link, object, out);
            at = link.next;
        }
        out.push(if object { b'}' } else { b']' });
    }

    fn emit_link(&self, link: &Link, object: bool, out: &mut Vec<u8>) {
        if link.intact && !self.is_edited(link.value) {
            out.extend_from_slice(self.bytes(link.unit));
            return;
        }
        let moved = link.unit.end == link.unit.start;
        if moved {
            if object {
                out.extend_from_slice(self.bytes(link.name));
                out.push(b':');
            }
            self.emit(link.value, out);
            return;
        }
        let between = |from: u32, to: u32| self.bytes(Span { made: link.unit.made, start: from, end: to });
        if object {
            out.extend_from_slice(between(link.unit.start, link.old_name.start));
            out.extend_from_slice(self.bytes(link.name));
            out.extend_from_slice(between(link.old_name.end, link.old_value.start));
        } else {
            out.extend_from_slice(between(link.unit.start, link.old_value.start));
        }
        self.emit(link.value, out);
        out.extend_from_slice(between(link.old_value.end, link.unit.end));
    }
}
