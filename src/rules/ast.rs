//! What rule files say, after parsing: every path, template and literal is valid, nothing is compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Severity, Span};
use crate::json::edit::Keys;
use crate::route::Template;
use crate::version::{Resolver, VersionId, Versions};

use super::lens::Op;
use super::{Place, ProblemShape, Side, StatusRange};

/// One API's files.
#[derive(Debug)]
pub struct ApiFiles {
    /// The name.
    pub name: String,
    /// Oldest first.
    pub versions: Versions,
    /// How a client's version is found.
    pub resolver: Resolver,
    /// What happens to messages that cannot be translated.
    pub on_error: OnErrorPolicy,
    /// What happens after a version's sunset.
    pub after_sunset: AfterSunset,
    /// Error shapes by version.
    pub problems: BTreeMap<VersionId, ProblemShape>,
    /// Where `api.yaml` says that clients' own versions are.
    pub pins: Vec<PinsFile>,
    /// How a plain-JSON PATCH body is read.
    pub patch: PatchMode,
    /// What checks are told.
    pub checks: Checks,
    /// Where `api.yaml` says that the shapes are, relative to the API's folder.
    pub shapes_file: Option<(String, Span)>,
    /// Where each named shape occurs.
    pub shapes: Vec<Shape>,
    /// How each version writes several values of one name in a query.
    pub query_arrays: Vec<QueryArrays>,
    /// In file order.
    pub changes: Vec<Change>,
    /// Whole-chain tests.
    pub tests: Vec<Test>,
}

/// A file with a version for each of a list of clients.
#[derive(Debug)]
pub struct PinsFile {
    /// The index of the version source that reads it.
    pub source: usize,
    /// Relative to the API's folder.
    pub name: String,
    /// Where `api.yaml` says so.
    pub span: Span,
}

/// What a project tells its checks.
#[derive(Debug)]
pub struct Checks {
    /// Another severity for findings of a code; `None`: they are not shown.
    pub severities: Vec<(String, Option<Severity>)>,
    /// Calls that are to be cheap, each with its place.
    pub hot: Vec<(Template, Span)>,
    /// The file that says so.
    pub file: Arc<str>,
}

impl Checks {
    /// The severity of a code, if it is another than usual.
    #[must_use]
    pub fn severity(&self, code: &str) -> Option<Option<Severity>> {
        self.severities.iter().find(|(other, _)| other == code).map(|(_, severity)| *severity)
    }
}

/// A part that many messages have in common, under a name.
#[derive(Debug)]
pub struct Shape {
    /// Its name.
    pub name: Arc<str>,
    /// Where it occurs, in the words of the oldest version.
    pub occurrences: Vec<Occurrence>,
    /// The file that says so.
    pub file: Arc<str>,
    /// Where its name stands.
    pub span: Span,
}

/// One place of a shape.
#[derive(Debug)]
pub struct Occurrence {
    /// What it is in.
    pub host: Host,
    /// Where in it; a path of the body.
    pub at: Place,
    /// Where the occurrence stands.
    pub span: Span,
}

/// What a shape can be in.
#[derive(Debug)]
pub enum Host {
    /// The requests of some calls; empty: of every call.
    Request(Vec<Template>),
    /// The responses of some calls; empty: of every call.
    Response(Vec<Template>, StatusRange),
    /// A message of a socket.
    Frame {
        /// The handshake's path.
        path: Template,
        /// Who sends it.
        side: Side,
        /// What it is called.
        name: String,
    },
    /// A Socket.IO event, or its acknowledgement.
    Event {
        /// The namespace.
        namespace: String,
        /// Who sends the event.
        side: Side,
        /// What it is called.
        name: String,
        /// Which of its lists of arguments.
        list: ArgumentList,
    },
    /// Another shape, or the same one.
    Shape(String),
}

/// One of the two lists of arguments that a Socket.IO event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentList {
    /// Those it is sent with.
    Event,
    /// Those of its acknowledgement.
    Ack,
}

/// What happens to messages that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnErrorPolicy {
    /// A request.
    pub request: OnError,
    /// A response to a safe method.
    pub response: OnError,
    /// A response to a method that changed something.
    pub response_to_unsafe: OnError,
    /// A WebSocket message.
    pub frame: OnFrame,
    /// A request whose body is no JSON.
    pub malformed: OnMalformed,
}

/// What happens to a request whose body is said to be JSON, and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMalformed {
    /// It fails.
    #[default]
    Reject,
    /// Its body passes as it came, where it may be held; its head is translated.
    Pass,
}

/// What happens to a request or response that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It fails.
    #[default]
    Reject,
    /// What cannot be translated stays, and a header says so.
    BestEffort,
}

/// What happens to a WebSocket message that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFrame {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// The socket is closed with 1011.
    Close,
}

/// What happens to clients of a version whose sunset has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterSunset {
    /// They are served.
    #[default]
    Serve,
    /// They are answered 410.
    Gone,
}

/// How a plain-JSON PATCH body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatchMode {
    /// As a partial update (RFC 7396).
    #[default]
    Merge,
    /// As a whole document.
    Full,
}

/// How a query writes several values of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryArrays {
    /// `a=1&a=2`
    #[default]
    Repeat,
    /// `a=1,2`; a comma within a value is `%2C`.
    Comma,
    /// `a[]=1&a[]=2`
    Brackets,
}

/// One version change.
#[derive(Debug)]
pub struct Change {
    /// Its name.
    pub id: Arc<str>,
    /// The version it leads to.
    pub since: VersionId,
    /// For people.
    pub summary: String,
    /// Changes that come before it.
    pub after: Vec<(String, Span)>,
    /// Calls.
    pub http: Vec<HttpBlock>,
    /// Sockets.
    pub ws: Vec<WsBlock>,
    /// Socket.IO namespaces.
    pub socketio: Vec<SocketIoBlock>,
    /// Shapes. What they say is among the other blocks too, once their places have been found.
    pub shapes: Vec<ShapeBlock>,
    /// Paths whose loss is accepted, up and down.
    pub accept_loss: (Vec<String>, Vec<String>),
    /// Where they stand.
    pub accept_loss_span: Option<Span>,
    /// What the change cannot translate, in words.
    pub incompatible: Vec<(String, Span)>,
    /// A hash of what the file says, its tests apart.
    pub hash: u128,
    /// Its inline tests.
    pub tests: Vec<Test>,
    /// Its file.
    pub file: Arc<str>,
    /// Where its name stands.
    pub span: Span,
}

/// What changes in some calls.
#[derive(Debug)]
pub struct HttpBlock {
    /// The calls as the older version spells them; empty: every call.
    pub calls: Vec<Template>,
    /// The call as the newer version spells it, where that differs.
    pub route: Option<Template>,
    /// Ops on requests.
    pub request: Vec<Op>,
    /// Ops on responses, by status.
    pub response: Vec<(StatusRange, Vec<Op>)>,
    /// Who wrote it.
    pub origin: Origin,
    /// Which of the two versions lacks the calls, and how it says so.
    pub absence: Option<Absence>,
    /// Where the block stands.
    pub span: Span,
}

/// Who wrote a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The author of the change.
    #[default]
    File,
    /// The compiler, for a block about a shape: it applies beside those of the author.
    Shape,
}

/// What changes in a shape, wherever it occurs.
#[derive(Debug)]
pub struct ShapeBlock {
    /// The shape.
    pub name: String,
    /// What changes in it.
    pub ops: Vec<Op>,
    /// How many blocks of each kind stand before it in its change.
    pub before: Before,
    /// Where its name stands.
    pub name_span: Span,
    /// Where the block stands.
    pub span: Span,
}

/// A position among blocks that are kept apart by kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    /// Blocks of calls.
    pub http: usize,
    /// Blocks of sockets.
    pub ws: usize,
    /// Blocks of namespaces.
    pub socketio: usize,
}

impl HttpBlock {
    /// How many ops it has.
    pub(super) fn count(&self) -> usize {
        self.request.len() + self.response.iter().map(|(_, ops)| ops.len()).sum::<usize>()
    }

    /// Whether only the newer version has its calls, which are then spelled as it does.
    #[must_use]
    pub fn is_added(&self) -> bool {
        self.absence.as_ref().is_some_and(|absence| absence.lifetime == Lifetime::Added)
    }

    /// Its calls as the newer version spells them.
    #[must_use]
    pub fn newer_calls(&self) -> &[Template] {
        self.route.as_ref().map_or(self.calls.as_slice(), std::slice::from_ref)
    }

    /// Whether only the older version has its calls.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.absence.as_ref().is_some_and(|absence| absence.lifetime == Lifetime::Removed)
    }
}

/// What is answered to a call that only one of two versions has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Which of the two has it.
    pub lifetime: Lifetime,
    /// The status.
    pub status: u16,
    /// What the answer says; a sentence of Legato's own if there is none.
    pub detail: Option<String>,
}

/// What changes in the messages of some sockets.
#[derive(Debug)]
pub struct WsBlock {
    /// The handshake's path.
    pub path: Template,
    /// What the client sends.
    pub client: Option<Frames>,
    /// What the backend sends.
    pub server: Option<Frames>,
    /// Who wrote it.
    pub origin: Origin,
    /// Where the block stands.
    pub span: Span,
}

impl WsBlock {
    /// The messages of one side.
    #[must_use]
    pub fn side(&self, side: Side) -> Option<&Frames> {
        match side {
            Side::Client => self.client.as_ref(),
            Side::Server => self.server.as_ref(),
        }
    }
}

/// The messages of one side of a socket.
#[derive(Debug)]
pub struct Frames {
    /// Where a message says what it is.
    pub discriminator: Keys,
    /// By name in the older version.
    pub frames: Vec<Frame>,
    /// Of a client's messages: what it is sent for one that cannot be translated, as the newer version has it.
    pub error: Option<ProblemShape>,
}

/// One kind of message.
#[derive(Debug)]
pub struct Frame {
    /// Its name in the older version; of an added one, in the newer.
    pub name: String,
    /// Its name in the newer version, where that differs.
    pub rename: Option<String>,
    /// What changes in it.
    pub ops: Vec<Op>,
    /// Whether both versions have it.
    pub lifetime: Lifetime,
    /// Where its name stands.
    pub span: Span,
}

impl Frame {
    /// What the older version calls it, if it has it.
    #[must_use]
    pub fn older_name(&self) -> Option<&str> {
        (self.lifetime != Lifetime::Added).then_some(self.name.as_str())
    }

    /// What the newer version calls it, if it has it.
    #[must_use]
    pub fn newer_name(&self) -> Option<&str> {
        (self.lifetime != Lifetime::Removed).then(|| self.rename.as_deref().unwrap_or(&self.name))
    }
}

/// What changes in the events of a Socket.IO namespace.
#[derive(Debug)]
pub struct SocketIoBlock {
    /// The namespace, such as `/chat`.
    pub namespace: String,
    /// What the client sends.
    pub client: Vec<Event>,
    /// What the backend sends.
    pub server: Vec<Event>,
    /// Who wrote it.
    pub origin: Origin,
    /// Where the block stands.
    pub span: Span,
}

impl SocketIoBlock {
    /// The events of one side.
    #[must_use]
    pub fn side(&self, side: Side) -> &[Event] {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

/// One kind of event. As a message it is the list of its arguments.
#[derive(Debug)]
pub struct Event {
    /// Its names, what changes in its arguments, and whether both versions have it.
    pub frame: Frame,
    /// What changes in the arguments of its acknowledgement.
    pub ack: Vec<Op>,
}

impl Event {
    /// What changes in one of its lists of arguments.
    #[must_use]
    pub fn ops(&self, list: ArgumentList) -> &[Op] {
        match list {
            ArgumentList::Event => &self.frame.ops,
            ArgumentList::Ack => &self.ack,
        }
    }
}

/// In which versions a kind of message or a call exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// In both.
    #[default]
    Both,
    /// Since the newer: the older never sees it.
    Added,
    /// Until the older: the newer never sees it.
    Removed,
}

/// One test of a change or of the whole chain.
#[derive(Debug)]
pub struct Test {
    /// What to call it.
    pub name: String,
    /// What it is about.
    pub subject: Subject,
    /// One direction only.
    pub only: Option<super::Direction>,
    /// Its file.
    pub file: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// What a test is about.
#[derive(Debug)]
pub enum Subject {
    /// A call.
    Http(HttpTest),
    /// A socket's message.
    Ws(WsTest),
    /// A Socket.IO event or acknowledgement.
    SocketIo(SocketIoTest),
}

/// A test of a call. Bodies are by version; those of inline tests are the change's two.
#[derive(Debug)]
pub struct HttpTest {
    /// Such as `GET`.
    pub method: http::Method,
    /// Path and query as the older version spells them.
    pub target: String,
    /// The response's status in the older version.
    pub status: u16,
    /// And in the newer.
    pub new_status: Option<u16>,
    /// The status of the answer that it gets because one of the versions lacks the call.
    pub answers: Option<u16>,
    /// The request, if it is tested.
    pub request: Option<HttpMessage>,
    /// The response, if it is tested.
    pub response: Option<HttpMessage>,
}

/// One message of a test.
#[derive(Debug, Default)]
pub struct HttpMessage {
    /// JSON texts.
    pub bodies: Vec<(VersionId, Vec<u8>)>,
    /// Headers in the older version.
    pub header: Vec<(String, String)>,
    /// Headers in the newer version.
    pub new_header: Vec<(String, String)>,
    /// Method, path and query in the newer version.
    pub new_target: Option<String>,
}

/// A test of a socket's message.
#[derive(Debug)]
pub struct WsTest {
    /// The handshake's path.
    pub path: String,
    /// Who sends it.
    pub side: Side,
    /// JSON texts; `None`: that version never sees it.
    pub messages: Vec<(VersionId, Option<Vec<u8>>)>,
}

/// A test of a Socket.IO event or of its acknowledgement.
#[derive(Debug)]
pub struct SocketIoTest {
    /// The namespace.
    pub namespace: String,
    /// Who sends the event.
    pub side: Side,
    /// Which of its lists of arguments is tested.
    pub list: ArgumentList,
    /// The event's name in the oldest of the versions.
    pub event: String,
    /// And in the newest, if the test says it.
    pub new_event: Option<String>,
    /// JSON texts of lists; `None`: that version never sees it.
    pub messages: Vec<(VersionId, Option<Vec<u8>>)>,
}

impl SocketIoTest {
    /// The key under which its lists stand.
    pub(super) fn part(&self) -> &'static str {
        match (self.side, self.list) {
            (Side::Client, ArgumentList::Event) => "client",
            (Side::Server, ArgumentList::Event) => "server",
            (Side::Client, ArgumentList::Ack) => "client_ack",
            (Side::Server, ArgumentList::Ack) => "server_ack",
        }
    }
}
