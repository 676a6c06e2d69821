//! What it means that an endpoint cannot be reached or does not answer.

use std::io;

use super::endpoint::Endpoint;
use super::tls;
use crate::failure::{Failure, Kind, Side, causes};

fn unreachable(endpoint: &Endpoint, why: &str) -> Failure {
    let failure = Failure::new(Side::Backend, Kind::Unreachable, "the backend cannot be reached");
    at(endpoint, failure.because(why))
}

/// Adds where it happened, for the log.
pub(super) fn at(endpoint: &Endpoint, failure: Failure) -> Failure {
    let internal = format!("{}: {}", endpoint.authority, failure.for_log());
    failure.because(internal)
}

pub(super) fn unresolved(endpoint: &Endpoint, error: &io::Error) -> Failure {
    unreachable(endpoint, &format!("cannot resolve the name: {error}"))
}

pub(super) fn refused(endpoint: &Endpoint, error: &io::Error) -> Failure {
    unreachable(endpoint, &error.to_string())
}

pub(super) fn no_handshake(endpoint: &Endpoint, error: &hyper::Error) -> Failure {
    unreachable(endpoint, &causes(error))
}

pub(super) fn connect_timeout(endpoint: &Endpoint) -> Failure {
    let detail = "the backend did not accept a connection in time";
    at(endpoint, Failure::new(Side::Backend, Kind::ConnectTimeout, detail).because("no connection in time"))
}

pub(super) fn overloaded(endpoint: &Endpoint) -> Failure {
    let detail = "the backend has as many connections as it may have";
    at(endpoint, Failure::new(Side::Legato, Kind::Overloaded, detail).because("no connection became free in time"))
}

/// What it means that a response's head did not come.
pub(super) fn no_answer(endpoint: &Endpoint, error: &hyper::Error) -> Failure {
    if let Some(tls) = source::<rustls::Error>(error) {
        return at(endpoint, tls::failure_of(tls));
    }
    let detail = if error.is_parse() {
        "the backend's response is not valid HTTP"
    } else {
        "the backend closed the connection before its response"
    };
    at(endpoint, Failure::new(Side::Backend, Kind::BadResponse, detail).because(causes(error)))
}

/// A response that nobody may forward.
pub(super) fn bad_response(endpoint: &Endpoint, detail: &'static str) -> Failure {
    at(endpoint, Failure::new(Side::Backend, Kind::BadResponse, detail))
}

/// Whether an error says that the endpoint has not looked at the request: of HTTP/2, a stream that it refused or that
/// came after its goodbye (RFC 9113 section 8.7).
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether an error says that there was no answer at all, and not one that is wrong.
pub(super) fn is_reset(error: &hyper::Error) -> bool {
    let is_wrong = source::<h2::Error>(error).is_some_and(|error| !error.is_remote() && !error.is_io());
    !error.is_parse() && !error.is_user() && !is_wrong
}

/// The first of an error's causes that is a `T`, also inside of I/O errors.
fn source<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<T>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
