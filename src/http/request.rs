//! A request on its way to the backend.

use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::PathAndQuery;
use hyper::body::{Body as _, Incoming};

use crate::backend::Body;
use crate::config::{Host, is_in};
use crate::failure::{Failure, Kind, Side};
use crate::json::{Class, Code, Losses};
use crate::rules::{Call, MessagePlan, OnErrorPolicy, OnMalformed, Target};
use crate::telemetry::metrics;

use super::body::{self, Held};
use super::exchange::{Exchange, values};
use super::form::{Form, Reading, too_large_to_hold, translation};
use super::forwarded::{self, Hop};
use super::headers::MediaType;
use super::send::{self, Outgoing};
use super::united::Content;
use super::wire::Hints;
use super::{coding, headers, validators};

/// Translates the head of a request that has no body, and makes it one of this proxy's.
pub(crate) fn head(
    exchange: &Exchange,
    call: &Call<'_>,
    parts: &mut Parts,
    path_and_query: &str,
) -> Result<Outgoing, Failure> {
    let (outgoing, losses) = translated_head(exchange, call, parts, path_and_query)?;
    exchange.count_losses(&losses);
    Ok(outgoing)
}

/// Translates a request's head and makes it one of this proxy's; what is lost with it.
fn translated_head(
    exchange: &Exchange,
    call: &Call<'_>,
    head: &mut Parts,
    path_and_query: &str,
) -> Result<(Outgoing, Losses), Failure> {
    let values = exchange.request_values(call.request());
    let (target, losses) = call
        .request_head(&head.method, path_and_query, &mut head.headers, &values)
        .map_err(|e| Failure::translation(Side::Client, &e))?;
    Ok((outgoing(exchange, call, head, target)?, losses))
}

/// Makes a translated head one of this proxy's.
fn outgoing(exchange: &Exchange, call: &Call<'_>, head: &mut Parts, target: Target) -> Result<Outgoing, Failure> {
    set_host(exchange, &mut head.headers);
    // Where the client named its version, the backend reads its own.
    let path = exchange.api.resolver.tell_backend(
        exchange.backend_version(),
        &mut head.headers,
        target.path_and_query,
        &exchange.resolved,
    );

    // A translated representation has validators of its own.
    if call.translates_responses() {
        validators::map_back(&mut head.headers, &exchange.mark());
        coding::narrow(&mut head.headers);
    } else if exchange.resolved.version != exchange.speaks {
        // The tag may be that of a translated representation, which another call has given the client.
        validators::restore(&mut head.headers, || exchange.mark());
    }

    // The body is sent on by its own framing; hyper has asked the client for it.
    head.headers.remove(header::EXPECT);
    headers::join_cookies(&mut head.headers);
    let hop = Hop {
        peer: exchange.client.peer.ip(),
        is_tls: exchange.client.is_tls,
        authority: exchange.authority.as_deref(),
        is_trusted: is_in(&exchange.route.config.trust, exchange.client.peer.ip()),
    };
    forwarded::set(&mut head.headers, &hop);
    headers::add_via(&mut head.headers, head.version);
    Ok(Outgoing {
        method: target.method,
        target: PathAndQuery::try_from(path).map_err(|e| send::bad_target(&e.into()))?,
        headers: std::mem::take(&mut head.headers),
        hints: head.extensions.get::<Arc<Hints>>().cloned(),
    })
}

/// Leaves the `host` that was asked for, where the backend reads that.
fn set_host(exchange: &Exchange, headers: &mut HeaderMap) {
    match (exchange.backend.host(), &exchange.authority) {
        (Host::Client, Some(authority)) => {
            // That of a target counts, where there is one.
            let is_said = headers.get(header::HOST).is_some_and(|host| host.as_bytes() == authority.as_bytes());
            if !is_said {
                headers::insert(headers, header::HOST, authority);
            }
        }
        (Host::Client, None) | (Host::Backend, _) => {
            headers.remove(header::HOST);
        }
    }
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
    let (mut outgoing, losses) = translated_head(exchange, call, parts, path_and_query)?;
    let body = self::body(exchange, call, form, &mut outgoing.headers, body).await?;
    exchange.count_losses(&losses);
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
    let (mut outgoing, mut losses) = translated_head(exchange, call, parts, path_and_query)?;
    if body.is_end_stream() {
        exchange.count_losses(&losses);
        return Ok((outgoing, None));
    }
    let body = body::from_client(body, exchange.client_bounds(form))?;
    if !call.edits_patches() {
        exchange.count_losses(&losses);
        return Ok((outgoing, Some(body)));
    }
    let content = Content::read(exchange, form, Side::Client, body).await?;
    validators::remove_digests(&mut outgoing.headers);
    // A plan that changes no document may still fill in what a patch adds.
    let values = values(jiff::Timestamp::now(), exchange.backend_version(), exchange.api.on_error.request);
    let translated = content.document().map(|patch| call.json_patch(patch, &values, exchange.json_limits()));
    let translated = translated.transpose().map_err(|e| Failure::translation(Side::Client, &e))?;
    let (new, lost) = translated.unzip();
    losses.add(lost.unwrap_or_default());
    let body = content.replace(new, |codings| codings, &mut outgoing.headers)?;
    exchange.count_losses(&losses);
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
    } else if form.forbids_transform {
        Content::Opaque(body::from_client(body, exchange.client_bounds(form))?)
    } else {
        Content::read(exchange, form, Side::Client, body::from_client(body, exchange.client_bounds(form))?).await?
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
    if let Content::Document(_) = content {
        validators::remove_digests(&mut outgoing.headers);
    }
    let body = content.replace(whole.body, |codings| codings, &mut outgoing.headers)?;
    exchange.count_losses(&whole.losses);
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
    let body = body::from_client(body, exchange.client_bounds(form))?;
    if plan.body.is_identity() || form.forbids_transform {
        return Ok(Some(body));
    }
    let Some(reading) = form.reading(Side::Client)? else { return Ok(Some(body)) };
    let body = match translated(exchange, plan, reading, body).await? {
        Translated::New(body) => body,
        Translated::AsItCame(body) => return Ok(Some(body)),
    };
    // The length and the digests were the untranslated body's. hyper writes the new length where it is known.
    headers.remove(header::CONTENT_LENGTH);
    validators::remove_digests(headers);
    coding::announce(headers, reading.codings, reading.codings);
    Ok(Some(body))
}

/// What has become of a body.
enum Translated {
    /// Another one, with the codings that it came with.
    New(Body),
    /// It is no JSON, and the rules let it pass.
    AsItCame(Body),
}

async fn translated(
    exchange: &Exchange,
    plan: &MessagePlan,
    reading: Reading,
    body: Body,
) -> Result<Translated, Failure> {
    let OnErrorPolicy { request: on_error, malformed, .. } = exchange.api.on_error;
    let translation = translation(exchange, plan, reading, exchange.request_values(plan), Side::Client, on_error);
    // Whether it is JSON is known at its end, and then nothing of its translation may have left.
    let (most, kept) = match malformed {
        OnMalformed::Pass if reading.framing.is_none() => {
            let buffer = exchange.route.config.limits.buffer;
            (Some(buffer), buffer)
        }
        _ => (reading.most_held(exchange, plan, &body), 0),
    };
    let is_held_whole = plan.body.class() == Class::S3;
    if is_held_whole && reading.exceeds(&body, exchange.route.config.limits.buffer) {
        return Err(too_large_to_hold(exchange, Side::Client));
    }
    let mut source = reading.open(exchange, Side::Client, body, kept);
    let Some(most) = most else {
        let counter = exchange.exchanges().cloned();
        return translation.stream(Vec::new(), source, reading.codings, counter).map(Translated::New);
    };
    match source.hold(most).await? {
        Held::Whole(chunks, trailers) if chunks.is_empty() => Ok(Translated::New(body::pieces(chunks, trailers))),
        Held::Whole(chunks, trailers) => match translation.whole(&chunks) {
            Ok(whole) => {
                let packed = coding::pack_whole(whole.chunks, reading.codings)?;
                exchange.count_losses(&whole.losses);
                Ok(Translated::New(body::pieces(packed, trailers.map(validators::own_trailers))))
            }
            Err(failure) if kept > 0 && failure.kind == Kind::Translation(Code::MalformedJson) => {
                let original = source.original(chunks, trailers).ok_or(failure)?;
                metrics::translate_failure(&exchange.route.config.name, None, Code::MalformedJson.name());
                Ok(Translated::AsItCame(original))
            }
            Err(failure) => Err(failure),
        },
        Held::Beginning(..) if reading.framing.is_none() && is_held_whole => {
            Err(too_large_to_hold(exchange, Side::Client))
        }
        Held::Beginning(chunks) => {
            source.forget_original();
            translation.stream(chunks, source, reading.codings, exchange.exchanges().cloned()).map(Translated::New)
        }
    }
}
