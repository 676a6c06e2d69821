//! Bodies of messages whose head and body are translated together: read whole before the head leaves.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};

use crate::backend::Body;
use crate::coding::Stack;
use crate::failure::{Failure, Kind, Side};
use crate::json::{self, Code};
use crate::rules::Whole;

use super::body::{self, Held};
use super::coding::{self, Unread};
use super::exchange::Exchange;
use super::form::{Form, too_large_to_hold};
use super::validators;

/// A message's body, as far as rules can look into it.
pub(crate) enum Content {
    /// There is none.
    Nothing,
    /// JSON.
    Document(Box<Document>),
    /// Something else, which passes as it comes.
    Opaque(Body),
}

/// A document that was read whole.
pub(crate) struct Document {
    text: Bytes,
    trailers: Option<HeaderMap>,
    /// The codings that were taken off.
    codings: Stack,
    /// The body as it came.
    original: Option<Body>,
}

impl Content {
    /// Reads a body of this form.
    ///
    /// # Errors
    /// Those of reading it; too large where it is longer than `limits.buffer`.
    pub(crate) async fn read(exchange: &Exchange, form: Form, side: Side, body: Body) -> Result<Self, Unread> {
        let reading = match form.reading(side) {
            Ok(Some(reading)) => reading,
            // A body without a media type is most often none at all.
            Ok(None) if hyper::body::Body::is_end_stream(&body) => return Ok(Self::Nothing),
            Ok(None) => return Ok(Self::Opaque(body)),
            Err(failure) => return Err(Unread { failure, body: Some(body) }),
        };
        if reading.framing.is_some() {
            let detail =
                "the body and the head of this call depend on each other, and a stream of documents is no body";
            let failure = Failure::new(side, Kind::Translation(Code::CannotConvert), detail);
            return Err(Unread { failure, body: Some(body) });
        }
        let most = exchange.json_limits().buffer;
        if reading.exceeds(&body, most) {
            return Err(Unread { failure: too_large_to_hold(exchange, side), body: Some(body) });
        }
        let mut source = reading.open(exchange, side, body, if side == Side::Backend { most } else { 0 });
        match source.hold(most).await {
            Ok(Held::Whole(chunks, _)) if chunks.is_empty() => Ok(Self::Nothing),
            Ok(Held::Whole(chunks, trailers)) => Ok(Self::Document(Box::new(Document {
                text: joined(chunks.clone()),
                codings: reading.codings,
                original: source.original(chunks, trailers.clone()),
                trailers,
            }))),
            Ok(Held::Beginning(chunks)) => {
                Err(Unread { failure: too_large_to_hold(exchange, side), body: source.original(chunks, None) })
            }
            Err(failure) if source.is_undecodable() => Err(Unread { failure, body: source.original(Vec::new(), None) }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The document that the rules see.
    pub(crate) fn document(&self) -> Option<&[u8]> {
        match self {
            Self::Nothing | Self::Opaque(_) => None,
            Self::Document(document) => Some(&document.text),
        }
    }

    /// Passes a translation on, unless it has put something into a body that is not JSON.
    pub(crate) fn admit<H>(&self, whole: Whole<H>) -> Result<Whole<H>, json::Error> {
        match self {
            Self::Opaque(_) if whole.body.is_some() => {
                let detail = "expected a JSON body to put a value into, found another media type";
                Err(json::Error::new(Code::CannotConvert, 0, detail).at(String::new()))
            }
            Self::Nothing | Self::Document(..) | Self::Opaque(_) => Ok(whole),
        }
    }

    /// The body to send where the rules made `new` of the document, with the headers that say what it is; `None` where
    /// there is none. `codings` says what is put on it, given what was taken off.
    pub(crate) fn replace(
        self,
        new: Option<Vec<u8>>,
        codings: impl FnOnce(Stack) -> Stack,
        headers: &mut HeaderMap,
    ) -> Result<Option<Body>, Failure> {
        match (self, new) {
            (Self::Opaque(body), _) => Ok(Some(body)),
            (Self::Nothing, None) => Ok(None),
            (Self::Document(document), None) => {
                coding::announce(headers, document.codings, Stack::default());
                Ok(None)
            }
            (Self::Nothing, Some(new)) => {
                headers.remove(header::CONTENT_LENGTH);
                headers.remove(header::CONTENT_ENCODING);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok(Some(body::full(new)))
            }
            (Self::Document(document), Some(new)) => {
                let codings = codings(document.codings);
                headers.remove(header::CONTENT_LENGTH);
                coding::announce(headers, document.codings, codings);
                let packed = coding::pack_whole(vec![new.into()], codings)?;
                Ok(Some(body::pieces(packed, document.trailers.map(validators::own_trailers))))
            }
        }
    }

    /// The body as it came.
    pub(crate) fn into_body(self) -> Body {
        match self {
            Self::Nothing => body::empty(),
            Self::Document(document) => {
                let Document { text, trailers, original, .. } = *document;
                original.unwrap_or_else(|| body::pieces(vec![text], trailers))
            }
            Self::Opaque(body) => body,
        }
    }
}

fn joined(chunks: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(chunks) {
        Ok([one]) => one,
        Err(chunks) => chunks.concat().into(),
    }
}
