//! Where a client names its version.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use super::Pins;

/// One place in which a client may name its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A header whose value is the label.
    Header(HeaderName),
    /// A query parameter, by its decoded name.
    Query(String),
    /// The first segments of the path, such as `/v{version}`; taken off before rules see the path.
    Path(Pattern),
    /// A parameter of `accept` or `content-type`, by its name in lower case.
    MediaType(String),
    /// The whole media type in `accept` or `content-type`, such as `application/vnd.chat.v{version}+json`.
    MediaTypeSuffix(Pattern),
    /// An offered WebSocket subprotocol, such as `chat.v{version}`.
    Subprotocol(Pattern),
    /// The host without its port, such as `v{version}.chat.example`.
    Host(Pattern),
    /// A cookie.
    Cookie(String),
    /// A value of a socket's first message: the names that lead to it. No head of a request has it.
    Message(Vec<String>),
    /// Who the client is, by a header that says so.
    Pinned {
        /// The header.
        header: HeaderName,
        /// The clients' versions.
        pins: Arc<Pins>,
    },
}

/// A text around a version's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What stands before the label.
    pub before: String,
    /// What stands after it.
    pub after: String,
}

/// What stands for the label in a pattern.
const PLACEHOLDER: &str = "{version}";

impl Source {
    /// The keys of `client_version` entries that [`parse`](Self::parse) takes.
    pub const KINDS: [&str; 9] =
        ["header", "query", "path", "media_type", "media_type_suffix", "subprotocol", "host", "cookie", "message"];

    /// An entry of `client_version`: one of [`KINDS`](Self::KINDS) and its value.
    ///
    /// # Errors
    /// What is expected of the value, or of the kind.
    pub fn parse(kind: &str, value: &str) -> Result<Self, String> {
        match kind {
            "header" => HeaderName::from_bytes(value.as_bytes())
                .map(Self::Header)
                .map_err(|_| format!("`{value}` is not a header name")),
            "query" if value.is_empty() => Err("expected the name of a query parameter".into()),
            "query" => Ok(Self::Query(value.into())),
            "path" => path_pattern(value).map(Self::Path),
            "media_type" => token(value).map(|name| Self::MediaType(name.to_ascii_lowercase())),
            "media_type_suffix" => media_type_pattern(value).map(Self::MediaTypeSuffix),
            "subprotocol" => Pattern::parse(value).map(Self::Subprotocol),
            "host" => Pattern::parse(&value.to_ascii_lowercase()).map(Self::Host),
            "cookie" => token(value).map(|name| Self::Cookie(name.into())),
            "message" => pointer(value).map(Self::Message),
            _ => Err(format!("unknown version source `{kind}`")),
        }
    }
}

fn path_pattern(value: &str) -> Result<Pattern, String> {
    let pattern = Pattern::parse(value)?;
    if !pattern.before.starts_with('/') {
        return Err(format!("expected a path that starts with `/`, found `{value}`"));
    }
    if pattern.after.contains('/') {
        return Err(format!("expected {PLACEHOLDER} in the last segment, found `{value}`"));
    }
    Ok(pattern)
}

fn media_type_pattern(value: &str) -> Result<Pattern, String> {
    let pattern = Pattern::parse(&value.to_ascii_lowercase())?;
    if !pattern.before.contains('/') {
        return Err(format!("expected a type and a subtype with {PLACEHOLDER}, found `{value}`"));
    }
    Ok(pattern)
}

/// The names of a pointer (RFC 6901) to one value within a message.
fn pointer(value: &str) -> Result<Vec<String>, String> {
    let expected = || format!("expected a pointer to one value of a message, such as `/version`, found `{value}`");
    let names = value.strip_prefix('/').ok_or_else(expected)?.split('/');
    let is_one = |name: &str| name != "*" && name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    let name = |name: &str| is_one(name).then(|| name.replace("~1", "/").replace("~0", "~"));
    names.map(name).collect::<Option<_>>().ok_or_else(expected)
}

/// A token (RFC 9110, section 5.6.2).
fn token(value: &str) -> Result<&str, String> {
    if !value.is_empty() && value.bytes().all(is_token_byte) {
        return Ok(value);
    }
    Err(format!("expected letters, digits or any of !#$%&'*+-.^_`|~, found `{value}`"))
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Pattern {
    /// A text that has `{version}` once and no other brace.
    ///
    /// # Errors
    /// What is expected of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (before, after) =
            text.split_once(PLACEHOLDER).ok_or_else(|| format!("expected {PLACEHOLDER} somewhere in `{text}`"))?;
        if format!("{before}{after}").contains(['{', '}']) {
            return Err(format!("expected {PLACEHOLDER} once and no other braces in `{text}`"));
        }
        Ok(Self { before: before.into(), after: after.into() })
    }

    /// The label in a text that fits; an empty label fits nothing.
    pub(super) fn label<'t>(&self, text: &'t str) -> Option<&'t str> {
        let label = text.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        (!label.is_empty()).then_some(label)
    }

    /// The text with a label in it.
    pub(super) fn with(&self, label: &str) -> String {
        format!("{}{label}{}", self.before, self.after)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PLACEHOLDER}{}", self.before, self.after)
    }
}

/// The source in words, for messages: ``header `api-version` ``.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Path(pattern) => write!(f, "path `{pattern}`"),
            Self::MediaType(name) => write!(f, "media type parameter `{name}`"),
            Self::MediaTypeSuffix(pattern) => write!(f, "media type `{pattern}`"),
            Self::Subprotocol(pattern) => write!(f, "subprotocol `{pattern}`"),
            Self::Host(pattern) => write!(f, "host `{pattern}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
            Self::Message(names) => {
                f.write_str("the first message's `")?;
                names.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))?;
                f.write_str("`")
            }
            Self::Pinned { header, .. } => write!(f, "the client's `{header}`"),
        }
    }
}
