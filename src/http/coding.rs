//! Bodies to read documents from, with their codings taken off while they come, and codings put on again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};

use crate::backend::Body;
use crate::coding::{self, Decoder, Encoder, Stack};
use crate::failure::{Failure, Kind, Side};

use super::body::{self, Chunks, Held};
use super::headers;

/// A body that is read for its document.
pub(crate) enum Readable {
    /// It has no codings.
    Plain(Body),
    /// Its codings are taken off while it comes.
    Coded(Box<Coded>),
}

/// A body with codings.
pub(crate) struct Coded {
    inner: Body,
    side: Side,
    decoder: Decoder,
    /// Whether the decoder may have more without being given more.
    is_decoding: bool,
    has_ended: bool,
    /// Those that came and were not handed on.
    trailers: Option<HeaderMap>,
    /// What has come, as it came, for as long as it may be asked for.
    raw: Option<Raw>,
    is_undecodable: bool,
}

/// The beginning of a body as it came.
struct Raw {
    chunks: Chunks,
    most: usize,
}

/// A body that cannot be read for its document.
pub(crate) struct Unread {
    /// Why.
    pub(crate) failure: Failure,
    /// The body as its sender sends it, where it can still be had.
    pub(crate) body: Option<Body>,
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self { failure, body: None }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        unread.failure
    }
}

impl Readable {
    /// A body with these codings, of which at most so many bytes are kept as they came.
    pub(crate) fn new(inner: Body, codings: Stack, limits: coding::Limits, side: Side, kept: usize) -> Self {
        if codings.is_plain() {
            return Self::Plain(inner);
        }
        let raw = (kept > 0).then(|| Raw { chunks: Chunks::default(), most: kept });
        let decoder = Decoder::new(codings, limits);
        Self::Coded(Box::new(Coded {
            inner,
            side,
            decoder,
            is_decoding: false,
            has_ended: false,
            trailers: None,
            raw,
            is_undecodable: false,
        }))
    }

    /// Reads it until it ends or more than `most` bytes have come. One that may be a bomb is read until that is known.
    pub(crate) async fn hold(&mut self, most: usize) -> Result<Held, Failure> {
        let mut chunks = Chunks::default();
        let mut trailers = None;
        while let Some(frame) = self.frame().await {
            match frame?.into_data() {
                Ok(chunk) => {
                    chunks.push(chunk);
                    let is_known = chunks.held() as u64 > coding::SMALL || !self.is_suspicious();
                    if chunks.held() > most && is_known {
                        return Ok(Held::Beginning(chunks.into_vec()));
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        Ok(Held::Whole(chunks.into_vec(), trailers))
    }

    fn is_suspicious(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Coded(coded) => coded.decoder.is_suspicious(),
        }
    }

    /// The body as it came, where nothing but its document was at fault; `held` is what was read of it, decoded.
    pub(crate) fn original(self, held: Vec<Bytes>, trailers: Option<HeaderMap>) -> Option<Body> {
        match self {
            Self::Plain(rest) => Some(body::resumed(held, rest, trailers)),
            Self::Coded(coded) => {
                let Coded { raw, inner, trailers: own, .. } = *coded;
                Some(body::resumed(raw?.chunks.into_vec(), inner, trailers.or(own)))
            }
        }
    }

    /// Whether it failed since its codings cannot be taken off.
    pub(crate) fn is_undecodable(&self) -> bool {
        matches!(self, Self::Coded(coded) if coded.is_undecodable)
    }

    /// Forgets how it came: it is going to be another body.
    pub(crate) fn forget_original(&mut self) {
        if let Self::Coded(coded) = self {
            coded.raw = None;
        }
    }
}

impl HttpBody for Readable {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut *self {
            Self::Plain(body) => Pin::new(body).poll_frame(cx),
            Self::Coded(coded) => coded.poll_frame(cx),
        }
    }
}

impl Coded {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            if self.is_decoding {
                match self.decoder.pull() {
                    Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Ok(None) => self.is_decoding = false,
                    Err(error) => return Poll::Ready(Some(Err(self.undecodable(error)))),
                }
            }
            if self.has_ended {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(chunk)) => self.take(chunk),
                Some(Err(frame)) => self.end(frame.into_trailers().ok())?,
                None => self.end(None)?,
            }
        }
    }

    fn take(&mut self, chunk: Bytes) {
        if let Some(raw) = &mut self.raw {
            raw.chunks.push(chunk.clone());
            if raw.chunks.held() > raw.most {
                self.raw = None;
            }
        }
        self.decoder.push(chunk);
        self.is_decoding = true;
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Failure> {
        self.has_ended = true;
        self.trailers = trailers;
        self.decoder.finish().map_err(|error| self.undecodable(error))
    }

    fn undecodable(&mut self, error: coding::Error) -> Failure {
        self.is_decoding = false;
        let kind = match error {
            coding::Error::Malformed(_) => Kind::MalformedCoding,
            coding::Error::Cut(_) => Kind::Incomplete,
            coding::Error::TooMuch(_) | coding::Error::Bomb(_) => Kind::BodyTooLarge,
        };
        self.is_undecodable = kind != Kind::BodyTooLarge;
        Failure::new(self.side, kind, error.to_string())
    }
}

/// Codings put on a body while it comes.
pub(crate) struct Packer {
    encoder: Encoder,
    flushes: bool,
}

impl Packer {
    /// `None` where there is nothing to put on. What `flushes` can be read piece by piece.
    pub(crate) fn new(codings: Stack, flushes: bool) -> Result<Option<Self>, Failure> {
        if codings.is_plain() {
            return Ok(None);
        }
        Ok(Some(Self { encoder: Encoder::try_new(codings).map_err(|e| unencodable(&e))?, flushes }))
    }

    /// Encodes some bytes; what comes out may be empty.
    pub(crate) fn pack(&mut self, bytes: &[u8]) -> Result<Bytes, Failure> {
        let mut packed = self.encoder.push(bytes);
        if self.flushes {
            packed = packed.and_then(|()| self.encoder.flush());
        }
        packed.map_err(|e| unencodable(&e))?;
        Ok(self.encoder.take())
    }

    /// Ends the body.
    pub(crate) fn finish(self) -> Result<Bytes, Failure> {
        self.encoder.finish().map_err(|e| unencodable(&e))
    }
}

/// Puts codings on a body that is all there.
pub(crate) fn pack_whole(chunks: Vec<Bytes>, codings: Stack) -> Result<Vec<Bytes>, Failure> {
    let Some(mut packer) = Packer::new(codings, false)? else { return Ok(chunks) };
    let mut whole = Vec::new();
    for chunk in chunks {
        whole.extend_from_slice(&packer.pack(&chunk)?);
    }
    whole.extend_from_slice(&packer.finish()?);
    Ok(vec![whole.into()])
}

fn unencodable(error: &std::io::Error) -> Failure {
    Failure::new(Side::Legato, Kind::Incomplete, "the body could not be encoded").because(error.to_string())
}

/// Says which codings a body has now that had others, or the same ones, before.
pub(crate) fn announce(headers: &mut HeaderMap, before: Stack, after: Stack) {
    if before.is_plain() && after.is_plain() {
        return;
    }
    headers.remove(header::CONTENT_ENCODING);
    if !after.is_plain() {
        headers::insert(headers, header::CONTENT_ENCODING, &after.to_string());
    }
}

/// Has caches keep what was encoded for one client from clients that accept something else.
pub(crate) fn vary(headers: &mut HeaderMap) {
    headers::vary(headers, &header::ACCEPT_ENCODING);
}

/// Has the backend use no coding that could not be taken off.
pub(crate) fn narrow(headers: &mut HeaderMap) {
    let narrowed = coding::Accepted::narrowed(headers::tokens(headers, &header::ACCEPT_ENCODING));
    if let Ok(value) = HeaderValue::try_from(narrowed) {
        headers.insert(header::ACCEPT_ENCODING, value);
    }
}
