//! A request on its way to the backend.

use http::Method;
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::PathAndQuery;
use hyper::body::{Body as _, Incoming};

use crate::backend::Body;
use crate::failure::{Failure, Kind, Side};
use crate::json::{Class, Code};
use crate::rules::{Call, Target};

use super::body::{self, Held};
use super::exchange::{Exchange, values};
use super::form::{Form, most_held, too_large_to_hold, translation};
use super::headers::MediaType;
use super::send::{self, Outgoing};
use super::united::Content;
use super::{headers, validators};

/// Translates a request's head and makes it one of this proxy's.
pub(crate) fn head(
    exchange: &Exchange,
    call: &Call<'_>,
    head: &mut Parts,
    path_and_query: &str,
) -> Result<Outgoing, Failure> {
    let values = exchange.request_values(call.request());
    let target = call
        .request_head(&head.method, path_and_query, &mut head.headers, &values)
        .map_err(|e| Failure::translation(Side::Client, &e))?;
    outgoing(exchange, call, head, target)
}

/// Makes a translated head one of this proxy's.
fn outgoing(exchange: &Exchange, call: &Call<'_>, head: &mut Parts, target: Target) -> Result<Outgoing, Failure> {
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
    headers::set_forwarded(&mut head.headers, exchange.peer, exchange.authority.as_deref());
    headers::add_via(&mut head.headers, head.version);
    Ok(Outgoing {
        method: target.method,
        target: PathAndQuery::try_from(path).map_err(|e| send::bad_target(&e.into()))?,
        headers: std::mem::take(&mut head.headers),
    })
}

/// Translates a request.
pub(crate) async fn message(
    exchange: &Exchange,
    call: &Call<'_>,
    form: Form,
    parts: &mut Parts,
    path_and_query: &str,
    body: Incoming,
) -> Result<(Outgoing, Option<Body>), Failure> {
    // Boxed, so that the futures of ordinary requests are not as large as these.
    if parts.method == Method::PATCH && form.media_type == MediaType::JsonPatch {
        return Box::pin(json_patch(exchange, call, form, parts, path_and_query, body)).await;
    }
    if call.request().is_united() {
        return Box::pin(united(exchange, call, form, parts, path_and_query, body)).await;
    }
    let mut outgoing = head(exchange, call, parts, path_and_query)?;
    let body = self::body(exchange, call, form, &mut outgoing.headers, body).await?;
    Ok((outgoing, body))
}

/// Translates a request whose body is no document but says what to change in one (RFC 6902).
async fn json_patch(
    exchange: &Exchange,
    call: &Call<'_>,
    form: Form,
    parts: &mut Parts,
    path_and_query: &str,
    body: Incoming,
) -> Result<(Outgoing, Option<Body>), Failure> {
    let plan = call.request();
    if plan.is_united() {
        let detail = "the body and the head of this call depend on each other, and a JSON Patch is not the body";
        return Err(Failure::new(Side::Client, Kind::Translation(Code::UntranslatablePatch), detail));
    }
    let mut outgoing = head(exchange, call, parts, path_and_query)?;
    if body.is_end_stream() {
        return Ok((outgoing, None));
    }
    let body = body::from_client(body, exchange.bounds())?;
    if !call.edits_patches() {
        return Ok((outgoing, Some(body)));
    }
    let content = Content::read(exchange, form, Side::Client, body).await?;
    // A plan that changes no document may still fill in what a patch adds.
    let values = values(jiff::Timestamp::now(), exchange.backend_version(), exchange.api.on_error.request);
    let translated = content.document().map(|patch| call.json_patch(patch, &values, exchange.json_limits()));
    let new = translated.transpose().map_err(|e| Failure::translation(Side::Client, &e))?;
    let body = content.replace(new, &mut outgoing.headers);
    Ok((outgoing, body))
}

/// Translates a request whose head and body depend on each other.
async fn united(
    exchange: &Exchange,
    call: &Call<'_>,
    form: Form,
    parts: &mut Parts,
    path_and_query: &str,
    body: Incoming,
) -> Result<(Outgoing, Option<Body>), Failure> {
    let content = if body.is_end_stream() {
        Content::Nothing
    } else {
        Content::read(exchange, form, Side::Client, body::from_client(body, exchange.bounds())?).await?
    };
    let values = exchange.request_values(call.request());
    let whole = call
        .whole_request(
            &parts.method,
            path_and_query,
            &mut parts.headers,
            content.document(),
            &values,
            exchange.json_limits(),
        )
        .and_then(|whole| content.admit(whole))
        .map_err(|e| Failure::translation(Side::Client, &e))?;
    let mut outgoing = outgoing(exchange, call, parts, whole.head)?;
    let body = content.replace(whole.body, &mut outgoing.headers);
    Ok((outgoing, body))
}

/// The body to send; `None` where there is none.
async fn body(
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
    let values = exchange.request_values(plan);
    let translation = translation(exchange, plan, values, Side::Client);
    let body = match body::hold(body, most_held(exchange, plan)).await? {
        Held::Whole(chunks, trailers) if chunks.is_empty() => body::pieces(chunks, trailers),
        Held::Whole(chunks, trailers) => {
            let whole = translation.whole(&chunks).map_err(|e| Failure::translation(Side::Client, &e))?;
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
