//! The legacy chat service without its sockets: requests and events in, replies and events out.
//!
//! It speaks version 1 only and knows nothing of any other. Time is passed in. Messages are kept as the JSON
//! text in which they are sent, so that ids beyond 2^53 and numbers such as `1.0` never pass through a double.

use std::collections::VecDeque;

use http::{Method, StatusCode};
use serde_json::{Value, json};

/// The most messages kept; the oldest goes first.
pub const MAX_MESSAGES: usize = 1000;

/// What the service holds when it starts, one message a line, oldest first.
const SEED: &str = include_str!("messages.jsonl");

/// `GET /api/users/{id}`.
const USERS: [(&str, &str); 3] = [
    ("1", r#"{"id":1,"name":"ada","joined":1683000000000,"status":"active"}"#),
    ("2", r#"{"id":2,"name":"grace","joined":1685600000500,"status":"away"}"#),
    ("3", r#"{"id":3,"name":"alan","joined":1688200000000,"status":"off"}"#),
];

/// All that the service remembers.
#[derive(Debug)]
pub struct State {
    /// Oldest first; at most [`MAX_MESSAGES`].
    messages: VecDeque<Message>,
    next_id: u64,
}

#[derive(Debug)]
struct Message {
    id: u64,
    /// The whole object.
    json: String,
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// JSON text.
    pub body: String,
    /// A header that goes with this status.
    pub header: Option<(http::HeaderName, String)>,
    /// The event that everyone in the room is sent, as JSON text.
    pub event: Option<String>,
}

/// What follows from an event that a client sent on its socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Everyone in the room is sent this.
    Broadcast(String),
    /// The sender alone is sent this.
    Answer(String),
    /// The sender's socket is closed.
    Quit,
}

impl State {
    /// The service as it starts.
    #[must_use]
    pub fn new() -> State {
        let messages: VecDeque<Message> = SEED.lines().filter_map(Message::read).collect();
        let next_id = messages.back().map_or(1, |last| last.id + 1);
        State { messages, next_id }
    }

    /// Answers a request for `path` (without query). `now` is in epoch milliseconds.
    pub fn call(&mut self, method: &Method, path: &str, body: &[u8], now: i64) -> Reply {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments[..] {
            ["api", "messages"] => match *method {
                Method::GET | Method::HEAD => Reply::ok(self.list()),
                Method::POST => self.post(body, now),
                _ => Reply::not_allowed("GET, HEAD, POST"),
            },
            ["api", "messages", id] => read_only(method, || self.message(id)),
            ["api", "users", id] => read_only(method, || user(id)),
            ["ws"] => Reply::error(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket"),
            _ => Reply::error(StatusCode::NOT_FOUND, "no such resource"),
        }
    }

    /// Takes an event that `user` sent. `now` is in epoch milliseconds.
    pub fn event(&mut self, user: &str, text: &str, now: i64) -> Reaction {
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            return Reaction::Answer(error_event("malformed JSON"));
        };
        match event["type"].as_str() {
            Some("say") => match event["text"].as_str() {
                Some(text) if !text.is_empty() => Reaction::Broadcast(message_event(self.append(text, user, now))),
                _ => Reaction::Answer(error_event("text must be a string that is not empty")),
            },
            Some("typing") => Reaction::Broadcast(json!({"type": "typing", "user": user}).to_string()),
            Some("quit") => Reaction::Quit,
            _ => Reaction::Answer(error_event("unknown event")),
        }
    }

    fn list(&self) -> String {
        let texts: Vec<&str> = self.messages.iter().map(|m| m.json.as_str()).collect();
        format!("[{}]", texts.join(","))
    }

    fn message(&self, id: &str) -> Reply {
        let found = id.parse().ok().and_then(|id: u64| self.messages.iter().find(|m| m.id == id));
        found.map_or_else(|| Reply::error(StatusCode::NOT_FOUND, "no such message"), |m| Reply::ok(m.json.clone()))
    }

    fn post(&mut self, body: &[u8], now: i64) -> Reply {
        let Ok(posted) = serde_json::from_slice::<Value>(body) else {
            return Reply::error(StatusCode::BAD_REQUEST, "malformed JSON");
        };
        let (Some(text), Some(user)) = (filled(&posted, "text"), filled(&posted, "user")) else {
            return Reply::error(StatusCode::UNPROCESSABLE_ENTITY, "text and user must be strings that are not empty");
        };
        let message = self.append(text, user, now);
        Reply {
            status: StatusCode::CREATED,
            body: message.json.clone(),
            header: Some((http::header::LOCATION, format!("/api/messages/{}", message.id))),
            event: Some(message_event(message)),
        }
    }

    fn append(&mut self, text: &str, user: &str, now: i64) -> &Message {
        let id = self.next_id;
        self.next_id += 1;
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        let json = json!({"id": id, "text": text, "user": user, "ts": now, "tags": []}).to_string();
        self.messages.push_back(Message { id, json });
        self.messages.back().expect("one was just pushed")
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl Message {
    /// `None` where the line is not an object with an integer `id`.
    fn read(line: &str) -> Option<Message> {
        let id = serde_json::from_str::<Value>(line).ok()?["id"].as_u64()?;
        Some(Message { id, json: line.to_owned() })
    }
}

impl Reply {
    /// An error as version 1 spells it.
    #[must_use]
    pub fn error(status: StatusCode, error: &str) -> Reply {
        let body = json!({"error": error, "code": status.as_u16()}).to_string();
        Reply { status, body, header: None, event: None }
    }

    fn ok(body: String) -> Reply {
        Reply { status: StatusCode::OK, body, header: None, event: None }
    }

    fn not_allowed(allow: &str) -> Reply {
        let header = Some((http::header::ALLOW, allow.to_owned()));
        Reply { header, ..Reply::error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed") }
    }
}

/// The event for a user who came in.
#[must_use]
pub fn join_event(user: &str) -> String {
    json!({"type": "join", "user": user}).to_string()
}

/// The event for a user who left, with the code and reason of the close frame, if it had them.
#[must_use]
pub fn leave_event(user: &str, close: Option<(u16, &str)>) -> String {
    match close {
        Some((code, reason)) => {
            json!({"type": "leave", "user": user, "code": code, "reason": reason})
        }
        None => json!({"type": "leave", "user": user}),
    }
    .to_string()
}

fn message_event(message: &Message) -> String {
    format!(r#"{{"type":"msg",{}"#, &message.json[1..])
}

fn error_event(error: &str) -> String {
    json!({"type": "error", "error": error}).to_string()
}

fn read_only(method: &Method, answer: impl FnOnce() -> Reply) -> Reply {
    match *method {
        Method::GET | Method::HEAD => answer(),
        _ => Reply::not_allowed("GET, HEAD"),
    }
}

fn user(id: &str) -> Reply {
    let found = USERS.iter().find(|(known, _)| *known == id);
    found.map_or_else(|| Reply::error(StatusCode::NOT_FOUND, "no such user"), |(_, json)| Reply::ok((*json).to_owned()))
}

fn filled<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object[name].as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Reply {
        State::new().call(&Method::GET, path, b"", 0)
    }

    #[test]
    fn the_seed_is_read_whole_and_sent_as_it_is_spelt() {
        assert_eq!(State::new().messages.len(), SEED.lines().count());
        let list = get("/api/messages").body;
        for lexeme in ["9007199254740993", r"caf\u00e9", "🎼", "\"rating\":1.0", "\"tags\":[]"] {
            assert!(list.contains(lexeme), "{lexeme} is missing in {list}");
        }
        assert_eq!(list, format!("[{}]", SEED.trim_end().replace('\n', ",")));
    }

    #[test]
    fn errors_say_their_status_twice() {
        let cases = [
            (Method::GET, "/api/messages/1", "", 404),
            (Method::GET, "/api/messages/x", "", 404),
            (Method::GET, "/api/users/9", "", 404),
            (Method::GET, "/", "", 404),
            (Method::PUT, "/api/messages", "", 405),
            (Method::DELETE, "/api/users/1", "", 405),
            (Method::POST, "/api/messages", "{", 400),
            (Method::POST, "/api/messages", "[]", 422),
            (Method::POST, "/api/messages", r#"{"text":"","user":"ada"}"#, 422),
            (Method::GET, "/ws", "", 426),
        ];
        for (method, path, body, status) in cases {
            let reply = State::new().call(&method, path, body.as_bytes(), 0);
            assert_eq!(reply.status.as_u16(), status, "{method} {path} {body}");
            assert!(reply.body.ends_with(&format!("\"code\":{status}}}")), "{}", reply.body);
            assert_eq!(reply.header.is_some(), status == 405);
        }
    }

    #[test]
    fn a_posted_message_can_be_read_and_is_broadcast() {
        let mut state = State::new();
        let reply = state.call(&Method::POST, "/api/messages", br#"{"text":"hi","user":"ada"}"#, 17);
        let message = r#"{"id":9007199254740996,"text":"hi","user":"ada","ts":17,"tags":[]}"#;
        assert_eq!(reply.status, StatusCode::CREATED);
        assert_eq!(reply.body, message);
        assert_eq!(reply.event, Some(message.replacen('{', "{\"type\":\"msg\",", 1)));
        let (_, location) = reply.header.expect("a 201 has a location");
        assert_eq!(state.call(&Method::GET, &location, b"", 0).body, message);
    }

    #[test]
    fn the_oldest_message_goes_first() {
        let mut state = State::new();
        for _ in 0..MAX_MESSAGES {
            state.event("ada", r#"{"type":"say","text":"hi"}"#, 0);
        }
        assert_eq!(state.messages.len(), MAX_MESSAGES);
        assert_eq!(state.messages[0].id, 9_007_199_254_740_996);
    }

    #[test]
    fn events_are_answered() {
        let cases = [
            (r#"{"type":"typing"}"#, Reaction::Broadcast(r#"{"type":"typing","user":"ada"}"#.to_owned())),
            (r#"{"type":"quit"}"#, Reaction::Quit),
            (r#"{"type":"msg"}"#, Reaction::Answer(error_event("unknown event"))),
            ("[]", Reaction::Answer(error_event("unknown event"))),
            ("{", Reaction::Answer(error_event("malformed JSON"))),
            (r#"{"type":"say"}"#, Reaction::Answer(error_event("text must be a string that is not empty"))),
        ];
        for (event, reaction) in cases {
            assert_eq!(State::new().event("ada", event, 0), reaction, "{event}");
        }
    }

    #[test]
    fn a_leave_tells_how() {
        assert_eq!(leave_event("ada", None), r#"{"type":"leave","user":"ada"}"#);
        assert_eq!(
            leave_event("ada", Some((4001, "lunch"))),
            r#"{"type":"leave","user":"ada","code":4001,"reason":"lunch"}"#
        );
    }
}
