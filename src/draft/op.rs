//! An op of a draft, and how it is written in a change file.

use std::fmt::Write as _;

use crate::json::edit::{Case, Path, Token};
use crate::json::{Conversion, Items, Kind, Way, unescape};
use crate::rules::Place;

/// One op of a draft, with what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op {
    /// What it says.
    pub(super) edit: Edit,
    /// How sure it is, in percent.
    pub(super) confidence: u8,
    /// What it rests on.
    pub(super) because: String,
    /// What its author has to decide.
    pub(super) question: Option<String>,
}

/// What an op says; the parameters are those of `docs/rules.md`. Values are JSON texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// `rename`
    Rename(Vec<(Path, String)>),
    /// `move`
    Move { from: Path, to: Path },
    /// `add`
    Add { at: Path, default: Fill, create: bool },
    /// `remove`
    Remove { at: Path, restore: Fill, create: bool },
    /// `map`
    Map { at: Path, pairs: Vec<(String, String)> },
    /// `convert`
    Convert { at: Path, conversion: Conversion, way: Way },
    /// `wrap`, or `unwrap` if `turned`; into an array if there is no `key`.
    Wrap { at: Path, into: Option<Shell>, turned: bool },
    /// `split`
    Split { at: Path, into: [Path; 2], separator: String, last: bool },
    /// `presence`: what becomes of null and of what is missing, going up and going down.
    Presence { at: Path, up: [Option<Fill>; 2], down: [Option<Fill>; 2] },
    /// `recase`
    Recase { to: Case },
    /// `envelope`
    Envelope(Shell),
}

/// An object with one member that counts, and literals beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shell {
    /// The member's name.
    pub(super) key: String,
    /// What stands beside it.
    pub(super) with: Vec<(String, String)>,
}

/// Where an added value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fill {
    /// A JSON text; `"$now"` and `"$version"` have their meaning.
    Value(String),
    /// Another value of the same scope.
    Copy(Path),
    /// Nothing is added.
    Absent,
    /// Samples do not tell.
    Unknown,
}

impl Op {
    /// An op that nobody needs to think about.
    #[must_use]
    pub(super) fn new(edit: Edit, score: f64, because: impl Into<String>) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a percentage")]
        let confidence = (score * 100.0).clamp(1.0, 99.0) as u8;
        Self { edit, confidence, because: because.into(), question: None }
    }

    /// Whether somebody has to decide something before this can be used.
    #[must_use]
    pub(super) fn is_open(&self) -> bool {
        self.question.is_some() || self.edit.has_unknown()
    }

    /// The op within each value at `prefix`.
    #[must_use]
    pub(super) fn within(mut self, prefix: &[Token]) -> Self {
        self.edit.for_each_path(|path| {
            path.splice(0..0, prefix.iter().cloned());
        });
        self
    }
}

impl Edit {
    fn has_unknown(&self) -> bool {
        matches!(self, Self::Add { default: Fill::Unknown, .. } | Self::Remove { restore: Fill::Unknown, .. })
    }

    /// Every path that counts from the scope of the op.
    fn for_each_path(&mut self, mut visit: impl FnMut(&mut Path)) {
        match self {
            Self::Rename(entries) => entries.iter_mut().for_each(|(path, _)| visit(path)),
            Self::Move { from, to } => [from, to].into_iter().for_each(visit),
            Self::Split { at, into: [first, second], .. } => [at, first, second].into_iter().for_each(visit),
            Self::Add { at, .. }
            | Self::Remove { at, .. }
            | Self::Map { at, .. }
            | Self::Convert { at, .. }
            | Self::Wrap { at, .. }
            | Self::Presence { at, .. } => visit(at),
            Self::Recase { .. } | Self::Envelope(_) => {}
        }
    }

    /// What it costs a reader: the draft with the lowest sum is the best explanation.
    #[must_use]
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Rename(entries) => entries.len(),
            Self::Add { .. } | Self::Remove { .. } => 3,
            Self::Move { .. }
            | Self::Map { .. }
            | Self::Convert { .. }
            | Self::Wrap { .. }
            | Self::Split { .. }
            | Self::Presence { .. }
            | Self::Recase { .. }
            | Self::Envelope(_) => 2,
        }
    }

    /// The op as one line of YAML, without the dash. An unknown value is written `unknown`.
    #[must_use]
    pub(super) fn to_yaml(&self, unknown: &str) -> String {
        match self {
            Self::Rename(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(at, to)| format!("{}: {}", path(at), plain(to))).collect();
                format!("rename: {{{}}}", entries.join(", "))
            }
            Self::Move { from, to } => format!("move: {{from: {}, to: {}}}", path(from), path(to)),
            Self::Add { at, default, create } => {
                format!("add: {{at: {}, default: {}{}}}", path(at), default.to_yaml(unknown), create_knob(*create))
            }
            Self::Remove { at, restore, create } => {
                format!("remove: {{at: {}, restore: {}{}}}", path(at), restore.to_yaml(unknown), create_knob(*create))
            }
            Self::Map { at, pairs } => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(old, new)| format!("[{}, {}]", value(old), value(new))).collect();
                format!("map: {{at: {}, pairs: [{}]}}", path(at), pairs.join(", "))
            }
            Self::Convert { at, conversion, way } => convert(at, conversion, *way),
            Self::Wrap { at, into, turned } => {
                let into = into.as_ref().map_or("array".to_owned(), |shell| format!("{{{}}}", shell.to_yaml()));
                let name = if *turned { "unwrap" } else { "wrap" };
                format!("{name}: {{at: {}, into: {into}}}", path(at))
            }
            Self::Split { at, into: [first, second], separator, last } => {
                let take = if *last { ", take: last" } else { "" };
                let (first, second, sep) = (path(first), path(second), quote(separator));
                format!("split: {{at: {}, into: [{first}, {second}], sep: {sep}{take}}}", path(at))
            }
            Self::Presence { at, up, down } => {
                format!("presence: {{at: {}{}{}}}", path(at), fills("up", up), fills("down", down))
            }
            Self::Recase { to } => match to {
                Case::Camel => "recase: {from: snake, to: camel}".to_owned(),
                Case::Snake => "recase: {from: camel, to: snake}".to_owned(),
            },
            Self::Envelope(shell) => format!("envelope: {{{}}}", shell.to_yaml()),
        }
    }
}

impl Shell {
    fn to_yaml(&self) -> String {
        let with = if self.with.is_empty() { String::new() } else { format!(", with: {}", mapping(&self.with)) };
        format!("key: {}{with}", plain(&self.key))
    }
}

impl Fill {
    fn to_yaml(&self, unknown: &str) -> String {
        match self {
            Self::Value(text) => format!("{{value: {}}}", value(text)),
            Self::Copy(from) => format!("{{from: {}}}", path(from)),
            Self::Absent => "absent".to_owned(),
            Self::Unknown => unknown.to_owned(),
        }
    }
}

fn create_knob(create: bool) -> &'static str {
    if create { ", create: true" } else { "" }
}

fn fills(direction: &str, [null, missing]: &[Option<Fill>; 2]) -> String {
    let one = |name: &str, fill: &Option<Fill>| fill.as_ref().map(|fill| format!("{name}: {}", fill.to_yaml("fail")));
    let parts: Vec<String> = [one("\"null\"", null), one("missing", missing)].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(", {direction}: {{{}}}", parts.join(", ")) }
}

fn convert(at: &Path, conversion: &Conversion, way: Way) -> String {
    let (first, second) = conversion.names();
    let (from, to) = match way {
        Way::There => (first, second),
        Way::Back => (second, first),
    };
    let knob = match conversion {
        Conversion::MinorUnitsDecimal(scale) => format!(", scale: {scale}"),
        Conversion::CsvArray(separator) if separator != "," => format!(", sep: {}", quote(separator)),
        _ => String::new(),
    };
    format!("convert: {{at: {}, from: {from}, to: {to}{knob}}}", path(at))
}

/// A path as it is written in rules.
#[must_use]
pub(super) fn path(tokens: &[Token]) -> String {
    plain(&pointer(tokens))
}

/// A path without the quotes that YAML may need.
#[must_use]
pub(super) fn pointer(tokens: &[Token]) -> String {
    Place { location: crate::rules::Location::Body, tokens: tokens.to_vec() }.to_string()
}

/// A string as a YAML scalar, quoted only where it must be.
pub(super) fn plain(text: &str) -> String {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '$');
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '*' | '~' | '$');
    let is_word = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "todo");
    let is_plain = text.starts_with(first) && text.chars().all(safe) && !is_word;
    if is_plain { text.to_owned() } else { quote(text) }
}

/// A string as a YAML scalar in quotes.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON text as YAML in one line.
fn value(json: &str) -> String {
    let text = json.as_bytes();
    match Kind::of(text) {
        Kind::String => plain(&String::from_utf8_lossy(&unescape(text))),
        Kind::Number | Kind::Boolean | Kind::Null => json.to_owned(),
        Kind::Array => {
            let items: Vec<String> = Items::new(text, 0).map(|item| value(&json[item.value])).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Object => {
            let name = |raw: &str| String::from_utf8_lossy(&unescape(raw.as_bytes())).into_owned();
            let members: Vec<(String, String)> =
                Items::new(text, 0).map(|item| (name(&json[item.name]), json[item.value].to_owned())).collect();
            mapping(&members)
        }
    }
}

fn mapping(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, json)| format!("{}: {}", plain(name), value(json))).collect();
    format!("{{{}}}", members.join(", "))
}
