//! What a message's body is, as its headers say it, and whether and how it is translated.

use std::sync::Arc;

use http::header::{self, HeaderMap};

use crate::backend::Body;
use crate::coding::{Stack, Unknown};
use crate::failure::{Failure, Kind, Side};
use crate::framing::stream::Framing;
use crate::json::{Class, Values};
use crate::rules::{MessagePlan, OnError, OnFrame};

use super::body;
use super::coding::Readable;
use super::exchange::Exchange;
use super::headers::{self, MediaType};
use super::messages::{Terms, Unfit};
use super::translate::Translation;

/// What decides about a body's translation. It is read before rules can change the headers that say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Of the body.
    pub(crate) media_type: MediaType,
    /// Its content codings.
    codings: Result<Stack, Unknown>,
    /// Whether it has to be left as it is.
    pub(crate) forbids_transform: bool,
}

/// How a body is read that is translated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Where it is a stream of documents: how they are told apart.
    pub(crate) framing: Option<Framing>,
    /// What has to be taken off it.
    pub(crate) codings: Stack,
}

impl Form {
    /// A message's form.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            media_type: headers::media_type(headers),
            codings: codings(headers),
            forbids_transform: headers::forbids_transform(headers),
        }
    }

    /// How a body of this form, for which there is a rule, is read; `None` where rules are not about its media type.
    ///
    /// # Errors
    /// Documents that cannot be read: in another encoding than UTF-8, or with a coding that is not known.
    pub(crate) fn reading(self, side: Side) -> Result<Option<Reading>, Failure> {
        let framing = match self.media_type {
            MediaType::Grpc | MediaType::Other => return Ok(None),
            MediaType::Elsewhere => {
                let detail = "expected documents in UTF-8, found another charset";
                return Err(Failure::new(side, Kind::UnsupportedCharset, detail));
            }
            MediaType::Json | MediaType::JsonPatch => None,
            MediaType::Events => Some(Framing::Events),
            MediaType::Lines => Some(Framing::Lines),
        };
        let codings = self.codings.map_err(|Unknown| {
            let detail = "expected a body with the content codings gzip, deflate, br and zstd only, at most four";
            Failure::new(side, Kind::UnknownCoding, detail)
        })?;
        Ok(Some(Reading { framing, codings }))
    }

    /// The codings of its body, as far as they are known.
    pub(crate) fn known_codings(self) -> Stack {
        self.codings.unwrap_or_default()
    }

    /// Whether its body is a stream of messages, each of which is something by itself.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self.media_type, MediaType::Events | MediaType::Lines | MediaType::Grpc)
    }

    /// Whether its body is one document.
    pub(crate) fn is_document(self) -> bool {
        matches!(self.media_type, MediaType::Json | MediaType::JsonPatch)
    }
}

fn codings(headers: &HeaderMap) -> Result<Stack, Unknown> {
    let lines = headers.get_all(header::CONTENT_ENCODING);
    if lines.iter().any(|line| line.to_str().is_err()) {
        return Err(Unknown);
    }
    Stack::parse(headers::tokens(headers, &header::CONTENT_ENCODING))
}

impl Reading {
    /// Opens a body of which at most so many bytes are kept as they came.
    pub(crate) fn open(self, exchange: &Exchange, side: Side, body: Body, kept: usize) -> Readable {
        Readable::new(body, self.codings, exchange.coding_limits(), side, kept)
    }

    /// Whether a body announces more than may be held of it, so that nothing of it has to be read to know.
    pub(crate) fn exceeds(self, body: &Body, most: usize) -> bool {
        let announced = hyper::body::Body::size_hint(body).lower();
        self.framing.is_none() && self.codings.is_plain() && announced > most as u64
    }

    /// How much of a body is read before the head is sent: enough to fail cleanly, or all where the plan needs it; of
    /// a stream of documents nothing, since each of them leaves as it comes, but where its end is near.
    pub(crate) fn most_held(self, exchange: &Exchange, plan: &MessagePlan, body: &Body) -> Option<usize> {
        let announced = hyper::body::Body::size_hint(body).exact();
        match (self.framing, plan.body.class()) {
            (Some(_), _) => {
                announced.is_some_and(|length| length <= body::HELD_BEFORE_HEAD as u64).then_some(HELD_OF_STREAM)
            }
            (None, Class::S0 | Class::S1 | Class::S2) => Some(body::HELD_BEFORE_HEAD),
            (None, Class::S3) => Some(exchange.route.config.limits.buffer),
        }
    }
}

/// How much of a stream of documents is held whose announced length is short.
const HELD_OF_STREAM: usize = body::HELD_BEFORE_HEAD;

/// A plan's translation of a body.
pub(crate) fn translation(
    exchange: &Exchange,
    plan: &MessagePlan,
    reading: Reading,
    values: Values,
    side: Side,
    on_error: OnError,
) -> Translation {
    let messages = reading.framing.map(|framing| terms(exchange, framing, side, on_error));
    Translation { program: Arc::clone(&plan.body), values, limits: exchange.json_limits(), side, messages }
}

fn terms(exchange: &Exchange, framing: Framing, side: Side, on_error: OnError) -> Terms {
    let unfit = match (framing, side, on_error) {
        (Framing::Events, ..) => match exchange.api.on_error.frame {
            OnFrame::Drop => Unfit::Drop,
            OnFrame::Close => Unfit::Fail,
        },
        (Framing::Lines, Side::Backend, OnError::BestEffort) => Unfit::Keep,
        (Framing::Lines, ..) => Unfit::Fail,
    };
    let config = &exchange.route.config;
    Terms { framing, most: config.limits.message, unfit, api: config.name.clone() }
}

/// A body that its plan would have to hold whole, and may not.
pub(crate) fn too_large_to_hold(exchange: &Exchange, side: Side) -> Failure {
    body::too_large(side, exchange.route.config.limits.buffer as u64)
}
