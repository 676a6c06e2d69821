//! A version change's file.

use crate::diagnostic::Span;
use crate::rules::ast::Change;
use crate::rules::check::lock;
use crate::rules::diagnostics as code;
use crate::version::{VersionId, Versions};
use crate::yaml::{Node, Reader, code as yaml_code};

use super::blocks::{self, Blocks};
use super::{tests, version};

pub(super) fn parse(reader: &mut Reader, node: &Node, folder: &str, file: &str, versions: &Versions) -> Option<Change> {
    check_name(reader, node, file);
    let mut fields = reader.fields(node, "a change")?;
    let id = fields.require(reader, "change").and_then(|node| Some((reader.string(node, "`change`")?, node.span)));
    let since = fields.require(reader, "since").and_then(|node| since(reader, node, folder, versions));
    let summary = fields.require(reader, "summary").and_then(|node| reader.string(node, "`summary`"));
    let after = fields.get("after").map(|node| after(reader, node)).unwrap_or_default();
    let label = since.map(|since| &*versions.get(since).label);
    let apply = fields.require(reader, "apply").and_then(|node| apply(reader, node, label));
    let losses = fields.entry("accept_loss");
    let accept_loss_span = losses.map(|(key, node)| Span { start: key.span.start, end: node.span.end });
    let accept_loss = losses.and_then(|(_, node)| accept_loss(reader, node)).unwrap_or_default();
    let incompatible =
        fields.get("incompatible").map(|node| sentences(reader, node, "`incompatible`")).unwrap_or_default();
    let tests = fields.get("tests");
    fields.finish(reader);
    let (since, (id, span), blocks) = (since?, id?, apply?);
    let older = VersionId(since.0 - 1);
    let tests = tests.map(|node| tests::inline(reader, node, older, since)).unwrap_or_default();
    Some(Change {
        id: id.into(),
        since,
        summary: summary?.to_owned(),
        after,
        http: blocks.http,
        ws: blocks.ws,
        socketio: blocks.socketio,
        shapes: blocks.shapes,
        accept_loss,
        accept_loss_span,
        incompatible,
        hash: lock::hash(node),
        tests,
        file: reader.file().clone(),
        span,
    })
}

/// What each change says of one call is looked for among all that it says; more are for several changes.
const MOST_BLOCKS: usize = 4000;

fn apply(reader: &mut Reader, node: &Node, since: Option<&str>) -> Option<Blocks> {
    let blocks = blocks::parse(reader, node, since);
    let count = blocks.count();
    if count > MOST_BLOCKS {
        let message = format!("a change has at most {MOST_BLOCKS} blocks, calls, frames and events, found {count}");
        reader.error(yaml_code::LIMIT, node.span, message).help("write several changes");
        return None;
    }
    Some(blocks)
}

/// Changes of one version apply in the order of their dates, so the date must be there.
fn check_name(reader: &mut Reader, node: &Node, file: &str) {
    let digits = file.bytes().take_while(u8::is_ascii_digit).count();
    if !matches!(digits, 8 | 14) || file.as_bytes().get(digits) != Some(&b'_') {
        let start = Span { start: node.span.start, end: node.span.start };
        reader
            .error(code::LAYOUT, start, format!("the file name `{file}` does not begin with a date"))
            .help("name it `20260131_slug.yaml` or `20260131093000_slug.yaml`");
    }
}

fn since(reader: &mut Reader, node: &Node, folder: &str, versions: &Versions) -> Option<VersionId> {
    let since = version(reader, node, versions)?;
    let label = &versions.get(since).label;
    if since.0 == 0 {
        reader
            .error(code::VERSION, node.span, format!("`{label}` is the oldest version: no change leads to it"))
            .help("`since` is the newer of the two versions");
        return None;
    }
    if **label != *folder {
        reader
            .error(
                code::VERSION,
                node.span,
                format!("the change is since `{label}` and stands in the folder `changes/{folder}`"),
            )
            .help(format!("move the file to `changes/{label}`"));
        return None;
    }
    Some(since)
}

fn after(reader: &mut Reader, node: &Node) -> Vec<(String, Span)> {
    let nodes = reader.list(node, "`after`").unwrap_or_default();
    nodes.iter().filter_map(|node| Some((reader.string(node, "a change's name")?.to_owned(), node.span))).collect()
}

fn sentences(reader: &mut Reader, node: &Node, what: &str) -> Vec<(String, Span)> {
    let nodes = reader.list(node, what).unwrap_or_default();
    nodes.iter().filter_map(|node| Some((reader.string(node, what)?.to_owned(), node.span))).collect()
}

fn accept_loss(reader: &mut Reader, node: &Node) -> Option<(Vec<String>, Vec<String>)> {
    let mut fields = reader.fields(node, "`accept_loss`")?;
    let mut side = |reader: &mut Reader, key| fields.get(key).map(|node| paths(reader, node)).unwrap_or_default();
    let sides = (side(reader, "up"), side(reader, "down"));
    fields.finish(reader);
    Some(sides)
}

fn paths(reader: &mut Reader, node: &Node) -> Vec<String> {
    let nodes = reader.list(node, "a list of paths").unwrap_or_default();
    nodes.iter().filter_map(|node| crate::rules::lens::place(reader, node).map(|place| place.to_string())).collect()
}
