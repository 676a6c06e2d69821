//! Templates from their text.

use std::str::FromStr;

use http::Method;

use super::{Segment, Template, normal};

/// Bounds the depth of a router.
const MOST_SEGMENTS: usize = 64;

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

impl Template {
    /// A template: `METHOD /path`, `* /path` or `*`.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self { method: None, segments: vec![Segment::Rest] });
        }
        let (method, path) = text
            .split_once(' ')
            .ok_or_else(|| format!("expected a method and a path such as `GET /users/{{id}}`, found `{text}`"))?;
        let method = if method == "*" { None } else { Some(parse_method(method)?) };
        Ok(Self { method, ..Self::parse_path(path)? })
    }

    /// A template for any method from its path alone, as WebSocket rules have it.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn parse_path(path: &str) -> Result<Self, String> {
        let rest =
            path.strip_prefix('/').ok_or_else(|| format!("expected a path that starts with `/`, found `{path}`"))?;
        if let Some(c) = path.chars().find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control()) {
            return Err(format!("a path template has no {c:?}, found `{}`", path.escape_debug()));
        }
        let texts: Vec<&str> = rest.split('/').collect();
        if texts.len() > MOST_SEGMENTS {
            return Err(format!("expected at most {MOST_SEGMENTS} segments, found {}", texts.len()));
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            let segment = parse_segment(text, i + 1 == texts.len())?;
            if let (Segment::Param(name), true) = (&segment, segments.contains(&segment)) {
                return Err(format!("two parameters are called `{name}` in `{path}`"));
            }
            segments.push(segment);
        }
        Ok(Self { method: None, segments })
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    if let Some(method) = METHODS.into_iter().find(|method| method.as_str() == text) {
        return Ok(method);
    }
    if let Some(method) = METHODS.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text)) {
        return Err(format!("methods are in upper case: write `{method}`, not `{text}`"));
    }
    let known: Vec<String> = METHODS.iter().map(|method| format!("`{method}`")).collect();
    Err(format!("unknown method `{text}`, expected one of {} or `*`", known.join(", ")))
}

fn parse_segment(text: &str, is_last: bool) -> Result<Segment, String> {
    match text {
        "*" if is_last => return Ok(Segment::Rest),
        _ if text.contains('*') => {
            return Err(format!("`*` must be the whole last segment, found `{text}`"));
        }
        _ => {}
    }
    if !text.contains(['{', '}']) {
        if !normal::is_encoded(text) {
            return Err(format!("expected two hexadecimal digits after every `%`, found `{text}`; `%25` is a `%`"));
        }
        return match &*normal::segment(text) {
            "." | ".." => Err(format!("`{text}` is not a segment of a template")),
            literal => Ok(Segment::Literal(literal.to_owned())),
        };
    }
    let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match name {
        Some(name) if is_name(name) => Ok(Segment::Param(name.to_owned())),
        Some(name) if !name.contains(['{', '}']) => {
            Err(format!("expected letters, digits, `_` or `-` as a parameter's name, found `{name}`"))
        }
        _ => Err(format!("a parameter must fill its whole segment, found `{text}`")),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
