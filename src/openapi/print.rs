//! A document as YAML that reads back as the same value.

use serde_json::{Map, Value};

use crate::yaml::{self, is_printable, write_quoted};

/// A document as YAML, in block style.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => write_members(members, 0, &mut out),
        Value::Array(items) if !items.is_empty() => write_items(items, 0, &mut out),
        scalar => {
            write_scalar(scalar, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_members(members: &Map<String, Value>, depth: usize, out: &mut String) {
    for (at, (name, value)) in members.iter().enumerate() {
        // The first stands on the line of what it is in: a dash, or nothing.
        if at > 0 || out.is_empty() || out.ends_with('\n') {
            indent(depth, out);
        }
        write_text(name, out);
        out.push(':');
        write_below(value, depth, out);
    }
}

/// What follows `name:`.
fn write_below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            write_members(members, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_items(items, depth + 1, out);
        }
        scalar => {
            out.push(' ');
            write_scalar(scalar, depth + 1, out);
            out.push('\n');
        }
    }
}

fn write_items(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        if out.is_empty() || out.ends_with('\n') {
            indent(depth, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => write_members(members, depth + 1, out),
            Value::Array(items) if !items.is_empty() => write_items(items, depth + 1, out),
            scalar => {
                write_scalar(scalar, depth + 1, out);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block(text) => write_block(text, depth, out),
        Value::String(text) => write_text(text, out),
        // Numbers, booleans, null, `[]` and `{}` are the same in both languages.
        other => out.push_str(&other.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        write_quoted(text, out);
    }
}

/// Whether a text is itself without quotes, for readers of YAML 1.1 too, to whom `no` and `1_000` are no strings.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    let lower = text.to_ascii_lowercase();
    let starts_well = text.starts_with(|c: char| c.is_alphabetic() || "/_$(".contains(c));
    let is_clean = text.chars().all(|c| c == ' ' || !c.is_whitespace() && is_printable(c));
    starts_well
        && is_clean
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !WORDS.contains(&lower.as_str())
        && !matches!(lower.as_str(), "true" | "false" | "null")
        && yaml::parse(text, "", yaml::Limits::default()).is_ok_and(|node| node.as_str() == Some(text))
}

/// Whether a text reads best as a block of lines.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_line = |line: &str| line.chars().all(is_printable) && !line.ends_with([' ', '\t']);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && body.split('\n').all(is_line)
}

fn write_block(text: &str, depth: usize, out: &mut String) {
    out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let texts = [
            "",
            " ",
            "a",
            "no",
            "Yes",
            "null",
            "~",
            "true",
            "1",
            "1.0",
            "0x1f",
            "1_000",
            "2024-06-01",
            "a: b",
            "a #b",
            "- a",
            "? a",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "a,b",
            "a]",
            "'a'",
            "\"a\"",
            "a:",
            ":a",
            "a\\b",
            "a\tb",
            "tab\t",
            "line\nline",
            "line\nline\n",
            "line\n\nline",
            "line\n\n",
            " line\nline",
            "line \nline",
            "\r\n",
            "\u{85}\u{2028}\u{feff}\u{7f}\u{1}",
            "ünïcode ☃ 𝄞",
            "/users/{id}",
            "200",
            "$ref",
            "#/components/schemas/User",
            "---",
            "...",
            "a ",
            "=",
            "<<",
            "-",
            "-1",
            ".5",
            ".inf",
            "text:\tx",
        ];
        let mut value = json!({"list": texts.to_vec(), "empty": {}, "none": [], "deep": [[1, [2.5, null]], [{"a": [{"b": true}]}]]});
        for text in texts {
            value["keys"][text] = json!({text: text});
        }
        let text = to_yaml(&value);
        let node = yaml::parse(&text, "x.yaml", yaml::Limits::default()).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
        let back: Value = serde_json::from_str(&node.to_json().expect("JSON")).expect("JSON");
        assert_eq!(back, value, "{text}");
    }

    #[test]
    fn plain_documents_are_plain() {
        let value =
            json!({"openapi": "3.1.0", "paths": {"/a/{id}": {"get": {"tags": ["x"], "description": "One.\nTwo.\n"}}}});
        let want = "openapi: \"3.1.0\"\npaths:\n  /a/{id}:\n    get:\n      tags:\n        - x\n      description: |\n        One.\n        Two.\n";
        assert_eq!(to_yaml(&value), want);
    }
}
