//! A draft as a change file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::body::Drafted;
use super::op::{Edit, Op, Shell, path, plain, pointer, quote};

/// Where `legato schema` can put the schema of change files, as seen from `rules/<api>/changes/<version>`.
const SCHEMA: &str = "../../../../schemas/change.schema.json";

/// What stands for a call that the samples do not tell.
const UNKNOWN_CALL: &str = "GET /";

/// What a change file says before its ops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `change:`
    pub name: String,
    /// `since:`
    pub since: String,
    /// What the draft was made from, for the reader.
    pub origin: String,
}

/// Which message of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The request.
    Request,
    /// The response with this status or range of statuses, such as `2xx`.
    Response(String),
}

/// The drafts of one call's messages.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method and path template, such as `GET /users/{id}`; `None` if the samples do not tell.
    pub call: Option<String>,
    /// In order.
    pub parts: Vec<(Part, Drafted)>,
}

/// A whole draft.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What stands first.
    pub header: Header,
    /// The calls that were compared.
    pub calls: Vec<Call>,
}

impl Draft {
    fn parts(&self) -> impl Iterator<Item = (&Call, &Part, &Drafted)> {
        self.calls.iter().flat_map(|call| call.parts.iter().map(move |(part, drafted)| (call, part, drafted)))
    }

    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.parts().flat_map(|(_, _, drafted)| &drafted.ops)
    }

    /// Whether the two versions do not differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops().next().is_none()
    }

    /// Whether nobody has to decide or explain anything.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let named = self.is_empty() || self.calls.iter().all(|call| call.call.is_some());
        named && !self.ops().any(Op::is_open) && self.unexplained().is_empty()
    }

    /// What the ops do not explain, one line each.
    #[must_use]
    pub fn unexplained(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (call, part, drafted) in self.parts() {
            let name = call.call.as_deref().unwrap_or("the samples");
            let message = match part {
                Part::Request => format!("{name}, request"),
                Part::Response(status) => format!("{name}, response {status}"),
            };
            lines.extend(drafted.unexplained.iter().map(|what| format!("{message}: {what}")));
            let pairs = drafted.residue.pairs;
            let places = drafted.residue.places.iter();
            lines.extend(places.map(|(place, count)| format!("{message}: {place} in {count} of {pairs} pairs")));
        }
        lines
    }

    /// The change file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let Header { name, since, origin } = &self.header;
        let mut text = format!("# yaml-language-server: $schema={SCHEMA}\n");
        let (pairs, failed) = self.parts().fold((0, 0), |(pairs, failed), (_, _, drafted)| {
            (pairs + drafted.residue.pairs, failed + drafted.residue.failed)
        });
        // Writing to a string does not fail.
        let _ = writeln!(text, "# Drafted by `legato diff` from {origin}.");
        if pairs > 0 {
            let _ = writeln!(text, "# Pairs that it reproduces in both directions: {} of {pairs}.", pairs - failed);
        }
        let _ = writeln!(text, "change: {}\nsince: {}", plain(name), quote(since));
        let _ = writeln!(text, "summary: {}\napply:", summary(self.ops()));
        self.blocks().iter().for_each(|block| text.push_str(block));
        text.push_str(&losses(self.ops()));
        text
    }

    /// One block for all calls that changed alike.
    fn blocks(&self) -> Vec<String> {
        let mut blocks: Vec<(Vec<String>, String)> = Vec::new();
        for call in &self.calls {
            let body = messages(&call.parts);
            if body.is_empty() {
                continue;
            }
            let name = call.call.clone().unwrap_or_else(|| UNKNOWN_CALL.to_owned());
            match blocks.iter_mut().find(|(_, other)| *other == body) {
                Some((calls, _)) => calls.push(name),
                None => blocks.push((vec![name], body)),
            }
        }
        let block = |(calls, body): (Vec<String>, String)| {
            let question =
                if calls.iter().any(|call| call == UNKNOWN_CALL) { "  # TODO which call is it?\n" } else { "" };
            format!("{question}  - http: {}\n{body}", names(&calls))
        };
        blocks.into_iter().map(block).collect()
    }
}

fn names(calls: &[String]) -> String {
    match calls {
        [one] => quote(one),
        several => {
            let quoted: Vec<String> = several.iter().map(|call| quote(call)).collect();
            format!("[{}]", quoted.join(", "))
        }
    }
}

fn messages(parts: &[(Part, Drafted)]) -> String {
    let mut text = String::new();
    let mut in_responses = false;
    for (part, drafted) in parts.iter().filter(|(_, drafted)| !drafted.ops.is_empty()) {
        let indent = match part {
            Part::Request => {
                text.push_str("    request:\n");
                "      "
            }
            Part::Response(status) => {
                if !in_responses {
                    text.push_str("    response:\n");
                    in_responses = true;
                }
                // Writing to a string does not fail.
                let _ = writeln!(text, "      {status}:");
                "        "
            }
        };
        for op in &drafted.ops {
            write_op(op, indent, &mut text);
        }
    }
    text
}

fn write_op(op: &Op, indent: &str, text: &mut String) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{indent}# {} %: {}", op.confidence, comment(&op.because));
    if let Some(question) = &op.question {
        let _ = writeln!(text, "{indent}# TODO {}", comment(question));
    }
    let _ = writeln!(text, "{indent}- {}", op.edit.to_yaml("TODO"));
}

/// A text that stays on its line.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn summary<'a>(ops: impl Iterator<Item = &'a Op>) -> String {
    let mut parts: BTreeSet<String> = BTreeSet::new();
    for op in ops {
        parts.extend(words(&op.edit));
    }
    let shown: Vec<String> = parts.iter().take(6).cloned().collect();
    let more = if parts.len() > shown.len() { "; and more" } else { "" };
    let text = format!("{}{more}.", shown.join("; "));
    quote(&text)
}

fn words(edit: &Edit) -> Vec<String> {
    match edit {
        Edit::Rename(entries) => entries.iter().map(|(at, to)| format!("`{}` is called `{to}`", pointer(at))).collect(),
        Edit::Move { from, to } => vec![format!("`{}` moved to `{}`", pointer(from), pointer(to))],
        Edit::Add { at, .. } => vec![format!("`{}` is new", pointer(at))],
        Edit::Remove { at, .. } => vec![format!("`{}` is gone", pointer(at))],
        Edit::Map { at, .. } => vec![format!("`{}` has other values", pointer(at))],
        Edit::Convert { at, .. } => vec![format!("`{}` has another format", pointer(at))],
        Edit::Wrap { at, turned: false, .. } => vec![format!("`{}` is wrapped", pointer(at))],
        Edit::Wrap { at, turned: true, .. } => vec![format!("`{}` is no longer wrapped", pointer(at))],
        Edit::Split { at, .. } => vec![format!("`{}` is split", pointer(at))],
        Edit::Presence { at, .. } => vec![format!("`{}` is absent in another way", pointer(at))],
        Edit::Recase { .. } => vec!["names have another case".to_owned()],
        Edit::Envelope(Shell { key, .. }) => vec![format!("bodies are in `{key}`")],
    }
}

/// What the ops cannot carry, by direction.
fn losses<'a>(ops: impl Iterator<Item = &'a Op>) -> String {
    let (mut up, mut down) = (BTreeSet::new(), BTreeSet::new());
    for op in ops {
        match &op.edit {
            Edit::Remove { at, .. } => drop(up.insert(path(at))),
            Edit::Add { at, .. } => drop(down.insert(path(at))),
            Edit::Split { into, .. } => down.extend(into.iter().map(|at| path(at))),
            Edit::Map { at, pairs } if is_many_to_one(pairs) => drop(up.insert(path(at))),
            Edit::Wrap { into: Some(Shell { with, .. }), turned: true, .. } => {
                up.extend(with.iter().map(|(name, _)| plain(&format!("/{name}"))));
            }
            Edit::Envelope(Shell { with, .. }) => down.extend(with.iter().map(|(name, _)| plain(&format!("/{name}")))),
            _ => {}
        }
    }
    let side = |name: &str, paths: &BTreeSet<String>| {
        let list: Vec<&str> = paths.iter().map(String::as_str).collect();
        if list.is_empty() { String::new() } else { format!("  {name}: [{}]\n", list.join(", ")) }
    };
    let text = side("up", &up) + &side("down", &down);
    if text.is_empty() { text } else { format!("accept_loss:\n{text}") }
}

fn is_many_to_one(pairs: &[(String, String)]) -> bool {
    let new: BTreeSet<&String> = pairs.iter().map(|(_, new)| new).collect();
    new.len() < pairs.len()
}
