//! Hostile JSON: whatever comes, one verdict and one place, from whoever reads it and wherever it is cut.
//!
//! The cases are in `tests/data/json`, one a line: `y_` is accepted, `n_` refused; `i_accepted_` and `i_refused_` are
//! what RFC 8259 leaves to us. `<ff>` is a byte, `<text*9>` a text nine times.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use legato_proxy::json::{Code, Limits, OnError, Program, Translator, Uuids, Values, validate};
use legato_proxy::rules::{Direction, Mode, Ops};

use crate::support::random::Random;

struct Case {
    name: String,
    document: Vec<u8>,
}

impl Case {
    fn is_accepted(&self) -> bool {
        self.name.starts_with("y_") || self.name.starts_with("i_accepted_")
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/json");
    for entry in fs::read_dir(directory).expect("the cases") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("UTF-8");
        // The first line says what the file is about.
        for line in text.lines().skip(1) {
            let (name, document) = line.split_once(" =").unwrap_or_else(|| panic!("`name = document`, not {line}"));
            let document = document.strip_prefix(' ').unwrap_or(document);
            all.push(Case { name: name.to_owned(), document: bytes(document) });
        }
    }
    assert!(all.len() > 200, "{} cases only", all.len());
    all
}

/// A case's document.
fn bytes(mut text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((before, rest)) = text.split_once('<') {
        let (inside, after) = rest.split_once('>').unwrap_or_else(|| panic!("`<` without `>`: {text}"));
        out.extend_from_slice(before.as_bytes());
        match inside.rsplit_once('*') {
            Some((repeated, count)) => out.extend(unit(repeated).repeat(count.parse().expect("a count"))),
            None => out.extend(unit(inside)),
        }
        text = after;
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// Two hexadecimal digits in lower case are a byte; all else is itself.
fn unit(text: &str) -> Vec<u8> {
    let is_byte = text.len() == 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_byte { vec![u8::from_str_radix(text, 16).expect("two digits")] } else { text.into() }
}

/// An outcome: the bytes, or the failure's code and offset.
type Outcome = Result<Vec<u8>, (Code, u64)>;

fn translate(program: &Arc<Program>, document: &[u8], limits: Limits, mut size: impl FnMut() -> usize) -> Outcome {
    let values = Values { now: "".into(), version: "2".into(), uuids: Uuids::default(), on_error: OnError::Reject };
    let mut translator = Translator::new(Arc::clone(program), values, limits);
    let mut rest = Bytes::copy_from_slice(document);
    let mut out = Vec::new();
    let failed = |error: legato_proxy::json::Error| (error.code, error.offset);
    while !rest.is_empty() {
        let chunk = rest.split_to(size().clamp(1, rest.len()));
        translator.push(chunk).map_err(failed)?;
        translator.take().for_each(|piece| out.extend_from_slice(&piece));
    }
    translator.finish().map_err(failed)?;
    translator.take().for_each(|piece| out.extend_from_slice(&piece));
    Ok(out)
}

fn program(ops: &str) -> Arc<Program> {
    Ops::parse(ops, "ops.yaml").expect("these are ops").program(Direction::Up, Mode::Full)
}

/// Programs from the one that only checks to one that holds everything; none of them fails on a value.
const PROGRAMS: [&str; 5] = [
    "[]",
    "[{rename: {/a: b}}]",
    "[{rename: {/*/a: b, /a/a: c}}]",
    "[{map: {at: /*, pairs: [[1, 2]], else: keep}}]",
    "[{move: {from: /a, to: /x/y}}, {wrap: {at: /b, into: array}}]",
];

#[test]
fn one_verdict_at_one_place() {
    let programs = PROGRAMS.map(program);
    let mut random = Random(20_261_122);
    for case in &cases() {
        let Case { name, document } = case;
        let verdict = validate(document, Limits::default()).map_err(|error| (error.code, error.offset));
        assert_eq!(verdict.is_ok(), case.is_accepted(), "{name}: {verdict:?}");
        for (ops, program) in PROGRAMS.iter().zip(&programs) {
            let whole = translate(program, document, Limits::default(), || usize::MAX);
            // A member that is edited may stand once; which are looked at is the program's business.
            if !matches!(whole, Err((Code::DuplicateKey, _))) {
                assert_eq!(whole.as_ref().map(|_| ()).map_err(|e| *e), verdict, "{name} under {ops}");
            }
            assert_eq!(translate(program, document, Limits::default(), || 1), whole, "{name} byte by byte under {ops}");
            for most in [3, 40] {
                let cut = translate(program, document, Limits::default(), || 1 + random.below(most));
                assert_eq!(cut, whole, "{name} in pieces of up to {most} under {ops}");
            }
        }
    }
}

/// What only checks changes nothing.
#[test]
fn accepted_documents_pass_as_they_are() {
    let program = program("[]");
    for case in cases().iter().filter(|case| case.is_accepted()) {
        assert_eq!(
            translate(&program, &case.document, Limits::default(), || 7).as_ref(),
            Ok(&case.document),
            "{}",
            case.name
        );
    }
}

/// What reads over a value in `serde_json` knows no limit of depth.
#[test]
fn another_parser_says_the_same() {
    for Case { name, document } in
        cases().iter().filter(|case| !case.name.contains("past_the_limit") && case.name != "n_closed_bomb")
    {
        let text = std::str::from_utf8(document);
        let accepted = text.is_ok_and(|text| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
        match &name[..2] {
            "y_" => assert!(accepted, "{name}"),
            "n_" => assert!(!accepted, "{name}"),
            _ => {}
        }
    }
}

/// Bytes of what is long here.
const LONG: usize = 10 << 20;

/// Long keys, strings and numbers pass under a small buffer wherever nobody looks at them: they are not held. Where one
/// has to be held, the buffer bounds it.
#[test]
fn what_is_long_is_held_only_where_it_is_looked_at() {
    let small = Limits { buffer: 64 << 10, ..Limits::default() };
    let long = |around: [&str; 2], unit: &str| [around[0], &unit.repeat(LONG / unit.len()), around[1]].concat();
    let (check, rename, map) =
        (program("[]"), program(PROGRAMS[1]), program("[{map: {at: /a, pairs: [[1, 2]], else: keep}}]"));
    let documents = [
        ("a string", long(["{\"x\":\"", "\",\"a\":1}"], "x")),
        ("escapes", long(["{\"x\":\"", "\",\"a\":1}"], "\\u0041")),
        ("a number", long(["{\"x\":1", ",\"a\":1}"], "0")),
        ("a list", long(["{\"x\":[", "0],\"a\":1}"], "0,")),
        ("members", long(["{\"x\":{", "\"k\":0},\"a\":1}"], "\"k\":0,")),
        ("space", long(["{\"x\":1", ",\"a\":1}"], " ")),
    ];
    for (what, document) in &documents {
        let done = translate(&rename, document.as_bytes(), small, || 10_000);
        assert!(done.is_ok(), "{what}: {:?}", done.map(|_| ()));
    }
    let looked_at = [
        ("a name", &rename, long(["{\"", "\":1}"], "k")),
        ("a string", &map, long(["{\"a\":\"", "\"}"], "x")),
        ("a number", &map, long(["{\"a\":1", "}"], "0")),
    ];
    for (what, program, document) in &looked_at {
        let done = translate(program, document.as_bytes(), small, || 10_000).map(|_| ());
        assert!(matches!(done, Err((Code::TooLarge, _))), "{what}: {done:?}");
        let large = Limits { buffer: 2 * LONG, ..Limits::default() };
        assert!(translate(program, document.as_bytes(), large, || 10_000).is_ok(), "{what} under a large buffer");
        // Nothing is held by what only checks.
        assert!(translate(&check, document.as_bytes(), small, || 10_000).is_ok(), "{what} under a check");
    }
}

#[test]
fn doubled_names_fail_where_they_are_looked_at() {
    let rename = program(PROGRAMS[1]);
    for (document, is_error) in [
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"a":1,"\u0061":2}"#, true),
        (r#"{"x":1,"x":2,"a":3}"#, false),
        (r#"{"x":{"a":1,"a":2}}"#, false),
    ] {
        for size in [usize::MAX, 1, 3] {
            let done = translate(&rename, document.as_bytes(), Limits::default(), || size).map_err(|(code, _)| code);
            assert_eq!(done.err(), is_error.then_some(Code::DuplicateKey), "{document}");
        }
    }
}
