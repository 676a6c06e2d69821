//! The body of a response, translated where it can be, and as it came where a write must not look as if it had failed.

use http::StatusCode;
use http::header::HeaderMap;
use tokio::time::Instant;

use crate::backend::Body;
use crate::coding::{Accepted, Stack};
use crate::failure::{Failure, Kind, Side};
use crate::json::Class;
use crate::rules::{MessagePlan, OnError};
use crate::telemetry::metrics;

use super::body::{self, Held};
use super::coding::{self, Unread};
use super::exchange::Exchange;
use super::form::{Form, Reading, too_large_to_hold, translation};
use super::response::mark_partial;
use super::validators::{self, Strength};

/// How a response's body is translated.
pub(crate) struct Reply<'a> {
    /// What it answers.
    pub(crate) exchange: &'a Exchange,
    /// What the rules say about it.
    pub(crate) plan: &'a MessagePlan,
    /// What it is.
    pub(crate) form: Form,
    /// What becomes of it where it has no translation.
    pub(crate) on_error: OnError,
    /// The codings that the client takes.
    pub(crate) accepted: Accepted,
}

impl Reply<'_> {
    /// The codings that a body gets that came with these.
    pub(crate) fn codings(&self, before: Stack) -> Stack {
        if before.is_plain() { before } else { self.accepted.best(before.only()).into() }
    }

    /// Gives a translated response validators of its own, and has it say its codings.
    pub(crate) fn own(&self, headers: &mut HeaderMap, before: Stack, after: Stack) {
        let strength = if before == after { Strength::Kept } else { Strength::Weak };
        validators::own(headers, &self.exchange.mark(), strength);
        coding::announce(headers, before, after);
        if !before.is_plain() {
            coding::vary(headers);
        }
    }

    /// Translates a body with this status.
    ///
    /// # Errors
    /// Where it cannot be read or has no translation, and must not pass as it came.
    pub(crate) async fn body(&self, status: StatusCode, headers: &mut HeaderMap, body: Body) -> Result<Body, Failure> {
        let translated = match self.form.reading(Side::Backend) {
            Ok(None) => return Ok(body),
            Ok(Some(reading)) => match refuse_part(status) {
                None => self.translate(reading, headers, body).await,
                Some(failure) => Err(Unread { failure, body: Some(body) }),
            },
            Err(failure) => Err(Unread { failure, body: Some(body) }),
        };
        translated.or_else(|unread| self.as_it_came(unread, headers))
    }

    /// What becomes of a body that cannot be translated. The write has happened: an answer as the backend gave it
    /// does less harm than an error, after which clients would write again.
    ///
    /// # Errors
    /// Where it must not pass.
    pub(crate) fn as_it_came(&self, unread: Unread, headers: &mut HeaderMap) -> Result<Body, Failure> {
        match unread.body {
            Some(body) if self.on_error == OnError::BestEffort => {
                if let Kind::Translation(code) = unread.failure.kind {
                    let change = unread.failure.change.as_deref();
                    metrics::translate_failure(&self.exchange.route.config.name, change, code.name());
                }
                mark_partial(headers);
                Ok(body)
            }
            _ => Err(unread.failure),
        }
    }

    async fn translate(&self, reading: Reading, headers: &mut HeaderMap, body: Body) -> Result<Body, Unread> {
        let Self { exchange, plan, on_error, .. } = *self;
        let values = exchange.response_values(plan, on_error);
        let translation = translation(exchange, plan, reading, values, Side::Backend, on_error);
        let codings = self.codings(reading.codings);
        let Some(most) = reading.most_held(exchange, plan, &body) else {
            // The first message may be long in coming; its head is not.
            let source = reading.open(exchange, Side::Backend, body, 0);
            let stream = translation.stream(Vec::new(), source, codings, exchange.exchanges().cloned())?;
            self.become_another(headers, reading, codings);
            return Ok(body::prime(stream).await?);
        };
        let kept = if on_error == OnError::BestEffort { most } else { 0 };
        let mut source = reading.open(exchange, Side::Backend, body, kept);
        let (chunks, trailers) = match source.hold(most).await {
            Ok(Held::Whole(chunks, trailers)) => (chunks, trailers),
            Ok(Held::Beginning(chunks)) if reading.framing.is_none() && plan.body.class() == Class::S3 => {
                let failure = too_large_to_hold(exchange, Side::Backend);
                return Err(Unread { failure, body: source.original(chunks, None) });
            }
            Ok(Held::Beginning(chunks)) => {
                source.forget_original();
                let stream = translation.stream(chunks, source, codings, exchange.exchanges().cloned())?;
                self.become_another(headers, reading, codings);
                return Ok(stream);
            }
            Err(failure) if source.is_undecodable() => {
                return Err(Unread { failure, body: source.original(Vec::new(), None) });
            }
            Err(failure) => return Err(failure.into()),
        };
        if chunks.is_empty() {
            return Ok(source.original(chunks, trailers).unwrap_or_else(body::empty));
        }
        let started = Instant::now();
        let whole = translation.whole(&chunks);
        if let Some(exchanges) = exchange.exchanges() {
            exchanges.translated(started.elapsed());
        }
        let whole = match whole {
            Ok(whole) => whole,
            Err(failure) => return Err(Unread { failure, body: source.original(chunks, trailers) }),
        };
        let packed = coding::pack_whole(whole.chunks, codings)?;
        exchange.count_losses(&whole.losses);
        self.become_another(headers, reading, codings);
        if whole.is_partial {
            mark_partial(headers);
        }
        Ok(body::pieces(packed, trailers.map(validators::own_trailers)))
    }

    /// The length and the validators were the untranslated body's.
    fn become_another(&self, headers: &mut HeaderMap, reading: Reading, codings: Stack) {
        headers.remove(http::header::CONTENT_LENGTH);
        self.own(headers, reading.codings, codings);
    }
}

/// A part of a document is none. The backend was not asked for parts.
pub(crate) fn refuse_part(status: StatusCode) -> Option<Failure> {
    (status == StatusCode::PARTIAL_CONTENT).then(|| {
        let detail = "the backend sent a part of a representation that it was asked for as a whole";
        Failure::new(Side::Backend, Kind::BadResponse, detail)
    })
}
