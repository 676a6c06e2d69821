//! Slips that parse and are not meant: a `TODO` that a draft left, `/` for the whole body.

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::json::edit::Token;
use crate::rules::ast::Change;
use crate::rules::lens::{Lens, Op};
use crate::rules::path::Location;
use crate::rules::{Place, diagnostics as code};
use crate::yaml::{self, Kind, Node, comments};

use super::marks::Texts;

/// What a draft leaves where it has to ask.
const TODO: &str = "TODO";

/// Reports every `TODO` of the changes: scalars without quotes, tests apart, and comments.
pub(super) fn todos(files: &[(&str, &Source)], diagnostics: &mut Vec<Diagnostic>) {
    let changes = files.iter().filter(|(name, _)| name.starts_with("changes/"));
    for (_, source) in changes.filter(|(_, source)| source.text.contains(TODO)) {
        let (Some(tree), _) = yaml::parse_partial(&source.text, &source.file, yaml::Limits::default()) else {
            continue;
        };
        let mut spans = Vec::new();
        scalars(&tree, &mut spans);
        let comments = comments(&source.text, &tree).into_iter().filter(|comment| is_todo(comment.text));
        spans.extend(comments.map(|comment| comment.span));
        spans.sort_unstable();
        for span in spans {
            let file = source.file.as_str().into();
            let mut diagnostic = Diagnostic::error(code::TODO, &file, span, "a question of the draft is open");
            diagnostic.help("answer it and remove the `TODO`; as a value of your API, write it in quotes");
            diagnostics.push(diagnostic);
        }
    }
}

fn is_todo(text: &str) -> bool {
    text.strip_prefix(TODO).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn scalars(node: &Node, spans: &mut Vec<Span>) {
    match &node.kind {
        Kind::Scalar(scalar) if !scalar.quoted && is_todo(&scalar.text) => spans.push(node.span),
        Kind::Scalar(_) => {}
        Kind::Sequence(nodes) => nodes.iter().for_each(|node| scalars(node, spans)),
        Kind::Mapping(entries) => {
            for (key, value) in entries.iter().filter(|(key, _)| key.text() != Some("tests")) {
                scalars(key, spans);
                scalars(value, spans);
            }
        }
    }
}

/// Reports paths that are `/`, which is the member with the empty name, where the whole body may be meant.
pub(super) fn whole_bodies<'a>(
    change: &Change,
    ops: impl Iterator<Item = &'a Op>,
    texts: Texts<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for op in ops {
        if op.places().any(is_slash) {
            diagnostics.push(slash(change, op, texts));
        }
        whole_bodies(change, op.inner().iter(), texts, diagnostics);
    }
}

fn is_slash(place: &Place) -> bool {
    place.location == Location::Body && matches!(place.tokens.as_slice(), [Token::Key(name)] if name.is_empty())
}

fn slash(change: &Change, op: &Op, texts: Texts<'_>) -> Diagnostic {
    let place = Place { location: Location::Body, tokens: vec![Token::Key(String::new())] };
    let span = texts.find(&change.file, op.span, &place);
    let message = "`/` is the member with the empty name, not the whole body";
    let mut diagnostic = Diagnostic::error(code::SLASH, &change.file, span, message);
    let line = texts.with_text(&change.file, span, "\"body:\"").filter(|_| span != op.span);
    diagnostic.help(match (&op.lens, line) {
        (
            Lens::Map(_)
            | Lens::Convert(_)
            | Lens::Wrap(_)
            | Lens::Unwrap(_)
            | Lens::Entries(_)
            | Lens::Tuple(_)
            | Lens::Recase(_)
            | Lens::Each(_),
            Some(line),
        ) => format!("write `{line}`"),
        (Lens::Move(_), _) => "the whole body goes into a member with `envelope: {key: name}`".to_owned(),
        _ => "the whole body is `body:`; an API that has such a member says so in a comment: `# legato-ignore HY504: ...`"
            .to_owned(),
    });
    diagnostic
}
