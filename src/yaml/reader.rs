//! Takes a tree apart and remembers everything that is wrong with it, so that all errors of a file are reported
//! at once.
//!
//! Every method that returns an `Option` has already reported why it returns `None`.

use std::sync::Arc;

use super::{Node, Span, code};
use crate::diagnostic::Diagnostic;

/// Collects what is wrong with one file.
#[derive(Debug)]
pub struct Reader {
    file: Arc<str>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// A reader for a file that nothing is wrong with so far.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.into(), diagnostics: Vec::new() }
    }

    /// The file's name, as its diagnostics have it.
    #[must_use]
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// What was reported so far.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What was reported last, to say more of it.
    pub fn last(&mut self) -> Option<&mut Diagnostic> {
        self.diagnostics.last_mut()
    }

    /// Everything that was reported, in the order of the file.
    #[must_use]
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        self.diagnostics
    }

    /// Reports an error.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, &self.file, span, message);
        self.report(diagnostic)
    }

    /// Reports a value of the right type that is not acceptable.
    pub fn bad_value(&mut self, node: &Node, message: impl Into<String>) -> &mut Diagnostic {
        self.error(code::BAD_VALUE, node.span, message)
    }

    /// Reports a diagnostic made elsewhere.
    pub fn report(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push(diagnostic);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// The keys of a mapping. `what` names the whole in messages: `a change`.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        let entries = self.mapping(node, what)?;
        Some(Fields { what: what.to_owned(), span: node.span, entries, asked: Vec::new() })
    }

    /// The entries of a mapping whose keys are names of the author's choice.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        self.expect(node, what, "a mapping", node.as_mapping())
    }

    /// The elements of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        self.expect(node, what, "a list", node.as_sequence())
    }

    /// A string; a number is none.
    pub fn string<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if let Some(text) = node.as_str() {
            return Some(text);
        }
        let help = node.text().filter(|text| !text.is_empty()).map(|text| format!("write \"{}\"", clip(text)));
        self.wrong_type(node, what, "a string").help = help;
        None
    }

    /// A boolean.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        self.expect(node, what, "`true` or `false`", node.as_bool())
    }

    /// An integer from 0 to 2^64 - 1.
    pub fn integer(&mut self, node: &Node, what: &str) -> Option<u64> {
        self.expect(node, what, "a whole number that is not negative", node.as_u64())
    }

    /// One of a closed list of strings.
    pub fn one_of<'t, T>(&mut self, node: &Node, what: &str, choices: &'t [(&str, T)]) -> Option<&'t T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let Some(text) = node.as_str() else {
            self.wrong_type(node, what, "a string").help(expected_one_of(&names));
            return None;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(value);
        }
        let help = suggestion(text, &names);
        self.bad_value(node, format!("unknown value `{}` for {what}", clip(text))).help(help);
        None
    }

    fn expect<T>(&mut self, node: &Node, what: &str, expected: &str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.wrong_type(node, what, expected);
        }
        found
    }

    /// Reports a value of another type than the one expected.
    pub fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) -> &mut Diagnostic {
        let found = match node.text() {
            Some(text) if node.as_str().is_none() && !node.is_null() => {
                format!("{} ({})", node.type_name(), clip(text))
            }
            _ => node.type_name().to_owned(),
        };
        self.error(code::WRONG_TYPE, node.span, format!("{what} must be {expected}, found {found}"))
    }
}

/// A mapping with a fixed set of keys. Ask for every key it may have, then [`finish`](Self::finish).
#[derive(Debug)]
#[must_use = "`finish` reports the keys that nothing asked for"]
pub struct Fields<'n> {
    what: String,
    span: Span,
    entries: &'n [(Node, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Where the mapping stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The value of a key; `None` where it is not there, which is not reported.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key and its value; `None` where it is not there, which is not reported.
    pub fn entry(&mut self, key: &'static str) -> Option<(&'n Node, &'n Node)> {
        self.asked.push(key);
        self.entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(name, value)| (name, value))
    }

    /// The value of a key that has to be there.
    pub fn require(&mut self, reader: &mut Reader, key: &'static str) -> Option<&'n Node> {
        let value = self.get(key);
        if value.is_none() {
            reader.error(code::MISSING_KEY, self.span, format!("missing key `{key}` in {}", self.what));
        }
        value
    }

    /// Reports every key that was never asked for.
    pub fn finish(self, reader: &mut Reader) {
        for (key, _) in self.entries {
            let name = key.text().unwrap_or_default();
            if !self.asked.contains(&name) {
                let message = format!("unknown key `{}` in {}", clip(name), self.what);
                reader.error(code::UNKNOWN_KEY, key.span, message).help(suggestion(name, &self.asked));
            }
        }
    }
}

/// ``did you mean `x`?`` where one of the names is near, else all of them.
#[must_use]
pub fn suggestion(found: &str, names: &[&str]) -> String {
    nearest(found, names).map_or_else(|| expected_one_of(names), |name| format!("did you mean `{name}`?"))
}

fn expected_one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("expected one of {}", quoted.join(", "))
}

/// The name that is so near that it may be meant.
#[must_use]
pub fn nearest<'n>(found: &str, names: &[&'n str]) -> Option<&'n str> {
    let (distance, name) = names.iter().map(|name| (distance(found, name), *name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

/// Edits (insert, delete, replace, swap of neighbours counted as two) between two words; words too long to be a
/// slip of the keyboard are far from everything.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    if a.len() > LONGEST || b.len() > LONGEST {
        return LONGEST;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, d) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *d);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// At most the first 64 characters, for messages.
fn clip(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
