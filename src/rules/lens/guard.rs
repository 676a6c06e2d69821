//! When an op runs: conditions on other values of the same message.

use crate::json::edit::Test;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{code, json, place};

/// One condition of a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// What is looked at.
    pub(in crate::rules) place: Place,
    /// What it must be.
    pub(super) test: Test,
}

/// Parses the mapping below `where` or `where_down`.
pub(super) fn parse_guards(reader: &mut Reader, node: &Node) -> Vec<Guard> {
    let Some(entries) = reader.mapping(node, "a guard") else { return Vec::new() };
    entries.iter().filter_map(|(path, test)| parse_guard(reader, path, test)).collect()
}

fn parse_guard(reader: &mut Reader, path: &Node, test: &Node) -> Option<Guard> {
    let place = place(reader, path)?;
    if place.keys().is_none() {
        reader
            .error(code::PATH, path.span, "a guard looks at one value: its path has no `*`")
            .help("put the op into `each: {at: ..., ops: [...]}` to guard every element by itself");
        return None;
    }
    Some(Guard { place, test: parse_test(reader, test)? })
}

fn parse_test(reader: &mut Reader, node: &Node) -> Option<Test> {
    let literals = |reader: &mut Reader, node: &Node| -> Option<Vec<Vec<u8>>> {
        reader.list(node, "the values of a guard")?.iter().map(|n| json(reader, n)).collect()
    };
    match node.as_mapping() {
        Some([(name, value)]) => match name.text() {
            Some("in") => literals(reader, value).map(Test::In),
            Some("not_in") => literals(reader, value).map(Test::NotIn),
            Some("exists") => reader.boolean(value, "`exists`").map(Test::Exists),
            // A misspelt `exists` must not become a comparison with an object.
            other => {
                let message = format!("unknown test `{}` in a guard", other.unwrap_or_default().escape_debug());
                reader
                    .error(crate::yaml::code::UNKNOWN_KEY, name.span, message)
                    .help(crate::yaml::reader::suggestion(other.unwrap_or_default(), &["in", "not_in", "exists"]));
                None
            }
        },
        _ => json(reader, node).map(|literal| Test::In(vec![literal])),
    }
}
