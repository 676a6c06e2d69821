//! `${NAME}` and `${NAME:-default}` in values.

use super::code;
use crate::yaml::{Kind, Node, Reader};

/// Where names get their values.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The tree with every reference in a value replaced. A value without quotes is afterwards what it would be had it
/// been written out, so that `workers: ${WORKERS}` is a number. Names that are not set are reported, and the reference
/// stays.
pub(super) fn expand(node: Node, environment: Environment<'_>, reader: &mut Reader) -> Node {
    let span = node.span;
    let kind = match node.kind {
        Kind::Scalar(scalar) if scalar.text.contains("${") => match expand_text(&scalar.text, environment) {
            Ok(text) => Kind::Scalar(scalar.with_text(text)),
            Err(Wrong { message, help }) => {
                reader.error(code::ENVIRONMENT, span, message).help(help);
                Kind::Scalar(scalar)
            }
        },
        Kind::Scalar(scalar) => Kind::Scalar(scalar),
        Kind::Sequence(nodes) => {
            Kind::Sequence(nodes.into_iter().map(|node| expand(node, environment, reader)).collect())
        }
        Kind::Mapping(entries) => {
            Kind::Mapping(entries.into_iter().map(|(key, value)| (key, expand(value, environment, reader))).collect())
        }
    };
    Node { span, kind }
}

/// What is wrong with a reference, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    message: String,
    help: String,
}

/// What a reference stands for is not searched for references.
fn expand_text(text: &str, environment: Environment<'_>) -> Result<String, Wrong> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (reference, after) = after.split_once('}').ok_or_else(|| malformed("`${` without `}`"))?;
        out.push_str(&value(reference, environment)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// As in a shell, the default also stands for a name that is set to nothing.
fn value(reference: &str, environment: Environment<'_>) -> Result<String, Wrong> {
    let (name, default) = reference.split_once(":-").map_or((reference, None), |(name, default)| (name, Some(default)));
    if !is_name(name) {
        return Err(malformed(&format!("`{}` is not the name of an environment variable", name.escape_debug())));
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Wrong {
            message: format!("environment variable `{name}` is not set"),
            help: format!("set it, or write `${{{name}:-default}}`"),
        }),
    }
}

fn malformed(message: &str) -> Wrong {
    Wrong { message: message.to_owned(), help: "write `${NAME}` or `${NAME:-default}`".into() }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_references() {
        let environment = |name: &str| match name {
            "HOST" => Some("example".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        };
        let cases = [
            ("${HOST}", Ok("example")),
            ("http://${HOST}:${PORT:-80}/", Ok("http://example:80/")),
            ("$HOST $ {HOST}", Ok("$HOST $ {HOST}")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-x}", Ok("x")),
            ("${UNSET:-}", Ok("")),
            ("${UNSET:-a:-b}", Ok("a:-b")),
            ("${NESTED}", Ok("${HOST}")),
            ("${UNSET}", Err("environment variable `UNSET` is not set")),
            ("${HOST", Err("`${` without `}`")),
            ("${}", Err("`` is not the name of an environment variable")),
            ("${1A}", Err("`1A` is not the name of an environment variable")),
            ("${A B}", Err("`A B` is not the name of an environment variable")),
        ];
        for (text, want) in cases {
            let found = expand_text(text, &environment);
            assert_eq!(found.as_deref().map_err(|wrong| wrong.message.as_str()), want, "{text}");
        }
    }
}
