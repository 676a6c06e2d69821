//! What it means that an endpoint cannot be reached or does not answer.

use http::uri::Authority;

use crate::failure::{Failure, Kind, Side, causes};

pub(super) fn unreachable(internal: String) -> Failure {
    Failure::new(Side::Backend, Kind::Unreachable, "the backend cannot be reached").because(internal)
}

pub(super) fn connect_timeout(internal: String) -> Failure {
    Failure::new(Side::Backend, Kind::ConnectTimeout, "the backend did not accept a connection in time")
        .because(internal)
}

pub(super) fn overloaded(authority: &Authority) -> Failure {
    Failure::new(Side::Backend, Kind::Overloaded, "the backend has as many connections as it may have")
        .because(format!("{authority}: no connection became free in time"))
}

/// What it means that a response's head did not come.
pub(super) fn no_answer(error: &hyper::Error, authority: &Authority) -> Failure {
    let detail = if error.is_parse() {
        "the backend's response is not valid HTTP"
    } else {
        "the backend closed the connection before its response"
    };
    Failure::new(Side::Backend, Kind::BadResponse, detail).because(format!("{authority}: {}", causes(error)))
}
