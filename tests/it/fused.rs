//! Fused as op by op, down to which names may stand twice.
//!
//! `engine.rs` compares both with the oracle, which knows no document with a name twice; here such documents are the
//! rule.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use legato_proxy::json::{Class, OnError, Program};
use legato_proxy::rules::{Direction, Mode, Ops};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use crate::engine::{NOW, translate, translate_counting, translate_or};
use crate::support::oracle::{self, Context};
use crate::support::random::{Random, seeds};
use crate::support::random_ops::random_op;

/// What follows a document in which something stayed.
const PARTIAL: &str = " partial";

/// What is needed of a document to compare it: the text of every scalar, names in order, none lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Doc {
    Scalar(String),
    Array(Vec<Doc>),
    Object(Vec<(String, Doc)>),
}

impl Doc {
    fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl<'de> Deserialize<'de> for Doc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyDoc)
    }
}

struct AnyDoc;

impl<'de> Visitor<'de> for AnyDoc {
    type Value = Doc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Doc, E> {
        Ok(Doc::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Doc, E> {
        Ok(Doc::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Doc, E> {
        Ok(Doc::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Doc, E> {
        Ok(Doc::Scalar(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Doc, E> {
        Ok(Doc::Scalar("null".into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Doc, E> {
        Ok(Doc::Scalar(json!(value).to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Doc, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Doc::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Doc, A::Error> {
        let mut members: Vec<(String, Doc)> = Vec::new();
        while let Some(member) = items.next_entry()? {
            members.push(member);
        }
        members.sort();
        Ok(Doc::Object(members))
    }
}

/// Translates fused and op by op where what has no translation stays, at every kind of chunking.
fn keeping(ops: &Value, text: &str, direction: Direction, seed: u64) -> Result<String, &'static str> {
    let parsed = Ops::parse(&ops.to_string(), "ops.yaml").unwrap_or_else(|found| panic!("{}: {ops}", found[0].message));
    let run = |program: &Arc<Program>, text: &str| {
        let text = text.strip_suffix(PARTIAL).unwrap_or(text);
        translate_or(OnError::BestEffort, program, text, seed).map_err(|(code, ..)| code)
    };
    let program = parsed.program(direction, Mode::Full);
    let fused = run(&program, text);
    same_losses(OnError::BestEffort, &parsed, text, direction, seed);
    let single = parsed.programs(direction, Mode::Full).iter().try_fold(text.to_owned(), |text, program| {
        let was_partial = text.ends_with(PARTIAL);
        run(program, &text).map(|done| if was_partial && !done.ends_with(PARTIAL) { done + PARTIAL } else { done })
    });
    let doc = |outcome: &Result<String, &'static str>| match outcome {
        Ok(text) => Ok((Doc::of(text.strip_suffix(PARTIAL).unwrap_or(text)), text.ends_with(PARTIAL))),
        Err(_) => Err(()),
    };
    let same = ops.to_string().contains("$uuid") && fused.is_ok() == single.is_ok() || doc(&fused) == doc(&single);
    assert!(same, "fused {fused:?}\nop by op {single:?}\n{ops}\nof {text} {direction:?}, seed {seed}:\n{program}");
    fused
}

#[test]
fn what_has_no_place_stays_wherever_it_is_found() {
    let refuse = json!([{"remove": {"at": "/a", "restore": "absent", "lose": "fail"}}]);
    let renamed = json!([{"rename": {"/a": "b"}}, {"remove": {"at": "/b", "restore": "absent", "lose": "fail"}}]);
    let added_again = json!([
        {"remove": {"at": "/a", "restore": "absent", "lose": "fail"}},
        {"add": {"at": "/a", "default": {"value": 7}}},
        {"rename": {"/a": "d"}},
    ]);
    let in_elements = json!([{"each": {"at": "/*", "ops": refuse}}]);
    let cases = [
        (&refuse, r#"{"a":1,"c":2}"#, r#"{"a":1,"c":2} partial"#),
        (&refuse, r#"{"c":2}"#, r#"{"c":2}"#),
        (&renamed, r#"{"a":1,"c":2}"#, r#"{"b":1,"c":2} partial"#),
        (&renamed, r#"{"b":0,"a":1,"c":2}"#, r#"{"b":1,"c":2} partial"#),
        (&renamed, r#"{"b":0,"c":2}"#, r#"{"b":0,"c":2} partial"#),
        (&added_again, r#"{"a":1,"c":2}"#, r#"{"d":1,"c":2} partial"#),
        (&added_again, r#"{"c":2}"#, r#"{"c":2,"d":7}"#),
        (
            &in_elements,
            r#"[{"c":1},{"a":1,"c":1},{"a":2,"c":1},{"c":2}]"#,
            r#"[{"c":1},{"a":1,"c":1},{"a":2,"c":1},{"c":2}] partial"#,
        ),
    ];
    for (ops, text, want) in cases {
        assert_eq!(keeping(ops, text, Direction::Up, 1).as_deref(), Ok(want), "{ops} of {text}");
    }
    // An outline that is learned while what has no place stays is not one for documents of which nothing may stay.
    let program = Ops::parse(&refuse.to_string(), "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    for _ in 0..5 {
        assert!(translate_or(OnError::BestEffort, &program, r#"{"a":1,"c":2}"#, 1).is_ok());
    }
    assert_eq!(translate(&program, r#"{"a":1,"c":2}"#, 1).expect_err("refused").0, "information_lost");
}

#[test]
fn an_envelope_that_is_missing_is_a_failure_whether_documents_stream_or_are_held() {
    let in_elements = |ops: &Value| json!([{"each": {"at": "/*", "ops": ops}}]);
    let map = json!({"map": {"at": "/s", "pairs": [["a", "b"]]}});
    let streams = json!([map, {"envelope": {"key": "data"}}]);
    let is_held = json!([map, {"envelope": {"key": "data"}, "where_down": {"/raw": {"exists": false}}}]);
    for (ops, class) in [(&streams, Class::S2), (&is_held, Class::S3)] {
        let program = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops").program(Direction::Down, Mode::Full);
        assert_eq!(program.class(), class, "{program}");
        for (text, want) in [
            (r#"{"x":1,"data":{"s":"b"},"y":2}"#, Ok(r#"{"s":"a"}"#)),
            (r#"{"data":{"s":"other"}}"#, Ok(r#"{"s":"other"} partial"#)),
            (r#"{"s":"b"}"#, Err("not_enveloped")),
            ("{}", Err("not_enveloped")),
            ("[1]", Err("not_enveloped")),
        ] {
            assert_eq!(keeping(ops, text, Direction::Down, 1), want.map(str::to_owned), "{text} under {ops}");
            let context = Context { up: false, patch: false, now: NOW, version: "v2" };
            if let Err(code) = want {
                let read = serde_json::from_str(text).expect("JSON");
                assert_eq!(oracle::run(ops, read, context), Err(code), "{text} under {ops}");
            }
            let text = &format!(r#"[{{"data":1}},{text}]"#);
            let want = want.map(|want| match want.strip_suffix(PARTIAL) {
                Some(done) => format!("[1,{done}]{PARTIAL}"),
                None => format!("[1,{want}]"),
            });
            assert_eq!(keeping(&in_elements(ops), text, Direction::Down, 1), want, "{text} in elements under {ops}");
        }
    }
}

/// Translates fused and op by op, at every kind of chunking; what comes of it.
fn both(ops: &Value, text: &str, direction: Direction, seed: u64) -> Result<String, &'static str> {
    let parsed = Ops::parse(&ops.to_string(), "ops.yaml").unwrap_or_else(|found| panic!("{}: {ops}", found[0].message));
    let program = parsed.program(direction, Mode::Full);
    let fused = translate(&program, text, seed).map_err(|(code, ..)| code);
    same_losses(OnError::Reject, &parsed, text, direction, seed);
    let single = parsed
        .programs(direction, Mode::Full)
        .iter()
        .try_fold(text.to_owned(), |text, program| translate(program, &text, seed))
        .map_err(|(code, ..)| code);
    let doc = |outcome: &Result<String, &'static str>| outcome.as_deref().map(Doc::of).map_err(|_| ());
    let same = ops.to_string().contains("$uuid") && fused.is_ok() == single.is_ok() || doc(&fused) == doc(&single);
    assert!(same, "fused {fused:?}\nop by op {single:?}\n{ops}\nof {text} {direction:?}, seed {seed}:\n{program}");
    fused
}

/// Fused and held lose alike.
fn same_losses(on_error: OnError, ops: &Ops, text: &str, direction: Direction, seed: u64) {
    let [fused, held] = [ops.program(direction, Mode::Full), ops.held(direction, Mode::Full)]
        .map(|program| translate_counting(on_error, &program, text, seed).map(|(_, lost)| lost).ok());
    assert_eq!(fused, held, "lost fused and held of {text} {direction:?}, seed {seed}:\n{ops:?}");
}

#[test]
fn names_that_stand_twice() {
    let rename_and_add = json!([{"each": {"at": "/*", "ops": [
        {"rename": {"/d": "a"}},
        {"add": {"at": "/a", "default": {"value": 1}}},
    ]}}]);
    let add_and_refuse = json!([{"each": {"at": "/*", "ops": [
        {"add": {"at": "/a", "default": {"value": 1}}},
        {"rename": {"/a": "b"}},
        {"remove": {"at": "/b", "restore": "absent", "lose": "fail"}},
    ]}}]);
    let cases = [
        (&rename_and_add, r#"[{"a":1,"a":2,"d":3}]"#, Ok(r#"[{"a":3}]"#)),
        (&rename_and_add, r#"[{"a":1,"d":3,"a":2}]"#, Ok(r#"[{"a":3}]"#)),
        (&rename_and_add, r#"[{"d":3,"a":1,"a":2}]"#, Ok(r#"[{"a":3}]"#)),
        (&rename_and_add, r#"[{"a":1,"a":2}]"#, Err("duplicate_key")),
        (&rename_and_add, r#"[{"d":1,"d":2}]"#, Err("duplicate_key")),
        (&add_and_refuse, r#"[{"c":1}]"#, Err("information_lost")),
        (&add_and_refuse, r#"[{"a":1}]"#, Err("information_lost")),
        (&add_and_refuse, r#"[{"b":1}]"#, Err("information_lost")),
        (&add_and_refuse, "[7]", Ok("[7]")),
    ];
    for (ops, text, want) in cases {
        assert_eq!(both(ops, text, Direction::Up, 1), want.map(str::to_owned), "{ops} of {text}");
    }
}

#[test]
fn random_ops_on_documents_with_names_twice() {
    for seed in seeds(2000) {
        let mut random = Random(seed);
        let ops: Vec<Value> = (0..=random.below(4)).map(|_| random_op(&mut random, 1)).collect();
        let ops = if random.below(2) == 0 { json!([{"each": {"at": "/*", "ops": ops}}]) } else { Value::Array(ops) };
        if Ops::parse(&ops.to_string(), "ops.yaml").is_err() {
            continue;
        }
        let mut text = String::new();
        write_value(&mut text, &mut random, 0);
        let direction = if random.below(2) == 0 { Direction::Up } else { Direction::Down };
        let _either_way = both(&ops, &text, direction, seed);
        let _either_way = keeping(&ops, &text, direction, seed);
    }
}

/// A document over few names, many of which stand twice.
fn write_value(text: &mut String, random: &mut Random, depth: usize) {
    let object = random.below(4) > 0;
    if depth > 0 && random.below(3) == 0 || depth > 3 {
        let scalars: &[&str] = &["1", "\"x\"", "null", "true", "{}", "[]"];
        return text.push_str(random.pick::<&str>(scalars));
    }
    let names: &[&str] = &["a", "b", "c", "d", "\\u0061"];
    text.push(if object { '{' } else { '[' });
    for at in 0..random.below(6) {
        text.push_str(if at == 0 { "" } else { "," });
        if object {
            let _ = write!(text, "\"{}\":", random.pick(names));
        }
        write_value(text, random, depth + 1);
    }
    text.push(if object { '}' } else { ']' });
}
