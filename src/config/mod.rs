//! `legato.yaml`, validated.
//!
//! [`parse`] is pure: the text, the directory that relative paths start from, and the environment are handed in. What
//! it returns is complete, defaults filled in; or it returns everything that is wrong with the file at once. The types
//! here are what the rest of the program sees; what the YAML may say is in `file`.

mod api;
mod backend;
mod client_tls;
mod endpoint;
mod environment;
mod file;
mod listen;
mod named_file;
mod socketio;
mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use client_tls::ClientTls;
pub use named_file::NamedFile;
pub use telemetry::{AccessLog, LogTarget, Tracing};
pub use units::Share;

use ipnet::IpNet;

use crate::diagnostic::Diagnostic;

pub use backend::{BackendConfig, Balance, Checks, Endpoint, Host, Protocol, Retries, Scheme, Speaks};

/// The codes of diagnostics that only configuration has; those of `yaml` come in addition.
pub mod code {
    /// A reference to the environment that is malformed or not set.
    pub const ENVIRONMENT: &str = "CF001";
    /// The same address twice.
    pub const DUPLICATE_ADDRESS: &str = "CF002";
    /// Two APIs answer for the same requests.
    pub const SAME_MATCH: &str = "CF003";
    /// The admin endpoints can be reached from elsewhere and have no token.
    pub const OPEN_ADMIN: &str = "CF004";
    /// A certificate or key that cannot be read or used.
    pub const UNUSABLE_FILE: &str = "CF005";
    /// Documented, and not carried out by this release.
    pub const NOT_SUPPORTED: &str = "CF010";
}

/// Reads a configuration file. Relative paths in it start from `base_dir`; `environment` has the values of names.
///
/// # Errors
/// Everything that is wrong with the file, in its order.
pub fn parse(
    text: &str,
    file: &str,
    base_dir: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Diagnostic>> {
    file::parse(text, file, base_dir, environment)
}

/// A proxy's whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where clients are accepted; never empty.
    pub listen: Vec<Listener>,
    /// The admin endpoints; `None`: not served.
    pub admin: Option<Admin>,
    /// The rules directory, relative to the configuration file's own.
    pub rules: PathBuf,
    /// What is proxied, in file order.
    pub apis: Vec<ApiConfig>,
    /// Worker threads of the data plane; `None`: one per core.
    pub workers: Option<usize>,
    /// Access records.
    pub access_log: AccessLog,
    /// Traces; `None`: none are made.
    pub tracing: Option<Tracing>,
    /// How long requests and sockets may take to finish after SIGTERM.
    pub drain: Duration,
}

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Port 0 picks a free one.
    pub address: SocketAddr,
    /// Its certificates; none: no TLS.
    pub tls: Vec<CertificatePair>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub proxy_protocol: ProxyProtocol,
    /// Bounds on its connections.
    pub limits: ListenLimits,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    /// The chain, in PEM, the server's own certificate first.
    pub certificate: NamedFile,
    /// The private key, in PEM.
    pub key: NamedFile,
}

/// Whose connections begin with a header of the PROXY protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// Nobody's.
    #[default]
    Never,
    /// Everybody's.
    Always,
    /// Those of these networks.
    From(Vec<IpNet>),
}

impl ProxyProtocol {
    /// Whether a connection of this address begins with a header.
    #[must_use]
    pub fn is_spoken_by(&self, peer: IpAddr) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::From(networks) => is_in(networks, peer),
        }
    }
}

/// Whether an address is in one of these networks. An IPv4 address is the same in an IPv6 one.
#[must_use]
pub fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Bounds on a listener's connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenLimits {
    /// Connections at one time.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Time a client has to send its head.
    pub head_timeout: Duration,
    /// Time a connection may be without a request.
    pub keep_alive: Duration,
    /// HTTP/2 streams of one connection at one time.
    pub streams: u32,
    /// Bytes of a body that a client has to send a second; 0: as it likes.
    pub body_rate: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: 64 << 10,
            headers: 100,
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            streams: 200,
            body_rate: 240,
        }
    }
}

/// The admin listener.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// Off loopback only with a token.
    pub address: SocketAddr,
    /// Bearer token that writes need.
    pub token: Option<String>,
}

/// The token is a secret and stays out of logs.
impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "***");
        f.debug_struct("Admin").field("address", &self.address).field("token", &token).finish()
    }
}

/// One API before its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The name; its rules are in `rules/<name>`.
    pub name: String,
    /// Hosts it answers for, lower case, without port; empty: any.
    pub hosts: Vec<String>,
    /// Path prefix it answers for, in whole segments; starts with `/` and ends with none, but for `/` itself.
    pub prefix: String,
    /// In file order; never empty.
    pub backends: Vec<BackendConfig>,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// Bounds in size.
    pub limits: ApiLimits,
    /// Networks that may say in `forwarded` and `x-forwarded-*` whom they forward for.
    pub trust: Vec<IpNet>,
    /// How Socket.IO is carried; `None`: as any other traffic.
    pub socketio: Option<SocketIo>,
}

/// How Socket.IO is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketIo {
    /// The path of its requests, such as `/socket.io/`.
    pub path: String,
    /// The generation of the backends.
    pub backend: SocketIoBackend,
    /// Announced to clients; `None`: as the backend does.
    pub ping_interval: Option<Duration>,
    /// Announced to clients; `None`: as the backend does.
    pub ping_timeout: Option<Duration>,
    /// Bytes that clients put into one body, announced to them; `None`: as the backend does.
    pub max_payload: Option<u64>,
    /// How long the move from polls to a WebSocket may take.
    pub upgrade_timeout: Duration,
    /// How long the backend may take to open a session.
    pub open_timeout: Duration,
    /// How long a client of Engine.IO 4 may take to ask for a namespace of a backend of Engine.IO 3.
    pub join_timeout: Duration,
    /// Packets in the answer to one poll.
    pub batch: usize,
    /// Sessions at one time.
    pub sessions: usize,
    /// Query parameters that clients of Engine.IO 3 say for themselves to a backend of Engine.IO 4.
    pub auth_from_query: Vec<String>,
    /// How clients of Engine.IO 3 write text when they poll.
    pub polling_text: PollingText,
    /// Origins whose scripts may read answers; `None`: any.
    pub origins: Option<Vec<String>>,
}

/// How bodies of Engine.IO 3 are encoded; nothing in them says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PollingText {
    /// As UTF-8, as packages 2.x do.
    #[default]
    Once,
    /// As UTF-8 of UTF-8, as packages 1.x do.
    Twice,
}

/// A generation of Socket.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketIoBackend {
    /// Engine.IO 3: packages 1.x and 2.x.
    Eio3,
    /// Engine.IO 4: packages 3.x and 4.x.
    Eio4,
}

/// Bounds in time; `None`: no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to an endpoint.
    pub connect: Duration,
    /// From the request's end to the response's head.
    pub response_head: Duration,
    /// Without a byte of a body in either direction.
    pub idle: Duration,
    /// For the whole exchange.
    pub request: Option<Duration>,
    /// Without a message on a socket.
    pub websocket_idle: Option<Duration>,
    /// Without anything from one side of a socket whose messages are read, until that side is pinged, and again until it is
    /// taken for gone.
    pub websocket_ping: Option<Duration>,
    /// Until a socket's first message names its version.
    pub first_message: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            response_head: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            request: None,
            websocket_idle: None,
            websocket_ping: Some(Duration::from_secs(30)),
            first_message: Duration::from_secs(10),
        }
    }
}

/// Bounds in size, in bytes where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiLimits {
    /// A whole body.
    pub body: u64,
    /// What a plan may hold of one message.
    pub buffer: usize,
    /// Nesting depth.
    pub depth: u32,
    /// A WebSocket message, or one of a stream of documents.
    pub message: usize,
    /// What the contexts of all compressed sockets may take before sockets are opened without.
    pub contexts: u64,
    /// A body whose content codings are taken off.
    pub decompressed: u64,
    /// How many times such a body may grow.
    pub ratio: u64,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body: 1 << 30,
            buffer: 4 << 20,
            depth: 512,
            message: 16 << 20,
            contexts: 64 << 20,
            decompressed: 256 << 20,
            ratio: 200,
        }
    }
}
