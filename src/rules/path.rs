//! The one path grammar of rules: an optional location and an RFC 6901 pointer with wildcards.
//!
//! `/user/name` is in the body, `query:/page` in the query, `status:` is the status itself, `body:` the whole body.
//! A token `*` is every element or member value; a member that is called `*` is written `~*`.

use std::fmt;

use crate::json::edit::{Keys, Path, Token};

/// Where in a message a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// The body.
    Body,
    /// The query's parameters.
    Query,
    /// The headers, by lower-case name.
    Header,
    /// The path template's parameters.
    Path,
    /// The cookies: of a request those it sends, of a response those it sets.
    Cookie,
    /// A response's status.
    Status,
}

/// The two parts of a message. They are translated one after the other, unless an op has a foot in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Target, headers and status.
    Head,
    /// The body, or a WebSocket message.
    Body,
    /// Both at once, in one document with a member for each location.
    Both,
}

impl Location {
    /// The name before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Header => "header",
            Self::Path => "path",
            Self::Cookie => "cookie",
            Self::Status => "status",
        }
    }

    fn find(name: &str) -> Option<Self> {
        [Self::Body, Self::Query, Self::Header, Self::Path, Self::Cookie, Self::Status]
            .into_iter()
            .find(|l| l.name() == name)
    }
}

/// Documents that are nested deeper than by default allowed have deeper places; nobody names them.
const MOST_TOKENS: usize = 512;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where it begins.
    pub location: Location,
    /// The pointer's tokens, unescaped.
    pub tokens: Path,
}

impl Place {
    /// Parses a path.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (location, pointer) = location(text)?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let before = &text[..text.len() - pointer.len()];
            return Err(format!("expected a path such as `{before}/{pointer}`, found `{text}`"));
        }
        let tokens = pointer.split('/').skip(1).map(|token| parse_token(token, text)).collect::<Result<Path, _>>()?;
        if tokens.len() > MOST_TOKENS {
            return Err(format!("a path has at most {MOST_TOKENS} names, found {}", tokens.len()));
        }
        let place = Self { location, tokens: lower_header(location, tokens) };
        place.check_name(text)?;
        place.check_depth(text)?;
        Ok(place)
    }

    fn check_name(&self, text: &str) -> Result<(), String> {
        match (self.location, self.tokens.first()) {
            (Location::Header, Some(Token::Key(name))) if is_framing(name) => {
                Err(format!("`{name}` is about the connection and cannot be changed, found `{text}`"))
            }
            (Location::Header, Some(Token::Key(name))) if !is_header_name(name) => {
                Err(format!("`{name}` is no header name, found `{text}`"))
            }
            (Location::Cookie, Some(Token::Key(name))) if !is_cookie_name(name) => {
                Err(format!("`{name}` is no cookie name, found `{text}`"))
            }
            _ => Ok(()),
        }
    }

    fn check_depth(&self, text: &str) -> Result<(), String> {
        match (self.location, self.tokens.len()) {
            (Location::Status, 1..) => Err(format!("a status has nothing inside: expected `status:`, found `{text}`")),
            (Location::Path, 2..) => Err(format!("a parameter of the path has nothing inside: found `{text}`")),
            (Location::Query | Location::Header | Location::Cookie, 2..) if !self.is_one_of_several() => Err(format!(
                "a value of the {0} has nothing inside: expected `{0}:/name`, or `{0}:/name/*` for each of several, found `{text}`",
                self.location.name()
            )),
            (Location::Query | Location::Header | Location::Path | Location::Cookie, 0) => {
                Err(format!("expected the name of one, such as `{0}:/name`, found `{text}`", self.location.name()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is an element of what stands several times in a head.
    fn is_one_of_several(&self) -> bool {
        match self.tokens.as_slice() {
            [_, Token::Any] => true,
            [_, Token::Key(key)] => key.bytes().all(|b| b.is_ascii_digit()),
            _ => false,
        }
    }

    /// The whole body.
    #[must_use]
    pub(super) fn body() -> Self {
        Self { location: Location::Body, tokens: Vec::new() }
    }

    /// A path in the document of the whole message as a place: the other way round from [`Place::in_message`].
    #[must_use]
    pub(super) fn of_message(path: &[Token]) -> Self {
        let location = match path.first() {
            Some(Token::Key(name)) => Location::find(name),
            Some(Token::Any) | None => None,
        };
        Self { location: location.unwrap_or(Location::Body), tokens: path.get(1..).unwrap_or_default().to_vec() }
    }

    /// A member of the value here.
    #[must_use]
    pub(super) fn member(&self, name: &str) -> Self {
        let mut tokens = self.tokens.clone();
        tokens.push(Token::Key(name.to_owned()));
        Self { location: self.location, tokens }
    }

    /// A place of the body that another names from here.
    #[must_use]
    pub(super) fn inside(&self, other: &Self) -> Self {
        Self { location: self.location, tokens: [self.tokens.as_slice(), other.tokens.as_slice()].concat() }
    }

    /// Whether another is the place, or inside it.
    #[must_use]
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.location == other.location && covers(&self.tokens, &other.tokens)
    }

    /// Which part of the message it is in.
    #[must_use]
    pub fn part(&self) -> Part {
        match self.location {
            Location::Body => Part::Body,
            Location::Query | Location::Header | Location::Path | Location::Cookie | Location::Status => Part::Head,
        }
    }

    /// The path in the part's document: in the head's, the location is the first member.
    #[must_use]
    pub fn in_part(&self) -> Path {
        match self.part() {
            Part::Body => self.tokens.clone(),
            Part::Head | Part::Both => self.in_message(),
        }
    }

    /// The path in the document of the whole message, in which each location is a member.
    #[must_use]
    pub fn in_message(&self) -> Path {
        let location = Token::Key(self.location.name().to_owned());
        std::iter::once(location).chain(self.tokens.iter().cloned()).collect()
    }

    /// The path in the part's document, parted after its last wildcard: the scopes, and the names within one.
    #[must_use]
    pub fn scoped(&self) -> (Path, Keys) {
        part_after_last_wildcard(&self.in_part())
    }

    /// The names of a path without wildcards.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        let (scope, keys) = self.scoped();
        scope.is_empty().then_some(keys)
    }

    /// The names of a path without wildcards, in the document of the whole message.
    #[must_use]
    pub fn keys_in_message(&self) -> Option<Keys> {
        let (scope, keys) = part_after_last_wildcard(&self.in_message());
        scope.is_empty().then_some(keys)
    }
}

/// Whether a rule may give a header this name (RFC 9110, section 5.1).
pub(super) fn is_header_name(name: &str) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !is_framing(name.as_str()))
}

/// Whether a rule may give a cookie this name: a token (RFC 6265, section 4.1.1).
pub(super) fn is_cookie_name(name: &str) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// Headers that say where a message ends and what its connection is for. The proxy writes its own: a rule that
/// changed one would make half a body look whole.
const FRAMING: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Whether a header, by its lower-case name, is not for rules.
pub(super) fn is_framing(name: &str) -> bool {
    FRAMING.contains(&name)
}

/// Whether every place that the path stands for is one of the pattern's, or inside.
pub(super) fn covers(pattern: &[Token], path: &[Token]) -> bool {
    pattern.len() <= path.len() && pattern.iter().zip(path).all(|(a, b)| *a == Token::Any || a == b)
}

/// Parts a path after its last wildcard.
#[must_use]
pub(super) fn part_after_last_wildcard(path: &Path) -> (Path, Keys) {
    let at = path.iter().rposition(|token| *token == Token::Any).map_or(0, |at| at + 1);
    let keys = path[at..].iter().filter_map(|token| if let Token::Key(key) = token { Some(key.clone()) } else { None });
    (path[..at].to_vec(), keys.collect())
}

fn location(text: &str) -> Result<(Location, &str), String> {
    match text.split_once(':') {
        Some((name, pointer)) if !name.contains('/') => match Location::find(name) {
            Some(location) => Ok((location, pointer)),
            None => Err(format!(
                "unknown location `{name}:`: expected one of `body:`, `query:`, `header:`, `path:`, `cookie:`, `status:`"
            )),
        },
        _ if text.is_empty() => Err("expected a path; the whole body is `body:`".to_owned()),
        _ => Ok((Location::Body, text)),
    }
}

fn parse_token(token: &str, path: &str) -> Result<Token, String> {
    if token == "*" {
        return Ok(Token::Any);
    }
    let mut key = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '~' { chars.next() } else { None }) {
            ('~', Some('0')) => key.push('~'),
            ('~', Some('1')) => key.push('/'),
            ('~', Some('*')) => key.push('*'),
            ('~', _) => {
                return Err(format!(
                    "`~` must be followed by `0`, `1` or `*` in the path `{path}`: a `~` of a name is written `~0`"
                ));
            }
            (c, _) => key.push(c),
        }
    }
    Ok(Token::Key(key))
}

fn lower_header(location: Location, mut tokens: Path) -> Path {
    if let (Location::Header, Some(Token::Key(name))) = (location, tokens.first_mut()) {
        name.make_ascii_lowercase();
    }
    tokens
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.location != Location::Body || self.tokens.is_empty() {
            write!(f, "{}:", self.location.name())?;
        }
        self.tokens.iter().try_for_each(|token| match token {
            Token::Any => f.write_str("/*"),
            Token::Key(key) if key == "*" => f.write_str("/~*"),
            Token::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_they_are_written() {
        for text in [
            "/a",
            "/",
            "body:",
            "/a~1b/~0/*/~*",
            "query:/page",
            "header:/x-id",
            "path:/id",
            "cookie:/sid",
            "status:",
            "/a/0",
            "/a:b",
            "/x/y:z",
        ] {
            assert_eq!(Place::parse(text).map(|p| p.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Place::parse("header:/X-Id"), Place::parse("header:/x-id"));
        assert_eq!(Place::parse("body:/a"), Place::parse("/a"));
    }

    #[test]
    fn wrong_paths_say_what_was_expected() {
        for (text, want) in [
            ("name", "expected a path such as `/name`, found `name`"),
            ("", "expected a path; the whole body is `body:`"),
            (
                "bdy:/a",
                "unknown location `bdy:`: expected one of `body:`, `query:`, `header:`, `path:`, `cookie:`, `status:`",
            ),
            ("/a~2", "`~` must be followed by `0`, `1` or `*` in the path `/a~2`: a `~` of a name is written `~0`"),
            ("status:/x", "a status has nothing inside: expected `status:`, found `status:/x`"),
            (
                "header:/Content-Length",
                "`content-length` is about the connection and cannot be changed, found `header:/Content-Length`",
            ),
            ("query:", "expected the name of one, such as `query:/name`, found `query:`"),
        ] {
            assert_eq!(Place::parse(text), Err(want.to_owned()));
        }
    }
}
