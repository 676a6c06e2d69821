//! Ops on documents: one result wherever the document is cut, JSON or a named failure, fused as op by op. Of one op
//! by itself, a document that came back once comes back the same ever after (`down.up.down.up = down.up`); several
//! that get in each other's way are for `legato check`.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use legato_fuzz::{Outcome, at_once, translate};
use legato_proxy::json::{Limits, validate};
use legato_proxy::rules::{Direction, Mode, Ops};
use libfuzzer_sys::fuzz_target;

/// Ops with holes: `N` is a member's name, `P` a path, `M` a path that ends with a name.
const OPS: &[&str] = &[
    r#"{"rename": {"M": "N"}}"#,
    r#"{"rename": {"/N": "b", "/N": "a"}}"#,
    r#"{"move": {"from": "/N", "to": "/N/N"}}"#,
    r#"{"move": {"from": "/*/N", "to": "/*/N", "conflict": "keep"}}"#,
    r#"{"move": {"from": "/N/N", "to": "/N", "conflict": "fail"}}"#,
    r#"{"add": {"at": "M", "default": {"value": [1]}}}"#,
    r#"{"add": {"at": "/N/N", "default": {"from": "/N"}, "create": true, "if_present": "replace"}}"#,
    r#"{"remove": {"at": "M", "restore": {"value": "x"}}}"#,
    r#"{"remove": {"at": "M", "restore": "absent"}}"#,
    r#"{"add": {"at": "M", "default": {"value": 1}, "lose": "fail"}}"#,
    r#"{"remove": {"at": "M", "restore": "absent", "lose": "fail"}}"#,
    r#"{"map": {"at": "P", "pairs": [[1, "x"], ["x", true], [null, 2]], "else": "keep"}}"#,
    r#"{"map": {"at": "P", "pairs": [[1, 2], [true, 2]], "else": "drop", "else_down": "fail"}}"#,
    r#"{"convert": {"at": "P", "from": "integer", "to": "string", "else": "keep"}}"#,
    r#"{"convert": {"at": "P", "from": "decimal_string", "to": "minor_units", "scale": 1}}"#,
    r#"{"convert": {"at": "P", "from": "unix_millis", "to": "rfc3339", "else": "keep"}}"#,
    r#"{"convert": {"at": "P", "from": "csv", "to": "array", "else": "keep"}}"#,
    r#"{"wrap": {"at": "P", "into": "array", "many": "first", "else": "keep"}}"#,
    r#"{"unwrap": {"at": "P", "into": {"key": "N", "with": {"b": "$version"}}, "else": "keep"}}"#,
    r#"{"envelope": {"key": "N", "with": {"e": {"t": "$now"}}, "else": "keep"}}"#,
    r#"{"split": {"at": "/N", "into": ["/b", "/c"], "sep": "x", "take": "last", "else": "keep"}}"#,
    r#"{"entries": {"at": "P", "key": "a", "value": "b", "else": "keep"}}"#,
    r#"{"entries": {"at": "P", "key": "N", "else": "keep"}}"#,
    r#"{"tuple": {"at": "P", "keys": ["a", "b"], "extra": "drop", "else": "keep"}}"#,
    r#"{"spread": {"from": "/N", "to": "/N/*/N", "collapse": "first"}}"#,
    r#"{"presence": {"at": "M", "up": {"null": "absent"}, "down": {"missing": "null"}}}"#,
    r#"{"recase": {"from": "snake", "to": "camel", "except": ["N"]}}"#,
    r#"{"drop": {"at": "P/*", "when": {"/N": {"exists": true}}, "on": "up"}}"#,
    r#"{"each": {"at": "P", "ops": [{"rename": {"/N": "N"}}, {"add": {"at": "/N", "default": {"value": 1}}}]}}"#,
    r#"{"each": {"at": "P", "ops": [{"add": {"at": "/N", "default": {"value": 1}}}, {"rename": {"/N": "N"}}, {"remove": {"at": "/N", "restore": "absent", "lose": "fail"}}]}}"#,
    r#"{"rename": {"/N": "N"}, "where": {"/N": {"in": [1, "x", null]}}}"#,
];

const NAMES: &[&str] = &["a", "b", "c", "a_b", "", "d"];
const SCALARS: &[&str] = &[
    "1",
    "\"x\"",
    "null",
    "true",
    "12.50",
    "-0",
    "1e400",
    "\"caf\\u00e9\"",
    "\"\\ud800\"",
    "\"1970-01-01T00:00:00Z\"",
];

#[derive(Debug)]
struct Input {
    ops: Vec<String>,
    document: String,
    sizes: Vec<usize>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = if u.ratio(1, 4)? { 1 } else { u.int_in_range(1..=4)? };
        let ops = (0..count).map(|_| fill(u)).collect::<Result<_>>()?;
        let sizes = (0..u.int_in_range(1..=4)?).map(|_| u.int_in_range(1..=12)).collect::<Result<_>>()?;
        let mut document = String::new();
        write_value(u, 0, &mut document)?;
        Ok(Self { ops, document, sizes })
    }
}

fn fill(u: &mut Unstructured<'_>) -> Result<String> {
    let mut filled = String::new();
    for c in u.choose(OPS)?.chars() {
        match c {
            'N' => filled.push_str(u.choose(NAMES)?),
            'P' => write_path(u, &mut filled)?,
            'M' => {
                write_path(u, &mut filled)?;
                filled.push('/');
                filled.push_str(u.choose(NAMES)?);
            }
            c => filled.push(c),
        }
    }
    Ok(filled)
}

fn write_path(u: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    for _ in 0..=u.int_in_range(0..=1)? {
        out.push('/');
        out.push_str(if u.ratio(1, 4)? { "*" } else { u.choose(NAMES)? });
    }
    Ok(())
}

fn write_value(u: &mut Unstructured<'_>, depth: usize, out: &mut String) -> Result<()> {
    let (open, close) = match u.int_in_range(0..=if depth > 3 { 0 } else { 2 })? {
        0 => {
            out.push_str(u.choose(SCALARS)?);
            return Ok(());
        }
        1 => ('[', ']'),
        _ => ('{', '}'),
    };
    out.push(open);
    for at in 0..u.int_in_range(0..=4)? {
        out.push_str(if at == 0 { "" } else { ", " });
        if open == '{' {
            out.push_str(&format!("\"{}\":", u.choose(NAMES)?));
        }
        write_value(u, depth + 1, out)?;
    }
    out.push(close);
    Ok(())
}

fuzz_target!(|input: Input| {
    // What does not parse is for another target: two renames of one name, a move into itself.
    let Ok(ops) = Ops::parse(&format!("[{}]", input.ops.join(", ")), "ops.yaml") else { return };
    for direction in [Direction::Up, Direction::Down] {
        let _outcome = run(&ops, direction, input.document.as_bytes(), &input.sizes);
    }
    let round = |document: &[u8]| -> Outcome {
        let new = run(&ops, Direction::Up, document, &input.sizes)?;
        run(&ops, Direction::Down, &new, &input.sizes)
    };
    if input.ops.len() == 1
        && let Ok(once) = round(input.document.as_bytes())
        && let Ok(twice) = round(&once)
    {
        assert_eq!(value(&twice), value(&once), "{:?} of {} twice there and back", input.ops, input.document);
    }
});

/// Translates whole, in pieces and op by op.
fn run(ops: &Ops, direction: Direction, document: &[u8], sizes: &[usize]) -> Outcome {
    let program = ops.program(direction, Mode::Full);
    let whole = translate(&program, document, &[]);
    assert_eq!(translate(&program, document, sizes), whole, "in pieces of {sizes:?}, {direction:?}:\n{program}");
    assert_eq!(at_once(&program, document), whole, "at once, {direction:?}:\n{program}");
    let single = ops
        .programs(direction, Mode::Full)
        .iter()
        .try_fold(document.to_vec(), |document, program| translate(program, &document, &[]));
    assert_eq!(whole.is_ok(), single.is_ok(), "fused {whole:?}, op by op {single:?}, {direction:?}:\n{program}");
    if let (Ok(whole), Ok(single)) = (&whole, &single) {
        validate(whole, Limits::default()).expect("a translation is JSON");
        assert_eq!(value(whole), value(single), "fused and op by op, {direction:?}:\n{program}");
    }
    whole
}

/// A document's value. `serde_json` reads neither lone surrogates nor numbers that no float holds.
fn value(document: &[u8]) -> serde_json::Value {
    let text = String::from_utf8_lossy(document).replace("\\ud800", "\\ue000").replace("1e400", "1e300");
    serde_json::from_str(&text).expect("a translation is JSON")
}
