//! What compiled rules do to messages, through the interface that the data plane uses.
//!
//! A case file of `tests/data/rules` is a rules directory (as in `diagnostics`) and, below `=== messages`, lines such as
//!
//! ```text
//! request 1 > 2: GET /a/1?x=1 | x-a: 1 | {"m":1}
//! -> GET /b/1?y=1 | x-b: 1 | {"n":1}
//! ```
//!
//! `request C > B` is a client's of version C to a backend of B, `response B > C: GET /a 200` a backend's back to the
//! client, for the call as the client spells it; `client /ws C > B` and `server /ws B > C` are messages of a socket,
//! `client event /chat C > B` and `server event /chat B > C` events of a namespace: a list of the event's name and its
//! arguments. `client ack /chat B > C` is the acknowledgement of a client's event, which it names as the client does.
//! `patch C > B` is a JSON Patch of a client for `PATCH /users/1`, and `gone` or `added` what answers a call that a version
//! lacks. `best effort` after the versions translates what can be. What is not said of a message is not there; the result
//! `= ` is the same again, `dropped` and `fails CODE POINTER` are what they say. `#` begins a remark.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use legato_proxy::diagnostic::{Source, render};
use legato_proxy::json::{Error, Limits, OnError, Uuids, Values};
use legato_proxy::rules::{Api, Lifetime, Outcome, Side, Translated, compile};
use legato_proxy::version::VersionId;

use crate::support::cases;

const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}, {id: \"3\"}, {id: \"4\"}]\nclient_version: [{default: \"1\"}]\n";

/// A result that is not a message.
fn failed(error: &Error) -> String {
    format!("fails {} {}", error.code.name(), error.pointer.as_deref().unwrap_or_default()).trim_end().to_owned()
}

fn api(sections: &[(String, String)]) -> Arc<Api> {
    let mut files: Vec<Source> = sections
        .iter()
        .filter(|(name, _)| name.contains('/'))
        .map(|(file, text)| Source { file: file.clone(), text: text.clone() })
        .collect();
    if !files.iter().any(|source| source.file == "chat/api.yaml") {
        files.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let compiled = compile(&files);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &files, false)));
    Arc::clone(&rules.apis["chat"])
}

/// One message of a case, and what it is sent through.
struct Case<'a> {
    api: &'a Api,
    receiver: &'a str,
    on_error: OnError,
    pair: (VersionId, VersionId),
}

/// A message in one line, taken apart: what stands before the first ` | `, headers, and the body.
struct Message<'a> {
    first: &'a str,
    headers: HeaderMap,
    body: Option<&'a str>,
}

impl<'a> Message<'a> {
    fn parse(line: &'a str) -> Self {
        let mut message = Self { first: "", headers: HeaderMap::new(), body: None };
        for (at, part) in line.split(" | ").enumerate() {
            match part.split_once(": ") {
                _ if at == 0 => message.first = part,
                Some((name, value)) if !part.starts_with(['{', '[', '"']) => {
                    message.headers.append(
                        name.parse::<HeaderName>().expect("a header's name"),
                        HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"),
                    );
                }
                _ => message.body = Some(part),
            }
        }
        message
    }

    /// The line again.
    fn print(first: &str, headers: &HeaderMap, body: Option<&str>) -> String {
        let mut line = first.to_owned();
        for (name, value) in headers {
            let _ = write!(line, " | {name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        if let Some(body) = body {
            let _ = write!(line, " | {body}");
        }
        line
    }
}

impl Case<'_> {
    fn values(&self) -> Values {
        Values {
            now: "2026-03-01T00:00:00Z".into(),
            version: self.receiver.into(),
            uuids: Uuids::default(),
            on_error: self.on_error,
        }
    }

    fn request(&self, line: &str) -> Result<String, Error> {
        let Message { first, mut headers, body } = Message::parse(line);
        let (method, target) = first.split_once(' ').expect("a method and a target");
        let method: Method = method.parse().expect("a method");
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let call = self.api.pair(self.pair.0, self.pair.1).find(&method, path);
        if let Some(absent) = call.absent() {
            let kind = if absent.lifetime == Lifetime::Added { "added" } else { "gone" };
            return Ok(format!("{kind} {} {}", absent.status, absent.detail));
        }
        let body = body.map(str::as_bytes);
        let done = call.whole_request(&method, target, &mut headers, body, &self.values(), Limits::default())?;
        let body = done.body.map(|body| String::from_utf8(body).expect("UTF-8"));
        let first = format!("{} {}", done.head.method, done.head.path_and_query);
        Ok(Message::print(&first, &headers, body.as_deref()))
    }

    fn response(&self, line: &str) -> Result<String, Error> {
        let Message { first, mut headers, body } = Message::parse(line);
        let (call, status) = first.rsplit_once(' ').expect("a call and a status");
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let status: StatusCode = status.parse().expect("a status");
        let plan =
            self.api.pair(self.pair.0, self.pair.1).find(&method.parse().expect("a method"), path).response(status);
        let body = body.map(str::as_bytes);
        let done = plan.whole_response(status, &mut headers, body, &self.values(), Limits::default())?;
        let body = done.body.map(|body| String::from_utf8(body).expect("UTF-8"));
        Ok(Message::print(&format!("{call} {}", done.head.as_u16()), &headers, body.as_deref()))
    }

    fn patch(&self, patch: &str) -> Result<String, Error> {
        let call = self.api.pair(self.pair.0, self.pair.1).find(&Method::PATCH, "/users/1");
        let (done, _) = call.json_patch(patch.as_bytes(), &self.values(), Limits::default())?;
        Ok(String::from_utf8(done).expect("UTF-8"))
    }

    fn socket(&self, side: Side, path: &str, message: &str) -> Result<String, Error> {
        let Some(socket) = self.api.pair(self.pair.0, self.pair.1).socket(path) else { return Ok(message.to_owned()) };
        let translate = || socket.translate(side, &message.to_owned().into(), &self.values(), Limits::default());
        let first = translate();
        assert_eq!(translate(), first, "{message}, of which the outline is known then");
        Ok(match first.1? {
            Outcome::Pass => message.to_owned(),
            Outcome::Dropped(_) => "dropped".to_owned(),
            translated @ (Outcome::Translated(..) | Outcome::Pieces(..)) => {
                String::from_utf8(translated.into_text().unwrap_or_default()).expect("UTF-8")
            }
        })
    }
}

/// An event's name and its arguments, as one list.
fn event(message: &str) -> (String, String) {
    let mut list: Vec<serde_json::Value> = serde_json::from_str(message).expect("a list");
    let name = list.remove(0);
    (name.as_str().expect("a name").to_owned(), serde_json::Value::from(list).to_string())
}

impl Case<'_> {
    fn event(&self, side: Side, is_ack: bool, namespace: &str, message: &str) -> Result<String, Error> {
        let (name, arguments) = event(message);
        let Some(events) = self.api.pair(self.pair.0, self.pair.1).socketio(namespace) else {
            return Ok(message.to_owned());
        };
        let (values, limits) = (self.values(), Limits::default());
        let translated = if is_ack {
            events.translate_ack(side, &name, arguments.as_bytes(), &values, limits)?
        } else {
            events.translate_event(side, &name, arguments.as_bytes(), &values, limits)?
        };
        Ok(match translated {
            Translated::Pass => message.to_owned(),
            Translated::Dropped(_) => "dropped".to_owned(),
            Translated::To { name, arguments, .. } => {
                let mut list: Vec<serde_json::Value> = serde_json::from_slice(&arguments).expect("a list");
                list.insert(0, name.into());
                serde_json::Value::from(list).to_string()
            }
        })
    }
}

/// `request 1 > 2 best effort: ...` to what came of it.
fn run(api: &Api, line: &str) -> String {
    let (how, message) = line.split_once(": ").unwrap_or_else(|| panic!("no `: ` in `{line}`"));
    let words: Vec<&str> = how.split(' ').collect();
    let (kind, rest) = words.split_first().expect("a word");
    let (about, rest) = if matches!(rest[0], "event" | "ack") { (rest[0], &rest[1..]) } else { ("", rest) };
    let (path, rest) = if rest[0].starts_with('/') { (rest[0], &rest[1..]) } else { ("", rest) };
    let [from, ">", to, more @ ..] = rest else { panic!("no versions in `{line}`") };
    let id = |label: &str| api.versions.find(label).unwrap_or_else(|| panic!("no version `{label}`"));
    let from_client = matches!(*kind, "request" | "client" | "patch") != (about == "ack");
    let pair = if from_client { (id(from), id(to)) } else { (id(to), id(from)) };
    let on_error = if more.is_empty() { OnError::Reject } else { OnError::BestEffort };
    let case = Case { api, receiver: to, on_error, pair };
    let outcome = match *kind {
        "request" => case.request(message),
        "response" => case.response(message),
        "client" | "server" if !about.is_empty() => {
            let side = if *kind == "client" { Side::Client } else { Side::Server };
            case.event(side, about == "ack", path, message)
        }
        "patch" => case.patch(message),
        "client" => case.socket(Side::Client, path, message),
        "server" => case.socket(Side::Server, path, message),
        other => panic!("unknown kind `{other}`"),
    };
    match outcome {
        Ok(found) if found == message => "=".to_owned(),
        Ok(found) => found,
        Err(error) => failed(&error),
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rules").join(name);
    let text = fs::read_to_string(&path).expect("the case file");
    let sections = cases::sections(&text);
    let api = api(&sections);
    let (_, messages) = sections.iter().find(|(name, _)| name == "messages").expect("a section `=== messages`");
    let (mut wrong, mut last, mut compared) = (String::new(), None, 0);
    for line in messages.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(want) = line.strip_prefix("-> ") else {
            assert!(last.is_none(), "{name}: nothing is expected of `{}`", last.unwrap_or_default());
            last = Some(line);
            continue;
        };
        let sent = last.take().expect("a message before what is expected of it");
        let found = run(&api, sent);
        compared += 1;
        if found != want {
            let _ = writeln!(wrong, "{sent}\nexpected {want}\n   found {found}\n");
        }
    }
    assert!(last.is_none() && compared > 0, "{name}: nothing is expected of the last message");
    assert!(wrong.is_empty(), "{name}:\n{wrong}");
}

#[test]
fn changes_follow_each_other_both_ways() {
    check("chains.txt");
}

#[test]
fn the_most_specific_call_decides() {
    check("calls.txt");
}

#[test]
fn routes_lead_there_and_back() {
    check("routes.txt");
}

#[test]
fn queries_headers_and_paths_are_documents_too() {
    check("heads.txt");
}

#[test]
fn values_cross_between_head_and_body() {
    check("crossing.txt");
}

#[test]
fn cookies_keep_their_places_and_attributes() {
    check("cookies.txt");
}

#[test]
fn versions_write_several_values_their_own_way() {
    check("query_arrays.txt");
}

#[test]
fn calls_that_a_version_lacks_are_answered() {
    check("gone.txt");
}

#[test]
fn parameters_of_a_route_may_come_from_the_query() {
    check("route_params.txt");
}

#[test]
fn json_patches_are_about_the_other_places() {
    check("json_patch.txt");
}

#[test]
fn statuses_choose_and_change() {
    check("statuses.txt");
}

#[test]
fn partial_updates_fill_nothing_in() {
    check("patch.txt");
}

#[test]
fn full_updates_are_documents() {
    check("patch_full.txt");
}

#[test]
fn partial_updates_of_any_call_are_partial() {
    check("patch_any.txt");
}

#[test]
fn ops_that_hold_what_they_edit() {
    check("held.txt");
}

#[test]
fn bounds_hold_one_way() {
    check("limits.txt");
}

#[test]
fn programs_run_where_no_op_can_say_it() {
    check("jq.txt");
}

#[test]
fn socket_events_follow_their_names() {
    check("sockets.txt");
}

#[test]
fn namespace_events_have_arguments_and_acknowledgements() {
    check("events.txt");
}

#[test]
fn shapes_are_followed_through_earlier_ops() {
    check("shapes.txt");
}

#[test]
fn shapes_apply_beside_other_blocks() {
    check("shapes_beside.txt");
}

#[test]
fn shapes_may_be_inside_themselves() {
    check("shapes_inside.txt");
}

#[test]
fn best_effort_translates_the_rest() {
    check("best_effort.txt");
}

/// A query of as many parameters as a head may have takes no longer than reading it.
#[test]
fn a_query_of_very_many_parameters_is_read_once() {
    let change = "change: a\nsince: \"2\"\nsummary: a\napply: [{http: GET /a, request: [{rename: {\"query:/a\": b}}, {add: {at: \"query:/c\", default: {value: x}, lose: fail}}]}]\n";
    let api = api(&[("chat/changes/2/20250101_a.yaml".to_owned(), change.to_owned())]);
    let many = 20_000;
    for (query, want) in [("c=1&".repeat(many), "c=1&".repeat(many)), ("a&".repeat(many), "c=x&".to_owned())] {
        let found = run(&api, &format!("request 1 > 2: GET /a?{}", query.trim_end_matches('&')));
        assert!(
            found == "=" || found.matches("b=").count() == many && found.contains(want.trim_end_matches('&')),
            "{}",
            found.len()
        );
    }
}
