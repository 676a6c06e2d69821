//! The commands that work on files and pipes, as a shell runs them.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const NOW: &str = "2026-03-01T00:00:00Z";
pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

/// What a command left behind.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn spawn(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_legato"));
    let command = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("legato starts")
}

pub(crate) fn legato(args: &[&str], input: &str) -> Outcome {
    let mut child = spawn(args);
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A command that reads nothing may be gone by now.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("legato ends");
    writer.join().expect("the writer ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A directory with the files of the shipped API.
pub(crate) fn copy_of_chat() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    copy(Path::new(RULES), directory.path());
    directory
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

/// The shipped API with a change that has two errors, one of them on line 6.
fn broken_chat() -> TempDir {
    let directory = copy_of_chat();
    let text = "change: broken\nsince: \"2\"\nsummary: Broken.\napply:\n  - http: GET /x\n    request: [{renam: {/a: b}}]\nother: 1\n";
    fs::write(directory.path().join("chat/changes/2/20250201_broken.yaml"), text).expect("written");
    directory
}

/// The shipped API with a test that fails.
pub(crate) fn failing_chat() -> TempDir {
    let directory = copy_of_chat();
    let text = "tests:\n  - {http: GET /nowhere, response: {\"1\": {a: 1}, \"2\": {a: 2}}}\n";
    fs::write(directory.path().join("chat/tests/failing.yaml"), text).expect("written");
    directory
}

pub(crate) fn path(directory: &TempDir) -> &str {
    directory.path().to_str().expect("UTF-8")
}

#[test]
fn the_shipped_rules_have_no_findings_and_pass() {
    for root in [RULES.to_owned(), format!("{RULES}/chat")] {
        let check = legato(&["check", &root], "");
        assert_eq!((check.code, check.err.as_str()), (Some(0), ""), "{}", check.out);
        assert!(check.out.starts_with("chat: versions 1, 2\n") && check.out.contains("no errors"), "{}", check.out);
        let test = legato(&["test", &root], "");
        assert_eq!((test.code, test.err.as_str()), (Some(0), ""), "{}", test.out);
        assert!(test.out.ends_with(" passed, 0 failed\n"), "{}", test.out);
    }
}

#[test]
fn what_is_answered_or_needs_a_head_is_said() {
    let rules = copy_of_chat();
    let text = "change: find\nsince: \"2\"\nsummary: Find.\napply:\n  - {http: GET /gone, gone: {}}\n  - http: GET /find\n    request: [move: {from: \"query:/f\", to: /f}]\nincompatible: [Old things.]\n";
    fs::write(rules.path().join("chat/changes/2/20250201_find.yaml"), text).expect("written");
    let check = legato(&["check", path(&rules)], "");
    assert_eq!(check.code, Some(0), "{}", check.out);
    for said in
        ["GET /gone: answered 410", "GET /find: request S3", "hint[BC101]: not translated by `find`: Old things"]
    {
        assert!(check.out.contains(said), "{said}: {}", check.out);
    }
    let way = ["translate", "--rules", path(&rules), "--api", "chat", "--from", "1", "--to", "2", "--part", "request"];
    for (call, why) in [("GET /gone", "is answered 410"), ("GET /find", "between the head and the body")] {
        let found = legato(&[way.as_slice(), &["--on", call]].concat(), "{}");
        assert!(found.code == Some(2) && found.err.contains(why), "{:?} {}", found.code, found.err);
    }
}

#[test]
fn errors_are_findings_and_unreadable_rules_are_not() {
    let broken = broken_chat();
    for command in ["check", "test"] {
        let found = legato(&[command, path(&broken)], "");
        assert_eq!(found.code, Some(1), "{}", found.err);
        assert!(
            found.out.contains("error[RL003]: unknown op `renam`\n --> chat/changes/2/20250201_broken.yaml:6:16"),
            "{}",
            found.out
        );
        assert!(found.out.contains("error[YM003]: unknown key `other` in a change"), "{}", found.out);
        assert!(!found.out.contains('\u{1b}'), "colours in a pipe");
    }
    let empty = TempDir::new().expect("a directory");
    for root in [path(&empty), "/nowhere/at/all"] {
        for command in ["check", "test"] {
            let found = legato(&[command, root], "");
            assert_eq!((found.code, found.out.as_str()), (Some(2), ""));
            assert!(found.err.contains(root), "{}", found.err);
        }
    }
}

#[test]
fn tests_that_fail_are_findings() {
    let failing = failing_chat();
    let found = legato(&["test", path(&failing)], "");
    assert_eq!(found.code, Some(1), "{}", found.err);
    assert!(
        found.out.contains(
            "error[TS001]: test failed: GET /nowhere (response from 1 to 2)\n --> chat/tests/failing.yaml:2:5"
        ),
        "{}",
        found.out
    );
    assert!(found.out.contains("expected {\"a\":2}\n             found {\"data\":{\"a\":1}"), "{}", found.out);
    assert!(found.out.ends_with(" passed, 2 failed\n"), "{}", found.out);
    assert_eq!(legato(&["check", path(&failing)], "").code, Some(0));
}

#[test]
fn findings_for_programs() {
    let broken = broken_chat();
    let file = broken.path().join("chat/changes/2/20250201_broken.yaml");
    for (root, arg) in [(path(&broken).to_owned(), "check"), (format!("{}/chat", path(&broken)), "test")] {
        let json = legato(&[arg, &root, "--format", "json"], "");
        let lines: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2, "{}", json.out);
        assert_eq!(
            (&lines[0]["code"], &lines[0]["line"], &lines[0]["column"], &lines[0]["severity"]),
            (&"RL003".into(), &6.into(), &16.into(), &"error".into())
        );
        assert_eq!(lines[0]["file"], file.display().to_string());
        let github = legato(&[arg, &root, "--format", "github"], "");
        let want = format!(
            "::error file={},line=6,col=16,title=RL003::unknown op `renam`%0Ahelp: did you mean `rename`?",
            file.display()
        );
        assert_eq!(github.out.lines().next(), Some(want.as_str()));
        let sarif = legato(&[arg, &root, "--format", "sarif"], "");
        let sarif: Value = serde_json::from_str(&sarif.out).expect("JSON");
        let result = &sarif["runs"][0]["results"][0];
        assert_eq!(
            (&sarif["version"], &result["ruleId"], &result["level"]),
            (&"2.1.0".into(), &"RL003".into(), &"error".into())
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            (&place["region"]["startLine"], &place["artifactLocation"]["uri"]),
            (&6.into(), &file.display().to_string().into())
        );
        assert_eq!((json.code, github.code), (Some(1), Some(1)));
    }
    let good = legato(&["check", RULES, "--format", "sarif"], "");
    assert_eq!(serde_json::from_str::<Value>(&good.out).expect("JSON")["runs"][0]["results"], Value::Array(Vec::new()));
    assert_eq!(legato(&["check", RULES, "--format", "github"], "").out, "");
    let tested: Value = serde_json::from_str(&legato(&["test", RULES, "--format", "json"], "").out).expect("JSON");
    assert_eq!((&tested["failed"], &tested["coverage"]["gaps"]), (&0.into(), &Value::Array(Vec::new())));
}

/// What a translation costs: for programs always, for a person who asks.
#[test]
fn check_says_what_calls_cost() {
    let json = legato(&["check", RULES, "--format", "json"], "");
    let records: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_messages = |message: &str| {
        let is_it = |record: &&Value| {
            record["client"] == "1" && record["call"] == "GET /api/messages" && record["message"] == message
        };
        records.iter().find(is_it).expect("a record").clone()
    };
    assert_eq!(of_messages("request")["class"], "S0");
    let response = of_messages("200..");
    assert!(response["steps"].as_u64() > Some(2) && response["ns_per_kb"].as_u64() > Some(500), "{response}");
    let verbose = legato(&["check", RULES, "--verbose"], "").out;
    assert!(verbose.contains(" steps, about ") && verbose.contains("µs/KB"), "{verbose}");
    assert!(!legato(&["check", RULES], "").out.contains("steps"));
}

/// The lock is written on demand, and then tells what was edited since.
#[test]
fn locks_are_written_and_compared() {
    let root = TempDir::new().expect("a directory");
    write(
        &root,
        "shop/api.yaml",
        "legato: 1\napi: shop\nversions: [{id: \"1\"}, {id: \"2\", released: 2025-02-01}]\nclient_version: [{default: \"1\"}]\n",
    );
    let change = |name: &str| {
        format!(
            "change: a\nsince: \"2\"\nsummary: a\napply: [{{http: GET /a, request: [{{rename: {{/a: {name}}}}}]}}]\n"
        )
    };
    write(&root, "shop/changes/2/20250101_a.yaml", &change("b"));
    let checked = |args: &[&str]| {
        let all = [&["check", path(&root)], args].concat();
        let found = legato(&all, "");
        (found.code, found.out.lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(checked(&[]), (Some(0), "shop: versions 1, 2".to_owned()));
    assert_eq!(checked(&["--write-lock"]).0, Some(0));
    let lock = std::fs::read_to_string(root.path().join("shop/legato.lock")).expect("the lock");
    assert!(lock.starts_with("2/20250101_a h1:") && lock.lines().count() == 2, "{lock}");
    write(&root, "shop/changes/2/20250101_a.yaml", &format!("# a comment\n{}tests: []\n", change("b")));
    assert_eq!(checked(&[]), (Some(0), "shop: versions 1, 2".to_owned()));
    write(&root, "shop/changes/2/20250101_a.yaml", &change("c"));
    for args in [&[][..], &["--write-lock"]] {
        assert_eq!(checked(args), (Some(1), "error[HY501]: `a` was edited after version `2` was released".to_owned()));
    }
}

fn write(root: &TempDir, file: &str, text: &str) {
    let path = root.path().join(file);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

/// `translate` of the shipped rules.
fn chat<'a>(from: &'a str, to: &'a str, on: &'a str, part: &'a str) -> Vec<&'a str> {
    vec![
        "translate",
        "--rules",
        RULES,
        "--api",
        "chat",
        "--from",
        from,
        "--to",
        to,
        "--on",
        on,
        "--part",
        part,
        "--now",
        NOW,
    ]
}

#[test]
fn documents_go_through_rules_both_ways() {
    let old = r#"{"id":9007199254740995,"text":"hi","user":"ada","ts":1735693200000,"rating":1.0}"#;
    let up = legato(&chat("1", "2", "GET /api/messages/1", "response"), old);
    assert_eq!((up.code, up.err.as_str()), (Some(0), ""));
    let want = r#"{"data":{"id":9007199254740995,"body":"hi","sent_at":"2025-01-01T01:00:00Z","rating":1.0,"author":{"name":"ada"}},"meta":{"version":"2","timestamp":"2026-03-01T00:00:00Z"}}"#;
    assert_eq!(up.out, want);
    let down = legato(&chat("2", "1", "GET /api/messages/1", "response"), want);
    assert_eq!(down.out, r#"{"id":9007199254740995,"text":"hi","ts":1735693200000,"rating":1.0,"user":"ada"}"#);
    let request = legato(&chat("2", "1", "POST /api/messages?x=1", "request"), r#"{"body":"hi"}"#);
    assert_eq!(request.out, r#"{"text":"hi"}"#);
    let same = legato(&chat("2", "2", "POST /api/messages", "request"), r#" {"body":"hi"} "#);
    assert_eq!(same.out, r#" {"body":"hi"} "#);
    let mut error = chat("1", "2", "GET /api/messages/7", "response");
    error.extend(["--status", "404"]);
    assert_eq!(
        legato(&error, r#"{"error":"gone","code":404}"#).out,
        r#"{"title":"gone","status":404,"type":"about:blank"}"#
    );
    let mut label = chat("1", "2", "GET /api/messages", "response");
    label.extend(["--version-label", "two"]);
    assert!(legato(&label, "[]").out.contains(r#""version":"two""#));
    let one_api = [
        &["translate", "--rules", concat!(env!("CARGO_MANIFEST_DIR"), "/rules/chat")],
        &chat("2", "1", "POST /api/messages", "request")[3..],
    ]
    .concat();
    assert_eq!(legato(&one_api, r#"{"body":"hi"}"#).out, r#"{"text":"hi"}"#);
}

#[test]
fn wrong_arguments_are_no_findings() {
    let mut status = chat("1", "2", "GET /a", "response");
    status.extend(["--status", "42"]);
    let cases = [
        (chat("1", "9", "GET /a", "request"), "--to: unknown version `9`: expected one of 1, 2"),
        (chat("1", "2", "/a", "request"), "--on: expected a call such as `GET /users`, found `/a`"),
        (
            vec![
                "translate",
                "--rules",
                RULES,
                "--api",
                "shop",
                "--from",
                "1",
                "--to",
                "2",
                "--on",
                "GET /a",
                "--part",
                "request",
            ],
            "unknown API `shop`: expected one of chat",
        ),
        (status, "invalid value '42' for '--status <STATUS>': 42 is not in 100..600"),
        (vec!["translate", "--ops", "/nowhere.yaml", "--direction", "up"], "/nowhere.yaml: "),
        (vec!["translate"], "--api"),
        (vec!["translate", "--ops", "x"], "--direction"),
        (vec!["translate", "--direction", "up"], "--ops"),
        (vec!["nothing"], "unrecognized subcommand"),
        (vec![], "Usage"),
    ];
    for (args, want) in cases {
        let found = legato(&args, "{}");
        assert_eq!((found.code, found.out.as_str()), (Some(2), ""), "{args:?}: {}", found.err);
        assert!(found.err.contains(want), "{args:?}: {}", found.err);
    }
}

/// A file of ops that lives as long as the directory.
fn ops_file(directory: &TempDir, ops: &str) -> String {
    let file = directory.path().join("ops.yaml");
    fs::write(&file, ops).expect("written");
    file.to_str().expect("UTF-8").to_owned()
}

fn translate_ops(ops: &str, direction: &str, more: &[&str], input: &str) -> Outcome {
    let directory = TempDir::new().expect("a directory");
    let file = ops_file(&directory, ops);
    let args = [&["translate", "--ops", &file, "--direction", direction, "--now", NOW, "--version-label", "v2"], more]
        .concat();
    legato(&args, input)
}

#[test]
fn failures_are_problem_documents() {
    let cases = [
        ("[{map: {at: /a, pairs: [[1, 2]]}}]", r#"{"a":3}"#, "no_mapping", Some("/a")),
        ("[{rename: {/a: b}}]", r#"{"a":1,"a":2}"#, "duplicate_key", Some("/a")),
        ("[{rename: {/a: b}}]", r#"{"a":1"#, "malformed_json", None),
        ("[]", "", "malformed_json", None),
        ("[{convert: {at: /a, from: integer, to: string}}]", r#"{"a":[]}"#, "cannot_convert", Some("/a")),
        ("[{move: {from: /a, to: /b, conflict: fail}}]", r#"{"a":1,"b":2}"#, "conflict", None),
        ("[{remove: {at: /a, restore: absent, lose: fail}}]", r#"{"a":1}"#, "information_lost", None),
        ("[{unwrap: {at: /a, into: array}}]", r#"{"a":[1,2]}"#, "information_lost", None),
        ("[{move: {from: /a/*/x, to: /b/*/x}}]", "{}", "wildcards_do_not_align", None),
    ];
    for (ops, input, code, pointer) in cases {
        let found = translate_ops(ops, "up", &[], input);
        assert_eq!((found.code, found.out.as_str()), (Some(1), ""), "{ops}: {}", found.err);
        let problem: Value = serde_json::from_str(&found.err).unwrap_or_else(|e| panic!("{e}: {}", found.err));
        assert_eq!(problem["type"], format!("urn:legato:problem:{code}"), "{ops}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{ops}");
        if let Some(pointer) = pointer {
            assert_eq!(problem["pointer"], pointer, "{ops}");
        }
    }
    let down = translate_ops("[{envelope: {key: data}}]", "down", &[], "{}");
    assert!(down.err.contains("urn:legato:problem:not_enveloped"), "{}", down.err);
    let wrong = translate_ops("[{renam: {/a: b}}]", "up", &[], "{}");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("error[RL003]: unknown op `renam`"), "{}", wrong.err);
}

#[test]
fn a_failure_in_rules_names_its_change() {
    let found = legato(&chat("1", "2", "GET /api/users/1", "response"), r#"{"status":"unheard of"}"#);
    let problem: Value = serde_json::from_str(&found.err).expect("JSON");
    assert_eq!(
        (found.code, &problem["type"], &problem["pointer"]),
        (Some(1), &"urn:legato:problem:no_mapping".into(), &"/status".into())
    );
    assert!(problem["change"].is_string(), "{problem}");
}

#[test]
fn partial_updates_fill_nothing_in() {
    let ops = "[{add: {at: /a, default: {value: 1}}}, {rename: {/b: c}}]";
    assert_eq!(translate_ops(ops, "up", &["--patch"], r#"{"b":null}"#).out, r#"{"c":null}"#);
    assert_eq!(translate_ops(ops, "up", &[], r#"{"b":null}"#).out, r#"{"c":null,"a":1}"#);
}

#[test]
fn lines_are_translated_one_by_one() {
    let ops = "[{map: {at: /a, pairs: [[1, one]]}}]";
    let found = translate_ops(ops, "up", &["--ndjson"], "{\"a\":1}\n{\"a\":2}\n{\"b\":1.0}\r\n{\n\n{\"a\":1}");
    assert_eq!(found.out, "{\"a\":\"one\"}\n\n{\"b\":1.0}\n\n\n{\"a\":\"one\"}\n");
    let records: Vec<Value> = found.err.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let codes: Vec<_> = records.iter().map(|record| (record["line"].as_u64(), record["code"].as_str())).collect();
    assert_eq!(
        codes,
        [(Some(2), Some("no_mapping")), (Some(4), Some("malformed_json")), (Some(5), Some("malformed_json"))]
    );
    assert_eq!(found.code, Some(1));
    let good = translate_ops(ops, "down", &["--ndjson"], "{\"a\":\"one\"}\n");
    assert_eq!((good.code, good.out.as_str(), good.err.as_str()), (Some(0), "{\"a\":1}\n", ""));
}

#[test]
fn a_line_that_is_too_long_is_one_failure() {
    let long = "9".repeat(5 << 20);
    let found = translate_ops("[{rename: {/a: b}}]", "up", &["--ndjson"], &format!("{{\"a\":{long}}}\n{{\"a\":1}}\n"));
    assert_eq!(found.out, "\n{\"b\":1}\n");
    let record: Value = serde_json::from_str(&found.err).expect("one record");
    assert_eq!((&record["line"], &record["code"]), (&1.into(), &"too_large".into()));
}

#[test]
fn uuids_differ_within_a_run_and_are_the_same_for_a_seed() {
    let ops = "[{add: {at: /id, default: {value: $uuid}}}]";
    let run = |more: &[&str]| translate_ops(ops, "up", more, "{}\n{}\n").out;
    let seeded = run(&["--ndjson", "--uuid-seed", "7"]);
    let lines: Vec<&str> = seeded.lines().collect();
    assert!(lines.len() == 2 && lines[0] != lines[1], "{seeded}");
    assert_eq!(run(&["--ndjson", "--uuid-seed", "7"]), seeded);
    assert_ne!(run(&["--ndjson", "--uuid-seed", "8"]), seeded);
    assert_ne!(run(&["--ndjson"]), run(&["--ndjson"]));
}

/// Every vector, there and back, as the engine's own test has it.
#[test]
fn every_vector_goes_through_the_command() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../data/rule_vectors.json")).expect("JSON");
    assert!(vectors.len() > 50, "only {} vectors", vectors.len());
    vectors.iter().for_each(run_vector);
}

fn run_vector(vector: &Value) {
    let name = vector["name"].as_str().expect("a name");
    let raw = vector.get("raw").is_some();
    let document = |key: &str| match &vector[key] {
        Value::String(text) if raw => text.clone(),
        value => value.to_string(),
    };
    let more: &[&str] = if vector.get("mode").is_some() { &["--patch"] } else { &[] };
    let from_old = vector.get("start").is_none_or(|start| start == "v1");
    let (first, second, back) = if from_old { ("v1", "v2", "v1_back") } else { ("v2", "v1", "v2_again") };
    let (there_way, back_way) = if from_old { ("up", "down") } else { ("down", "up") };
    let there = translate_ops(&vector["ops"].to_string(), there_way, more, &document(first));
    if let Some(code) = vector["error"][if from_old { "forward" } else { "backward" }].as_str() {
        assert_eq!((there.code, there.out.as_str()), (Some(1), ""), "{name}");
        assert!(there.err.contains(&format!("\"urn:legato:problem:{code}\"")), "{name}: {}", there.err);
        return;
    }
    let same = |found: &Outcome, want: &str| {
        assert_eq!((found.code, found.err.as_str()), (Some(0), ""), "{name}");
        let equal = if raw {
            found.out == want
        } else {
            serde_json::from_str::<Value>(&found.out).expect("JSON")
                == serde_json::from_str::<Value>(want).expect("JSON")
        };
        assert!(equal, "{name}: expected {want}, found {}", found.out);
    };
    same(&there, &document(second));
    let want = if vector.get(back).is_some() { back } else { first };
    same(&translate_ops(&vector["ops"].to_string(), back_way, more, &there.out), &document(want));
}

/// What a process used at most, in bytes, without the pages of its own program file, where the system says.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let of = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    of("VmHWM:")?.checked_sub(of("RssFile:")?)
}

#[test]
fn a_long_list_needs_little_memory() {
    let directory = TempDir::new().expect("a directory");
    let file = ops_file(&directory, "[{rename: {/*/text: body}}, {envelope: {key: data}}]");
    let mut child = spawn(&["translate", "--ops", &file, "--direction", "up"]);
    let (mut stdin, mut stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; 1 << 16], 0);
        while let Ok(read @ 1..) = stdout.read(&mut buffer) {
            total += read;
        }
        total
    });
    let element = format!("{{\"id\":1,\"text\":\"{}\"}}", "x".repeat(1000));
    let chunk = format!("{element},").repeat(1000);
    stdin.write_all(b"[").expect("read");
    let mut sent = 0;
    while sent < 50 << 20 {
        stdin.write_all(chunk.as_bytes()).expect("read");
        sent += chunk.len();
    }
    let peak = peak_memory(&child);
    stdin.write_all(format!("{element}]").as_bytes()).expect("read");
    drop(stdin);
    assert!(child.wait().expect("legato ends").success());
    assert!(reader.join().expect("the reader ends") >= sent);
    if let Some(peak) = peak {
        assert!(peak < 16 << 20, "{peak} bytes for a list of {sent}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_command() {
    let directory = TempDir::new().expect("a directory");
    let file = ops_file(&directory, "[]");
    let mut child = spawn(&["translate", "--ops", &file, "--direction", "up"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    let text = format!("[{}1]", "1,".repeat(4 << 20));
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().expect("legato ends");
    writer.join().expect("the writer ends");
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(err.contains("standard output") && !err.contains("panicked"), "{err}");
}

#[test]
fn every_command_explains_itself() {
    let help = legato(&["--help"], "");
    assert_eq!(help.code, Some(0));
    let lines = help.out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let help = legato(&[name, "--help"], "");
        assert_eq!(help.code, Some(0), "{name}");
        assert!(help.out.contains("Example") && help.out.contains(&format!("legato {name}")), "{name}: {}", help.out);
    }
    assert!(legato(&["--version"], "").out.starts_with("legato "));
}

#[test]
fn completions_are_scripts() {
    for (shell, want) in [("bash", "complete -F"), ("zsh", "#compdef legato"), ("fish", "complete -c legato")] {
        let found = legato(&["completions", shell], "");
        assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
        assert!(found.out.contains(want) && found.out.contains("translate"), "{shell}");
    }
    assert_eq!(legato(&["completions", "none"], "").code, Some(2));
}

#[test]
fn contracts_are_printed_and_compared() {
    let directory = copy_of_chat();
    let root = path(&directory);
    let openapi = |version: &str| legato(&["openapi", "--rules", root, "--api", "chat", "--version", version], "");
    assert_eq!(openapi("2").code, Some(2), "there is no contract");
    let folder = directory.path().join("chat/openapi");
    fs::create_dir(&folder).unwrap();
    let content =
        r#"{"application/json": {"schema": {"type": "object", "required": ["text"], "properties": {"text": {}}}}}"#;
    let contract = format!(
        r#"{{"openapi": "3.1.0", "paths": {{"/api/messages/{{id}}": {{"get": {{"responses": {{"200": {{"content": {content}}}}}}}}}}}}}"#
    );
    fs::write(folder.join("1.json"), &contract).unwrap();
    let derived = openapi("2");
    assert!(derived.code == Some(0) && derived.out.contains("body: {}"), "{}", derived.out);
    assert_eq!(openapi("9").code, Some(2));
    assert_eq!(legato(&["openapi", root, "--version", "2"], "").out, derived.out, "the directory without its flag");
    fs::write(folder.join("2.json"), &contract).unwrap();
    let checked = legato(&["check", root], "");
    assert!(checked.code == Some(1) && checked.out.contains("error[CV302]"), "{}", checked.out);
}
