//! Every way a request or a session can end badly: whose fault, what kind, and two texts.
//!
//! What the client may read ([`Failure::detail`]) and what the log needs ([`Failure::internal`]) are different
//! texts: addresses of backends and causes of I/O errors are only ever in the second.

use std::fmt;
use std::sync::Arc;

use crate::json;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client sent what cannot be served, or left.
    Client,
    /// The backend answered badly, or did not.
    Backend,
    /// Legato is not able to serve: no rules, or draining.
    Legato,
}

/// What went wrong. The names are stable: problem types, access records and metrics carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request that HTTP allows no proxy to forward (RFC 9112 section 11.2).
    BadRequest,
    /// A method that a reverse proxy does not carry out.
    MethodNotSupported,
    /// A version of HTTP that its first line names and that is spoken otherwise, or not at all.
    HttpVersion,
    /// A transfer coding beside `chunked`.
    TransferCoding,
    /// An `expect` other than `100-continue`.
    ExpectationFailed,
    /// A head, or trailers, above `listen.limits`.
    HeadTooLarge,
    /// `listen.limits.head_timeout` passed.
    HeadTimeout,
    /// No API answers for this host and path.
    NoRoute,
    /// The version that the client named does not exist, or it named none and there is no default.
    UnknownVersion,
    /// The client named its version in two ways that contradict each other.
    AmbiguousVersion,
    /// The client's version is past its sunset.
    VersionGone,
    /// A later version than the older of the two no longer has the call; the status that says so.
    Gone(u16),
    /// An earlier version than the newer of the two does not have the call yet; the status that says so.
    Added(u16),
    /// The API has no rule set.
    NoRules,
    /// JSON in another encoding than UTF-8.
    UnsupportedCharset,
    /// A content coding that a body rule would have to see through.
    UnknownCoding,
    /// A body that is not what its content coding says.
    MalformedCoding,
    /// A body above `limits.body`, above `limits.buffer` where it has to be held, or one that grows above
    /// `limits.decompressed` or `limits.ratio` when its codings are taken off.
    BodyTooLarge,
    /// A body that ended before its announced length.
    Incomplete,
    /// No connection to any endpoint.
    Unreachable,
    /// An endpoint has as many connections as it may have, and none became free within `timeouts.connect`.
    Overloaded,
    /// All endpoints have failed and are given time; in how many seconds one is asked again.
    AllEjected(u16),
    /// No TLS connection to the endpoint can be made.
    BackendTls,
    /// `timeouts.connect` passed.
    ConnectTimeout,
    /// `timeouts.response_head` passed.
    ResponseHeadTimeout,
    /// `timeouts.idle` passed.
    IdleTimeout,
    /// A body slower than `listen.limits.body_rate`.
    SlowBody,
    /// `timeouts.request` passed.
    RequestTimeout,
    /// A response that is not HTTP, or an upgrade nobody asked for.
    BadResponse,
    /// An upgrade request that RFC 6455 section 4.2.1 does not allow.
    BadHandshake,
    /// A WebSocket version other than 13.
    UpgradeRequired,
    /// A body that has no translation.
    Translation(json::Code),
}

impl Kind {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::MethodNotSupported => "method_not_supported",
            Self::HttpVersion => "http_version",
            Self::TransferCoding => "transfer_coding",
            Self::ExpectationFailed => "expectation_failed",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTimeout => "head_timeout",
            Self::NoRoute => "no_route",
            Self::UnknownVersion => "unknown_version",
            Self::AmbiguousVersion => "ambiguous_version",
            Self::VersionGone => "version_gone",
            Self::Gone(_) => "gone",
            Self::Added(_) => "added",
            Self::NoRules => "no_rules",
            Self::UnsupportedCharset => "unsupported_charset",
            Self::UnknownCoding => "unknown_coding",
            Self::MalformedCoding => "malformed_coding",
            Self::BodyTooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Unreachable => "unreachable",
            Self::Overloaded => "overloaded",
            Self::AllEjected(_) => "all_ejected",
            Self::BackendTls => "backend_tls",
            Self::ConnectTimeout => "connect_timeout",
            Self::ResponseHeadTimeout => "response_head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::SlowBody => "slow_body",
            Self::RequestTimeout => "request_timeout",
            Self::BadResponse => "bad_response",
            Self::BadHandshake => "bad_handshake",
            Self::UpgradeRequired => "upgrade_required",
            Self::Translation(code) => code.name(),
        }
    }
}

/// How a request or a session ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub side: Side,
    /// What kind.
    pub kind: Kind,
    /// For the client: what was expected and what was found. Names no address of ours.
    pub detail: String,
    /// For the log, where it says more than the client may know.
    pub internal: Option<String>,
    /// Where in a document: an RFC 6901 pointer.
    pub pointer: Option<String>,
    /// The change whose op failed.
    pub change: Option<Arc<str>>,
    /// The versions that exist, where the client named none of them.
    pub supported: Vec<String>,
}

impl Failure {
    /// A failure with a text for the client.
    pub fn new(side: Side, kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { side, kind, detail, internal: None, pointer: None, change: None, supported: Vec::new() }
    }

    /// A document that was not translated; `side` sent it.
    #[must_use]
    pub fn translation(side: Side, error: &json::Error) -> Self {
        let mut failure = Self::new(side, Kind::Translation(error.code), error.detail.clone());
        failure.pointer.clone_from(&error.pointer);
        failure.change.clone_from(&error.change);
        failure
    }

    /// Adds the text that only the log may show.
    #[must_use]
    pub fn because(mut self, internal: impl Into<String>) -> Self {
        self.internal = Some(internal.into());
        self
    }

    /// Adds the versions that exist.
    #[must_use]
    pub fn supporting<'a>(mut self, labels: impl Iterator<Item = &'a str>) -> Self {
        self.supported = labels.map(str::to_owned).collect();
        self
    }

    /// The log's text: the internal one where there is one.
    #[must_use]
    pub fn for_log(&self) -> &str {
        self.internal.as_deref().unwrap_or(&self.detail)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.for_log())
    }
}

impl std::error::Error for Failure {}

/// An error with its causes, in one line, for [`Failure::because`].
#[must_use]
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
