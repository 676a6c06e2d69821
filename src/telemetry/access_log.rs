//! Access records: one JSON object a line for each exchange.
//!
//! Requests never wait for the log: records go through a bounded queue to one thread, and those that do not
//! fit are counted and dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use tokio::time::Instant;

use super::metrics;
use crate::config;

/// Records that wait for the writer.
const QUEUE: usize = 8192;

/// What is known of one exchange. Absent parts were never found out.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it began.
    pub started: Instant,
    /// Who asked.
    pub peer: SocketAddr,
    /// The request's method.
    pub method: http::Method,
    /// The request's path as the client sent it, without its query, which may hold secrets.
    pub target: String,
    /// The API.
    pub api: Option<String>,
    /// The client's version.
    pub client_version: Option<String>,
    /// The backend's name.
    pub backend: Option<String>,
    /// The backend's version.
    pub backend_version: Option<String>,
    /// The call's label, such as `GET /users/{id}`.
    pub call: Option<String>,
    /// The status sent to the client.
    pub status: u16,
    /// Bytes of the response's body that left.
    pub bytes: u64,
    /// What went wrong.
    pub failure: Option<&'static str>,
    /// The log's text about it.
    pub reason: Option<String>,
    /// What else there is to say, such as `no-transform`.
    pub note: Option<&'static str>,
}

impl Record {
    /// A record of an exchange that begins now.
    #[must_use]
    pub fn new(peer: SocketAddr, method: http::Method, target: String) -> Self {
        Self {
            started: Instant::now(),
            peer,
            method,
            target,
            api: None,
            client_version: None,
            backend: None,
            backend_version: None,
            call: None,
            status: 0,
            bytes: 0,
            failure: None,
            reason: None,
            note: None,
        }
    }

    /// The record as one line of JSON, with its line end.
    fn line(&self, time: jiff::Timestamp, milliseconds: f64) -> String {
        let mut line = format!("{{\"time\":\"{time:.3}\"");
        let mut text = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                // A `str` always serialises.
                let value = serde_json::to_string(value).unwrap_or_default();
                line.extend([",\"", name, "\":", &value]);
            }
        };
        text("api", self.api.as_deref());
        text("client_version", self.client_version.as_deref());
        text("backend", self.backend.as_deref());
        text("backend_version", self.backend_version.as_deref());
        text("method", Some(self.method.as_str()));
        text("target", Some(&self.target));
        text("call", self.call.as_deref());
        text("failure", self.failure);
        text("reason", self.reason.as_deref());
        text("note", self.note);
        text("peer", Some(&self.peer.to_string()));
        let (status, bytes) = (self.status, self.bytes);
        line + &format!(",\"status\":{status},\"bytes\":{bytes},\"duration_ms\":{milliseconds:.3}}}\n")
    }
}

/// Where records are handed in.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<SyncSender<Box<Record>>>);

impl AccessLog {
    /// A log that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Opens a log and starts its writer, which ends when the last clone of the log is dropped.
    ///
    /// # Errors
    /// As opening the file fails, naming it.
    pub fn open(to: &config::AccessLog) -> io::Result<(Self, Option<JoinHandle<()>>)> {
        let out: Box<dyn Write + Send> = match to {
            config::AccessLog::Off => return Ok((Self::off(), None)),
            config::AccessLog::Stderr => Box::new(io::stderr()),
            config::AccessLog::File(path) => Box::new(open(path)?),
        };
        let (sender, receiver) = sync_channel(QUEUE);
        let writer =
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || write_all(out, &receiver))?;
        Ok((Self(Some(sender)), Some(writer)))
    }

    /// Hands in a finished exchange.
    pub fn write(&self, record: &Record) {
        if let Some(queue) = &self.0
            && queue.try_send(Box::new(record.clone())).is_err()
        {
            metrics::access_record_dropped();
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

/// Writes records until there are no more senders; flushes whenever the queue is empty. A full disk loses
/// records and stops nothing.
fn write_all(out: Box<dyn Write + Send>, records: &Receiver<Box<Record>>) {
    let mut out = BufWriter::new(out);
    loop {
        let record = match records.try_recv() {
            Ok(record) => record,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                let _ = out.flush();
                match records.recv() {
                    Ok(record) => record,
                    Err(_) => break,
                }
            }
        };
        let milliseconds = record.started.elapsed().as_secs_f64() * 1000.0;
        let _ = out.write_all(record.line(jiff::Timestamp::now(), milliseconds).as_bytes());
    }
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_is_one_line_of_json() {
        let mut record = Record::new("127.0.0.1:5".parse().unwrap(), http::Method::GET, "/a\"b\n".to_owned());
        record.api = Some("chat".to_owned());
        record.status = 502;
        record.bytes = 7;
        record.failure = Some("unreachable");
        let want = concat!(
            r#"{"time":"1970-01-01T00:00:00.000Z","api":"chat","method":"GET","target":"/a\"b\n","#,
            r#""failure":"unreachable","peer":"127.0.0.1:5","status":502,"bytes":7,"duration_ms":1.500}"#,
            "\n"
        );
        assert_eq!(record.line(jiff::Timestamp::UNIX_EPOCH, 1.5), want);
    }
}
