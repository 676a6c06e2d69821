//! The hot path: one request, from its head to the head of its response.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::backend::{Body, Picked};
use crate::failure::{Failure, Kind, Side};
use crate::json::Class;
use crate::rules::{Call, MessagePlan, OnError};
use crate::telemetry::access_log::Record;
use crate::telemetry::metrics;
use crate::ws;

use super::body::{self, Held, Translation};
use super::exchange::Exchange;
use super::headers::{self, Hops, MediaType};
use super::record::Recorder;
use super::respond::{self, Audience};
use super::send::{self, Outgoing};
use super::{Plane, validators};

/// Says that a response was translated but for values that have no translation.
const LEGATO_TRANSLATION: http::HeaderName = http::HeaderName::from_static("legato-translation");

/// How a request is answered.
enum Answer {
    /// By a message.
    Message(Response<Body>),
    /// By a message after which the connection is a socket.
    Socket(Response<Body>, Box<ws::Session>),
}

/// Answers a request.
pub(crate) async fn serve(
    plane: &Arc<Plane>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let upgrade =
        headers::asks_for_websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let record = Record::new(peer, head.method.clone(), head.uri.path().to_owned());
    let mut recorder = Recorder::new(Arc::clone(plane), record);

    // One snapshot decides everything about this request.
    let snapshot = plane.published.load();
    let exchange = match Exchange::open(&snapshot, peer, &head) {
        Ok(exchange) => exchange,
        Err(failure) => return finish(recorder, refuse(&head, &failure), Some(&failure)),
    };
    drop(snapshot);
    note(&exchange, recorder.record());

    match forward(plane, &exchange, &mut recorder, head, body, upgrade).await {
        Ok(Answer::Message(mut response)) => {
            exchange.stamp(response.headers_mut());
            finish(recorder, response, None)
        }
        Ok(Answer::Socket(mut response, session)) => {
            exchange.stamp(response.headers_mut());
            recorder.record().status = response.status().as_u16();
            plane.tasks.spawn(session.run(recorder));
            response
        }
        Err(failure) => {
            let mut response = respond::problem(&failure, exchange.audience());
            exchange.stamp(response.headers_mut());
            finish(recorder, response, Some(&failure))
        }
    }
}

/// Answers a request that no API takes. OPTIONS of the server itself is for no API.
fn refuse(head: &Parts, failure: &Failure) -> Response<Body> {
    if head.method == Method::OPTIONS && head.uri.path() == "*" && failure.kind == Kind::NoRoute {
        return respond::options();
    }
    respond::problem(failure, Audience::default())
}

fn note(exchange: &Exchange, record: &mut Record) {
    record.api = Some(exchange.route.config.name.clone());
    record.client_version = Some(exchange.client_version().label.to_string());
    record.backend = Some(exchange.backend.name().to_owned());
    record.backend_version = Some(exchange.backend_version().label.to_string());
}

/// Hands the record over to the response's body, which ends it.
fn finish(
    mut recorder: Recorder,
    response: Response<Body>,
    failure: Option<&Failure>,
) -> Response<Body> {
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
    mut head: Parts,
    body: Incoming,
    upgrade: Option<OnUpgrade>,
) -> Result<Answer, Failure> {
    // OPTIONS and TRACE may be meant for a server on the way.
    if headers::count_hop(&head.method, &mut head.headers) == Hops::None {
        return last_hop(&head.method).map(Answer::Message);
    }

    // The call decides which rules apply; it is found by what the client sent.
    let path = exchange.rule_path(&head);
    let call = exchange
        .pair()
        .find(&head.method, path.split('?').next().unwrap_or(&path));
    recorder.record().call = Some(call.label().to_owned());

    // The handshake is checked before anything is sent to the backend.
    let handshake = upgrade
        .map(|upgrade| ws::Handshake::check(&head, upgrade))
        .transpose()?;

    // Rules see the message, never the connection.
    headers::remove_hop_by_hop(&mut head.headers);
    let form = Form::of(&head.headers);
    let outgoing = request_head(exchange, &call, &mut head, &path)?;

    // A socket leaves the path of requests here.
    if let Some(handshake) = handshake {
        return Ok(
            match handshake.open(plane, exchange, &path, outgoing).await? {
                ws::Opened::Socket(response, session) => Answer::Socket(response, session),
                ws::Opened::Refused(response) => Answer::Message(response),
            },
        );
    }

    // The request's body, translated where a rule matches it.
    let mut outgoing = outgoing;
    let body = request_body(exchange, &call, form, &mut outgoing.headers, body).await?;

    // The backend answers.
    let (response, picked) = send::send(exchange, &outgoing, body).await?;

    // The response, translated where a rule matches it.
    response_message(exchange, &call, recorder, &head.method, response, picked)
        .await
        .map(Answer::Message)
}

fn last_hop(method: &Method) -> Result<Response<Body>, Failure> {
    if *method == Method::OPTIONS {
        return Ok(respond::options());
    }
    Err(Failure::new(
        Side::Client,
        Kind::MethodNotSupported,
        "this server does not echo requests",
    ))
}

/// What decides about a body's translation. It is read before rules can change the headers that say it.
#[derive(Debug, Clone, Copy)]
struct Form {
    media_type: MediaType,
    is_coded: bool,
    forbids_transform: bool,
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            media_type: headers::media_type(headers),
            is_coded: headers::coding(headers).is_some(),
            forbids_transform: headers::forbids_transform(headers),
        }
    }

    /// Whether a body of this form, for which there is a rule, is translated. What is not JSON is not.
    ///
    /// # Errors
    /// JSON that cannot be read: in another encoding than UTF-8, or compressed.
    fn is_translated(self, side: Side) -> Result<bool, Failure> {
        match self.media_type {
            MediaType::Other => Ok(false),
            MediaType::JsonElsewhere => Err(Failure::new(
                side,
                Kind::UnsupportedCharset,
                "expected JSON in UTF-8, found another charset",
            )),
            MediaType::Json if self.is_coded => Err(Failure::new(
                side,
                Kind::UnknownCoding,
                "expected a body without content coding for a call that is translated",
            )),
            MediaType::Json => Ok(true),
        }
    }
}

/// Translates a request's head and makes it one of this proxy's.
fn request_head(
    exchange: &Exchange,
    call: &Call<'_>,
    head: &mut Parts,
    path_and_query: &str,
) -> Result<Outgoing, Failure> {
    // What the rules make of it.
    let values = exchange.values(exchange.backend_version(), exchange.api.on_error.request);
    let target = call
        .request_head(&head.method, path_and_query, &mut head.headers, &values)
        .map_err(|e| Failure::translation(Side::Client, &e))?;

    // Where the client named its version, the backend reads its own.
    let path = exchange.api.resolver.tell_backend(
        exchange.backend_version(),
        &mut head.headers,
        &target.path_and_query,
        &exchange.resolved,
    );

    // A translated representation has validators of its own.
    if call.translates_responses() {
        validators::map_back(&mut head.headers, &exchange.mark());
    }

    // The body is sent on by its own framing; hyper has asked the client for it.
    head.headers.remove(header::EXPECT);
    head.headers.remove(header::HOST);
    headers::join_cookies(&mut head.headers);
    headers::set_forwarded(
        &mut head.headers,
        exchange.peer,
        exchange.authority.as_deref(),
    );
    headers::add_via(&mut head.headers, head.version);
    Ok(Outgoing {
        method: target.method,
        target: PathAndQuery::try_from(path).map_err(|e| send::bad_target(&e.into()))?,
        headers: std::mem::take(&mut head.headers),
    })
}

/// The body to send; `None` where there is none.
async fn request_body(
    exchange: &Exchange,
    call: &Call<'_>,
    form: Form,
    headers: &mut HeaderMap,
    body: Incoming,
) -> Result<Option<Body>, Failure> {
    let plan = call.request();
    if body.is_end_stream() {
        return Ok(None);
    }
    let body = body::from_client(body, exchange.bounds())?;
    if plan.body.is_identity() || !form.is_translated(Side::Client)? {
        return Ok(Some(body));
    }
    let values = exchange.values(exchange.backend_version(), exchange.api.on_error.request);
    let translation = translation(exchange, plan, values, Side::Client);
    let body = match body::hold(body, most_held(exchange, plan)).await? {
        Held::Whole(chunks, trailers) if chunks.is_empty() => body::pieces(chunks, trailers),
        Held::Whole(chunks, trailers) => {
            let whole = translation
                .whole(&chunks)
                .map_err(|e| Failure::translation(Side::Client, &e))?;
            body::pieces(whole.chunks, trailers)
        }
        Held::Beginning(..) if plan.body.class() == Class::S3 => {
            return Err(too_large_to_hold(exchange, Side::Client));
        }
        Held::Beginning(chunks, rest) => translation.stream(chunks, rest),
    };
    // The length was the untranslated body's. hyper writes the new one where it is known.
    headers.remove(header::CONTENT_LENGTH);
    Ok(Some(body))
}

fn translation(
    exchange: &Exchange,
    plan: &MessagePlan,
    values: crate::json::Values,
    side: Side,
) -> Translation {
    Translation {
        program: Arc::clone(&plan.body),
        values,
        limits: exchange.json_limits(),
        side,
    }
}

/// How much of a body is read before the head is sent: enough to fail cleanly, or all where the plan needs it.
fn most_held(exchange: &Exchange, plan: &MessagePlan) -> usize {
    match plan.body.class() {
        Class::S0 | Class::S1 | Class::S2 => body::HELD_BEFORE_HEAD,
        Class::S3 => exchange.route.config.limits.buffer,
    }
}

fn too_large_to_hold(exchange: &Exchange, side: Side) -> Failure {
    body::too_large(side, exchange.route.config.limits.buffer as u64)
}

/// Translates a response.
async fn response_message(
    exchange: &Exchange,
    call: &Call<'_>,
    recorder: &mut Recorder,
    method: &Method,
    response: Response<Incoming>,
    picked: Picked,
) -> Result<Response<Body>, Failure> {
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(
            Side::Backend,
            Kind::BadResponse,
            "the backend changed the protocol unasked",
        ));
    }
    headers::remove_hop_by_hop(&mut head.headers);
    headers::add_via(&mut head.headers, head.version);
    let form = Form::of(&head.headers);
    let original = head.status;
    let plan = call.response(represented(original));
    let on_error = if method.is_safe() {
        exchange.api.on_error.response
    } else {
        exchange.api.on_error.response_to_unsafe
    };
    response_head(exchange, plan, &mut head, on_error)?;
    // hyper writes the version that the client speaks.
    head.version = Version::HTTP_11;

    let body = body::from_backend(body, exchange.bounds(), picked)?;
    if plan.body.is_identity() {
        return Ok(Response::from_parts(head, body));
    }
    if form.forbids_transform {
        recorder.record().note = Some("no-transform");
        return Ok(Response::from_parts(head, body));
    }
    if has_no_body(method, original) {
        if form.media_type == MediaType::Json || original == StatusCode::NOT_MODIFIED {
            head.headers.remove(header::CONTENT_LENGTH);
            validators::own(&mut head.headers, &exchange.mark());
        }
        return Ok(Response::from_parts(head, body));
    }
    if !form.is_translated(Side::Backend)? {
        return Ok(Response::from_parts(head, body));
    }
    let body = response_body(exchange, plan, &mut head.headers, on_error, body).await?;
    Ok(Response::from_parts(head, body))
}

/// The status whose plan describes a response: 304 stands for a 200 that the client has.
fn represented(status: StatusCode) -> StatusCode {
    if status == StatusCode::NOT_MODIFIED {
        StatusCode::OK
    } else {
        status
    }
}

/// RFC 9110 sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}

fn response_head(
    exchange: &Exchange,
    plan: &MessagePlan,
    head: &mut http::response::Parts,
    on_error: OnError,
) -> Result<(), Failure> {
    let before = (on_error == OnError::BestEffort).then(|| head.headers.clone());
    let values = exchange.values(exchange.client_version(), on_error);
    match (
        plan.response_head(head.status, &mut head.headers, &values),
        before,
    ) {
        (Ok(status), _) => {
            let client = exchange.client_version();
            exchange.api.resolver.tell_client(client, &mut head.headers);
            // 304 keeps its meaning whatever the plan makes of the 200 that it stands for.
            if head.status != StatusCode::NOT_MODIFIED {
                head.status = status;
            }
            Ok(())
        }
        (Err(_), Some(before)) => {
            head.headers = before;
            mark_partial(&mut head.headers);
            Ok(())
        }
        (Err(e), None) => Err(Failure::translation(Side::Backend, &e)),
    }
}

fn mark_partial(headers: &mut HeaderMap) {
    headers.insert(
        LEGATO_TRANSLATION,
        http::HeaderValue::from_static("partial"),
    );
}

async fn response_body(
    exchange: &Exchange,
    plan: &MessagePlan,
    headers: &mut HeaderMap,
    on_error: OnError,
    body: Body,
) -> Result<Body, Failure> {
    let values = exchange.values(exchange.client_version(), on_error);
    let translation = translation(exchange, plan, values, Side::Backend);
    let (chunks, trailers) = match body::hold(body, most_held(exchange, plan)).await? {
        Held::Whole(chunks, trailers) => (chunks, trailers),
        Held::Beginning(..) if plan.body.class() == Class::S3 => {
            return Err(too_large_to_hold(exchange, Side::Backend));
        }
        Held::Beginning(chunks, rest) => {
            headers.remove(header::CONTENT_LENGTH);
            validators::own(headers, &exchange.mark());
            return Ok(translation.stream(chunks, rest));
        }
    };
    if chunks.is_empty() {
        return Ok(body::pieces(chunks, trailers));
    }
    let started = Instant::now();
    let translated = translation.whole(&chunks);
    metrics::translated(&exchange.route.config.name, started.elapsed());
    match translated {
        Ok(whole) => {
            headers.remove(header::CONTENT_LENGTH);
            validators::own(headers, &exchange.mark());
            if whole.is_partial {
                mark_partial(headers);
            }
            Ok(body::pieces(whole.chunks, trailers))
        }
        // The write has happened: an answer as the backend gave it does less harm than an error, after which
        // clients would write again.
        Err(error) if on_error == OnError::BestEffort => {
            metrics::translate_failure(
                &exchange.route.config.name,
                error.change.as_deref(),
                error.code.name(),
            );
            mark_partial(headers);
            Ok(body::pieces(chunks, trailers))
        }
        Err(error) => Err(Failure::translation(Side::Backend, &error)),
    }
}
