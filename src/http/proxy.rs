//! The hot path: one request, from its head to the head of its response.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::backend::Body;
use crate::failure::{Failure, Kind, Side};
use crate::rules::{Absent, Lifetime};
use crate::socketio;
use crate::telemetry::access_log::Record;
use crate::telemetry::trace;
use crate::ws;

use super::exchange::{Exchange, Refused};
use super::form::Form;
use super::headers::{self, Hops};
use super::record::Recorder;
use super::respond::{self, Audience};
use super::response::Asked;
use super::server::Client;
use super::{Plane, body, request, response, send, urls};

/// How a request is answered.
enum Answer {
    /// By a message.
    Message(Response<Body>),
    /// By a message after which the connection is a socket.
    Socket(Response<Body>, Box<ws::Session>),
}

/// Answers a request.
pub(crate) async fn serve(plane: &Arc<Plane>, client: Client, mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = headers::asks_for_websocket(&request).then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    let mut record = Record::new(client.peer, head.version, head.method.clone(), head.uri.path().to_owned());
    record.is_tls = client.is_tls;
    let mut recorder = Recorder::new(Arc::clone(plane), record);
    if head.method == Method::CONNECT {
        if upgrade.is_none() {
            let failure = Failure::new(Side::Client, Kind::MethodNotSupported, "this server opens no tunnels");
            return finish(recorder, respond::problem(&failure, Audience::default()), Some(&failure));
        }
        // A socket is the same call whatever it comes on.
        head.method = Method::GET;
    }

    // A session of Socket.IO keeps the snapshot and the version of its first request.
    if let Some(session) = socketio::find(plane, &head) {
        let mut recorder = Some(recorder);
        let answer = Box::pin(socketio::resume(plane, &session, &mut recorder, &head, body, upgrade)).await;
        return settle(recorder, answer, Audience::default(), |_| {});
    }

    // One snapshot decides everything about this request.
    let snapshot = plane.published.load();
    recorder.trace(trace::begin(snapshot.tracer.as_ref(), &mut head.headers));
    let exchange = match Exchange::open(plane, snapshot, client, &head, upgrade.is_some()) {
        Ok(exchange) => exchange,
        Err(refused) => {
            note_refused(&refused, recorder.record());
            return no_api(&head, &refused, recorder);
        }
    };
    note(&exchange, &mut recorder);

    if socketio::concerns(&exchange, &head) {
        let (mut recorder, exchange) = (Some(recorder), Arc::new(exchange));
        let answer = Box::pin(socketio::open(plane, &exchange, &mut recorder, head, upgrade)).await;
        return settle(recorder, answer, exchange.audience(), |headers| exchange.stamp(headers));
    }

    let upgrade = match upgrade {
        Some(upgrade) if exchange.awaits.is_some() => return wait(plane, exchange, recorder, head, upgrade),
        upgrade => upgrade,
    };

    match forward(plane, &exchange, &mut recorder, &mut head, body, upgrade).await {
        Ok(Answer::Message(mut response)) => {
            exchange.stamp(response.headers_mut());
            finish(recorder, response, None)
        }
        Ok(Answer::Socket(mut response, session)) => {
            exchange.stamp(response.headers_mut());
            recorder.open(response.status());
            plane.tasks.spawn(session.run(recorder));
            response
        }
        Err(failure) => fail(&exchange, recorder, &failure),
    }
}

/// Answers what came to nothing.
fn fail(exchange: &Exchange, recorder: Recorder, failure: &Failure) -> Response<Body> {
    let mut response = respond::problem(failure, exchange.audience());
    exchange.stamp(response.headers_mut());
    finish(recorder, response, Some(failure))
}

/// Opens a socket whose first message names the client's version: the backend is asked when it has come.
fn wait(
    plane: &Arc<Plane>,
    exchange: Exchange,
    mut recorder: Recorder,
    head: Parts,
    upgrade: OnUpgrade,
) -> Response<Body> {
    match ws::Handshake::check(&head, upgrade) {
        Ok(handshake) => {
            let (response, waiting) = handshake.wait(plane, exchange, head);
            recorder.open(response.status());
            plane.tasks.spawn(waiting.run(recorder));
            response
        }
        Err(failure) => fail(&exchange, recorder, &failure),
    }
}

/// Answers a request of Socket.IO. A record that is not there any more belongs to the socket.
fn settle(
    recorder: Option<Recorder>,
    answer: Result<socketio::Answer, Failure>,
    audience: Audience<'_>,
    stamp: impl FnOnce(&mut HeaderMap),
) -> Response<Body> {
    let (mut response, failure) = match answer {
        Ok(socketio::Answer::Message(response) | socketio::Answer::Socket(response)) => (response, None),
        Err(failure) => (respond::problem(&failure, audience), Some(failure)),
    };
    stamp(response.headers_mut());
    match recorder {
        Some(recorder) => finish(recorder, response, failure.as_ref()),
        None => response,
    }
}

/// Answers what is no request.
pub(crate) fn refuse(plane: &Arc<Plane>, client: Client, head: Parts, failure: &Failure) -> Response<Body> {
    let mut record = Record::new(client.peer, head.version, head.method, head.uri.path().to_owned());
    record.is_tls = client.is_tls;
    let recorder = Recorder::new(Arc::clone(plane), record);
    finish(recorder, respond::problem(failure, Audience::default()), Some(failure))
}

/// Answers a request that no API takes. OPTIONS of the server itself is for no API.
fn no_api(head: &Parts, refused: &Refused, recorder: Recorder) -> Response<Body> {
    if head.method == Method::OPTIONS && head.uri.path() == "*" && refused.failure.kind == Kind::NoRoute {
        return finish(recorder, respond::options(), None);
    }
    let mut response = respond::problem(&refused.failure, refused.audience());
    refused.stamp(response.headers_mut());
    finish(recorder, response, Some(&refused.failure))
}

fn note_refused(refused: &Refused, record: &mut Record) {
    record.api = refused.route.as_ref().map(|route| Arc::clone(&route.name));
    record.client_version = refused.client_version().cloned();
}

fn note(exchange: &Exchange, recorder: &mut Recorder) {
    let record = recorder.record();
    record.peer.set_ip(exchange.client_ip);
    record.api = Some(Arc::clone(&exchange.route.name));
    record.client_version = exchange.awaits.is_none().then(|| Arc::clone(&exchange.client_version().label));
    record.backend = Some(Arc::clone(exchange.backend.name()));
    record.backend_version = Some(Arc::clone(&exchange.backend_version().label));
    if let Some(exchanges) = exchange.exchanges().filter(|_| exchange.awaits.is_none()) {
        recorder.counted_by(Arc::clone(exchanges));
    }
}

/// Hands the record over to the response's body, which ends it.
fn finish(mut recorder: Recorder, mut response: Response<Body>, failure: Option<&Failure>) -> Response<Body> {
    if recorder.record().method == Method::HEAD {
        response = respond::without_body(response);
    }
    recorder.record().status = response.status().as_u16();
    if let Some(failure) = failure {
        recorder.fail(failure);
    }
    response.map(|body| body::observe(body, recorder))
}

async fn forward(
    plane: &Arc<Plane>,
    exchange: &Exchange,
    recorder: &mut Recorder,
    head: &mut Parts,
    body: Incoming,
    upgrade: Option<OnUpgrade>,
) -> Result<Answer, Failure> {
    // OPTIONS and TRACE may be meant for a server on the way.
    if headers::count_hop(&head.method, &mut head.headers) == Hops::None {
        return last_hop(&head.method).map(Answer::Message);
    }

    // The call decides which rules apply; it is found by what the client sent.
    let uri = head.uri.clone();
    let path = exchange.rule_path(&uri);
    let call = exchange.pair().find(&head.method, path.split('?').next().unwrap_or(&path));
    recorder.record().call = Some(Arc::clone(call.label()));
    if let Some(absent) = call.absent() {
        return Err(absence(absent));
    }

    // The handshake is checked before anything is sent to the backend.
    let handshake = upgrade.map(|upgrade| ws::Handshake::check(head, upgrade)).transpose()?;

    // Rules see the message, never the connection.
    headers::remove_hop_by_hop(&mut head.headers);
    let form = Form::of(&head.headers);

    // A socket leaves the path of requests here.
    if let Some(handshake) = handshake {
        let outgoing = request::head(exchange, &call, head, &path)?;
        // Boxed, so that the futures of ordinary requests are not as large as that of a handshake.
        recorder.ask();
        let opened = Box::pin(handshake.open(plane, exchange, &path, outgoing)).await?;
        return Ok(match opened {
            ws::Opened::Socket(response, session) => {
                recorder.answer(response.status(), session.endpoint());
                Answer::Socket(response, session)
            }
            ws::Opened::Refused(response) => Answer::Message(response),
        });
    }

    // The request, translated where a rule matches it.
    let asked = Asked::of(head, &call);
    if form.forbids_transform && call.translates_requests() {
        recorder.record().note = Some("no-transform");
    }
    let (outgoing, body) = request::message(exchange, &call, form, head, &path, body).await?;

    // The backend answers.
    let host = outgoing.headers.get(header::HOST).cloned();
    let places = urls::Asked { client: std::mem::take(&mut head.uri), backend: outgoing.target.clone(), host };
    recorder.ask();
    let (response, lease) = send::send(exchange, outgoing, body).await?;
    recorder.answer(response.status(), lease.authority().as_str());

    // The response, translated where a rule matches it.
    let mut response = response::message(exchange, &call, recorder, &asked, response, lease).await?;
    urls::rewrite(exchange, &places, response.headers_mut());
    Ok(Answer::Message(response))
}

/// The answer to a call that a version on the way does not have.
fn absence(absent: &Absent) -> Failure {
    let kind = match absent.lifetime {
        Lifetime::Added => Kind::Added(absent.status),
        Lifetime::Removed | Lifetime::Both => Kind::Gone(absent.status),
    };
    let mut failure = Failure::new(Side::Client, kind, absent.detail.clone());
    failure.change = Some(Arc::clone(&absent.change));
    failure
}

fn last_hop(method: &Method) -> Result<Response<Body>, Failure> {
    if *method == Method::OPTIONS {
        return Ok(respond::options());
    }
    Err(Failure::new(Side::Client, Kind::MethodNotSupported, "this server does not echo requests"))
}
