//! How a session comes by its backend.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header::{HeaderMap, SET_COOKIE};

use crate::backend::{Body, Lease};
use crate::bridge::Dial;
use crate::failure::Failure;
use crate::framing::Generation;
use crate::framing::deflate::Role;
use crate::http::Plane;
use crate::http::exchange::Exchange;
use crate::http::send::Outgoing;
use crate::telemetry::log::{self, Level};
use crate::ws::{self, BackendLeg, Dialed};

use super::super::begin;
use super::super::behind::Behind;
use super::super::leg::Leg;
use super::super::polling::{self, Polling};
use super::{Driver, NotOpened};

impl Driver {
    /// Begins to connect, as the session asks.
    pub(super) fn dial(&mut self, now: Duration, dial: Dial) {
        let Some(outgoing) = self.outgoing.clone() else { return self.session.unreachable(now) };
        let outgoing = match dial.credentials {
            Some(said) => begin::with_credentials(outgoing, &said),
            None => Ok(outgoing),
        };
        let (exchange, lease) = (Arc::clone(&self.exchange), self.lease.take());
        let extensions = std::mem::replace(&mut self.extensions, ws::Extensions::None);
        let (plane, generation) = (Arc::clone(&self.plane), self.session.backend_generation());
        self.dialing = Some(Box::pin(async move {
            let lease = match lease {
                Some(lease) => lease,
                None => ws::reserve(&exchange).await?,
            };
            reach(&plane, exchange, generation, lease, outgoing?, extensions).await
        }));
    }

    /// What came of it.
    pub(super) fn dialed(&mut self, now: Duration, dialed: Result<Reached, Failure>) {
        match dialed {
            Ok(Reached::Polling(polling, headers)) => {
                self.backend = Some(Behind::Polling(polling));
                self.connected(now, &headers);
            }
            Ok(Reached::Socket(backend, headers)) => {
                let BackendLeg { upgraded, compression, picked } = *backend;
                let limit = self.handle.limit.saturating_add(1024);
                let leg = Leg::new(upgraded, Role::Server, compression, limit);
                self.backend = Some(Behind::Socket(Box::new(leg)));
                self.picked = Some(picked);
                self.connected(now, &headers);
            }
            Ok(Reached::Refused(response)) => {
                let status = response.status();
                self.not_opened(NotOpened::Refused(Box::new(response)));
                if status.is_client_error() {
                    let message = status.canonical_reason().unwrap_or("refused");
                    self.session.refused(now, message, &self.world);
                } else {
                    self.session.unreachable(now);
                }
            }
            Err(failure) => {
                log::line(Level::Warn, &format!("Socket.IO of `{}`: {failure}", self.exchange.route.config.name));
                self.not_opened(NotOpened::Failed(Box::new(failure)));
                self.session.unreachable(now);
            }
        }
    }

    fn connected(&mut self, now: Duration, answer: &HeaderMap) {
        self.cookies = answer.get_all(SET_COOKIE).iter().cloned().collect();
        self.session.dialed(now);
    }
}

/// What came of connecting to the backend: what else it said, or its refusal.
pub(super) enum Reached {
    Socket(Box<BackendLeg>, HeaderMap),
    Polling(Polling, HeaderMap),
    Refused(Response<Body>),
}

/// Connects to the backend with a WebSocket; by polling where it takes none.
async fn reach(
    plane: &Plane,
    exchange: Arc<Exchange>,
    generation: Generation,
    lease: Lease,
    outgoing: Outgoing,
    extensions: ws::Extensions,
) -> Result<Reached, Failure> {
    let refusal = match ws::dial(&exchange, lease, outgoing.clone(), extensions).await? {
        Dialed::Socket(backend, headers) => return Ok(Reached::Socket(Box::new(backend), headers)),
        Dialed::Refused(refusal) => refusal,
    };
    if let Some(refusal) = polling::refusal_of_all(refusal).await? {
        return Ok(Reached::Refused(refusal));
    }
    let (polling, headers) = Polling::open(plane, exchange, generation, outgoing).await?;
    Ok(Reached::Polling(polling, headers))
}
