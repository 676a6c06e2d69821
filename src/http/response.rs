//! A response on its way to the client.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;

use crate::backend::{Body, Lease};
use crate::coding::Accepted;
use crate::failure::{Failure, Kind, Side};
use crate::json::Losses;
use crate::rules::{Call, MessagePlan, OnError};
use crate::telemetry::metrics;

use super::body;
use super::coding::{Readable, Unread};
use super::exchange::Exchange;
use super::form::Form;
use super::headers;
use super::record::Recorder;
use super::reply::{Reply, refuse_part};
use super::united::Content;
use super::validators;

/// Says that a response was translated but for values that have no translation.
const LEGATO_TRANSLATION: HeaderName = HeaderName::from_static("legato-translation");

/// What of a request decides about its response.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// As the client asked.
    pub(crate) method: Method,
    /// The codings that the client takes.
    pub(crate) accepted: Accepted,
}

impl Asked {
    /// What the head of a request for a call says.
    pub(crate) fn of(head: &http::request::Parts, call: &Call<'_>) -> Self {
        let method = head.method.clone();
        if !call.translates_responses() {
            return Self { method, accepted: Accepted::default() };
        }
        Self { method, accepted: Accepted::parse(headers::tokens(&head.headers, &header::ACCEPT_ENCODING)) }
    }
}

/// Translates a response.
pub(crate) async fn message(
    exchange: &Exchange,
    call: &Call<'_>,
    recorder: &mut Recorder,
    asked: &Asked,
    response: Response<Incoming>,
    lease: Lease,
) -> Result<Response<Body>, Failure> {
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(Side::Backend, Kind::BadResponse, "the backend changed the protocol unasked"));
    }
    headers::remove_hop_by_hop(&mut head.headers);
    headers::add_via(&mut head.headers, head.version);
    // hyper writes the version that the client speaks.
    head.version = Version::HTTP_11;
    let form = Form::of(&head.headers);
    let original = head.status;
    let plan = call.response(represented(original));
    let policy = exchange.api.on_error;
    let on_error = if asked.method.is_safe() { policy.response } else { policy.response_to_unsafe };
    let reply = Reply { exchange, plan, form, on_error, accepted: asked.accepted };

    let body = body::from_backend(body, exchange.bounds(), lease)?;
    if form.forbids_transform && (plan.is_united() || !plan.body.is_identity()) {
        recorder.record().note = Some("no-transform");
    }
    if plan.is_united() {
        return Box::pin(united(&reply, &asked.method, head, body)).await;
    }
    let losses = response_head(exchange, plan, &mut head, on_error)?;
    let body = if loses_body(&asked.method, original, head.status) {
        without_body(&mut head.headers, body).await
    } else {
        translated_body(&reply, asked, original, &mut head.headers, body).await?
    };
    exchange.count_losses(&losses);
    Ok(Response::from_parts(head, body))
}

/// What is sent of a body whose head has been translated.
async fn translated_body(
    reply: &Reply<'_>,
    asked: &Asked,
    original: StatusCode,
    headers: &mut HeaderMap,
    body: Body,
) -> Result<Body, Failure> {
    let Reply { plan, form, .. } = *reply;
    if plan.body.is_identity() {
        return body::prime(body).await;
    }
    if form.forbids_transform {
        return Ok(body);
    }
    if has_no_body(&asked.method, original) {
        own_without_body(reply, original, headers);
        // One that has a body all the same, since the backend was asked in another way, says nothing of this one's length.
        return Ok(if headers.contains_key(header::CONTENT_LENGTH) { body } else { body::empty() });
    }
    reply.body(original, headers, body).await
}

/// The status whose plan describes a response: 304 stands for a 200 that the client has.
fn represented(status: StatusCode) -> StatusCode {
    if status == StatusCode::NOT_MODIFIED { StatusCode::OK } else { status }
}

/// RFC 9110 sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether a response has a body that its new status has no place for.
fn loses_body(method: &Method, before: StatusCode, after: StatusCode) -> bool {
    has_no_body(method, after) && !has_no_body(method, before)
}

/// What is left of a body that goes nowhere. It is read if it is short, so that its connection can be used again.
async fn without_body(headers: &mut HeaderMap, body: Body) -> Body {
    headers.remove(header::CONTENT_LENGTH);
    // Whatever is wrong with it, nobody gets it.
    let _ = Readable::Plain(body).hold(body::HELD_BEFORE_HEAD).await;
    body::empty()
}

/// Has a head without a body say what it would with the translated one.
fn own_without_body(reply: &Reply<'_>, status: StatusCode, headers: &mut HeaderMap) {
    let is_not_modified = status == StatusCode::NOT_MODIFIED;
    match reply.form.reading(Side::Backend) {
        Ok(Some(reading)) => {
            let codings = reply.codings(reading.codings);
            headers.remove(header::CONTENT_LENGTH);
            reply.own(headers, reading.codings, codings);
        }
        // It need not say what it is.
        Ok(None) if is_not_modified => {
            headers.remove(header::CONTENT_LENGTH);
            validators::own(headers, &reply.exchange.mark(), validators::Strength::Kept);
        }
        // With a body this would have been refused, or passed as it is.
        Ok(None) | Err(_) => {}
    }
}

/// Translates a response's head; what is lost with it.
fn response_head(
    exchange: &Exchange,
    plan: &MessagePlan,
    head: &mut http::response::Parts,
    on_error: OnError,
) -> Result<Losses, Failure> {
    let before = (on_error == OnError::BestEffort).then(|| head.headers.clone());
    let values = exchange.response_values(plan, on_error);
    match (plan.response_head(head.status, &mut head.headers, &values), before) {
        (Ok((status, losses)), _) => {
            translated_head(exchange, head, status);
            Ok(losses)
        }
        (Err(_), Some(before)) => {
            head.headers = before;
            mark_partial(&mut head.headers);
            Ok(Losses::default())
        }
        (Err(e), None) => Err(Failure::translation(Side::Backend, &e)),
    }
}

/// Completes a head that the rules gave this status.
fn translated_head(exchange: &Exchange, head: &mut http::response::Parts, status: StatusCode) {
    exchange.api.resolver.tell_client(exchange.client_version(), &mut head.headers);
    // 304 keeps its meaning whatever the plan makes of the 200 that it stands for.
    if head.status != StatusCode::NOT_MODIFIED && head.status != status {
        head.status = status;
        // The backend's words are about another status.
        head.extensions.remove::<ReasonPhrase>();
    }
}

/// Translates a response whose head and body depend on each other.
async fn united(
    reply: &Reply<'_>,
    method: &Method,
    mut head: http::response::Parts,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let Reply { exchange, plan, form, on_error, .. } = *reply;
    let original = head.status;
    // What the answer to HEAD stands for has a body, and the answer has none.
    let has_none = has_no_body(method, original);
    let content = if has_none {
        Content::Nothing
    } else if form.forbids_transform {
        Content::Opaque(body)
    } else {
        let read = match refuse_part(original).filter(|_| form.is_document()) {
            Some(failure) => Err(Unread { failure, body: Some(body) }),
            None => Content::read(exchange, form, Side::Backend, body).await,
        };
        match read {
            Ok(content) => content,
            Err(unread) => {
                let body = reply.as_it_came(unread, &mut head.headers)?;
                return Ok(Response::from_parts(head, body));
            }
        }
    };
    let before = (on_error == OnError::BestEffort).then(|| head.headers.clone());
    let values = exchange.response_values(plan, on_error);
    let translated = plan
        .whole_response(original, &mut head.headers, content.document(), &values, exchange.json_limits())
        .and_then(|whole| content.admit(whole));
    let whole = match (translated, before) {
        (Ok(whole), _) => whole,
        (Err(error), None) => return Err(Failure::translation(Side::Backend, &error)),
        (Err(error), Some(before)) => {
            metrics::translate_failure(&exchange.route.config.name, error.change.as_deref(), error.code.name());
            head.headers = before;
            mark_partial(&mut head.headers);
            return Ok(Response::from_parts(head, content.into_body()));
        }
    };
    translated_head(exchange, &mut head, whole.head);
    if whole.is_partial {
        mark_partial(&mut head.headers);
    }
    if has_none {
        own_without_body(reply, original, &mut head.headers);
    } else if let Content::Document(_) = content {
        let codings = form.known_codings();
        reply.own(&mut head.headers, codings, reply.codings(codings));
    }
    let new = whole.body.filter(|_| !has_none);
    let body = content.replace(new, |codings| reply.codings(codings), &mut head.headers)?;
    let mut body = body.unwrap_or_else(body::empty);
    if loses_body(method, original, head.status) {
        body = without_body(&mut head.headers, body).await;
    }
    exchange.count_losses(&whole.losses);
    Ok(Response::from_parts(head, body))
}

/// Says that not all of a response was translated.
pub(crate) fn mark_partial(headers: &mut HeaderMap) {
    headers.insert(LEGATO_TRANSLATION, HeaderValue::from_static("partial"));
}
