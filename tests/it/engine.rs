//! The engine against the rule language's test vectors and against the oracle.
//!
//! Every case runs whole, byte by byte, at random chunk sizes, fused and op by op.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use legato_proxy::json::{self, Limits, Losses, OnError, Program, Translator, Uuids, Values};
use legato_proxy::rules::{Direction, Mode, Ops};
use serde_json::{Value, json};

use crate::support::oracle::{self, Context};
use crate::support::random::{Random, seeds};
use crate::support::random_ops::{NAMES, random_op, random_value};

pub(crate) const NOW: &str = "2026-03-01T00:00:00Z";
const VECTORS: &str = include_str!("../data/rule_vectors.json");

fn values() -> Values {
    Values { now: NOW.into(), version: "v2".into(), uuids: Uuids::default(), on_error: OnError::Reject }
}

/// An error's code, offset and pointer.
type Failed = (&'static str, u64, Option<String>);

/// How often what was lost, by path.
pub(crate) type Lost = BTreeMap<String, u64>;

fn lost(losses: &Losses) -> Lost {
    losses.iter().map(|(lost, count)| (lost.path.to_string(), count)).collect()
}

/// Feeds a document in chunks whose sizes `next` gives; the result, or the error's code and offset.
fn feed(
    program: &Arc<Program>,
    text: &str,
    on_error: OnError,
    mut next: impl FnMut() -> usize,
) -> Result<(String, Lost), Failed> {
    let values = Values { on_error, ..values() };
    let mut translator = Translator::new(Arc::clone(program), values, Limits::default());
    let mut rest = Bytes::copy_from_slice(text.as_bytes());
    let mut out = Vec::new();
    let failed = |e: legato_proxy::json::Error| (e.code.name(), e.offset, e.pointer);
    while !rest.is_empty() {
        let chunk = rest.split_to(next().clamp(1, rest.len()));
        translator.push(chunk).map_err(failed)?;
        translator.take().for_each(|piece| out.extend_from_slice(&piece));
    }
    translator.finish().map_err(failed)?;
    translator.take().for_each(|piece| out.extend_from_slice(&piece));
    Ok((String::from_utf8(out).expect("UTF-8") + partial(translator.is_partial()), lost(&translator.losses())))
}

/// Translates a document that is there as a whole.
fn at_once(program: &Arc<Program>, text: &str, on_error: OnError) -> Result<(String, Lost), Failed> {
    let values = Values { on_error, ..values() };
    let done = json::translate(program, &values, Limits::default(), Bytes::copy_from_slice(text.as_bytes()));
    let done = done.map_err(|e| (e.code.name(), e.offset, e.pointer))?;
    Ok((String::from_utf8(done.body).expect("UTF-8") + partial(done.partial), lost(&done.losses)))
}

/// Whether something was skipped is a part of what came of a document.
fn partial(is_partial: bool) -> &'static str {
    if is_partial { " partial" } else { "" }
}

/// Translates at every kind of chunking; all must agree to the byte, errors to the offset.
pub(crate) fn translate(program: &Arc<Program>, text: &str, seed: u64) -> Result<String, Failed> {
    translate_or(OnError::Reject, program, text, seed)
}

/// The same, with what to do about what has no translation. ` partial` follows a document in which some of it stayed.
pub(crate) fn translate_or(on_error: OnError, program: &Arc<Program>, text: &str, seed: u64) -> Result<String, Failed> {
    translate_counting(on_error, program, text, seed).map(|(text, _)| text)
}

/// The same, with what was lost.
pub(crate) fn translate_counting(
    on_error: OnError,
    program: &Arc<Program>,
    text: &str,
    seed: u64,
) -> Result<(String, Lost), Failed> {
    let feed = |next: &mut dyn FnMut() -> usize| feed(program, text, on_error, next);
    let whole = feed(&mut || usize::MAX);
    assert_eq!(feed(&mut || 1), whole, "byte by byte: {text} under\n{program}");
    assert_eq!(at_once(program, text, on_error), whole, "at once: {text} under\n{program}");
    assert_eq!(feed(&mut || usize::MAX), whole, "once more: {text} under\n{program}");
    let mut random = Random(seed);
    // Few bytes at a time, and a few pieces of any size.
    for most in [9, text.len().max(1)] {
        assert_eq!(feed(&mut || 1 + random.below(most)), whole, "random chunks, seed {seed}: {text} under\n{program}");
    }
    whole
}

/// Translates fused and op by op, and compares the two and the oracle.
fn check(ops_text: &Value, text: &str, up: bool, mode: Mode, seed: u64) -> Result<String, &'static str> {
    let ops = Ops::parse(&ops_text.to_string(), "ops.yaml").map_err(|found| match found[0].code {
        "CF206" => "wildcards_do_not_align",
        other => panic!("{other}: {} in {ops_text}", found[0].message),
    })?;
    let direction = if up { Direction::Up } else { Direction::Down };
    let counting = |program: &Arc<Program>, text: &str| translate_counting(OnError::Reject, program, text, seed);
    let counted = counting(&ops.program(direction, mode), text);
    let counted_one_by_one =
        ops.programs(direction, mode).iter().try_fold((text.to_owned(), Lost::new()), |(text, mut sum), program| {
            let (next, counts) = counting(program, &text)?;
            for (path, count) in counts {
                *sum.entry(path).or_default() += count;
            }
            Ok::<_, Failed>((next, sum))
        });
    if let (Ok((_, fused)), Ok((_, single))) = (&counted, &counted_one_by_one) {
        let told = || format!("{ops_text}\nof {text} {direction:?}\n{}", ops.program(direction, mode));
        assert_eq!(fused, single, "lost fused and op by op: {}", told());
        let held = counting(&ops.held(direction, mode), text).map(|(_, lost)| lost);
        assert_eq!(held.as_ref(), Ok(fused), "lost held and fused: {}", told());
    }
    let fused = counted.map(|(text, _)| text).map_err(|(code, ..)| code);
    let one_by_one = counted_one_by_one.map(|(text, _)| text).map_err(|(code, ..)| code);
    let context = Context { up, patch: mode == Mode::MergePatch, now: NOW, version: "v2" };
    let told = || format!("{ops_text}\nof {text} {direction:?}, seed {seed}, fused:\n{}", ops.program(direction, mode));
    let parse = |text: &String| value(text).unwrap_or_else(|e| panic!("{e}: {text} from {}", told()));
    let (found, single) = (fused.as_ref().map(parse), one_by_one.as_ref().map(parse));
    assert_eq!(found.is_err(), single.is_err(), "fused {fused:?}, op by op {one_by_one:?}: {}", told());
    // One run makes other UUIDs than another; that chunks do not matter to them is compared above.
    if ops_text.to_string().contains("$uuid") {
        return fused;
    }
    if let (Ok(found), Ok(single)) = (&found, &single) {
        assert_eq!(found, single, "fused and op by op: {}", told());
    }
    if oracle_can_read(text) {
        let want = oracle::run(ops_text, value(text).expect("JSON"), context);
        match (&found, &want) {
            (Ok(found), Ok(want)) => assert_eq!(found, want, "engine and oracle: {}", told()),
            (Err(_), Err(_)) => {}
            _ => panic!("engine {fused:?}, oracle {want:?}: {}", told()),
        }
        if ops_text.as_array().is_some_and(|ops| ops.len() == 1 && ops[0].get("each").is_none()) {
            assert_eq!(fused.as_ref().err(), want.as_ref().err().as_ref().map(|code| *code), "{}", told());
        }
    }
    fused
}

/// A text's value. `serde_json` refuses the lone surrogate that one vector has, so it gets another character.
fn value(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(&text.replace("\\ud800", "\\ue000"))
}

/// `serde_json` keeps neither duplicate members nor the spelling of a decimal; one vector is about each, and what
/// comes out is compared with the vector itself.
fn oracle_can_read(text: &str) -> bool {
    text.matches("\"role\"").count() < 2 && !text.contains("1.10")
}

/// A vector's document: text where it is `raw`, else a value.
fn document(vector: &Value, key: &str) -> String {
    match (&vector[key], vector.get("raw")) {
        (Value::String(text), Some(_)) => text.clone(),
        (value, _) => value.to_string(),
    }
}

#[test]
fn every_vector() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("JSON");
    assert!(!vectors.is_empty());
    vectors.iter().for_each(run_vector);
}

fn run_vector(vector: &Value) {
    let name = vector["name"].as_str().expect("a name");
    let mode = if vector.get("mode").is_some() { Mode::MergePatch } else { Mode::Full };
    let from_old = vector.get("start").is_none_or(|start| start == "v1");
    let raw = vector.get("raw").is_some();
    let (first, second) = if from_old { ("v1", "v2") } else { ("v2", "v1") };
    let there = check(&vector["ops"], &document(vector, first), from_old, mode, 1);
    let error = &vector["error"][if from_old { "forward" } else { "backward" }];
    if let Some(code) = error.as_str() {
        assert_eq!(there, Err(code), "{name}");
        return;
    }
    let same = |found: Result<String, &str>, want: &str, what: &str| {
        let found = found.unwrap_or_else(|code| panic!("{name}: {what} failed with {code}"));
        if raw {
            assert_eq!(found, want, "{name}: {what}");
        } else {
            assert_eq!(
                serde_json::from_str::<Value>(&found).expect("JSON"),
                serde_json::from_str::<Value>(want).expect("JSON"),
                "{name}: {what}"
            );
        }
        found
    };
    let there = same(there, &document(vector, second), "there");
    let (back_key, again_key) = if from_old { ("v1_back", "v2_again") } else { ("v2_again", "v1_back") };
    let back_want = if vector.get(back_key).is_some() { back_key } else { first };
    let back = same(check(&vector["ops"], &there, !from_old, mode, 2), &document(vector, back_want), "back");
    if vector.get(again_key).is_some() {
        same(check(&vector["ops"], &back, from_old, mode, 3), &document(vector, again_key), "again");
    }
}

/// Random ops on random documents over few names, so that they meet often.
#[test]
fn random_ops_on_random_documents() {
    let seeds = seeds(8000);
    let cases = seeds.end - seeds.start;
    let mut translated = 0;
    for seed in seeds {
        let mut random = Random(seed);
        let ops: Vec<Value> = (0..=random.below(4)).map(|_| random_op(&mut random, 0)).collect();
        let ops = Value::Array(ops);
        if Ops::parse(&ops.to_string(), "ops.yaml").is_err() {
            continue;
        }
        let document = random_value(&mut random, 0).to_string();
        let up = random.below(2) == 0;
        let mode = if random.below(8) == 0 { Mode::MergePatch } else { Mode::Full };
        translated += usize::from(check(&ops, &document, up, mode, seed).is_ok());
    }
    assert!(translated as u64 > cases / 3, "only {translated} of {cases} cases translated");
}

/// Objects of one outline follow each other, in lists and in the documents of one program. Byte by byte, no outline
/// is ever used; whole, nearly always.
#[test]
fn random_ops_on_lists_of_like_objects() {
    for seed in seeds(2000) {
        let mut random = Random(seed);
        let ops: Vec<Value> = (0..=random.below(3)).map(|_| random_op(&mut random, 1)).collect();
        let listed = random.below(4) > 0;
        let ops = if listed { json!([{"each": {"at": "/*", "ops": ops}}]) } else { Value::Array(ops) };
        let Ok(parsed) = Ops::parse(&ops.to_string(), "ops.yaml") else { continue };
        let direction = if random.below(2) == 0 { Direction::Up } else { Direction::Down };
        let program = parsed.program(direction, Mode::Full);
        let moulds: Vec<Value> = (0..=random.below(2)).map(|_| mould(&mut random)).collect();
        for _ in 0..3 {
            let count = if listed { 3 + random.below(6) } else { 1 };
            let objects: Vec<Value> = (0..count).map(|_| alike(random.pick(&moulds).clone(), &mut random)).collect();
            let document = if listed { Value::Array(objects) } else { objects[0].clone() };
            let text = spelled(&document, &mut random);
            let _either_way = translate(&program, &text, seed);
            let _as_far_as_it_is_json = translate(&program, &broken(&text, &mut random), seed);
        }
        let document = spelled(&json!([alike(moulds[0].clone(), &mut random)]), &mut random);
        let _fused_as_op_by_op = check(&ops, &document, direction == Direction::Up, Mode::Full, seed);
    }
}

/// What is done as with the object before takes as many UUIDs as it did.
#[test]
fn uuids_do_not_depend_on_chunks() {
    let ops = json!([{"each": {"at": "/*", "ops": [
        {"add": {"at": "/inner/id", "default": {"value": "$uuid"}}},
        {"add": {"at": "/id", "default": {"value": "$uuid"}}},
        {"move": {"from": "/a", "to": "/x/a"}},
        {"map": {"at": "/x/a", "pairs": [["1", "one"]], "else": "keep"}},
    ]}}]);
    let program = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    let one = r#"{"inner":{"n":1},"a":"1"}"#;
    let [two, three] = [r#"{"inner":{"n":1},"a":"2"}"#, r#"{"inner":{"id":1},"a":"1"}"#];
    let done = translate(&program, &format!("[{one},{one},{two},{three},{one},{two}]"), 5).expect("JSON");
    let ids: std::collections::BTreeSet<&str> = done.split(r#""id":""#).skip(1).map(|rest| &rest[..36]).collect();
    assert_eq!(ids.len(), 11, "{done}");
}

/// What was done as with the object before and then failed has taken no UUIDs: the next document gets the same ones
/// whatever chunks this one came in.
#[test]
fn a_failed_document_takes_as_many_uuids_whole_as_in_chunks() {
    let ops = json!([{"each": {"at": "/*", "ops": [
        {"add": {"at": "/inner/id", "default": {"value": "$uuid"}}},
        {"map": {"at": "/state", "pairs": [["open", "active"]]}},
    ]}}]);
    let program = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    let good = r#"{"inner":{"n":1},"state":"open"}"#;
    let bad = good.replace("open", "shut");
    let next_after = |chunk: usize| {
        let values = Values { uuids: Uuids::new(7), ..values() };
        let run = |text: &str, chunk: usize| {
            let mut translator = Translator::new(Arc::clone(&program), values.clone(), Limits::default());
            let mut rest = Bytes::copy_from_slice(text.as_bytes());
            while !rest.is_empty() {
                translator.push(rest.split_to(chunk.min(rest.len()))).map_err(|e| e.code.name())?;
            }
            translator.finish().map_err(|e| e.code.name())?;
            Ok(translator.take().flat_map(|piece| piece.to_vec()).collect::<Vec<u8>>())
        };
        assert_eq!(run(&format!("[{good},{good},{good},{bad}]"), chunk), Err("no_mapping"));
        String::from_utf8(run(&format!("[{good}]"), usize::MAX).expect("translated")).expect("UTF-8")
    };
    assert_eq!(next_after(usize::MAX), next_after(1));
}

/// An object with most of the names.
fn mould(random: &mut Random) -> Value {
    let members = NAMES.iter().map(|name| ((*name).to_owned(), random_value(random, 3)));
    Value::Object(members.collect())
}

/// What one document teaches a program does not reach into the next.
#[test]
fn documents_of_one_program_are_apart() {
    let documents = ["0", "1e3", "[{\"a\":1}]", " 7", "{\"a\":{}}", "\"x\"", "[{\"a\":1},{\"a\":[{\"a\":2}]}]", "-1"];
    for ops in [
        json!([{"rename": {"/a": "b"}}]),
        json!([{"rename": {"/*/a": "b"}}]),
        json!([{"wrap": {"at": "body:", "into": "array"}}]),
    ] {
        let ops = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops");
        let kept = ops.program(Direction::Up, Mode::Full);
        for document in documents.iter().cycle().take(40) {
            let alone = ops.program(Direction::Up, Mode::Full);
            let whole = |program| feed(program, document, OnError::Reject, || usize::MAX);
            assert_eq!(whole(&kept), whole(&alone), "{document}");
        }
    }
}

/// The same names with other values, mostly of the same kind.
fn alike(mould: Value, random: &mut Random) -> Value {
    match mould {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, alike(value, random))).collect(),
        _ if random.below(12) == 0 => random_value(random, 2),
        Value::Array(items) => items.into_iter().cycle().take(random.below(4)).map(|v| alike(v, random)).collect(),
        Value::String(_) => {
            json!("xyzäß \" and a text of some length".chars().take(random.below(36)).collect::<String>())
        }
        Value::Number(_) => random
            .pick(&[json!(0), json!(7), json!(-3), json!(1_234_567_890_123_456_789_u64), json!(0.5), json!(1e9)])
            .clone(),
        other => other,
    }
}

/// A value's text, mostly as short as can be.
fn spelled(value: &Value, random: &mut Random) -> String {
    if random.below(4) == 0 { serde_json::to_string_pretty(value).expect("JSON") } else { value.to_string() }
}

/// The text with one byte lost or another in its place.
fn broken(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = random.below(chars.len());
    match random.below(3) {
        0 => {
            chars.remove(at);
        }
        1 => chars[at] = *random.pick(&['"', '{', '}', '[', ']', ',', ':', '0', '.', 'e', 'x', '\\', '\n']),
        _ => chars.truncate(at),
    }
    chars.into_iter().collect()
}

/// Whatever the bytes: a result or a named error, the same at every chunking.
#[test]
fn malformed_documents_fail_alike_at_every_chunking() {
    let programs: Vec<Arc<Program>> = [
        json!([]),
        json!([{"rename": {"/a": "b"}}]),
        json!([{"rename": {"/*/a": "b"}}, {"envelope": {"key": "data", "with": {"m": 1}}}]),
        json!([{"move": {"from": "/a", "to": "/x/a"}}]),
        json!([{"move": {"from": "/*/a", "to": "/*/x/a"}}]),
    ]
    .iter()
    .flat_map(|ops| {
        let ops = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops");
        [ops.program(Direction::Up, Mode::Full), ops.program(Direction::Down, Mode::Full)]
    })
    .collect();
    let texts = [
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "nul",
        "nulll",
        "truefalse",
        "01",
        "1.",
        "-",
        "+1",
        "1e",
        ".5",
        "\"",
        "\"\\",
        "\"\\u12",
        "\"\\x\"",
        "\"\t\"",
        "[]]",
        "{}}",
        "{} {}",
        "[1}",
        "{\"a\":1]",
        "\u{feff}{}",
        "{\"a\":1,\"a\":2}",
        "{\"b\":1,\"a\":{\"x\":[}",
        "{\"data\":1,\"data\":2}",
        "[{\"a\":1},{\"a\":]",
        "{\"b\":2,\"a\":tru}",
        "NaN",
        "'a'",
        "[\"a\",\"\u{7f}\"]",
        "/**/1",
    ];
    for text in texts {
        for program in &programs {
            let _either_way = translate(program, text, 7);
        }
        assert_eq!(
            serde_json::from_str::<Value>(text).is_ok(),
            translate(&Arc::new(Program::hold(Vec::new())), text, 7).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn bytes_that_are_not_utf_8_fail_at_their_place() {
    let program = Ops::parse("[{rename: {/a: b}}]", "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    for (bytes, offset) in [
        (&b"{\"a\":\"\xff\"}"[..], 6),
        (b"{\"a\":\"\xc3\"}", 6),
        (b"{\"a\":\"\xe2\x82", 6),
        (b"{\"a\xc0\":1}", 3),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6),
    ] {
        for size in 1..=bytes.len() {
            let mut translator = Translator::new(Arc::clone(&program), values(), Limits::default());
            let pushed = bytes
                .chunks(size)
                .try_for_each(|chunk| translator.push(Bytes::copy_from_slice(chunk)))
                .and_then(|()| translator.finish());
            let error = pushed.expect_err("not UTF-8");
            assert_eq!((error.code.name(), error.offset), ("malformed_json", offset), "{bytes:?} in chunks of {size}");
        }
    }
}

/// What must be held is bounded, whatever the document.
#[test]
fn what_is_held_is_limited() {
    let limits = Limits { depth: 16, buffer: 1000 };
    let run = |ops: &str, text: String| {
        let program = Ops::parse(ops, "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
        let outcomes: Vec<_> = [usize::MAX, 100, 1]
            .into_iter()
            .map(|size| {
                let mut translator = Translator::new(Arc::clone(&program), values(), limits);
                let pushed = text
                    .as_bytes()
                    .chunks(size.min(text.len()))
                    .try_for_each(|chunk| translator.push(Bytes::copy_from_slice(chunk)));
                pushed.and_then(|()| translator.finish()).map_err(|e| e.code.name())
            })
            .collect();
        assert!(outcomes.windows(2).all(|w| w[0] == w[1]), "{outcomes:?}");
        outcomes[0]
    };
    let long = "x".repeat(2000);
    let hold = "[{move: {from: /a, to: /b/a}}]";
    let stream = "[{rename: {/a: b}}]";
    assert_eq!(run(hold, format!("{{\"a\":\"{long}\"}}")), Err("too_large"));
    assert_eq!(run(stream, format!("{{\"a\":\"{long}\"}}")), Ok(()));
    assert_eq!(run(stream, format!("{{\"{long}\":1}}")), Err("too_large"));
    // An undeclared member with the new name can only leave once the rest of its object is known.
    assert_eq!(run(stream, format!("{{\"b\":1,\"x\":\"{long}\",\"a\":2}}")), Err("too_large"));
    assert_eq!(run(stream, format!("{}1{}", "[".repeat(16), "]".repeat(16))), Ok(()));
    assert_eq!(run(stream, format!("{}1{}", "[".repeat(17), "]".repeat(17))), Err("too_deep"));
    assert_eq!(run(stream, format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15))), Ok(()));
    assert_eq!(run(stream, format!("{{\"a\":{}1{}}}", "[".repeat(16), "]".repeat(16))), Err("too_deep"));
    assert_eq!(run(hold, format!("{{\"a\":{}1{}}}", "[".repeat(16), "]".repeat(16))), Err("too_deep"));
}

/// What no op touches leaves as it came, white space and all.
#[test]
fn untouched_bytes_stay() {
    let cases = [
        (
            "[{rename: {/b: c}}]",
            "{ \"a\" : 1.0 ,\n\t\"b\" :[ 1E400 ] , \"d\":\"\\u00e9\\/\" }",
            "{ \"a\" : 1.0 ,\n\t\"c\" :[ 1E400 ] , \"d\":\"\\u00e9\\/\" }",
        ),
        ("[{remove: {at: /a, restore: absent}}]", "{ \"a\" : 1 , \"b\" : 2 , \"c\":-0 }", "{ \"b\" : 2 , \"c\":-0 }"),
        ("[{remove: {at: /b, restore: absent}}]", "{ \"a\" : 1 , \"b\" : 2 , \"c\":-0 }", "{ \"a\" : 1 , \"c\":-0 }"),
        ("[{remove: {at: /c, restore: absent}}]", "{ \"a\" : 1 , \"b\" : 2 , \"c\":-0 }", "{ \"a\" : 1 , \"b\" : 2 }"),
        ("[{add: {at: /z, default: {value: 1}}}]", "{ \"a\" : 1 }", "{ \"a\" : 1 ,\"z\":1}"),
        ("[{add: {at: /z, default: {value: 1}}}]", "{ }", "{ \"z\":1}"),
        ("[{move: {from: /a, to: /x/a}}]", "{ \"a\" : 1.50 , \"b\" : [ ] }", "{ \"b\" : [ ] ,\"x\":{\"a\":1.50}}"),
        (
            "[{move: {from: /*/a, to: /*/x}}]",
            "[ {\"a\":1,\"dup\":1,\"dup\":2} , 7 ]",
            "[ {\"dup\":1,\"dup\":2,\"x\":1} , 7 ]",
        ),
        ("[{envelope: {key: data}}]", " [ 1 , { } ] ", " {\"data\":[ 1 , { } ]} "),
        ("[]", " { \"a\" : 12345678901234567890 } ", " { \"a\" : 12345678901234567890 } "),
    ];
    for (ops, text, want) in cases {
        let program = Ops::parse(ops, "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
        assert_eq!(translate(&program, text, 3).as_deref(), Ok(want), "{ops}");
    }
}

/// A list of any length needs no more memory than one of its elements.
#[test]
fn lists_stream() {
    let ops = "[{move: {from: /*/user, to: /*/author/name}}, {rename: {/*/text: body}}, {envelope: {key: data}}]";
    let program = Ops::parse(ops, "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    let mut translator = Translator::new(program, values(), Limits { depth: 16, buffer: 200 });
    let element = "{\"id\":9007199254740993,\"text\":\"hi\",\"user\":\"ada\"}";
    translator.push(Bytes::from_static(b"[")).expect("valid");
    for n in 0..10_000 {
        let chunk = if n == 0 { element.to_owned() } else { format!(",{element}") };
        translator.push(Bytes::from(chunk)).expect("valid");
        let ready: usize = translator.take().map(|piece| piece.len()).sum();
        assert!(ready > 0, "element {n} was not ready when it ended");
    }
    translator.push(Bytes::from_static(b"]")).expect("valid");
    translator.finish().expect("whole");
}

#[test]
fn programs_share_the_steps_of_a_document() {
    let program = |up: &str| {
        let ops = json!([{"jq": {"at": "/*", "up": up, "down": "."}}]).to_string();
        Ops::parse(&ops, "ops.yaml").expect("ops").program(Direction::Up, Mode::Full)
    };
    let list = format!("[{}1]", "1,".repeat(9_999));
    let dear = program("[range(500)] | length");
    for _ in 0..2 {
        assert_eq!(translate(&dear, "[1,1,1]", 1).as_deref(), Ok("[500,500,500]"));
        let (code, _, pointer) = translate(&dear, &list, 1).expect_err("too many steps");
        let at: usize = pointer.unwrap_or_default().trim_start_matches('/').parse().expect("an index");
        assert!(code == "jq_exhausted" && (3..5_000).contains(&at), "{code} at {at}");
    }
    assert_eq!(translate(&program("{v: .}"), &list, 1), Ok(list.replace('1', "{\"v\":1}")));
}
