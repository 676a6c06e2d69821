//! Which scripts of other origins may read answers. Whoever ends Engine.IO has to say so: clients of 2.x ask with their
//! credentials, for which `*` is no answer.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response};

use super::Answer;
use crate::backend::Body;

/// Allows the origin of a request to read its answer, if it is one of these; `None`: any.
pub(super) fn allow(answer: Answer, head: &Parts, origins: Option<&[String]>) -> Answer {
    match answer {
        Answer::Message(mut response) => {
            add(&mut response, head, origins);
            Answer::Message(response)
        }
        socket @ Answer::Socket(_) => socket,
    }
}

fn add(response: &mut Response<Body>, head: &Parts, origins: Option<&[String]>) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = head.headers.get(header::ORIGIN) else { return };
    let is_allowed = origins.is_none_or(|origins| origins.iter().any(|one| one.as_bytes() == origin.as_bytes()));
    if !is_allowed {
        return;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if head.method == Method::OPTIONS {
        preflight(headers, &head.headers);
    }
}

fn preflight(headers: &mut HeaderMap, asked: &HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.unwrap_or_else(|| HeaderValue::from_static("content-type")),
    );
}
