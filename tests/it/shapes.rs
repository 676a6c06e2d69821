//! Shapes inside each other against the oracle, the worked example, and shapes files made to be large.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use http::{Method, StatusCode};
use legato_proxy::diagnostic::{Source, render};
use legato_proxy::json::Program;
use legato_proxy::rules::{Compiled, compile, test};
use legato_proxy::version::VersionId;
use serde_json::{Value, json};

use crate::engine::{NOW, translate};
use crate::support::oracle::{self, Context, Insides};
use crate::support::random::Random;
use crate::support::random_ops::{random_op, random_value};

/// Random ops contradict each other and lose what they like.
const API: &str = "legato: 1\napi: a\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]
check: {LS101: off, CF202: off, CF203: off, CF204: off, CF205: off, CF207: off, CF209: off}
";

/// Forms by number, as the occurrences below have them.
const INSIDES: Insides<'_> = &[(0, "/a/*", 0), (0, "/b", 1), (1, "/c", 0), (1, "/*/d", 1)];

const SHAPES: &str = r"
Zero:
  - {http: GET /a, response: 200}
  - inside: {shape: Zero, at: /a/*}
  - inside: {shape: One, at: /c}
One:
  - inside: {shape: Zero, at: /b}
  - inside: {shape: One, at: /*/d}
";

fn compile_change(shapes: &str, apply: &Value) -> Compiled {
    let change = json!({"change": "a", "since": "2", "summary": "a", "apply": apply}).to_string();
    let file = |file: &str, text: &str| Source { file: file.to_owned(), text: text.to_owned() };
    compile(&[file("a/api.yaml", API), file("a/changes/2/20250101_a.yaml", &change), file("a/shapes.yaml", shapes)])
}

fn response_program(compiled: &Compiled, up: bool) -> Option<Arc<Program>> {
    let rules = compiled.rules.as_ref()?;
    let (old, new) = (VersionId(0), VersionId(1));
    let (client, backend) = if up { (new, old) } else { (old, new) };
    let pair = rules.apis["a"].pair(client, backend);
    Some(Arc::clone(&pair.find(&Method::GET, "/a").response(StatusCode::OK).body))
}

/// Random ops on shapes in shapes, in random documents.
#[test]
fn random_ops_on_values_inside_each_other() {
    let mut translated = 0;
    for seed in 1..=1500 {
        let mut random = Random(seed);
        let ops: Vec<Value> = (0..=random.below(2)).map(|_| random_op(&mut random, 1)).collect();
        let ops = Value::Array(ops);
        // The oracle makes no UUIDs.
        if ops.to_string().contains("$uuid") {
            continue;
        }
        let edited = random.below(2);
        let name = ["Zero", "One"][edited];
        let compiled = compile_change(SHAPES, &json!([{"shape": name, "ops": ops}]));
        let up = random.below(2) == 0;
        let Some(program) = response_program(&compiled, up) else { continue };
        let document = random_value(&mut random, 0);
        let found = translate(&program, &document.to_string(), seed).map_err(|(code, ..)| code);
        let context = Context { up, patch: false, now: NOW, version: "v2" };
        let want = oracle::nested(&ops, edited, INSIDES, 0, document.clone(), context);
        let told = || format!("{name}: {ops}\nof {document}, up: {up}, seed {seed}");
        match (&found, &want) {
            (Ok(found), Ok(want)) => {
                assert_eq!(serde_json::from_str::<Value>(found).expect("JSON"), *want, "{}", told());
                translated += 1;
            }
            (Err(_), Err(_)) => {}
            _ => panic!("engine {found:?}, oracle {want:?}: {}", told()),
        }
    }
    assert!(translated > 500, "only {translated} cases translated");
}

/// As deep as a document may be, and no deeper where ops go on making values that are edited in turn.
#[test]
fn values_inside_each_other_have_a_bottom() {
    let shapes = "Node:\n  - {http: GET /a, response: 200}\n  - inside: {shape: Node, at: /next}\n";
    let compiled =
        compile_change(shapes, &json!([{"shape": "Node", "ops": [{"rename": {"/n": "m", "/next": "then"}}]}]));
    let nested = |name: &str, next: &str| {
        let open = format!("{{\"{name}\":1,\"{next}\":");
        format!("{}{{}}{}", open.repeat(511), "}".repeat(511))
    };
    for (up, from, to) in [(true, ("n", "next"), ("m", "then")), (false, ("m", "then"), ("n", "next"))] {
        let program = response_program(&compiled, up).expect("rules");
        assert_eq!(translate(&program, &nested(from.0, from.1), 1), Ok(nested(to.0, to.1)));
    }
    let endless = json!([{"shape": "Node", "ops": [{"remove": {"at": "/next", "restore": {"value": {}}}}]}]);
    let program = response_program(&compile_change(shapes, &endless), false).expect("rules");
    assert_eq!(translate(&program, "{}", 1).map_err(|(code, ..)| code), Err("too_deep"));
}

fn example() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/example");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("below the root").to_str().expect("UTF-8").replace('\\', "/");
            files.push(Source { file: format!("shop/{name}"), text: fs::read_to_string(&path).expect("UTF-8") });
        }
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    files
}

#[test]
fn the_worked_example_passes_its_tests() {
    let files = example();
    let compiled = compile(&files);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &files, false)));
    let report = test::run(&rules);
    assert!(report.failures.is_empty(), "{}", render(&report.failures, &files, false));
    assert!(report.passed >= 32, "{}", report.passed);
}

/// Shapes in shapes in shapes, each in two places: more paths than could be listed.
#[test]
fn many_shapes_inside_each_other_compile_at_once() {
    let mut shapes = "S0:\n  - {http: GET /a, response: 200}\n".to_owned();
    for n in 1..400 {
        let _ =
            write!(shapes, "S{n}:\n  - inside: {{shape: S{0}, at: /l}}\n  - inside: {{shape: S{0}, at: /r}}\n", n - 1);
    }
    let compiled = compile_change(&shapes, &json!([{"shape": "S399", "ops": [{"rename": {"/a": "b"}}]}]));
    let program = response_program(&compiled, true).expect("rules");
    let nest = |name: &str| format!("{}{{\"{name}\":1}}{}", "{\"l\":".repeat(399), "}".repeat(399));
    assert_eq!(translate(&program, &nest("a"), 1), Ok(nest("b")));
}
