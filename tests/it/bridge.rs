//! Sessions between the generations of Socket.IO, told as conversations in `tests/data/socketio/bridge`.
//!
//! A conversation begins with a line `=== name` and is read line by line. `>` is what a side sends, `<` what it is
//! sent; a side is sent nothing that no line expects.
//!
//! | line | meaning |
//! |---|---|
//! | `session 3 4 socket` | a client of Engine.IO 3 before a backend of Engine.IO 4, on a WebSocket; or `polling`, `base64` |
//! | `client> 42["a"]`, `backend< 42["a"]` | a packet; in bytes: `client> x04ff` |
//! | `dial`, `dial token=x` | a connection to the backend is wanted, and made |
//! | `refuse no`, `unreachable`, `lost` | what becomes of that connection |
//! | `hang up` | it is to be closed |
//! | `at 400` | it is so many milliseconds after the beginning |
//! | `poll`, `poll refused`, `abandon` | a poll comes, or its client goes |
//! | `probe`, `probe> 2probe`, `probe< 3probe`, `probe lost`, `no probe` | a WebSocket to go on on |
//! | `times 9 client> 2` | the line after the number, as many times |
//! | `drain` | the proxy closes the session |
//! | `sid X`, `ends client_left` | what is known of the session |

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use legato_proxy::bridge::{Ending, FrontSettings, Rules, Session, Settings, World};
use legato_proxy::diagnostic::Source;
use legato_proxy::framing::Generation;
use legato_proxy::framing::engineio::{Binary, Frame, Packet};
use legato_proxy::framing::socketio::Limits;
use legato_proxy::json;
use legato_proxy::rules::{self, Side};

use crate::support::cases::sections;

const API: &str = r#"legato: 1
api: chat
versions: [{id: "1"}, {id: "2"}]
client_version: [{default: "2"}]
"#;

/// What a session needs of the world, with everything in it known.
#[derive(Default)]
struct Known(Mutex<Vec<String>>);

impl World for Known {
    fn values(&self, _: Side) -> json::Values {
        json::Values { now: "2026-03-01T00:00:00Z".into(), version: "2".into(), ..json::Values::default() }
    }

    fn problem(&self, _: Side, error: &json::Error) -> Vec<u8> {
        format!("{{\"code\":\"{}\"}}", error.code.name()).into_bytes()
    }

    fn count(&self, sender: Side, event: Option<&str>) {
        self.0.lock().unwrap().push(format!("{} {}", sender.name(), event.unwrap_or("other")));
    }

    fn lose(&self, losses: &json::Losses) {
        let lost = losses.iter().map(|(lost, count)| format!("lost {} {count}", lost.path));
        self.0.lock().unwrap().extend(lost);
    }

    fn fail(&self, error: &json::Error) {
        self.0.lock().unwrap().push(error.code.name().to_owned());
    }
}

fn rules(on_error: &str) -> Rules {
    let source = |file: &str, text: &str| Source { file: file.into(), text: text.into() };
    let files = [
        source("chat/api.yaml", &format!("{API}{on_error}")),
        source("chat/changes/2/20250101_events.yaml", &data("events.yaml")),
    ];
    let compiled = rules::compile(&files);
    let set = compiled.rules.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let api = Arc::clone(&set.apis["chat"]);
    let version = |label: &str| api.versions.find(label).unwrap();
    Rules { client: version("2"), backend: version("1"), limits: json::Limits::default(), api: Arc::clone(&api) }
}

fn data(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/socketio").join(name)).unwrap()
}

struct Conversation {
    session: Session,
    world: Known,
    now: Duration,
    is_polling: bool,
    /// What polls brought and no line has expected yet.
    polled: Vec<Packet>,
    generations: (Generation, Generation),
}

impl Conversation {
    fn begin(words: &[&str]) -> Self {
        let generation = |word: &str| if word == "3" { Generation::Eio3 } else { Generation::Eio4 };
        let generations = (generation(words[0]), generation(words[1]));
        let is_polling = words.contains(&"polling");
        let settings = Settings {
            client: generations.0,
            backend: generations.1,
            binary: if words.contains(&"base64") { Binary::Base64 } else { Binary::Raw },
            begins_on_socket: !is_polling,
            upgrades: true,
            front: FrontSettings {
                upgrade_timeout: Duration::from_secs(10),
                close_timeout: Duration::from_secs(30),
                batch: 16,
                queue: 4000,
            },
            ping_interval: None,
            ping_timeout: None,
            max_payload: None,
            open_timeout: Duration::from_secs(15),
            join_timeout: Duration::from_secs(45),
            limits: Limits { bytes: 2000, attachments: 10, depth: 64 },
            credentials: words.contains(&"token").then(|| Bytes::from(r#"{"token":"secret"}"#)),
        };
        let on_error = if words.contains(&"close") { "on_error: {frame: close}" } else { "" };
        let mut session = Session::new(settings, rules(on_error), "OWN".to_owned());
        let world = Known::default();
        session.start(Duration::ZERO, &world);
        Self { session, world, now: Duration::ZERO, is_polling, polled: Vec::new(), generations }
    }

    fn line(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (session, world, now) = (&mut self.session, &self.world, self.now);
        match (verb, rest) {
            ("client>", text) if self.is_polling && !session.is_on_socket() => {
                let packet = Packet::from_frame(self.generations.0, frame(text)).unwrap();
                session.receive(now, packet, world);
            }
            ("client>", text) => session.receive_frame(now, frame(text), world),
            ("client<", text) => {
                let found = self.for_client().map(|frame| show(&frame));
                assert_eq!(found.as_deref(), Some(text));
            }
            ("backend>", text) => session.receive_from_backend(now, frame(text), world),
            ("backend<", text) => {
                let found = session.backend_frame().map(|frame| show(&frame));
                assert_eq!(found.as_deref(), Some(text));
            }
            ("times", line) => {
                let (count, line) = line.split_once(' ').unwrap();
                (0..count.parse().unwrap()).for_each(|_| self.line(line));
            }
            ("dial", query) => {
                let dial = session.take_dial().expect("a wish to connect");
                assert_eq!(dial.credentials.unwrap_or_default(), query);
                session.dialed(now);
            }
            ("refuse", message) => session.refused(now, message, world),
            ("unreachable", _) => session.unreachable(now),
            ("lost", _) => session.backend_lost(now, Ending::BackendGone),
            ("hang", _) => assert!(session.hang_up(), "the backend is to be hung up on"),
            ("at", milliseconds) => {
                self.now = Duration::from_millis(milliseconds.parse().unwrap());
                let due = session.deadline();
                session.tick(self.now);
                assert!(session.deadline().is_none_or(|next| next > self.now), "{due:?} {:?}", session.deadline());
            }
            ("poll", "refused") => assert!(session.poll(now).is_err()),
            ("poll", _) => session.poll(now).unwrap(),
            ("abandon", _) => session.abandon_poll(now),
            ("probe", "") => assert!(session.probe(now)),
            ("no", "probe") => assert!(!session.probe(now)),
            ("probe", "lost") => session.probe_lost(),
            ("probe>", text) => {
                if let Some(answer) = session.receive_probe(now, frame(text)) {
                    assert_eq!(show(&answer), "3probe");
                }
            }
            ("drain", _) => session.close(now, Ending::Draining),
            ("sid", sid) => assert_eq!(session.sid(), Some(sid)),
            ("counted", what) => {
                let counted = std::mem::take(&mut *world.0.lock().unwrap());
                assert_eq!(counted.join(", "), what);
            }
            ("batch", packets) => {
                self.take_polled();
                let polled = std::mem::take(&mut self.polled);
                let batch: Vec<String> = polled.iter().map(|packet| show(&self.frame_of(packet))).collect();
                assert_eq!(batch.join(" "), packets);
            }
            ("unheard", "client") => session.client_unheard(now),
            ("unheard", "backend") => session.backend_unheard(now),
            ("ends", name) => {
                assert_eq!(self.for_client().map(|frame| show(&frame)), None, "before the end");
                assert_eq!(self.session.ending().map(Ending::name), Some(name));
            }
            _ => panic!("what is this?"),
        }
    }

    fn frame_of(&self, packet: &Packet) -> Frame {
        packet.to_frame(self.generations.0, Binary::Raw)
    }

    fn take_polled(&mut self) {
        self.polled.extend(self.session.answer().unwrap_or_default());
    }

    fn for_client(&mut self) -> Option<Frame> {
        if self.is_polling && self.polled.is_empty() {
            self.take_polled();
        }
        if self.polled.is_empty() {
            return self.session.client_frame();
        }
        let packet = self.polled.remove(0);
        Some(self.frame_of(&packet))
    }

    /// Nothing is sent that no line expects.
    fn end(mut self) {
        assert_eq!(self.for_client().map(|frame| show(&frame)), None, "for the client");
        assert_eq!(self.session.backend_frame().map(|frame| show(&frame)), None, "for the backend");
        assert_eq!(self.session.take_dial(), None, "a wish to connect");
    }
}

fn frame(text: &str) -> Frame {
    match text.strip_prefix('x') {
        Some(digits) => {
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            Frame::Binary((0..digits.len()).step_by(2).map(byte).collect())
        }
        None => Frame::Text(Bytes::copy_from_slice(text.as_bytes())),
    }
}

fn show(frame: &Frame) -> String {
    match frame {
        Frame::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        Frame::Binary(bytes) => bytes.iter().fold("x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

#[test]
fn conversations_go_as_they_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/socketio/bridge");
    let (mut told, mut failed) = (0, Vec::new());
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        for (name, text) in sections(&fs::read_to_string(&path).unwrap()) {
            let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let mut at = "";
            // The panic's own message does not say where.
            let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hold(lines, &mut at)));
            if held.is_err() {
                failed.push(format!("{}: {name}: {at}", path.display()));
            }
            told += 1;
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    assert!(told > 40, "{told}");
}

fn hold<'t>(mut lines: impl Iterator<Item = &'t str>, at: &mut &'t str) {
    let first = lines.next().and_then(|line| line.strip_prefix("session ")).expect("a session");
    let mut conversation = Conversation::begin(&first.split(' ').collect::<Vec<_>>());
    for line in lines {
        *at = line;
        conversation.line(line);
    }
    *at = "its end";
    conversation.end();
}
