//! The kinds of messages that laws are tried on, and the documents that are tried.

use std::borrow::Cow;

use crate::rules::Direction;
use crate::rules::ast::{ArgumentList, Change, HttpMessage, HttpTest, Subject, Test};
use crate::rules::test::{Plans, Track, Way, Ways, pairs};
use crate::version::VersionId;

use super::document::Document;
use super::{Asked, Documents, Known, Random};

/// A kind of message: one call's request, its response with a status, or a socket's message of one name.
pub(super) struct Kind<'a> {
    pub(super) api: String,
    /// The API, and the change if it is tested alone.
    pub(super) scope: String,
    pub(super) label: String,
    /// Of a message of a call: how each of the two versions spells it.
    pub(super) spelled: Vec<(VersionId, Spelled)>,
    /// Whether what comes out is as the other version has it: no other change is between the two.
    pub(super) is_whole: bool,
    pub(super) older: VersionId,
    pub(super) newer: VersionId,
    pub(super) up: Track<'a>,
    pub(super) down: Track<'a>,
    pub(super) change: Option<&'a Change>,
    pub(super) test: &'a Test,
    pub(super) documents: Vec<(VersionId, Cow<'a, [u8]>)>,
}

/// Method, path and status.
type Spelled = (http::Method, String, Option<u16>);

/// From which version the laws are tried.
#[derive(Clone, Copy)]
pub(super) struct Side<'k> {
    pub(super) there: &'k Track<'k>,
    pub(super) back: &'k Track<'k>,
    pub(super) direction: Direction,
}

impl Kind<'_> {
    pub(super) fn key(&self) -> (String, String, VersionId, VersionId) {
        (self.scope.clone(), self.label.clone(), self.older, self.newer)
    }

    pub(super) fn side(&self, direction: Direction) -> Side<'_> {
        match direction {
            Direction::Up => Side { there: &self.up, back: &self.down, direction },
            Direction::Down => Side { there: &self.down, back: &self.up, direction },
        }
    }

    pub(super) fn asked(&self, version: VersionId) -> Option<Asked<'_>> {
        let (_, (method, path, status)) = self.spelled.iter().find(|(other, _)| *other == version)?;
        Some(Asked { api: &self.api, version, method, path, status: *status })
    }

    /// The documents of the tests first, then others like them, and every other one mangled.
    pub(super) fn document(
        &self,
        known: &Known,
        number: usize,
        source: &dyn Documents,
        random: &mut Random,
    ) -> Option<(VersionId, Document, bool)> {
        if let Some((version, document)) = known.documents.get(number) {
            return Some((*version, document.clone(), true));
        }
        let (version, document) = random.pick(&known.documents)?;
        let seen = known.seen.get(version)?;
        let asked = self.asked(*version);
        let made = asked.as_ref().and_then(|asked| source.make(asked, random)).filter(|_| random.one_in(2));
        let alike = match (&asked, made) {
            (Some(asked), Some(body)) if self.is_of_messages() => {
                with_head(seen.alike(document, random).with("body", Document::new(&body)), asked, source, random)
            }
            (_, Some(body)) => Document::new(&body),
            (_, None) => seen.alike(document, random),
        };
        let alike = self.of_this_call(*version, &alike, document)?;
        let conforms = random.one_in(2);
        let mangled = (!conforms).then(|| alike.mangled(&seen.names(), random));
        let mangled = mangled.and_then(|mangled| self.of_this_call(*version, &mangled, document));
        let conforms = mangled.is_none();
        Some((*version, mangled.unwrap_or(alike), conforms))
    }
}

impl Kind<'_> {
    pub(super) fn is_of_messages(&self) -> bool {
        self.up.is_of_messages()
    }

    /// A document that could be sent in the place of another. Whole messages are documents like others, but their values
    /// are sent as text, and the call and the status make them this kind of message.
    pub(super) fn of_this_call(&self, version: VersionId, document: &Document, other: &Document) -> Option<Document> {
        if !self.is_of_messages() {
            return Some(document.clone());
        }
        let mut document = document.clone();
        for name in ["path", "status"] {
            document = other.member(name).map_or(document.clone(), |value| document.with(name, value.clone()));
        }
        let track = if version == self.older { &self.up } else { &self.down };
        track.sent(&document.to_json()).map(|sent| Document::new(&sent))
    }

    /// The body of a document, where that is a whole message; else the document itself.
    pub(super) fn body_of<'d>(&self, document: &'d Document) -> Option<&'d Document> {
        if self.is_of_messages() { document.member("body") } else { Some(document) }
    }
}

/// A message with what its contract says of its head.
fn with_head(message: Document, asked: &Asked<'_>, source: &dyn Documents, random: &mut Random) -> Document {
    let Some(head) = source.make_head(asked, random) else { return message };
    let Document::Object(locations) = Document::new(&head) else { return message };
    locations.into_iter().fold(message, |message, (location, members)| message.with(&location, members))
}

/// Visits the kinds of messages that a test is about.
pub(super) fn each_kind<'a>(plans: &'a dyn Plans, test: &'a Test, mut visit: impl FnMut(Kind<'a>)) {
    let ways = Ways { plans, test };
    match &test.subject {
        Subject::Http(http) => {
            // What a partial update lacks is no loss, so the laws do not speak of it.
            let request = http.request.as_ref().filter(|_| http.method != http::Method::PATCH);
            if let Some(message) = request {
                for ((older, newer), old, new) in upwards(pairs(&message.bodies)) {
                    let tracks = (ways.request(http, (older, newer)), ways.request(http, (newer, older)));
                    let (Ok(up), Ok(down)) = tracks else { continue };
                    let of_call = OfCall { ways, http, response: None, way: (older, newer) };
                    of_call.kind((up, down), (old, new)).into_iter().for_each(&mut visit);
                }
            }
            let Some(message) = &http.response else { return };
            for ((older, newer), old, new) in upwards(pairs(&message.bodies)) {
                let track = |way| ways.response(http, message, way);
                let (Ok(up), Ok(down)) = (track((older, newer)), track((newer, older))) else { continue };
                let of_call = OfCall { ways, http, response: Some(message), way: (older, newer) };
                of_call.kind((up, down), (old, new)).into_iter().for_each(&mut visit);
            }
        }
        Subject::SocketIo(event) => {
            for ((older, newer), old, new) in upwards(pairs(&event.messages)) {
                let (Some(old), Some(new)) = (old, new) else { continue };
                if let (Some(up), Some(down)) = (ways.event(event, (older, newer)), ways.event(event, (newer, older))) {
                    let list = if event.list == ArgumentList::Ack { " acknowledgement" } else { "" };
                    let label = format!("socketio {} {} {}{list}", event.namespace, event.side.name(), event.event);
                    visit(kind(ways, label, (older, newer), (up, down), (old, new)));
                }
            }
        }
        Subject::Ws(ws) => {
            for ((older, newer), old, new) in upwards(pairs(&ws.messages)) {
                let (Some(old), Some(new)) = (old, new) else { continue };
                let tracks = (ways.message(ws, (older, newer), old), ways.message(ws, (newer, older), new));
                if let (Some((name, up)), Some((_, down))) = tracks {
                    let label = format!("ws {} {} {name}", ws.path, ws.side.name());
                    visit(kind(ways, label, (older, newer), (up, down), (old, new)));
                }
            }
        }
    }
}

/// A request or a response of a call, on its way up.
struct OfCall<'a> {
    ways: Ways<'a>,
    http: &'a HttpTest,
    response: Option<&'a HttpMessage>,
    way: Way,
}

impl<'a> OfCall<'a> {
    /// Where one of the two ways takes head and body together, both do; `None`: the test's words make no message.
    fn kind(&self, (up, down): (Track<'a>, Track<'a>), (old, new): (&'a Vec<u8>, &'a Vec<u8>)) -> Option<Kind<'a>> {
        let Self { ways, http, response, way: (older, newer) } = *self;
        let label = match response {
            None => label(http, "request"),
            Some(_) => label(http, &format!("response {}", http.status)),
        };
        let spelled = |version| Some((version, spelled(ways, http, response, version)?));
        let spelled = [older, newer].into_iter().filter_map(spelled).collect();
        if !up.is_of_messages() && !down.is_of_messages() {
            return Some(Kind { spelled, ..kind(ways, label, (older, newer), (up, down), (old, new)) });
        }
        let (before, after) = (ways.arrays(older), ways.arrays(newer));
        let tracks = (up.of_messages((before, after)), down.of_messages((after, before)));
        let documents = vec![
            (older, Cow::Owned(self.whole((older, newer), old)?)),
            (newer, Cow::Owned(self.whole((newer, older), new)?)),
        ];
        Some(Kind { spelled, documents, ..kind(ways, label, (older, newer), tracks, (old, new)) })
    }

    /// The test's message with a body, as the sender has it.
    fn whole(&self, way: Way, body: &[u8]) -> Option<Vec<u8>> {
        let whole = match (self.response, &self.http.request) {
            (Some(message), _) => self.ways.whole_response(self.http, message, way.0, body),
            (None, Some(message)) => self.ways.whole_request(self.http, message, way, Some(body)),
            (None, None) => return None,
        };
        whole.ok()
    }
}

/// How a version spells a request, or a response.
fn spelled(ways: Ways<'_>, test: &HttpTest, response: Option<&HttpMessage>, version: VersionId) -> Option<Spelled> {
    let (method, target) = ways.target_in(test, version).ok()?;
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let status = match response {
        Some(message) => Some(ways.status_in(test, message, version).ok()?.as_u16()),
        None => None,
    };
    Some((method, path, status))
}

/// The pairs that lead from an older version to a newer.
fn upwards<T>(pairs: Vec<(Way, T, T)>) -> Vec<(Way, T, T)> {
    pairs.into_iter().filter(|((from, to), ..)| from < to).collect()
}

fn label(test: &HttpTest, part: &str) -> String {
    format!("{} {} {part}", test.method, test.target.split('?').next().unwrap_or_default())
}

fn kind<'a>(
    ways: Ways<'a>,
    label: String,
    (older, newer): Way,
    (up, down): (Track<'a>, Track<'a>),
    (old, new): (&'a Vec<u8>, &'a Vec<u8>),
) -> Kind<'a> {
    let change = ways.plans.change();
    let scope = format!("{} {}", ways.plans.api().name, change.map_or("", |change| &change.id));
    let documents = vec![(older, Cow::Borrowed(old.as_slice())), (newer, Cow::Borrowed(new.as_slice()))];
    let api = ways.plans.api().name.clone();
    let is_whole =
        change.is_none() || ways.plans.api().changes.iter().filter(|change| change.since == newer).count() == 1;
    Kind {
        api,
        scope,
        label,
        spelled: Vec::new(),
        is_whole,
        older,
        newer,
        up,
        down,
        change,
        test: ways.test,
        documents,
    }
}
