//! Whole lines: how far they are indented, in which order they come, which are empty.

use std::collections::BTreeMap;

use crate::yaml::{Kind, Node};

use super::rank;
use super::text::is_block;

/// Blocks are indented by two, lists below their key too; what continues a value moves with its first line.
pub(super) fn indent(text: &str, tree: &Node) -> String {
    let starts: Vec<usize> =
        std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
    let mut blocks = Blocks { text, starts: &starts, indents: BTreeMap::new() };
    blocks.walk(tree, 0);
    let indents = blocks.indents;
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    // How far the lines of the last value moved.
    let mut moved = 0;
    for (number, line) in lines.iter().enumerate() {
        let content = line.trim_start_matches(' ');
        let own = line.len() - content.len();
        let new = match indents.get(&number) {
            Some(new) => {
                moved = signed(*new) - signed(own);
                *new
            }
            None if content.starts_with('#') => {
                comment(&lines, number, own, &indents).unwrap_or_else(|| shift(own, moved))
            }
            None => shift(own, moved),
        };
        let content = if indents.contains_key(&number) { one_space(content) } else { content.to_owned() };
        if !content.is_empty() {
            out.push_str(&" ".repeat(new));
        }
        out.push_str(&content);
        out.push('\n');
    }
    out
}

fn signed(indent: usize) -> isize {
    isize::try_from(indent).unwrap_or(isize::MAX)
}

fn shift(own: usize, moved: isize) -> usize {
    own.saturating_add_signed(moved)
}

/// A comment that stands over a line moves with that, one at the margin not at all, others with the line before.
fn comment(lines: &[&str], number: usize, own: usize, indents: &BTreeMap<usize, usize>) -> Option<usize> {
    let next = (number + 1..lines.len()).find(|at| indents.contains_key(at));
    let over = next.filter(|next| lines[*next].len() - lines[*next].trim_start_matches(' ').len() == own);
    over.map(|next| indents[&next]).or((own == 0).then_some(0))
}

/// One space after each dash that an element's first line begins with.
fn one_space(content: &str) -> String {
    let rest = content.strip_prefix('-').filter(|rest| rest.starts_with(' '));
    match rest.map(|rest| rest.trim_start_matches(' ')) {
        Some("") => "-".to_owned(),
        Some(rest) if rest.starts_with('#') => content.to_owned(),
        Some(rest) => format!("- {}", one_space(rest)),
        None => content.to_owned(),
    }
}

struct Blocks<'t> {
    text: &'t str,
    starts: &'t [usize],
    /// By line.
    indents: BTreeMap<usize, usize>,
}

impl Blocks<'_> {
    fn walk(&mut self, node: &Node, indent: usize) {
        if !is_block(self.text, node) {
            return;
        }
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    self.begins(key.span.start, indent);
                    self.walk(value, indent + 2);
                }
            }
            Kind::Sequence(elements) => {
                for element in elements {
                    if let Some(dash) = self.text[..element.span.start].rfind('-') {
                        self.begins(dash, indent);
                    }
                    self.walk(element, indent + 2);
                }
            }
        }
    }

    /// The line that begins with what stands at an offset is indented so far.
    fn begins(&mut self, at: usize, indent: usize) {
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        if self.text[self.starts[line]..at].bytes().all(|byte| byte == b' ') {
            self.indents.insert(line, indent);
        }
    }
}

/// The keys of a change in the order of the reference, each with the comments directly over it. What stands over the
/// first key stays at the top, and comments at the end of the file there.
pub(super) fn order(text: &str, tree: &Node) -> String {
    let entries = tree.as_mapping().unwrap_or_default();
    let is_change = entries.iter().any(|(key, _)| key.text() == Some("change"));
    let sorted = entries.windows(2).all(|pair| rank(name(&pair[0])) <= rank(name(&pair[1])));
    if !is_change || sorted || !is_block(text, tree) {
        return text.to_owned();
    }
    let starts: Vec<usize> = entries
        .iter()
        .enumerate()
        .map(|(number, (key, _))| match number {
            0 => key.span.start,
            _ => over(text, key.span.start),
        })
        .collect();
    let mut parts: Vec<(usize, &str)> = Vec::new();
    let last = over(text, text.len());
    for (number, entry) in entries.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(last);
        parts.push((rank(name(entry)), &text[starts[number]..end]));
    }
    parts.sort_by_key(|(rank, _)| *rank);
    let mut out = text[..starts[0]].to_owned();
    for (_, part) in parts {
        out.push_str(part);
        out.push_str(if part.ends_with('\n') { "" } else { "\n" });
    }
    out + &text[last..]
}

fn name(entry: &(Node, Node)) -> &str {
    entry.0.text().unwrap_or_default()
}

/// The start of the comments directly over a line.
fn over(text: &str, line: usize) -> usize {
    let mut start = line;
    while let Some(before) = text[..start].strip_suffix('\n') {
        let above = before.rfind('\n').map_or(0, |at| at + 1);
        if !text[above..].starts_with('#') {
            break;
        }
        start = above;
    }
    start
}

/// No white space at the ends of lines, no two empty lines in a row, none at the beginning, one line's end at the end.
/// The lines of values that span several are left as they are.
pub(super) fn trim(text: &str, tree: &Node) -> String {
    let mut values = Vec::new();
    several_lines(text, tree, &mut values);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_inside = values.iter().any(|(start, end)| {
            *start < at && at < *end || *start >= at && at + line.len() < *end && *start < at + line.len()
        });
        at += line.len();
        let trimmed = line.trim_end();
        let is_second = out.is_empty() || out.ends_with("\n\n");
        if is_inside {
            out.push_str(line);
        } else if !(trimmed.is_empty() && is_second) {
            out.push_str(trimmed);
            out.push('\n');
        }
    }
    let end = out.trim_end_matches('\n').len();
    out.truncate(end);
    out + "\n"
}

/// Where scalars stand that span several lines.
fn several_lines(text: &str, node: &Node, found: &mut Vec<(usize, usize)>) {
    match &node.kind {
        Kind::Scalar(scalar) => {
            let written = &text[node.span.start..node.span.end];
            // The text of a block begins on a line of its own, all of which is the value.
            if scalar.quoted && !written.starts_with(['"', '\'']) {
                let start = text[..node.span.start].rfind('\n').unwrap_or_default();
                let end = text[node.span.end..].find('\n').map_or(text.len(), |end| node.span.end + end + 1);
                found.push((start, end));
            } else if written.contains('\n') {
                found.push((node.span.start, node.span.end));
            }
        }
        Kind::Sequence(elements) => elements.iter().for_each(|element| several_lines(text, element, found)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                several_lines(text, key, found);
                several_lines(text, value, found);
            }
        }
    }
}
