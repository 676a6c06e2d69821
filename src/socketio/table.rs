//! The sessions of a proxy, by the identifiers that their clients know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{mpsc, oneshot};

use crate::framing::Generation;
use crate::framing::engineio::Binary;
use crate::framing::engineio::payload::{Dialect, Form};
use crate::http::record::Recorder;
use crate::telemetry::access_log::Record;
use crate::ws::Accepted;

use super::polls::Polled;

/// Commands that wait for a session.
pub(super) const COMMANDS: usize = 8;

/// The sessions; clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Table(Arc<Mutex<Sessions>>);

#[derive(Debug, Default)]
struct Sessions {
    by_sid: HashMap<String, Handle>,
    /// How many sessions each API has, also those that are not open yet.
    by_api: HashMap<String, usize>,
}

/// How a session is reached.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    /// The path of its first request; later ones have it too.
    pub(super) path: Arc<str>,
    pub(super) generation: Generation,
    pub(super) binary: Binary,
    pub(super) dialect: Dialect,
    /// Bytes that a body may have.
    pub(super) limit: usize,
    /// Bytes that contexts of compressed sockets may take, all together.
    pub(super) contexts: u64,
    pub(super) origins: Option<Arc<[String]>>,
    /// What records of its requests say.
    pub(super) named: Arc<Named>,
    pub(super) commands: mpsc::Sender<Command>,
}

/// What is known of a session's requests.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) api: Arc<str>,
    pub(super) client_version: Arc<str>,
    pub(super) backend: Arc<str>,
    pub(super) backend_version: Arc<str>,
}

/// What a request wants of a session.
pub(super) enum Command {
    /// What waits for the client.
    Poll(oneshot::Sender<Polled>),
    /// Packets from the client; answered when they have been taken.
    Post(Form, Bytes, oneshot::Sender<bool>),
    /// A connection that becomes a WebSocket of the client.
    Attach(Box<Attached>),
}

/// A connection that becomes a WebSocket.
pub(super) struct Attached {
    pub(super) connection: Accepted,
    pub(super) recorder: Option<Recorder>,
}

impl Handle {
    pub(super) fn note(&self, record: &mut Record) {
        record.api = Some(Arc::clone(&self.named.api));
        record.client_version = Some(Arc::clone(&self.named.client_version));
        record.backend = Some(Arc::clone(&self.named.backend));
        record.backend_version = Some(Arc::clone(&self.named.backend_version));
    }

    /// Hands a connection over, and the record of the request that is answered with this status; whether the session is
    /// still there.
    pub(super) async fn attach(
        &self,
        status: StatusCode,
        connection: Accepted,
        recorder: &mut Option<Recorder>,
    ) -> bool {
        let Ok(permit) = self.commands.reserve().await else { return false };
        if let Some(recorder) = recorder {
            recorder.record().status = status.as_u16();
        }
        permit.send(Command::Attach(Box::new(Attached { connection, recorder: recorder.take() })));
        true
    }
}

impl Table {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions().by_sid.is_empty()
    }

    pub(super) fn find(&self, sid: &str) -> Option<Handle> {
        self.sessions().by_sid.get(sid).cloned()
    }

    /// Takes a place among the sessions of an API; `None`: there is none.
    pub(super) fn enter(&self, api: &str, limit: usize) -> Option<Place> {
        let mut sessions = self.sessions();
        let count = sessions.by_api.entry(api.to_owned()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { table: self.clone(), api: api.to_owned(), sid: None })
    }
}

/// A session's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Table,
    api: String,
    sid: Option<String>,
}

impl Place {
    /// Makes the session known by an identifier; whether nobody else has it.
    pub(super) fn register(&mut self, sid: &str, handle: Handle) -> bool {
        let mut sessions = self.table.sessions();
        if sessions.by_sid.contains_key(sid) {
            return false;
        }
        sessions.by_sid.insert(sid.to_owned(), handle);
        self.sid = Some(sid.to_owned());
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.table.sessions();
        if let Some(sid) = &self.sid {
            sessions.by_sid.remove(sid);
        }
        if let Some(count) = sessions.by_api.get_mut(&self.api) {
            *count -= 1;
            if *count == 0 {
                sessions.by_api.remove(&self.api);
            }
        }
    }
}
