//! Parser events to nodes, within limits.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::anchored::Anchored;
use super::offsets::Offsets;
use super::{Kind, Node, Scalar, ScalarKind, Span, code, scalar};
use crate::diagnostic::Diagnostic;

/// Bounds on one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text.
    pub bytes: usize,
    /// Nesting of lists and mappings, with aliases expanded.
    pub depth: usize,
    /// Nodes that anchors and aliases may copy; long texts count as several.
    pub copies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, depth: 128, copies: 100_000 }
    }
}

/// The tree of a text; null for a text without a document.
///
/// # Errors
/// As [`parse_partial`]: malformed YAML (only the first place, since what follows would be guessed), and every
/// duplicate key, merge key, tag and key that is not a scalar before it; or the first limit that does not hold.
pub fn parse(source: &str, file: &str, limits: Limits) -> Result<Node, Vec<Diagnostic>> {
    match parse_partial(source, file, limits) {
        (Some(node), diagnostics) if diagnostics.is_empty() => Ok(node),
        (_, diagnostics) => Err(diagnostics),
    }
}

/// The tree of a text and what is wrong with it, for callers that want to go on and report more. Entries with a key
/// that is wrong are left out; there is no tree where the text breaks off or a limit does not hold.
#[must_use]
pub fn parse_partial(source: &str, file: &str, limits: Limits) -> (Option<Node>, Vec<Diagnostic>) {
    let file: Arc<str> = file.into();
    if let Some(diagnostic) = too_large(source, &file, limits).or_else(|| control_character(source, &file)) {
        return (None, vec![diagnostic]);
    }
    let mut builder = Builder {
        file,
        offsets: Offsets::new(source),
        limits,
        open: Vec::new(),
        root: None,
        anchors: BTreeMap::new(),
        copied: 0,
        diagnostics: Vec::new(),
    };
    // The parser goes on yielding the same error for ever, so the first one ends the loop.
    for event in Parser::new_from_str(source) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(Box::new(builder.malformed(&error))),
        };
        if let Err(fatal) = step {
            builder.diagnostics.push(*fatal);
            return (None, builder.diagnostics);
        }
    }
    let nothing = || {
        let scalar = scalar(String::new(), ScalarStyle::Plain, false);
        Node { span: Span::default(), kind: Kind::Scalar(scalar) }
    };
    let root = builder.root.unwrap_or_else(nothing);
    (Some(root), builder.diagnostics)
}

fn too_large(source: &str, file: &Arc<str>, limits: Limits) -> Option<Diagnostic> {
    if source.len() <= limits.bytes {
        return None;
    }
    let message = format!("the file has {} bytes, at most {} are read", source.len(), limits.bytes);
    Some(Diagnostic::error(code::LIMIT, file, Span::default(), message))
}

/// Characters that YAML does not allow. The scanner takes U+0000 for the end of the text and would drop the rest.
fn control_character(source: &str, file: &Arc<str>) -> Option<Diagnostic> {
    let (start, c) =
        source.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))?;
    let message = format!("malformed YAML: control character U+{:04X} in the text", u32::from(c));
    let mut diagnostic = Diagnostic::error(code::MALFORMED, file, Span { start, end: start + c.len_utf8() }, message);
    diagnostic.help(format!("write \"\\u{:04X}\" in double quotes", u32::from(c)));
    Some(diagnostic)
}

struct Builder<'s> {
    file: Arc<str>,
    offsets: Offsets<'s>,
    limits: Limits,
    /// From the outermost to the innermost collection whose end has not come.
    open: Vec<Open>,
    root: Option<Node>,
    /// By the parser's number; a collection comes in when it is complete, so that an alias inside of it is unknown.
    anchors: BTreeMap<usize, Rc<Anchored>>,
    copied: usize,
    diagnostics: Vec<Diagnostic>,
}

/// What ends the parse.
type Fatal = Box<Diagnostic>;

/// A collection whose end has not come.
struct Open {
    start: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping(Entries),
}

#[derive(Default)]
struct Entries {
    complete: Vec<(Node, Node)>,
    /// The last, where it has no value yet.
    key: Option<Key>,
    /// Every key's text and where it stood first.
    seen: HashMap<String, Span>,
}

/// A key whose value has not come.
enum Key {
    Good(Node),
    /// It was reported; its value is left out.
    Bad,
}

/// The number of a node without an anchor.
const NO_ANCHOR: usize = 0;

impl Builder<'_> {
    /// Takes one event; an error ends the parse.
    fn take(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> Result<(), Fatal> {
        let span = self.offsets.span(span);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(Box::new(self.second_document(span)));
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::Alias(anchor) => {
                let node = self.alias(anchor, span)?;
                self.add(node, NO_ANCHOR)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_string = self.check_tag(tag.as_deref(), span);
                let scalar = scalar(text.into_owned(), style, is_string);
                let span = self.offsets.scalar(span, style);
                self.add(Node { span, kind: Kind::Scalar(scalar) }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let span = Span { start: self.offsets.list_start(span), ..span };
                self.start(anchor, span, Items::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                self.start(anchor, span, Items::Mapping(Entries::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
        }
        Ok(())
    }

    fn start(&mut self, anchor: usize, span: Span, items: Items) -> Result<(), Fatal> {
        self.check_depth(self.open.len() + 1, span)?;
        self.open.push(Open { start: span.start, anchor, items });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        // A flow collection's end is a bracket; that of a block is the place of whatever comes next.
        let (kind, last) = open.items.close();
        let start = open.start;
        let end = last.map_or(start, |last| last.end);
        let end = self.offsets.bracket_end(span).unwrap_or(end.max(start));
        self.add(Node { span: Span { start, end }, kind }, open.anchor)
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        if anchor != NO_ANCHOR {
            let anchored = Anchored::new(&node);
            self.charge(anchored.weight, node.span)?;
            self.anchors.insert(anchor, Rc::new(anchored));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::Sequence(nodes)) => nodes.push(node),
            Some(Items::Mapping(entries)) => {
                let wrong = entries.add(node, &self.file);
                self.diagnostics.extend(wrong);
            }
        }
        Ok(())
    }

    /// A copy of what an anchor names. What it weighs is charged before it is made.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Fatal> {
        let Some(anchored) = self.anchors.get(&anchor).cloned() else {
            let message = "malformed YAML: an alias inside of the value that it stands for";
            return Err(self.fatal(code::MALFORMED, span, message));
        };
        self.charge(anchored.weight, span)?;
        self.check_depth(self.open.len() + anchored.depth, span)?;
        let kind = anchored.node.kind.clone();
        Ok(Node { span, kind })
    }

    fn charge(&mut self, weight: usize, span: Span) -> Result<(), Fatal> {
        self.copied += weight;
        if self.copied <= self.limits.copies {
            return Ok(());
        }
        let message = format!("anchors and aliases copy more than {} nodes", self.limits.copies);
        Err(self.fatal(code::LIMIT, span, message))
    }

    fn fatal(&self, code: &'static str, span: Span, message: impl Into<String>) -> Fatal {
        Box::new(Diagnostic::error(code, &self.file, span, message))
    }

    fn check_depth(&self, depth: usize, span: Span) -> Result<(), Fatal> {
        if depth <= self.limits.depth {
            return Ok(());
        }
        let message = format!("lists and mappings are nested deeper than {}", self.limits.depth);
        Err(self.fatal(code::LIMIT, span, message))
    }

    /// Whether the tag makes the node a string (`!!str`, `!`); any other tag is reported.
    fn check_tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        let is_string =
            (tag.is_yaml_core_schema() && tag.suffix == "str") || (tag.handle.is_empty() && tag.suffix == "!");
        if !is_string {
            let message = format!("tag `{tag}` is not supported");
            self.diagnostics.push(Diagnostic::error(code::MALFORMED, &self.file, span, message));
        }
        is_string
    }

    fn second_document(&self, span: Span) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(code::MALFORMED, &self.file, span, "a second document in one file");
        diagnostic.help("remove this `---` and what follows it, or move that to a file of its own");
        diagnostic
    }

    fn malformed(&self, error: &ScanError) -> Diagnostic {
        let span = self.offsets.character(*error.marker());
        let message = format!("malformed YAML: {}", error.info());
        Diagnostic::error(code::MALFORMED, &self.file, span, message)
    }
}

impl Items {
    /// The collection, and where its last part stands if it has any.
    fn close(self) -> (Kind, Option<Span>) {
        match self {
            Self::Sequence(nodes) => {
                let last = nodes.last().map(|node| node.span);
                (Kind::Sequence(nodes), last)
            }
            Self::Mapping(Entries { complete, .. }) => {
                let last = complete.last().map(|(_, value)| value.span);
                (Kind::Mapping(complete), last)
            }
        }
    }
}

impl Entries {
    /// Takes a key or a value, in turn, and says what is wrong with it.
    fn add(&mut self, node: Node, file: &Arc<str>) -> Option<Diagnostic> {
        let wrong = match self.key.take() {
            Some(Key::Bad) => return None,
            Some(Key::Good(key)) => {
                self.complete.push((key, node));
                return None;
            }
            None => check_key(file, &node, &mut self.seen),
        };
        self.key = Some(if wrong.is_none() { Key::Good(node) } else { Key::Bad });
        wrong
    }
}

fn scalar(text: String, style: ScalarStyle, is_string: bool) -> Scalar {
    let quoted = style != ScalarStyle::Plain;
    let value = if quoted || is_string { ScalarKind::String } else { scalar::resolve(&text) };
    Scalar { text, quoted, value }
}

/// What is wrong with a key, given those before it in its mapping.
fn check_key(file: &Arc<str>, key: &Node, seen: &mut HashMap<String, Span>) -> Option<Diagnostic> {
    let Kind::Scalar(Scalar { text, quoted, .. }) = &key.kind else {
        let message = format!("a key must be a single value, found {}", key.type_name());
        return Some(Diagnostic::error(code::MALFORMED, file, key.span, message));
    };
    if text == "<<" && !quoted {
        let mut diagnostic = Diagnostic::error(code::MALFORMED, file, key.span, "merge keys are not supported");
        diagnostic.help("write the members out, or quote \"<<\" if it is a name");
        return Some(diagnostic);
    }
    let first = seen.insert(text.clone(), key.span)?;
    let mut diagnostic = Diagnostic::error(code::DUPLICATE_KEY, file, key.span, format!("duplicate key `{text}`"));
    diagnostic.secondary(first, "first here");
    Some(diagnostic)
}
