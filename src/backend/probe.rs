//! Active checks: asking an endpoint now and then how it is.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::connect::{self, Opened};
use super::endpoint::Endpoint;
use super::health::Thresholds;
use super::pool::Connection;
use super::{fault, lease};
use crate::config::Checks;
use crate::failure::{Failure, Kind, Side};

/// Asks an endpoint again and again.
pub(super) async fn run(endpoint: &Endpoint, checks: &Checks) {
    let thresholds = Thresholds { healthy: checks.healthy, unhealthy: checks.unhealthy };
    let mut tick = interval_at(Instant::now(), checks.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let outcome = timeout(checks.timeout, check(endpoint, &checks.path, checks.timeout)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(late(endpoint)));
        endpoint.condition.checked(outcome.as_ref().err(), thresholds);
    }
}

fn late(endpoint: &Endpoint) -> Failure {
    fault::at(endpoint, Failure::new(Side::Backend, Kind::ResponseHeadTimeout, "no answer in time"))
}

/// Asks once, over a connection of its own; a status below 400 is a good answer.
async fn check(endpoint: &Endpoint, path: &str, limit: Duration) -> Result<(), Failure> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(body);
    *request.uri_mut() = path.parse().unwrap_or_default();
    let mut connection = match connect::open(endpoint, None, limit).await? {
        Opened::One(exclusive) => Connection::Exclusive(exclusive),
        Opened::Many(mut shared) => Connection::Stream(shared.open(Instant::now())),
    };
    let answer = lease::send(endpoint, &mut connection, request).await;
    let status = answer.map_err(|e| fault::no_answer(endpoint, e.error()))?.status().as_u16();
    if status < 400 {
        return Ok(());
    }
    let detail = format!("answered with {status}");
    Err(fault::at(endpoint, Failure::new(Side::Backend, Kind::BadResponse, detail)))
}
