//! Long polling: GET takes what waits for the client, POST brings what it sends.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::backend::Body;
use crate::failure::{Failure, Side};
use crate::framing::Generation;
use crate::framing::engineio::payload::Form;
use crate::framing::engineio::{Packet, jsonp};
use crate::http::body;
use crate::http::respond::{self, EngineIoError};

use super::asked::Asked;
use super::table::{Command, Handle};

/// What a poll brings: packets, or none where the session does not take polls.
pub(super) type Polled = Option<Vec<Packet>>;

/// Answers a request of long polling.
pub(super) async fn answer(
    handle: &Handle,
    asked: &Asked,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    match head.method {
        Method::GET => {
            let (reply, polled) = oneshot::channel();
            if handle.commands.send(Command::Poll(reply)).await.is_err() {
                return Ok(respond::engineio(EngineIoError::UnknownSession));
            }
            Ok(match polled.await {
                Ok(Some(packets)) => batch(handle, &packets, asked.callback.as_deref()),
                Ok(None) => respond::engineio(EngineIoError::BadRequest),
                Err(_) => respond::engineio(EngineIoError::UnknownSession),
            })
        }
        Method::POST => post(handle, asked, head, body).await,
        _ => Ok(respond::engineio(EngineIoError::BadMethod)),
    }
}

/// The answer to a poll.
pub(super) fn batch(handle: &Handle, packets: &[Packet], callback: Option<&str>) -> Response<Body> {
    let form = Form::of(packets, handle.generation, handle.binary, handle.dialect);
    let payload = form.write(packets);
    let payload = callback.map_or(payload.clone(), |callback| jsonp::wrap(callback, &payload));
    let mut response = Response::new(body::full(payload));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn post(handle: &Handle, asked: &Asked, head: &Parts, body: Incoming) -> Result<Response<Body>, Failure> {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = match (handle.generation, kind.starts_with("application/octet-stream")) {
        (Generation::Eio3, true) => Form::Bytes,
        (Generation::Eio4, true) => return Ok(respond::engineio(EngineIoError::BadRequest)),
        (generation, false) => Form::Text(generation, handle.dialect),
    };
    let payload = match Limited::new(body, handle.limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(body::too_large(Side::Client, handle.limit as u64));
        }
        Err(_) => return Ok(respond::engineio(EngineIoError::BadRequest)),
    };
    let payload = match asked.callback {
        Some(_) => jsonp::unwrap(&payload),
        None => Ok(payload),
    };
    let Ok(payload) = payload else { return Ok(respond::engineio(EngineIoError::BadRequest)) };
    let (reply, taken) = oneshot::channel();
    if handle.commands.send(Command::Post(form, payload, reply)).await.is_err() {
        return Ok(respond::engineio(EngineIoError::UnknownSession));
    }
    match taken.await {
        Ok(true) => Ok(ok()),
        Ok(false) | Err(_) => Ok(respond::engineio(EngineIoError::BadRequest)),
    }
}

fn ok() -> Response<Body> {
    let mut response = Response::new(body::full(Bytes::from_static(b"ok")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
