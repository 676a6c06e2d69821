//! What `socketio` of an API may say.

use std::time::Duration;

use super::file::{not_empty, not_empty_list, number, positive, set, size};
use super::{PollingText, SocketIo, SocketIoBackend};
use crate::yaml::{Node, Reader};

const BACKENDS: [(&str, SocketIoBackend); 2] = [("eio3", SocketIoBackend::Eio3), ("eio4", SocketIoBackend::Eio4)];
const TEXTS: [(&str, PollingText); 2] = [("once", PollingText::Once), ("twice", PollingText::Twice)];

impl SocketIo {
    /// The defaults, before backends of this generation.
    #[must_use]
    pub fn before(backend: SocketIoBackend) -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            backend,
            ping_interval: None,
            ping_timeout: None,
            max_payload: None,
            upgrade_timeout: Duration::from_secs(10),
            open_timeout: Duration::from_secs(15),
            join_timeout: Duration::from_secs(45),
            batch: 16,
            sessions: 10_000,
            auth_from_query: Vec::new(),
            polling_text: PollingText::default(),
            origins: None,
        }
    }
}

pub(super) fn socketio(node: &Node, reader: &mut Reader) -> Option<SocketIo> {
    let mut fields = reader.fields(node, "`socketio`")?;
    let backend = fields.require(reader, "backend");
    let backend = backend.and_then(|node| reader.one_of(node, "`backend`", &BACKENDS)).copied();
    let mut found = SocketIo::before(backend.unwrap_or(SocketIoBackend::Eio3));
    set(&mut found.path, fields.get("path"), |node| path(node, reader));
    found.ping_interval = fields.get("ping_interval").and_then(|node| positive(node, "`ping_interval`", reader));
    found.ping_timeout = fields.get("ping_timeout").and_then(|node| positive(node, "`ping_timeout`", reader));
    found.max_payload = fields.get("max_payload").and_then(|node| size(node, "`max_payload`", 1..=1 << 40, reader));
    set(&mut found.upgrade_timeout, fields.get("upgrade_timeout"), |node| positive(node, "`upgrade_timeout`", reader));
    set(&mut found.open_timeout, fields.get("open_timeout"), |node| positive(node, "`open_timeout`", reader));
    set(&mut found.join_timeout, fields.get("join_timeout"), |node| positive(node, "`join_timeout`", reader));
    set(&mut found.batch, fields.get("batch"), |node| number(node, "`batch`", 1..=10_000, reader));
    set(&mut found.sessions, fields.get("sessions"), |node| number(node, "`sessions`", 1..=1_000_000, reader));
    set(&mut found.auth_from_query, fields.get("auth_from_query"), |node| names(node, "`auth_from_query`", reader));
    let text = fields.get("polling_text").and_then(|node| reader.one_of(node, "`polling_text`", &TEXTS));
    found.polling_text = text.copied().unwrap_or_default();
    found.origins = fields.get("origins").and_then(|node| names(node, "`origins`", reader));
    fields.finish(reader);
    backend.map(|_| found)
}

fn path(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.string(node, "`path`")?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    if !text.starts_with('/') || !text.ends_with('/') || !is_plain {
        let found = text.escape_debug();
        reader.bad_value(node, format!("`path` must be a path that starts and ends with `/`, found `{found}`"));
        return None;
    }
    Some(text.to_owned())
}

fn names(node: &Node, what: &str, reader: &mut Reader) -> Option<Vec<String>> {
    let items = not_empty_list(node, what, "entry", reader)?;
    Some(items.iter().filter_map(|item| not_empty(item, "an entry", reader)).map(str::to_owned).collect())
}
