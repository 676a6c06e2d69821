//! Nodes as YAML text: on one line, or as a block.

use std::fmt::Write as _;

use super::{Kind, Node, Scalar, ScalarKind, scalar};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between brackets.
    Flow,
    /// On a line of its own, or after a key.
    Block,
}

impl Node {
    /// The node on one line: `{a: 1, b: [x, "1"]}`. Quotes are written where they are needed, and where they were.
    #[must_use]
    pub fn to_flow(&self) -> String {
        let mut out = String::new();
        write_flow(self, Place::Flow, &mut out);
        out
    }

    /// The node as it stands after `key: ` on a line that is indented by `indent`: on one line if that fits in
    /// `width` columns, `used` of which are taken, and as a block below it if not.
    #[must_use]
    pub fn to_block(&self, indent: usize, used: usize, width: usize) -> String {
        let mut line = String::new();
        write_flow(self, Place::Block, &mut line);
        let is_empty = match &self.kind {
            Kind::Scalar(_) => true,
            Kind::Sequence(elements) => elements.is_empty(),
            Kind::Mapping(entries) => entries.is_empty(),
        };
        if is_empty || used + line.chars().count() <= width {
            return line;
        }
        format!("\n{}{}", " ".repeat(indent), self.to_lines(indent, width))
    }

    /// The node as a block whose first line is indented already.
    #[must_use]
    pub fn to_lines(&self, indent: usize, width: usize) -> String {
        let mut out = String::new();
        let between = format!("\n{}", " ".repeat(indent));
        match &self.kind {
            Kind::Sequence(elements) if !elements.is_empty() => {
                for (number, element) in elements.iter().enumerate() {
                    out.push_str(if number == 0 { "" } else { &between });
                    out.push_str("- ");
                    let block = element.to_block(indent + 2, indent + 2, width);
                    out.push_str(block.trim_start());
                }
            }
            Kind::Mapping(entries) if !entries.is_empty() => {
                for (number, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if number == 0 { "" } else { &between });
                    let mut name = String::new();
                    write_flow(key, Place::Block, &mut name);
                    let block = value.to_block(indent + 2, indent + name.chars().count() + 2, width);
                    let space = if block.starts_with('\n') || block.is_empty() { "" } else { " " };
                    let _ = write!(out, "{name}:{space}{block}");
                }
            }
            _ => write_flow(self, Place::Block, &mut out),
        }
        out
    }
}

fn write_flow(node: &Node, place: Place, out: &mut String) {
    match &node.kind {
        Kind::Scalar(scalar) => write_scalar(scalar, place, out),
        Kind::Sequence(elements) => {
            out.push('[');
            for (number, element) in elements.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                write_flow(element, Place::Flow, out);
            }
            out.push(']');
        }
        Kind::Mapping(entries) => {
            out.push('{');
            for (number, (key, value)) in entries.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                write_flow(key, Place::Flow, out);
                out.push_str(": ");
                write_flow(value, Place::Flow, out);
            }
            out.push('}');
        }
    }
}

fn write_scalar(scalar: &Scalar, place: Place, out: &mut String) {
    if scalar.value != ScalarKind::String {
        out.push_str(if scalar.text.is_empty() { "null" } else { &scalar.text });
    } else if if scalar.quoted { is_word(&scalar.text) } else { is_plain(&scalar.text, place) } {
        out.push_str(&scalar.text);
    } else {
        write_quoted(&scalar.text, out);
    }
}

/// Whether quotes around a text say nothing to anybody: it is a word or several, or a path of words.
fn is_word(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'));
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'-' | b'.' | b' '));
    first && rest && is_plain(text, Place::Flow) && !OLD_BOOLEANS.contains(&text.to_ascii_lowercase().as_str())
}

/// Booleans to readers of YAML 1.1: their quotes stay for the people who know that.
const OLD_BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// Whether a string can stand without quotes (YAML 1.2, section 7.3.3).
fn is_plain(text: &str, place: Place) -> bool {
    let starts_well = match text.chars().next() {
        None => false,
        Some('-' | '?' | ':') => {
            text[1..].starts_with(|c: char| !(c.is_whitespace() || place == Place::Flow && ",[]{}".contains(c)))
        }
        Some(first) => !",[]{}#&*!|>'\"%@`".contains(first),
    };
    let breaks_off = |c: char| c.is_control() || place == Place::Flow && ",[]{}".contains(c);
    let has_comment_or_key = text.contains(" #") || text.contains(": ") || text.ends_with(':');
    let flow_key = place == Place::Flow && [":,", ":]", ":}"].iter().any(|end| text.contains(end));
    starts_well
        && !text.contains(breaks_off)
        && !has_comment_or_key
        && !flow_key
        && text.trim() == text
        && !text.starts_with("---")
        && !text.starts_with("...")
        && scalar::resolve(text) == ScalarKind::String
}

/// Whether a character may stand in YAML as itself (YAML 1.2, section 5.1), line breaks aside.
pub(crate) fn is_printable(c: char) -> bool {
    matches!(c, '\t' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}')
        || matches!(c, '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Appends a text between double quotes.
pub(crate) fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            // Writing into a string cannot fail. What is not printable is below U+10000.
            c => drop(write!(out, "\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
}
