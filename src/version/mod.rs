//! API versions and how a client's version is found.
//!
//! A [`Resolver`] looks at a request's head and nothing else. It goes through its [`Source`]s in order; the first that
//! names a version decides. The same sources then say where the backend expects to read its own version
//! ([`Resolver::tell_backend`]) and what a cache has to vary on.

mod lead;
mod media;
mod notices;
mod pins;
mod read;
mod source;
#[cfg(test)]
mod tests;
mod write;

pub use lead::Lead;
pub use notices::Notices;
pub use pins::Pins;
pub use source::{Pattern, Source};

use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName};

/// A version of an API: an index into [`Versions`], so that order is age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u16);

/// One version's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersion {
    /// The label, such as `2` or `2024-06-01`.
    pub label: Arc<str>,
    /// When it was released: Unix seconds.
    pub released: Option<i64>,
    /// When it was or will be deprecated (RFC 9745): Unix seconds.
    pub deprecated: Option<i64>,
    /// When it stops (RFC 8594): Unix seconds.
    pub sunset: Option<i64>,
    /// Where clients read how to leave this version: a URL.
    pub guide: Option<String>,
}

impl ApiVersion {
    /// Whether a text can be a label: 1 to 64 letters, digits, `.`, `_` and `-`, so that it can stand in every place
    /// where a client may name it.
    #[must_use]
    pub fn is_label(text: &str) -> bool {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
    }
}

/// An API's versions, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(pub Vec<ApiVersion>);

impl Versions {
    /// The version with this label.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<VersionId> {
        self.0.iter().position(|v| &*v.label == label).and_then(|i| u16::try_from(i).ok()).map(VersionId)
    }

    /// A version's declaration.
    #[must_use]
    pub fn get(&self, id: VersionId) -> &ApiVersion {
        &self.0[usize::from(id.0)]
    }

    /// The newest.
    #[must_use]
    pub fn latest(&self) -> VersionId {
        VersionId(u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX))
    }

    /// All labels, oldest first.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|v| &*v.label)
    }
}

/// How the version of an API's clients is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// Where to look, in order; the first that names a version decides.
    pub sources: Vec<Source>,
    /// The version of clients that name none; `None`: they are refused.
    pub default: Option<VersionId>,
    /// What becomes of clients that name a version nobody knows.
    pub unknown: Unknown,
    /// What the backend sees in the places where the client named its version.
    pub tell_backend: TellBackend,
}

/// What becomes of a client that names a version nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// It is refused.
    #[default]
    Reject,
    /// It is taken for one that names none.
    Default,
    /// It is given the newest.
    Latest,
}

/// What the backend sees in the places where the client named its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TellBackend {
    /// The version that the backend speaks.
    #[default]
    Rewrite,
    /// Nothing.
    Strip,
    /// What the client wrote.
    Keep,
}

/// What a version is read from.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// All headers.
    pub headers: &'a HeaderMap,
    /// `host` or `:authority`, with its port if it has one.
    pub host: Option<&'a str>,
    /// Percent-encoded, without the query.
    pub path: &'a str,
    /// Percent-encoded, without the `?`.
    pub query: Option<&'a str>,
}

/// A client's version and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The version.
    pub version: VersionId,
    /// The index of the source that named it; `None`: nothing did, or what did is unknown.
    pub source: Option<usize>,
    /// The path without its version, where a path source fits, whether or not it decided.
    pub path: Option<String>,
    /// What was taken off the path.
    pub prefix: Option<Prefix>,
    /// The subprotocol among those offered that names a version: what the client has to be answered.
    pub subprotocol: Option<String>,
}

impl Resolved {
    /// A version that nothing in a request names.
    #[must_use]
    pub fn nothing(version: VersionId) -> Self {
        Self { version, source: None, path: None, prefix: None, subprotocol: None }
    }
}

/// A version at the start of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The source's.
    pub pattern: Pattern,
    /// As the client wrote it: `/v2`.
    pub text: String,
    /// Whether nothing came after it, not even a `/`.
    pub whole: bool,
}

/// Why a request has no version. Labels are safe to show: short, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// A version that does not exist.
    Unknown {
        /// What the client named.
        label: String,
        /// Where, in words.
        source: String,
    },
    /// No source named one and there is no default.
    Missing {
        /// Where one could be named, in words.
        sources: Vec<String>,
    },
    /// One source named two.
    Contradiction {
        /// What the client named.
        labels: [String; 2],
        /// Where, in words.
        source: String,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { label, source } => {
                write!(f, "{source} names version `{label}`, which does not exist")
            }
            Self::Missing { sources } => write!(f, "no version is named in {}", sources.join(", ")),
            Self::Contradiction { labels: [a, b], source } => {
                write!(f, "{source} names two versions, `{a}` and `{b}`")
            }
        }
    }
}

impl std::error::Error for ResolveError {}

/// What is said of where there is no such source.
static NO_MESSAGE: Source = Source::Message(Vec::new());

impl Resolver {
    /// Finds a request's version.
    ///
    /// # Errors
    /// None is named and there is no default; one that does not exist is named and the resolver rejects that; one
    /// source names two.
    pub fn resolve(&self, versions: &Versions, request: &RequestView<'_>) -> Result<Resolved, ResolveError> {
        let (version, source) = self.decide(versions, request)?;
        let mut patterns = self.sources.iter().filter_map(|source| match source {
            Source::Path(pattern) => Some(pattern),
            _ => None,
        });
        let unprefixed = patterns.find_map(|pattern| read::take_prefix(pattern, versions, request.path));
        let (prefix, path) = unprefixed.unzip();
        let subprotocol = self.subprotocol(&versions.get(version).label, request.headers);
        Ok(Resolved { version, source, path, prefix, subprotocol })
    }

    fn decide(
        &self,
        versions: &Versions,
        request: &RequestView<'_>,
    ) -> Result<(VersionId, Option<usize>), ResolveError> {
        for (i, source) in self.sources.iter().enumerate() {
            let named = read::label(source, versions, request).map_err(|read::Contradiction(a, b)| {
                ResolveError::Contradiction { labels: [shown(&a), shown(&b)], source: source.to_string() }
            })?;
            if let Some(label) = named {
                return match versions.find(&label) {
                    Some(version) => Ok((version, Some(i))),
                    None => self.unknown(versions, &label, source).map(|version| (version, None)),
                };
            }
        }
        let missing = || ResolveError::Missing { sources: self.sources.iter().map(Source::to_string).collect() };
        self.default.map(|version| (version, None)).ok_or_else(missing)
    }

    /// Where a socket's first message names its version, if that decides: nothing before it in the order of the sources
    /// does.
    #[must_use]
    pub fn awaited(&self, versions: &Versions, request: &RequestView<'_>) -> Option<&[String]> {
        for source in &self.sources {
            match source {
                Source::Message(names) => return Some(names),
                source if read::label(source, versions, request) != Ok(None) => return None,
                _ => {}
            }
        }
        None
    }

    /// The version that a socket's first message names.
    ///
    /// # Errors
    /// It does not exist, and the resolver rejects that.
    pub fn named_in_message(&self, versions: &Versions, label: &str) -> Result<VersionId, ResolveError> {
        let source = self.sources.iter().find(|source| matches!(source, Source::Message(_)));
        let source = source.unwrap_or(&NO_MESSAGE);
        versions.find(label).map_or_else(|| self.unknown(versions, label, source), Ok)
    }

    fn unknown(&self, versions: &Versions, label: &str, source: &Source) -> Result<VersionId, ResolveError> {
        let instead = match self.unknown {
            Unknown::Reject => None,
            Unknown::Default => self.default,
            Unknown::Latest => Some(versions.latest()),
        };
        instead.ok_or_else(|| ResolveError::Unknown { label: shown(label), source: source.to_string() })
    }

    /// The offered subprotocol that names the version; where none does, the first that names any.
    fn subprotocol(&self, label: &str, headers: &HeaderMap) -> Option<String> {
        let patterns = self.sources.iter().filter_map(|source| match source {
            Source::Subprotocol(pattern) => Some(pattern),
            _ => None,
        });
        let mut patterns = patterns.peekable();
        patterns.peek()?;
        let offered = read::offered(headers);
        let named =
            patterns.flat_map(|pattern| offered.iter().filter_map(move |name| Some((name, pattern.label(name)?))));
        let named: Vec<(&String, &str)> = named.collect();
        let exact = named.iter().find(|(_, named)| *named == label);
        exact.or(named.first()).map(|(name, _)| (*name).clone())
    }

    /// What to answer a client in `sec-websocket-protocol` when the backend chose `chosen`: the name the client
    /// offered for what it was rewritten to, and everything else as it is.
    #[must_use]
    pub fn answer_subprotocol(&self, resolved: &Resolved, chosen: Option<&str>) -> Option<String> {
        let fits =
            |name: &str| self.sources.iter().any(|s| matches!(s, Source::Subprotocol(p) if p.label(name).is_some()));
        let own = || resolved.subprotocol.clone();
        match (self.tell_backend, chosen) {
            (TellBackend::Rewrite, Some(name)) if fits(name) => own().or_else(|| Some(name.to_owned())),
            // The backend was not offered the name that says the version, so it could not choose it.
            (TellBackend::Strip, None) => own(),
            (_, chosen) => chosen.map(str::to_owned),
        }
    }

    /// The request headers that can decide the version, for `vary`: each once, in the order of the sources. The
    /// host is part of a cache's key already, and the answer to a WebSocket handshake is never stored.
    #[must_use]
    pub fn vary(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        for source in &self.sources {
            match source {
                Source::Header(name) | Source::Pinned { header: name, .. } => names.push(name.clone()),
                Source::MediaType(_) | Source::MediaTypeSuffix(_) => {
                    names.extend([ACCEPT, CONTENT_TYPE]);
                }
                Source::Cookie(_) => names.push(COOKIE),
                Source::Query(_) | Source::Path(_) | Source::Subprotocol(_) | Source::Host(_) | Source::Message(_) => {}
            }
        }
        let mut distinct: Vec<HeaderName> = Vec::new();
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct
    }

    /// The response header that tells clients which version they were served: the first header they may name it in,
    /// else `api-version`.
    #[must_use]
    pub fn echo_header(&self) -> HeaderName {
        let named = self.sources.iter().find_map(|source| match source {
            Source::Header(name) => Some(name.clone()),
            _ => None,
        });
        named.unwrap_or(HeaderName::from_static("api-version"))
    }
}

/// A client's label as a message may show it.
fn shown(label: &str) -> String {
    const LONGEST: usize = 64;
    let mut chars = label.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut shown: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
