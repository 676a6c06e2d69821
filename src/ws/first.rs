//! Sockets whose first message names the client's version. The client is answered before the backend is asked; the backend
//! hears of it when the version is known.

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::failure::{Failure, Kind, Side};
use crate::framing::deflate::Role;
use crate::http::body::Observer as _;
use crate::http::exchange::Exchange;
use crate::http::record::Recorder;
use crate::http::{Plane, headers, request};
use crate::rules::Named;
use crate::telemetry::metrics;

use super::extensions::Extensions;
use super::handshake::{self, Accepted, Shaken};
use super::leg::Leg;
use super::session::{self, BackendLeg, Rules, Stop};

/// A socket that waits for its first message.
pub(crate) struct Waiting {
    pub(super) plane: Arc<Plane>,
    pub(super) exchange: Exchange,
    /// The handshake's, for the backend.
    pub(super) head: Parts,
    pub(super) client: Accepted,
    pub(super) extensions: Extensions,
}

impl Waiting {
    /// Waits, and carries messages then until both sides have ended.
    pub(crate) async fn run(self, mut recorder: Recorder) {
        let Self { plane, mut exchange, head, client, extensions } = self;
        let _open = metrics::socket();
        let _slot = client.slot;
        let Ok(upgraded) = client.upgrade.await else { return };
        let limit = exchange.route.config.limits.message;
        let mut leg = Leg::new(upgraded, Role::Client, client.compression, limit);
        let opened = async {
            let first = first(&plane, &mut exchange, head.uri.path(), &mut leg).await?;
            note(&exchange, &mut recorder);
            let (rules, backend) = open(&exchange, head, extensions, &mut recorder).await.map_err(Stop::Failed)?;
            Ok((first, rules, backend))
        };
        match opened.await {
            Ok((first, rules, backend)) => {
                let bytes = session::carry(&rules, leg, backend, first, &plane).await;
                recorder.bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
                recorder.end(Ok(()));
            }
            Err(stop) => {
                match &stop {
                    Stop::Failed(failure) => recorder.end(Err(failure)),
                    Stop::Broken(_) | Stop::Draining | Stop::Gone => recorder.end(Ok(())),
                }
                session::stop(&stop, leg).await;
            }
        }
    }
}

/// Waits for the first message and takes the version that it names; the message as the backend is to read it.
async fn first(plane: &Plane, exchange: &mut Exchange, path: &str, client: &mut Leg) -> Result<Message, Stop> {
    let limit = exchange.route.config.timeouts.first_message;
    let message = tokio::select! {
        message = timeout(limit, message(client)) => message.unwrap_or_else(|_| Err(Stop::Failed(too_late()))),
        () = plane.draining.cancelled() => Err(Stop::Draining),
    }?;
    settle(exchange, path, message).map_err(Stop::Failed)
}

fn too_late() -> Failure {
    Failure::new(Side::Client, Kind::UnknownVersion, "no first message came in time to name a version")
}

async fn message(client: &mut Leg) -> Result<Message, Stop> {
    loop {
        match client.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(Stop::Gone),
            Some(Err(error)) => return Err(Stop::Broken(error)),
        }
    }
}

fn settle(exchange: &mut Exchange, path: &str, message: Message) -> Result<Message, Failure> {
    let text = match &message {
        Message::Text(text) => text.as_bytes(),
        _ => &[],
    };
    let names = exchange.awaits.as_ref().map_or(&[][..], |awaits| &awaits.names);
    let found = Named::find(names, text, exchange.message_limits()).map_err(|error| {
        let mut failure = Failure::translation(Side::Client, &error);
        failure.kind = Kind::AmbiguousVersion;
        failure
    })?;
    exchange.settle(path, found.as_ref().map(|found| found.label.as_str()))?;
    let Some(version) = found else { return Ok(message) };
    let told = version.tell(text, exchange.api.resolver.tell_backend, &exchange.backend_version().label);
    // JSON whose label is another label is UTF-8 as it was.
    Ok(told.and_then(|told| Utf8Bytes::try_from(told).ok()).map_or(message, Message::Text))
}

/// Writes down which version the client turned out to have.
fn note(exchange: &Exchange, recorder: &mut Recorder) {
    recorder.record().client_version = Some(Arc::clone(&exchange.client_version().label));
    if let Some(exchanges) = exchange.exchanges() {
        recorder.counted_by(Arc::clone(exchanges));
    }
}

/// Opens the backend's side.
async fn open(
    exchange: &Exchange,
    mut head: Parts,
    mut extensions: Extensions,
    recorder: &mut Recorder,
) -> Result<(Rules, BackendLeg), Failure> {
    let uri = head.uri.clone();
    let path_and_query = exchange.rule_path(&uri);
    let path = path_and_query.split('?').next().unwrap_or(&path_and_query);
    let call = exchange.pair().find(&Method::GET, path);
    recorder.record().call = Some(Arc::clone(call.label()));
    if let Some(absent) = call.absent() {
        return Err(Failure::new(Side::Client, Kind::Gone(absent.status), absent.detail.clone()));
    }
    headers::remove_hop_by_hop(&mut head.headers);
    let outgoing = request::head(exchange, &call, &mut head, &path_and_query)?;
    let lease = handshake::reserve(exchange).await?;
    match handshake::shake(exchange, lease, outgoing, &mut extensions).await? {
        Shaken::Socket(backend, _) => Ok((Rules::new(exchange, path.to_owned()), backend)),
        Shaken::Refused(response, _) => {
            let status = response.status();
            let side = if status.is_client_error() { Side::Client } else { Side::Backend };
            let detail = format!("the backend refused the WebSocket handshake with {}", status.as_u16());
            Err(Failure::new(side, Kind::BadResponse, detail))
        }
    }
}
