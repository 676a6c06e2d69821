//! The kinds of messages that laws are tried on, and the documents that are tried.

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
    pub(super) documents: Vec<(VersionId, &'a [u8])>,
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
        let made = self.asked(*version).and_then(|asked| source.make(&asked, random)).filter(|_| random.one_in(2));
        let alike = made.map_or_else(|| seen.alike(document, random), |made| Document::new(&made));
        let conforms = random.one_in(2);
        let document = if conforms { alike } else { alike.mangled(&seen.names(), random) };
        Some((*version, document, conforms))
    }
}

/// Visits the kinds of messages that a test is about.
pub(super) fn each_kind<'a>(plans: &'a dyn Plans, test: &'a Test, mut visit: impl FnMut(Kind<'a>)) {
    let ways = Ways { plans, test };
    match &test.subject {
        Subject::Http(http) => {
            // What a partial update lacks is no loss, so the laws do not speak of it.
            let request = http.request.as_ref().filter(|_| http.method != http::Method::PATCH);
            for ((older, newer), old, new) in request.map(|m| upwards(pairs(&m.bodies))).unwrap_or_default() {
                if let (Ok(up), Ok(down)) = (ways.request(http, (older, newer)), ways.request(http, (newer, older)))
                    && !(up.is_united || down.is_united)
                {
                    let kind = kind(ways, label(http, "request"), (older, newer), (up, down), (old, new));
                    let spelled = |version| Some((version, spelled(ways, http, None, version)?));
                    visit(Kind { spelled: [older, newer].into_iter().filter_map(spelled).collect(), ..kind });
                }
            }
            let Some(message) = &http.response else { return };
            for ((older, newer), old, new) in upwards(pairs(&message.bodies)) {
                let track = |way| ways.response(http, message, way);
                if let (Ok(up), Ok(down)) = (track((older, newer)), track((newer, older)))
                    && !(up.is_united || down.is_united)
                {
                    let label = label(http, &format!("response {}", http.status));
                    let kind = kind(ways, label, (older, newer), (up, down), (old, new));
                    let spelled = |version| Some((version, spelled(ways, http, Some(message), version)?));
                    visit(Kind { spelled: [older, newer].into_iter().filter_map(spelled).collect(), ..kind });
                }
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
    let documents = vec![(older, old.as_slice()), (newer, new.as_slice())];
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
