//! Whether a message's body is translated, and how much of it is held for that.

use std::sync::Arc;

use http::header::HeaderMap;

use crate::failure::{Failure, Kind, Side};
use crate::json::{Class, Values};
use crate::rules::MessagePlan;

use super::body;
use super::exchange::Exchange;
use super::headers::{self, MediaType};
use super::translate::Translation;

/// What decides about a body's translation. It is read before rules can change the headers that say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Of the body.
    pub(crate) media_type: MediaType,
    /// Whether it has a content coding.
    pub(crate) is_coded: bool,
    /// Whether it has to be left as it is.
    pub(crate) forbids_transform: bool,
}

impl Form {
    /// A message's form.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            media_type: headers::media_type(headers),
            is_coded: headers::coding(headers).is_some(),
            forbids_transform: headers::forbids_transform(headers),
        }
    }

    /// Whether a body of this form, for which there is a rule, is translated. What is not JSON is not.
    ///
    /// # Errors
    /// JSON that cannot be read: in another encoding than UTF-8, or compressed.
    pub(crate) fn is_translated(self, side: Side) -> Result<bool, Failure> {
        match self.media_type {
            MediaType::Other => Ok(false),
            MediaType::JsonElsewhere => {
                Err(Failure::new(side, Kind::UnsupportedCharset, "expected JSON in UTF-8, found another charset"))
            }
            MediaType::Json | MediaType::JsonPatch if self.is_coded => Err(Failure::new(
                side,
                Kind::UnknownCoding,
                "expected a body without content coding for a call that is translated",
            )),
            MediaType::Json | MediaType::JsonPatch => Ok(true),
        }
    }
}

/// A plan's translation of a body.
pub(crate) fn translation(exchange: &Exchange, plan: &MessagePlan, values: Values, side: Side) -> Translation {
    Translation { program: Arc::clone(&plan.body), values, limits: exchange.json_limits(), side }
}

/// How much of a body is read before the head is sent: enough to fail cleanly, or all where the plan needs it.
pub(crate) fn most_held(exchange: &Exchange, plan: &MessagePlan) -> usize {
    match plan.body.class() {
        Class::S0 | Class::S1 | Class::S2 => body::HELD_BEFORE_HEAD,
        Class::S3 => exchange.route.config.limits.buffer,
    }
}

/// A body that its plan would have to hold whole, and may not.
pub(crate) fn too_large_to_hold(exchange: &Exchange, side: Side) -> Failure {
    body::too_large(side, exchange.route.config.limits.buffer as u64)
}
