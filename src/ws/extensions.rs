//! What a handshake says of extensions on each leg.
//!
//! They change what frames mean. Where no frame is read here, they are between the client and the backend. Where frames
//! are read, each leg has its own: a client that offers `permessage-deflate` is answered here, and only then the backend
//! is offered it too.

use http::header::{self, HeaderMap};

use crate::framing::deflate::{self, Agreed};
use crate::http::exchange::Exchange;
use crate::http::{Plane, headers};

use super::wire::{Compression, Contexts, Held};

/// Who decides about extensions.
pub(crate) enum Extensions {
    /// The client and the backend.
    Theirs,
    /// Nobody: there are none.
    None,
    /// This proxy, on each leg.
    Own(Box<Own>),
}

/// What is needed for the answer to a client, and what a backend was offered.
pub(crate) struct Own {
    client: Option<Compression>,
    answer: String,
    /// The memory for the backend's contexts, where there is some.
    backend: Option<Held>,
}

impl Extensions {
    /// Of a request for the backend, as the client and the rules have it.
    pub(super) fn new(plane: &Plane, exchange: &Exchange, request: &HeaderMap, is_translated: bool) -> Self {
        if !is_translated {
            return Self::Theirs;
        }
        Self::own(plane, exchange.route.config.limits.contexts, request)
    }

    /// Of a request whose messages are read here, where contexts may take up to `limit` bytes.
    pub(crate) fn own(plane: &Plane, limit: u64, request: &HeaderMap) -> Self {
        Own::new(values(request), &plane.contexts, limit).map_or(Self::None, |own| Self::Own(Box::new(own)))
    }

    /// Writes what the backend is offered.
    pub(super) fn offer(&self, request: &mut HeaderMap) {
        if let Self::Theirs = self {
            return;
        }
        request.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        if let Self::Own(own) = self {
            headers::insert(request, header::SEC_WEBSOCKET_EXTENSIONS, deflate::offer(own.backend.is_some()));
        }
    }

    /// What the backend has agreed on.
    ///
    /// # Errors
    /// What is wrong with its answer.
    pub(super) fn agreed(&mut self, answer: &HeaderMap) -> Result<Option<Compression>, &'static str> {
        match self {
            Self::None if answer.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) => {
                Err("it uses an extension that was not offered")
            }
            Self::Theirs | Self::None => Ok(None),
            Self::Own(own) => {
                let mut held = own.backend.take();
                let agreed = deflate::accept(values(answer), held.is_some())?;
                Ok(agreed.map(|agreed| {
                    if let Some(held) = &mut held {
                        held.shrink(agreed.client_memory());
                    }
                    Compression { agreed, held }
                }))
            }
        }
    }

    /// Writes the answer for the client, to whose header the backend's has been copied.
    pub(super) fn answer(&mut self, answer: &mut HeaderMap) -> Option<Compression> {
        match self {
            Self::Theirs => None,
            Self::None => {
                answer.remove(header::SEC_WEBSOCKET_EXTENSIONS);
                None
            }
            Self::Own(own) => {
                headers::insert(answer, header::SEC_WEBSOCKET_EXTENSIONS, &own.answer);
                own.client.take()
            }
        }
    }
}

impl Own {
    fn new<'h>(offers: impl Iterator<Item = &'h str>, contexts: &Contexts, limit: u64) -> Option<Self> {
        let mut held = None;
        let (agreed, answer) = deflate::answer(offers, |agreed| {
            held = contexts.take(agreed.server_memory(), limit);
            held.is_some()
        })?;
        let backend = contexts.take(Agreed::DEFAULT.client_memory(), limit);
        Some(Self { client: Some(Compression { agreed, held }), answer, backend })
    }
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().map(|value| value.to_str().unwrap_or_default())
}
