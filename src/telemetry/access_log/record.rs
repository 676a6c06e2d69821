//! What one exchange's record says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// What is known of one exchange. Absent parts were never found out.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it began.
    pub started: Instant,
    /// How long it took; zero while it lasts.
    pub took: Duration,
    /// Who asked.
    pub peer: SocketAddr,
    /// What the client speaks.
    pub protocol: http::Version,
    /// Whether it speaks that over TLS.
    pub is_tls: bool,
    /// The request's method.
    pub method: http::Method,
    /// The request's path as the client sent it, without its query, which may hold secrets.
    pub target: String,
    /// The API.
    pub api: Option<Arc<str>>,
    /// The client's version.
    pub client_version: Option<Arc<str>>,
    /// The backend's name.
    pub backend: Option<Arc<str>>,
    /// The backend's version.
    pub backend_version: Option<Arc<str>>,
    /// The call's label, such as `GET /users/{id}`.
    pub call: Option<Arc<str>>,
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
    pub fn new(peer: SocketAddr, protocol: http::Version, method: http::Method, target: String) -> Self {
        Self {
            started: Instant::now(),
            took: Duration::ZERO,
            peer,
            protocol,
            is_tls: false,
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

    /// Whether it did not go well.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.failure.is_some() || self.status >= 400
    }

    /// Appends the record as one line of JSON, with its line end.
    pub(super) fn write(&self, time: jiff::Timestamp, line: &mut Vec<u8>) {
        let Self { status, bytes, .. } = self;
        let milliseconds = self.took.as_secs_f64() * 1000.0;
        line.extend_from_slice(format!("{{\"time\":\"{time:.3}\"").as_bytes());
        let mut text = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                for part in [",\"", name, "\":"] {
                    line.extend_from_slice(part.as_bytes());
                }
                // A `str` always serialises, and a `Vec` takes all of it.
                let _ = serde_json::to_writer(&mut *line, value);
            }
        };
        text("api", self.api.as_deref());
        text("client_version", self.client_version.as_deref());
        text("backend", self.backend.as_deref());
        text("backend_version", self.backend_version.as_deref());
        text("protocol", Some(protocol(self.protocol)));
        text("method", Some(self.method.as_str()));
        text("target", Some(&self.target));
        text("call", self.call.as_deref());
        text("failure", self.failure);
        text("reason", self.reason.as_deref());
        text("note", self.note);
        text("peer", Some(&self.peer.to_string()));
        let rest = format!(",\"status\":{status},\"bytes\":{bytes},\"duration_ms\":{milliseconds:.3}}}\n");
        line.extend_from_slice(rest.as_bytes());
    }
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_is_one_line_of_json() {
        let peer = "127.0.0.1:5".parse().unwrap();
        let mut record = Record::new(peer, http::Version::HTTP_11, http::Method::GET, "/a\"b\n\u{1}\\".to_owned());
        record.api = Some("chat".into());
        record.status = 502;
        record.bytes = 7;
        record.failure = Some("unreachable");
        record.took = Duration::from_micros(1500);
        let want = concat!(
            r#"{"time":"1970-01-01T00:00:00.000Z","api":"chat","protocol":"HTTP/1.1","method":"GET","#,
            r#""target":"/a\"b\n\u0001\\","failure":"unreachable","peer":"127.0.0.1:5","status":502,"bytes":7,"#,
            r#""duration_ms":1.500}"#,
            "\n"
        );
        let mut line = Vec::new();
        record.write(jiff::Timestamp::UNIX_EPOCH, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), want);
    }
}
