//! Bodies of messages whose head and body are translated together: read whole before the head leaves.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};

use crate::backend::Body;
use crate::failure::{Failure, Side};
use crate::json::{self, Code};
use crate::rules::Whole;

use super::body::{self, Held};
use super::exchange::Exchange;
use super::form::{Form, too_large_to_hold};

/// A message's body, as far as rules can look into it.
pub(crate) enum Content {
    /// There is none.
    Nothing,
    /// JSON, and trailers.
    Document(Bytes, Option<HeaderMap>),
    /// Something else, which passes as it comes.
    Opaque(Body),
}

impl Content {
    /// Reads a body of this form.
    ///
    /// # Errors
    /// Those of reading it; too large where it is longer than `limits.buffer`.
    pub(crate) async fn read(exchange: &Exchange, form: Form, side: Side, body: Body) -> Result<Self, Failure> {
        if !form.is_translated(side)? {
            // A body without a media type is most often none at all.
            return Ok(if hyper::body::Body::is_end_stream(&body) { Self::Nothing } else { Self::Opaque(body) });
        }
        match body::hold(body, exchange.json_limits().buffer).await? {
            Held::Whole(chunks, _) if chunks.is_empty() => Ok(Self::Nothing),
            Held::Whole(chunks, trailers) => Ok(Self::Document(joined(chunks), trailers)),
            Held::Beginning(..) => Err(too_large_to_hold(exchange, side)),
        }
    }

    /// The document that the rules see.
    pub(crate) fn document(&self) -> Option<&[u8]> {
        match self {
            Self::Nothing | Self::Opaque(_) => None,
            Self::Document(document, _) => Some(document),
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
    /// there is none.
    pub(crate) fn replace(self, new: Option<Vec<u8>>, headers: &mut HeaderMap) -> Option<Body> {
        match (self, new) {
            (Self::Opaque(body), _) => Some(body),
            (Self::Nothing | Self::Document(..), None) => None,
            (Self::Nothing, Some(new)) => {
                headers.remove(header::CONTENT_LENGTH);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Some(body::full(new))
            }
            (Self::Document(_, trailers), Some(new)) => {
                headers.remove(header::CONTENT_LENGTH);
                Some(body::pieces(vec![new.into()], trailers))
            }
        }
    }

    /// The body as it came.
    pub(crate) fn into_body(self) -> Body {
        match self {
            Self::Nothing => body::empty(),
            Self::Document(document, trailers) => body::pieces(vec![document], trailers),
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
