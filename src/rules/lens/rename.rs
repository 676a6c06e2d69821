//! `rename`: members have other names.

use std::collections::HashMap;

use crate::json::edit::{Edit, Path, Token};
use crate::rules::Direction;
use crate::rules::path::{Part, Place, is_cookie_name, is_framing, is_header_name};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example};
use super::{Edits, Lens, code, member};

/// What there is to say of `rename`.
pub(super) const DEFINITION: Definition = Definition {
    name: "rename",
    summary: "members have other names; place and value stay",
    does: "All entries are simultaneous, so that names can be swapped. A missing member is left missing; null is a value like \
           any other.",
    arguments: Arguments::Renames,
    inverse: "names swapped",
    lost: "a member that has the new name already and no version declares",
    examples: &[Example {
        ops: "- rename: {/text: body, /a: b, /b: a}\n",
        documents: &[Documents::both(r#"{"text":"hi","a":1,"b":2}"#, r#"{"body":"hi","b":1,"a":2}"#)],
    }],
    parse: |reader, args| Rename::parse(reader, args).map(Lens::Rename),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    entries: Vec<(Place, String)>,
}

/// The objects whose members have new names.
type Scope = (Part, Path);

impl Rename {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let nodes = reader.mapping(args, "`rename`")?;
        if nodes.is_empty() {
            reader.error(code::OP, args.span, "`rename` names nothing").help("write `rename: {/old: new}`");
            return None;
        }
        let entries: Vec<_> =
            nodes.iter().map(|(path, name)| Some((member(reader, path)?, new_name(reader, path, name)?))).collect();
        let entries: Vec<_> = entries.into_iter().collect::<Option<_>>()?;
        check_targets(reader, nodes, &entries)?;
        Some(Self { entries })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        self.entries.iter().map(|(place, _)| place).collect()
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        // The scopes in their order, and their numbers.
        let mut scopes: Vec<(Scope, Vec<(String, String)>)> = Vec::new();
        let mut known: HashMap<Scope, usize> = HashMap::new();
        for (place, new) in &self.entries {
            let mut at = place.in_part();
            let Some(Token::Key(old)) = at.pop() else { continue };
            let pair = match direction {
                Direction::Up => (old, new.clone()),
                Direction::Down => (new.clone(), old),
            };
            let scope = (place.part(), at);
            let number = *known.entry(scope.clone()).or_insert(scopes.len());
            if number == scopes.len() {
                scopes.push((scope, Vec::new()));
            }
            scopes[number].1.push(pair);
        }
        scopes.into_iter().map(|((part, at), pairs)| (part, Edit::Rename { at, pairs: pairs.into() })).collect()
    }
}

fn new_name(reader: &mut Reader, path: &Node, name: &Node) -> Option<String> {
    let text = reader.string(name, "a new name")?;
    if !text.starts_with('/') {
        let is_in = |location: &str| path.as_str().is_some_and(|path| path.starts_with(location));
        let text = if is_in("header:") { text.to_ascii_lowercase() } else { text.to_owned() };
        let wrong =
            if is_in("header:") { wrong_header(&text) } else { wrong_cookie(&text).filter(|_| is_in("cookie:")) };
        if let Some((message, help)) = wrong {
            reader.error(code::PATH, name.span, format!("`{}` {message}", text.escape_debug())).help(help);
            return None;
        }
        return Some(text);
    }
    let last = text.rsplit('/').next().unwrap_or_default();
    reader
        .error(code::PATH, name.span, format!("`rename` takes a name, found the path `{text}`"))
        .help(format!("write `{last}`; to change the place, use `move`"));
    None
}

fn wrong_header(name: &str) -> Option<(&'static str, &'static str)> {
    if is_framing(name) {
        return Some((
            "is about the connection and cannot be changed",
            "take a name that the proxy does not write itself",
        ));
    }
    (!is_header_name(name)).then_some(("is no header name", "a header's name has letters, digits and `-`"))
}

fn wrong_cookie(name: &str) -> Option<(&'static str, &'static str)> {
    (!is_cookie_name(name)).then_some(("is no cookie name", "a cookie's name has letters, digits, `-` and `_`"))
}

/// Two members of one object cannot become one.
fn check_targets(reader: &mut Reader, nodes: &[(Node, Node)], entries: &[(Place, String)]) -> Option<()> {
    let target = |(place, new): &(Place, String)| -> (Path, String) {
        (place.in_part()[..place.in_part().len() - 1].to_vec(), new.clone())
    };
    let mut seen: HashMap<(Path, String), usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(first) = seen.insert(target(entry), at) {
            let message = format!("two members would become `{}`", entry.1);
            reader.error(code::OP, nodes[at].1.span, message).secondary(nodes[first].1.span, "the first is here");
            return None;
        }
    }
    Some(())
}
