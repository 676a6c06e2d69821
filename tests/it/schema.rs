//! The JSON Schemas: they fit every file that the loader takes, and refuse what it refuses for its form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use legato_proxy::diagnostic::{Source, render};
use legato_proxy::rules::compile;
use legato_proxy::yaml;
use serde_json::Value;

use crate::support::cases;

/// What `legato schema` prints, by the kind of file.
struct Schemas(BTreeMap<&'static str, Validator>);

const KINDS: [&str; 5] = ["change", "api", "shapes", "tests", "config"];

impl Schemas {
    fn load() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_legato"));
        assert!(command.args(["schema", "--out"]).arg(directory.path()).output().unwrap().status.success());
        Self(KINDS.map(|kind| (kind, validator(&directory.path().join(format!("{kind}.schema.json"))))).into())
    }

    /// What is wrong with a file, or nothing if it is of no kind that has a schema, or is no YAML.
    fn findings(&self, file: &str, text: &str) -> Vec<String> {
        let Some(kind) = kind(file) else { return Vec::new() };
        let Some(value) = value(text) else { return Vec::new() };
        self.0[kind].iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

fn validator(path: &Path) -> Validator {
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The kind of a file by its name inside a rules directory.
fn kind(file: &str) -> Option<&'static str> {
    match file.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["api.yaml"] => Some("api"),
        ["shapes.yaml"] => Some("shapes"),
        ["changes", _, _] => Some("change"),
        ["tests", _] => Some("tests"),
        _ if file == "legato.yaml" => Some("config"),
        _ => None,
    }
}

fn value(text: &str) -> Option<Value> {
    let node = yaml::parse(text, "file.yaml", yaml::Limits::default()).ok()?;
    serde_json::from_str(&node.to_json().ok()?).ok()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a directory and of those in it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The rule files of a case file: those below `=== a/file.yaml`.
fn sections(path: &Path) -> Vec<Source> {
    let sections = cases::sections(&fs::read_to_string(path).unwrap());
    let files = sections.into_iter().filter(|(name, _)| name.contains('/'));
    files.map(|(file, text)| Source { file, text }).collect()
}

/// Files in a page: blocks of YAML that say which they are, by a comment such as `# rules/shop/api.yaml` or by a key.
fn fenced(page: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("```yaml").filter(|indent| line[..*indent].trim().is_empty()) else { continue };
        let block = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
        let text: String = block.flat_map(|line| [line.get(indent..).unwrap_or_default(), "\n"]).collect();
        let file = match text.lines().next().and_then(|line| line.strip_prefix("# rules/")) {
            Some(file) => file.trim(),
            None if text.contains("\nlisten:") => "legato.yaml",
            None if text.contains("\nclient_version:") => "shop/api.yaml",
            None if text.contains("\napply:") => "shop/changes/2/20250101_a.yaml",
            None => continue,
        };
        sources.push(Source { file: file.to_owned(), text });
    }
    sources
}

#[test]
fn every_shipped_file_fits_its_schema() {
    let schemas = Schemas::load();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hold = |source: &Source, told: &Path| {
        let found = schemas.findings(&source.file, &source.text);
        assert!(found.is_empty(), "{}: {}: {}", told.display(), source.file, found.join("\n"));
        if let Some(kind) = kind(&source.file) {
            *seen.entry(kind).or_default() += 1;
        }
    };
    for path in files(&root().join("rules")) {
        let file = path.strip_prefix(root().join("rules")).unwrap().to_string_lossy().into_owned();
        hold(&Source { file, text: fs::read_to_string(&path).unwrap() }, &path);
    }
    // Rule directories of the tests, where there are any.
    for path in files(&root().join("tests/data")).iter().filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let file = path.strip_prefix(root().join("tests/data")).unwrap().to_string_lossy().into_owned();
        hold(&Source { file, text: fs::read_to_string(path).unwrap() }, path);
    }
    for path in files(&root().join("tests/data/rules")) {
        for source in &sections(&path) {
            hold(source, &path);
        }
    }
    for page in ["README.md", "docs/rules.md", "docs/getting-started.md", "docs/configuration.md", "docs/operations.md"]
    {
        let path = root().join(page);
        for source in &fenced(&fs::read_to_string(&path).unwrap()) {
            hold(source, &path);
        }
    }
    for kind in ["change", "api", "tests", "config"] {
        assert!(seen.get(kind).is_some_and(|count| *count > 0), "no file of the kind `{kind}` was seen in {seen:?}");
    }
}

/// The codes of what is wrong with a file's form: keys, types, and what is one op.
const FORM: [&str; 4] = ["YM003", "YM004", "YM005", "RL003"];

/// What the loader refuses because of keys and types alone, the schema refuses too.
#[test]
fn the_loader_and_the_schema_agree() {
    let schemas = Schemas::load();
    let (mut refused, mut missed) = (0, String::new());
    for path in files(&root().join("tests/data/diagnostics")) {
        let mut sources = sections(&path);
        if !sources.iter().any(|source| source.file.ends_with("api.yaml")) {
            let text = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}, {id: \"3\"}]\nclient_version: []\n";
            sources.push(Source { file: "chat/api.yaml".into(), text: text.into() });
        }
        let diagnostics = compile(&sources).diagnostics;
        for source in sources.iter().filter(|source| kind(&source.file).is_some() && value(&source.text).is_some()) {
            let mut wrong =
                diagnostics.iter().filter(|found| *found.file == *source.file && FORM.contains(&found.code)).peekable();
            if wrong.peek().is_none() {
                continue;
            }
            refused += 1;
            if schemas.findings(&source.file, &source.text).is_empty() {
                let told: Vec<_> = wrong.cloned().collect();
                let _ = writeln!(
                    missed,
                    "{}
{}",
                    path.display(),
                    render(&told, &sources, false)
                );
            }
        }
    }
    assert!(missed.is_empty(), "{missed}");
    assert!(refused > 5, "{refused} files only");
}

/// Every wrong op of the cases by itself, so that one wrong op does not hide that another is taken.
#[test]
fn every_op_with_a_wrong_form_is_refused() {
    let schemas = Schemas::load();
    let text = fs::read_to_string(root().join("tests/data/diagnostics/ops.txt")).unwrap();
    let mut missed = Vec::new();
    let mut count = 0;
    for (_, body) in cases::sections(&text).iter().filter(|(name, _)| name.contains("/changes/")) {
        for op in body.lines().filter_map(|line| line.strip_prefix("      - ")) {
            let file =
                format!("change: a\nsince: \"2\"\nsummary: a\napply:\n  - http: GET /a\n    request:\n      - {op}\n");
            let sources = [
                Source { file: "chat/changes/2/20250101_a.yaml".into(), text: file.clone() },
                Source {
                    file: "chat/api.yaml".into(),
                    text: "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: []\n".into(),
                },
            ];
            let found = compile(&sources).diagnostics;
            // Whether two of the new names are one is no matter of form.
            let is_form = found.iter().any(|finding| {
                FORM.contains(&finding.code) && !finding.message.starts_with("two members would become")
            });
            let Some(_) = value(&file) else { continue };
            let is_refused = !schemas.findings(&sources[0].file, &file).is_empty();
            count += usize::from(is_form);
            if is_form && !is_refused || found.is_empty() && is_refused {
                missed.push(format!("{op}: {}", found.first().map_or("is right", |finding| finding.message.as_str())));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(count > 20, "{count} ops only");
}

/// Wrong files, each with what an editor underlines.
#[test]
fn wrong_files_are_refused_where_they_are_wrong() {
    let schemas = Schemas::load();
    let change = |op: &str| {
        format!("{{change: a, since: \"2\", summary: a, apply: [{{http: GET /a, response: {{2xx: [{op}]}}}}]}}")
    };
    let cases = [
        ("change", change("{renam: {/a: b}}")),
        ("change", change("{rename: {/a: b}, move: {from: /a, to: /b}}")),
        ("change", change("{}")),
        ("change", change("{rename: {/a: /b}}")),
        ("change", change("{rename: {a: b}}")),
        ("change", change("{move: {from: /a, too: /b}}")),
        ("change", change("{move: {from: /a}}")),
        ("change", change("{move: {from: /a, to: /b, conflict: replace}}")),
        ("change", change("{move: {from: /a/*, to: /b}}")),
        ("change", change("{map: {at: /a, pairs: [[a]]}}")),
        ("change", change("{limit: {at: /a}}")),
        ("change", change("{limit: {at: /a, max: 1, max_items: 2}}")),
        ("change", change("{limit: {at: /a, max: 1, over: truncate}}")),
        ("change", change("{jq: {at: /a, up: .}}")),
        ("change", change("{convert: {at: /a, from: intger, to: string}}")),
        ("change", change("{add: {at: /a, default: 1}}")),
        ("change", change("{wrap: {at: /a, into: {key: b}, many: first}}")),
        ("change", change("{each: {at: /a, ops: [{renam: {/a: b}}]}}")),
        ("change", change("{rename: {/a: b}, when: {/a: 1}}")),
        ("change", change("{rename: {/a: b}, where: {/a: {exist: true}}}")),
        ("change", change("{rename: {/a: b}, where: {/a/*: 1}}")),
        ("change", change("{rename: {\"queri:/a\": b}}")),
        ("change", "{change: a, since: 2, summary: a, apply: []}".into()),
        ("change", "{change: a, since: \"2\", apply: []}".into()),
        ("change", "{change: a, since: \"2\", summary: a, aply: []}".into()),
        ("change", "{change: a, since: \"2\", summary: a, apply: [{http: /a}]}".into()),
        ("change", "{change: a, since: \"2\", summary: a, apply: [{http: GET /a, ws: /b}]}".into()),
        ("change", "{change: a, since: \"2\", summary: a, apply: [{http: GET /a, response: {2x: []}}]}".into()),
        ("change", "{change: a, since: \"2\", summary: a, apply: [{ws: /a, client: {frames: {}}}]}".into()),
        ("change", "{change: a, since: \"2\", summary: a, apply: [], tests: [{http: GET /a}]}".into()),
        (
            "change",
            "{change: a, since: \"2\", summary: a, apply: [], tests: [{http: GET /a, response: {odl: 1}}]}".into(),
        ),
        ("api", "{legato: 1, api: a, versions: [{id: 1}], client_version: []}".into()),
        ("api", "{legato: 2, api: a, versions: [{id: \"1\"}], client_version: []}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: \"1\"}], client_version: [{heder: a}]}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: \"1\"}], client_version: [{path: /v}]}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: \"1\"}], client_version: [], patch: merged}".into()),
        ("shapes", "{User: [{http: GET /a}]}".into()),
        ("shapes", "{User: [{http: GET /a, response: 2xx, request: true}]}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: a}], client_version: [], check: {YM001: off}}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: a}], client_version: [], check: {LS101: never}}".into()),
        ("api", "{legato: 1, api: a, versions: [{id: a}], client_version: [], hot: [/a]}".into()),
        ("tests", "{tests: [{htp: GET /a}]}".into()),
        ("tests", "{tests: [{http: /a, response: {\"1\": 1}}]}".into()),
        ("config", "{legato: 1, listen: [], rules: r, apis: {}}".into()),
        ("config", "{legato: 1, listen: [{address: \"a:1\"}], rules: r, apis: {a: {backend: {}}}}".into()),
    ];
    for (kind, text) in &cases {
        let value = value(text).unwrap_or_else(|| panic!("no YAML: {text}"));
        assert!(!schemas.0[kind].is_valid(&value), "{kind}: {text}");
    }
}

#[test]
fn everything_that_the_configuration_may_say_fits() {
    let schemas = Schemas::load();
    let text = r#"
legato: 1
listen:
  - {address: "[::1]:8080", limits: {connections: 1, head: 8KiB, headers: 1, head_timeout: 10s, streams: 7, body_rate: 0}}
admin: {address: 127.0.0.1:0, token: "${TOKEN}"}
rules: "${RULES:-rules}"
workers: ${WORKERS}
access_log: {path: access.log, sample: 12.5%}
tracing: {otlp: "http://127.0.0.1:4318", sample: 1%}
drain: 250ms
apis:
  chat:
    match: {hosts: [chat.example.com], prefix: /chat}
    backends:
      legacy:
        speaks: "1"
        endpoints: ["http://127.0.0.1:4000", "${ENDPOINT}"]
        balance: round_robin
        protocol: h2
        retries: {attempts: 1, on: [connect, reset_before_response]}
    timeouts: {connect: 1s, response_head: 1m, idle: 1h, request: none, websocket_idle: 5m}
    limits: {body: 1GiB, buffer: 1500, depth: 64, message: 1MiB, decompressed: 256MiB, ratio: 200}
    forwarded: {trust: []}
"#;
    let environment = |name: &str| {
        let value = match name {
            "WORKERS" => "7",
            "TOKEN" => "t",
            "ENDPOINT" => "http://127.0.0.1:4001",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let parsed = legato_proxy::config::parse(text, "legato.yaml", Path::new("/"), &environment);
    assert!(parsed.is_ok(), "{}", render(&parsed.unwrap_err(), &[], false));
    assert_eq!(schemas.findings("legato.yaml", text), Vec::<String>::new());
}

/// The schema's paths are the parser's.
#[test]
fn paths_are_those_that_are_read() {
    let schemas = Schemas::load();
    let paths = [
        "/a",
        "/",
        "body:",
        "/a~1b/~0/*/~*",
        "query:/page",
        "query:/page/*",
        "query:/page/0",
        "header:/x-id",
        "path:/id",
        "status:",
        "/a:b",
        "/x/y:z",
        "body:/a",
        "name",
        "",
        "bdy:/a",
        "/a~2",
        "status:/x",
        "query:",
        "path:/a/b",
        "query:/a/b",
        "a/b",
        "/*",
        "/a/*",
        "//",
        "body:a",
        "~",
        "/~",
    ];
    for path in paths {
        let text = format!("{{change: a, since: \"2\", summary: a, apply: [], accept_loss: {{up: [{path:?}]}}}}");
        let read = legato_proxy::rules::Place::parse(path);
        let found = schemas.findings("chat/changes/2/20250101_a.yaml", &text);
        assert_eq!(found.is_empty(), read.is_ok(), "`{path}`: {read:?}, {found:?}");
    }
}

/// Every op, parameter and default is there for an editor to offer.
#[test]
fn every_op_is_completed() {
    let text = Command::new(env!("CARGO_BIN_EXE_legato")).arg("schema").output().unwrap().stdout;
    let schema: Value = serde_json::from_slice(&text).unwrap();
    let ops = &schema["$defs"]["op"]["properties"];
    for definition in legato_proxy::rules::lens::Op::DEFINITIONS {
        let op = &ops[definition.name];
        assert_eq!(op["title"], definition.summary);
        assert!(op["examples"].as_array().is_some_and(|examples| !examples.is_empty()), "{}", definition.name);
    }
    assert_eq!(ops["move"]["properties"]["conflict"]["default"], "shadow");
    assert_eq!(ops["convert"]["properties"]["scale"]["default"], 2);
}
