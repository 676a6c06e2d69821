//! A response on its way to the client.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use crate::backend::{Body, Picked};
use crate::failure::{Failure, Kind, Side};
use crate::json::Class;
use crate::rules::{Call, MessagePlan, OnError};
use crate::telemetry::metrics;

use super::body::{self, Held};
use super::exchange::Exchange;
use super::form::{Form, most_held, too_large_to_hold, translation};
use super::headers::{self, MediaType};
use super::record::Recorder;
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
    picked: Picked,
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
    response_head(exchange, plan, &mut head, on_error)?;
    // hyper writes the version that the client speaks.
    head.version = Version::HTTP_11;

    let body = body::from_backend(body, exchange.bounds(), picked)?;
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
            let client = exchange.client_version();
            exchange.api.resolver.tell_client(client, &mut head.headers);
            // 304 keeps its meaning whatever the plan makes of the 200 that it stands for.
            if head.status != StatusCode::NOT_MODIFIED && head.status != status {
                head.status = status;
                // The backend's words are about another status.
                head.extensions.remove::<ReasonPhrase>();
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
