//! What the parameters of a request say.

use std::borrow::Cow;

use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::framing::Generation;
use crate::framing::engineio::Binary;
use crate::http::respond::EngineIoError;

/// Parameters that are each leg's own; the others are the application's.
const OWN: [&str; 6] = ["EIO", "transport", "sid", "t", "b64", "j"];

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) generation: Generation,
    pub(super) transport: Transport,
    pub(super) sid: Option<String>,
    /// How binary messages are to be written.
    pub(super) binary: Binary,
    /// The function that a script is to call with the answer.
    pub(super) callback: Option<String>,
}

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Polling,
    WebSocket,
}

impl Asked {
    pub(super) fn of(head: &Parts) -> Result<Self, EngineIoError> {
        let query = head.uri.query().unwrap_or_default();
        let generation = match parameter(query, "EIO").as_deref() {
            Some("4") => Generation::Eio4,
            // Clients of 1.x may leave it out.
            Some("3") | None => Generation::Eio3,
            Some(_) => return Err(EngineIoError::UnsupportedProtocol),
        };
        let transport = match parameter(query, "transport").as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(EngineIoError::UnknownTransport),
        };
        let callback = parameter(query, "j").map(Cow::into_owned);
        let is_text = callback.is_some() || parameter(query, "b64").is_some_and(|value| !value.is_empty());
        Ok(Self {
            generation,
            transport,
            sid: parameter(query, "sid").map(Cow::into_owned),
            binary: if is_text { Binary::Base64 } else { Binary::Raw },
            callback,
        })
    }
}

/// The first value of a parameter.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let fields = query.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    let value = fields.into_iter().find(|(found, _)| *found == name)?.1;
    Some(percent_decode_str(value).decode_utf8_lossy())
}

/// A query without the parameters of a leg, as it came.
pub(super) fn of_application(query: &str) -> String {
    let is_own = |field: &&str| OWN.contains(&field.split('=').next().unwrap_or(field));
    query.split('&').filter(|field| !field.is_empty() && !is_own(field)).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applications_parameters_pass_as_they_came() {
        let query = "version=2&special=a%20b%26c&EIO=4&transport=polling&t=x.0&sid=a&EIOX=1&b64=1&&j=0&flag";
        assert_eq!(of_application(query), "version=2&special=a%20b%26c&EIOX=1&flag");
        assert_eq!(parameter(query, "special").as_deref(), Some("a b&c"));
        assert_eq!(parameter(query, "flag").as_deref(), Some(""));
        assert_eq!(parameter(query, "none"), None);
    }
}
