//! Writing down how an exchange went, however it ends.

use std::sync::Arc;

use http::StatusCode;

use crate::failure::Failure;
use crate::telemetry::access_log::Record;
use crate::telemetry::metrics::{self, Exchanges};
use crate::telemetry::trace::Trace;

use super::Plane;
use super::body::Observer;

/// What the record says of an exchange whose client went away before its end.
const CLIENT_LEFT: &str = "client_left";

/// Holds an exchange's record and hands it in when dropped, so that nothing can end without one.
pub(crate) struct Recorder {
    plane: Arc<Plane>,
    record: Record,
    trace: Option<Box<Trace>>,
    /// Counts it, once its backend is known.
    exchanges: Option<Arc<Exchanges>>,
    ended: bool,
    is_socket: bool,
}

impl Recorder {
    /// Begins a record.
    pub(crate) fn new(plane: Arc<Plane>, record: Record) -> Self {
        Self { plane, record, trace: None, exchanges: None, ended: false, is_socket: false }
    }

    /// Makes spans of the exchange.
    pub(crate) fn trace(&mut self, trace: Option<Box<Trace>>) {
        self.trace = trace;
    }

    /// The backend is asked now.
    pub(crate) fn ask(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.ask();
        }
    }

    /// An endpoint has answered.
    pub(crate) fn answer(&mut self, status: StatusCode, endpoint: &str) {
        if let Some(trace) = &mut self.trace {
            trace.answer(status.as_u16(), endpoint.to_owned());
        }
    }

    /// The exchange has become a socket: its spans end here, its record when the socket does.
    pub(crate) fn open(&mut self, status: StatusCode) {
        self.is_socket = true;
        self.record.status = status.as_u16();
        self.record.took = self.record.started.elapsed();
        if let Some(trace) = self.trace.take() {
            trace.end(&self.record);
        }
    }

    /// Notes who counts the exchange.
    pub(crate) fn counted_by(&mut self, exchanges: Arc<Exchanges>) {
        self.exchanges = Some(exchanges);
    }

    /// The record, to add to.
    pub(crate) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Notes a failure. The first one is the cause of later ones.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if self.record.failure.is_none() {
            self.record.failure = Some(failure.kind.code());
            self.record.reason = Some(failure.for_log().to_owned());
            if let (crate::failure::Kind::Translation(code), Some(api)) = (failure.kind, &self.record.api) {
                metrics::translate_failure(api, failure.change.as_deref(), code.name());
            }
        }
    }
}

impl Observer for Recorder {
    fn bytes(&mut self, count: usize) {
        self.record.bytes += count as u64;
    }

    fn end(&mut self, outcome: Result<(), &Failure>) {
        self.ended = true;
        if let Err(failure) = outcome {
            self.fail(failure);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.ended && self.record.failure.is_none() {
            self.record.failure = Some(CLIENT_LEFT);
        }
        self.record.took = self.record.started.elapsed();
        let record = &self.record;
        let took = (!self.is_socket).then_some(record.took);
        match &self.exchanges {
            Some(exchanges) => exchanges.ended(record.status, took),
            None => metrics::refused(record.api.as_ref(), record.client_version.as_ref(), record.status, took),
        }
        if let Some(trace) = self.trace.take() {
            trace.end(record);
        }
        self.plane.usage.add(self.plane.worker.index(), record);
        self.plane.access_log.write(record);
    }
}
