//! A node as JSON text, for the literals of rules.

use std::fmt::Write as _;

use super::{Kind, Node, Scalar, ScalarKind, Span};

/// A value that JSON cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson {
    /// Where it stands.
    pub span: Span,
    /// The number as written, such as `0x1f` or `.inf`.
    pub text: String,
}

impl Node {
    /// The node as JSON without white space (RFC 8259). Numbers keep their digits, members their order, and of the
    /// characters of a string only those are escaped that must be.
    ///
    /// # Errors
    /// A number that is not one in JSON, such as `0x1f`, `.5`, `+1`, `007` or `.inf`.
    pub fn to_json(&self) -> Result<String, NotJson> {
        let mut out = String::new();
        write_node(self, &mut out)?;
        Ok(out)
    }
}

fn write_node(node: &Node, out: &mut String) -> Result<(), NotJson> {
    match &node.kind {
        Kind::Scalar(scalar) => write_scalar(scalar, node.span, out),
        Kind::Sequence(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                separate(i, out);
                write_node(element, out)?;
            }
            out.push(']');
            Ok(())
        }
        Kind::Mapping(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                separate(i, out);
                write_string(key.text().unwrap_or_default(), out);
                out.push(':');
                write_node(value, out)?;
            }
            out.push('}');
            Ok(())
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn write_scalar(scalar: &Scalar, span: Span, out: &mut String) -> Result<(), NotJson> {
    match scalar.value {
        ScalarKind::Null => out.push_str("null"),
        ScalarKind::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        ScalarKind::String => write_string(&scalar.text, out),
        ScalarKind::Integer | ScalarKind::Float if is_json_number(&scalar.text) => {
            out.push_str(&scalar.text);
        }
        ScalarKind::Integer | ScalarKind::Float => {
            return Err(NotJson { span, text: scalar.text.clone() });
        }
    }
    Ok(())
}

/// Whether the text of a YAML number is one in JSON too, whose grammar is the narrower one: no `+`, no other base,
/// no leading zero, a digit on both sides of the point, no `.inf`.
fn is_json_number(text: &str) -> bool {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let end = magnitude.find(|c: char| !c.is_ascii_digit()).unwrap_or(magnitude.len());
    let (whole, rest) = magnitude.split_at(end);
    let fraction_has_digits = rest.strip_prefix('.').is_none_or(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let other_base = rest.starts_with(['x', 'o']);
    !whole.is_empty() && (whole == "0" || !whole.starts_with('0')) && fraction_has_digits && !other_base
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
