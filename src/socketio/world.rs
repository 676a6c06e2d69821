//! What the bridge needs of the world: the time, the words for errors, and who counts.

use std::sync::Arc;

use crate::bridge::World;
use crate::failure::{self, Failure};
use crate::http::exchange::{self, Exchange};
use crate::http::respond::{self, Audience};
use crate::json;
use crate::rules::{OnError, Side};
use crate::telemetry::metrics;

/// The world of one session.
pub(super) struct Surroundings(pub(super) Arc<Exchange>);

impl World for Surroundings {
    fn values(&self, receiver: Side) -> json::Values {
        let version = match receiver {
            Side::Client => self.0.client_version(),
            Side::Server => self.0.backend_version(),
        };
        exchange::values(jiff::Timestamp::now(), version, OnError::Reject)
    }

    fn problem(&self, reader: Side, error: &json::Error) -> Vec<u8> {
        let failure = Failure::translation(failure::Side::Client, error);
        let audience = match reader {
            Side::Client => self.0.audience(),
            Side::Server => Audience::default(),
        };
        respond::problem_text(&failure, audience).into_bytes()
    }

    fn count(&self, sender: Side, event: Option<&str>) {
        metrics::message(&self.0.route.config.name, sender.name(), event);
    }

    fn lose(&self, losses: &json::Losses) {
        metrics::lost(&self.0.route.config.name, losses);
    }

    fn fail(&self, error: &json::Error) {
        metrics::translate_failure(&self.0.route.config.name, error.change.as_deref(), error.code.name());
    }
}
