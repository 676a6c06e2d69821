//! A response on its way to the client.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use crate::backend::{Body, Lease};
use crate::failure::{Failure, Kind, Side};
use crate::json::Class;
use crate::rules::{Call, MessagePlan, OnError};
use crate::telemetry::metrics;

use super::body::{self, Held};
use super::exchange::Exchange;
use super::form::{Form, most_held, too_large_to_hold, translation};
use super::headers::{self, MediaType};
use super::record::Recorder;
use super::united::Content;
use super::validators;

/// Says that a response was translated but for values that have no translation.
const LEGATO_TRANSLATION: HeaderName = HeaderName::from_static("legato-translation");

/// Translates a response.
pub(crate) async fn message(
    exchange: &Exchange,
    call: &Call<'_>,
    recorder: &mut Recorder,
    method: &Method,
    response: Response<Incoming>,
    lease: Lease,
) -> Result<Response<Body>, Failure> {
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(Side::Backend, Kind::BadResponse, "the backend changed the protocol unasked"));
    }
    headers::remove_hop_by_hop(&mut head.headers);
    headers::add_via(&mut head.headers, head.version);
    let form = Form::of(&head.headers);
    let original = head.status;
    let plan = call.response(represented(original));
    let on_error =
        if method.is_safe() { exchange.api.on_error.response } else { exchange.api.on_error.response_to_unsafe };
    if plan.is_united() {
        if form.forbids_transform {
            recorder.record().note = Some("no-transform");
        }
        let body = body::from_backend(body, exchange.bounds(), lease)?;
        return Box::pin(united(exchange, plan, method, form, on_error, head, body)).await;
    }
    response_head(exchange, plan, &mut head, on_error)?;
    // hyper writes the version that the client speaks.
    head.version = Version::HTTP_11;

    let body = body::from_backend(body, exchange.bounds(), lease)?;
    if plan.body.is_identity() {
        return Ok(Response::from_parts(head, body::prime(body).await?));
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
    if status == StatusCode::NOT_MODIFIED { StatusCode::OK } else { status }
}

/// RFC 9110 sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn response_head(
    exchange: &Exchange,
    plan: &MessagePlan,
    head: &mut http::response::Parts,
    on_error: OnError,
) -> Result<(), Failure> {
    let before = (on_error == OnError::BestEffort).then(|| head.headers.clone());
    let values = exchange.response_values(plan, on_error);
    match (plan.response_head(head.status, &mut head.headers, &values), before) {
        (Ok(status), _) => {
            translated_head(exchange, head, status);
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
    exchange: &Exchange,
    plan: &MessagePlan,
    method: &Method,
    form: Form,
    on_error: OnError,
    mut head: http::response::Parts,
    body: Body,
) -> Result<Response<Body>, Failure> {
    head.version = Version::HTTP_11;
    let original = head.status;
    // What the answer to HEAD stands for has a body, and the answer has none.
    let has_none = has_no_body(method, original);
    let content = if has_none {
        Content::Nothing
    } else if form.forbids_transform {
        Content::Opaque(body)
    } else {
        Content::read(exchange, form, Side::Backend, body).await?
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
    let is_own = matches!(content, Content::Document(..))
        || has_none && (form.media_type == MediaType::Json || original == StatusCode::NOT_MODIFIED);
    if is_own {
        head.headers.remove(header::CONTENT_LENGTH);
        validators::own(&mut head.headers, &exchange.mark());
    }
    let new = whole.body.filter(|_| !has_none && !has_no_body(method, head.status));
    let body = content.replace(new, &mut head.headers);
    Ok(Response::from_parts(head, body.unwrap_or_else(body::empty)))
}

fn mark_partial(headers: &mut HeaderMap) {
    headers.insert(LEGATO_TRANSLATION, HeaderValue::from_static("partial"));
}

async fn response_body(
    exchange: &Exchange,
    plan: &MessagePlan,
    headers: &mut HeaderMap,
    on_error: OnError,
    body: Body,
) -> Result<Body, Failure> {
    let values = exchange.response_values(plan, on_error);
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
            metrics::translate_failure(&exchange.route.config.name, error.change.as_deref(), error.code.name());
            mark_partial(headers);
            Ok(body::pieces(chunks, trailers))
        }
        Err(error) => Err(Failure::translation(Side::Backend, &error)),
    }
}
