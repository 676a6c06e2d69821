//! What `legato demo` shows: a legacy chat service, the rules that bring it to version 2, and what to try.
//!
//! The service speaks version 1 of its API and nothing else; everything of version 2 that a client sees is
//! the proxy's work. `state` is the service without sockets; `server`, `socket` and `socketio` put it on the wire.
//!
//! | call | does |
//! |---|---|
//! | `GET /api/messages` | all messages, oldest first |
//! | `POST /api/messages` | adds `{text, user}`; 201 with the message, which the sockets are sent too |
//! | `GET /api/messages/{id}` | one message |
//! | `GET /api/users/{id}` | one of three users |
//! | `GET /ws?user=NAME` | WebSocket; in: `say`, `typing`, `quit`; out: `msg`, `join`, `leave`, `typing`, `error` |
//! | `/socket.io/?user=NAME` | Socket.IO of Engine.IO 3, on a WebSocket alone: the same events by their names |
//!
//! All is in memory and bounded: messages, sockets, bodies, and how far a socket may fall behind.

mod server;
mod socket;
mod socketio;
pub mod state;

pub use server::serve;

use std::net::SocketAddr;

/// The shipped rules, as path below the rules directory and text.
pub const RULES: &[(&str, &str)] = &[
    ("chat/api.yaml", include_str!("../../rules/chat/api.yaml")),
    (
        "chat/changes/2/20250110120000_message_fields.yaml",
        include_str!("../../rules/chat/changes/2/20250110120000_message_fields.yaml"),
    ),
    (
        "chat/changes/2/20250112090000_user_profile.yaml",
        include_str!("../../rules/chat/changes/2/20250112090000_user_profile.yaml"),
    ),
    (
        "chat/changes/2/20250115100000_socket_events.yaml",
        include_str!("../../rules/chat/changes/2/20250115100000_socket_events.yaml"),
    ),
    (
        "chat/changes/2/20250116100000_socketio_events.yaml",
        include_str!("../../rules/chat/changes/2/20250116100000_socketio_events.yaml"),
    ),
    (
        "chat/changes/2/20250118110000_problem_details.yaml",
        include_str!("../../rules/chat/changes/2/20250118110000_problem_details.yaml"),
    ),
    (
        "chat/changes/2/20250120120000_envelope.yaml",
        include_str!("../../rules/chat/changes/2/20250120120000_envelope.yaml"),
    ),
    ("chat/tests/chain.yaml", include_str!("../../rules/chat/tests/chain.yaml")),
];

/// A configuration for the proxy before the demo's backend. Its rules are those of [`RULES`].
#[must_use]
pub fn config(listen: SocketAddr, admin: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "legato: 1
listen: [{{address: \"{listen}\"}}]
admin: {{address: \"{admin}\"}}
rules: rules
access_log: \"off\"
apis:
  chat:
    backends:
      legacy: {{speaks: \"1\", endpoints: [\"http://{backend}\"]}}
    socketio: {{backend: eio3}}
"
    )
}

/// What to print once everything is bound. The first lines are those of `legato serve`.
#[must_use]
pub fn welcome(proxy: SocketAddr, admin: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "listening on http://{proxy}
admin on http://{admin}
legacy backend on http://{backend} (speaks version 1 only)

The same backend, as two versions of its API:

  curl http://{proxy}/api/messages
      version 1, byte for byte: a bare array with text, user, ts

  curl -H 'api-version: 2' http://{proxy}/api/messages
      version 2: data and meta around it; body, author.name, sent_at

  curl -H 'api-version: 2' --json '{{\"body\":\"hello\",\"author\":{{\"name\":\"you\"}}}}' http://{proxy}/api/messages
      a version 2 client writes to a version 1 backend

  curl -H 'api-version: 2' http://{proxy}/api/users/1
      name, joined, status became display_name, joined_at, presence

  curl -H 'api-version: 2' http://{proxy}/api/messages/1
      an error, as problem details; without the header as error and code

  curl 'http://{proxy}/api/messages?version=9'
      a version that does not exist: 400, in the words of the proxy

  ws://{proxy}/ws?user=ada               a version 1 client in the room
  ws://{proxy}/ws?user=grace&version=2   a version 2 client in the same room
      send {{\"type\":\"say\",\"text\":\"hi\"}} or {{\"type\":\"message.send\",\"body\":\"hi\"}}

  io('http://{proxy}', {{query: {{user: 'alan', version: '2'}}}})
      Socket.IO of any generation, 2.x or 4.x, in the same room

Press Ctrl-C to stop.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_rule_file_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut found = Vec::new();
        let mut folders = vec![root.join("chat")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the folder can be read") {
                let path = entry.expect("the entry can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).expect("it is below the root");
                    found.push(name.to_str().expect("it is UTF-8").to_owned());
                }
            }
        }
        found.sort();
        let embedded: Vec<&str> = RULES.iter().map(|(path, _)| *path).collect();
        assert_eq!(embedded, found);
    }

    #[test]
    fn the_welcome_fits_a_screen() {
        let text = welcome(([127, 0, 0, 1], 8080).into(), ([127, 0, 0, 1], 9900).into(), ([127, 0, 0, 1], 4000).into());
        assert!(text.starts_with("listening on http://127.0.0.1:8080\nadmin on http://127.0.0.1:9900\n"));
        assert!(text.lines().count() <= 32, "{} lines", text.lines().count());
        assert!(text.lines().all(|line| line.len() <= 120));
    }
}
