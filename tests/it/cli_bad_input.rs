//! What commands say where what they are given is missing, of another kind, or malformed: the place, and what was
//! expected there.

use std::fs;

use tempfile::TempDir;

use super::cli::{RULES, copy_of_chat, legato, path};

/// Runs a command whose words hold `{d}` for a directory and `{r}` for the shipped rules.
fn refuses(directory: &TempDir, command: &str, want: &str) {
    let place = |text: &str| text.replace("{d}", path(directory)).replace("{r}", RULES);
    let args: Vec<String> = command.split('|').map(place).collect();
    let found = legato(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
    assert_eq!((found.code, found.out.as_str()), (Some(2), ""), "{command}: {}", found.err);
    assert!(found.err.contains(&place(want)), "{command}: expected {want}, found {}", found.err);
}

/// Each command about rules, with the place of the rules still to say.
const ABOUT_RULES: [&str; 7] = [
    "check",
    "test",
    "fmt",
    "new|--name|x",
    "explain|GET /a|--from|2|--to|1",
    "openapi|--version|2",
    "translate|--api|chat|--from|1|--to|2|--on|GET /a|--part|request",
];

#[test]
fn places_without_rules() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    let expected = "expected the rules directory, or the directory of one API, found";
    for command in ABOUT_RULES {
        for flag in ["", "--rules|"] {
            let at = |place: &str| format!("{command}|{flag}{{d}}/{place}");
            refuses(
                &directory,
                &at("none"),
                &format!("cannot read the rules: {{d}}/none: {expected} none: No such file"),
            );
            refuses(&directory, &at("file"), &format!("cannot read the rules: {{d}}/file: {expected} a file"));
            refuses(&directory, &at("empty"), "{d}/empty: no API found: expected `<api>/api.yaml` or `api.yaml`");
        }
        refuses(&directory, &format!("{command}|{{d}}|--rules|{{d}}"), "cannot be used with");
    }
}

/// For a directory that is one of rules too.
const CONFIG: &str = "legato: 1\nlisten: [{address: 127.0.0.1:0}]\nrules: .\n\
    apis: {chat: {backends: {b: {speaks: '1', endpoints: [http://127.0.0.1:1]}}}}\n";

/// What stands in a copy of the shipped rules, and what is said of it.
#[test]
fn rules_that_cannot_be_read() {
    let put = |directory: &TempDir, name: &str, text: &[u8]| {
        let file = directory.path().join(name);
        if file.is_dir() {
            fs::remove_dir_all(&file).unwrap();
        }
        fs::write(file, text).unwrap();
    };
    let directory = copy_of_chat();
    put(&directory, "chat/changes/2/20300101_x.yaml", b"\xff\xfe");
    refuses(
        &directory,
        "check|{d}",
        "cannot read the rules: {d}/chat/changes/2/20300101_x.yaml: expected text in UTF-8",
    );
    put(&directory, "chat/api.yaml", b"\xff");
    put(&directory, "legato.yaml", CONFIG.as_bytes());
    let both = "cannot read the rules: {d}/./chat/api.yaml: expected text in UTF-8\n\
                cannot read the rules: {d}/./chat/changes/2/20300101_x.yaml: expected text in UTF-8\n";
    for command in ["serve", "serve|--check"] {
        refuses(&directory, &format!("{command}|--config|{{d}}/legato.yaml"), both);
    }
    refuses(&directory, "check|{d}", &both.replace("/./", "/"));
    let directory = copy_of_chat();
    fs::create_dir(directory.path().join("chat/changes/2/20300101_x.yaml")).unwrap();
    refuses(&directory, "check|{d}", "{d}/chat/changes/2/20300101_x.yaml: expected a file, found a directory");
    let directory = copy_of_chat();
    put(&directory, "chat/changes", b"");
    refuses(&directory, "check|{d}", "{d}/chat/changes: expected a directory, found a file");
    let directory = copy_of_chat();
    put(&directory, "chat/changes/2/20300101_x.yaml", b"change: [\n");
    for command in ABOUT_RULES.iter().filter(|command| !["check", "test"].contains(command)) {
        refuses(&directory, &format!("{command}|{{d}}"), "chat/changes/2/20300101_x.yaml:2:1");
    }
}

#[test]
fn files_and_arguments() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("bad.json", "{");
    write("bad.yaml", "a: [\n");
    let explain = "explain|GET /api/messages|{r}|--from|2|--to|1";
    for (command, want) in [
        (format!("{explain}|--part|response|--trace|{{d}}/none"), "{d}/none: expected a JSON document: No such file"),
        (format!("{explain}|--part|response|--trace|{{d}}/bad.json"), "{d}/bad.json: malformed_json"),
        (format!("{explain}|--frame|msg"), "`--frame` and `--side` are of sockets"),
        (format!("{explain}|--side|client"), "`--frame` and `--side` are of sockets"),
        ("explain|ws /ws|{r}|--from|2|--to|1|--status|200".to_owned(), "`--part` and `--status` are of calls"),
        ("explain|get /a|{r}|--from|2|--to|1".to_owned(), "found `get /a`: methods are in capitals"),
        ("translate|{r}|--api|chat|--from|1|--to|2|--on|ws /ws|--part|request".to_owned(), "methods are in capitals"),
        ("translate|--direction|up|--ops|{d}/none".to_owned(), "{d}/none: expected a YAML file with a list of ops: No"),
        (
            "translate|--direction|up|--ops|{d}".to_owned(),
            "{d}: expected a YAML file with a list of ops: Is a directory",
        ),
        ("translate|--direction|up|--ops|{d}/bad.yaml".to_owned(), " --> {d}/bad.yaml:2:1"),
        (
            "translate|{r}|--api|chat|--from|1|--to|2|--on|GET /a|--part|request|--now|yesterday".to_owned(),
            "invalid value 'yesterday' for '--now <TIME>': expected a time of RFC 3339",
        ),
        (
            "translate|{r}|--api|chat|--from|1|--to|2|--on|GET /a|--part|response|--status|700".to_owned(),
            "invalid value '700' for '--status <STATUS>': 700 is not in 100..600",
        ),
        (
            "test|--fuzz|{r}".to_owned(),
            "invalid value '{r}' for '--fuzz [<N>]': expected a number of documents; \
             the rules directory stands before it: `legato test rules --fuzz`",
        ),
        ("schema|--out|{d}/bad.yaml".to_owned(), "cannot make `{d}/bad.yaml`: expected a directory"),
        ("serve|--config|{d}/none".to_owned(), "cannot read the configuration {d}/none: expected a YAML file: No such"),
        ("serve|--check|--config|{d}/bad.yaml".to_owned(), " --> {d}/bad.yaml:2:1"),
        ("health|--config|{d}".to_owned(), "cannot read the configuration {d}: expected a YAML file: Is a directory"),
        (
            "openapi|{r}|--version|2".to_owned(),
            "no version of `chat` has a document: expected one such as `{r}/chat/openapi/1.yaml`",
        ),
        ("openapi|{r}|--version|9".to_owned(), "--version: unknown version `9`: expected one of 1, 2"),
        ("diff|{d}/none|{d}/bad.json".to_owned(), "{d}/none: expected a sample, a directory of samples, an OpenAPI"),
    ] {
        refuses(&directory, &command, want);
    }
}

/// What is wrong with a configuration beside the rules is told by a check as by a start, all at once: versions that the
/// rules do not have, and certificates and keys, with the line that names them.
#[test]
fn configurations_that_do_not_fit() {
    let directory = copy_of_chat();
    let put = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    put(
        "legato.yaml",
        r#"legato: 1
listen:
  - {address: 127.0.0.1:0, tls: {certificate: listener.pem, key: empty.pem}}
  - {address: 127.0.0.1:0, tls: {certificate: empty.pem, key: empty.pem}}
rules: .
apis:
  chat:
    backends:
      b: {speaks: "9", endpoints: ["https://127.0.0.1:1"], tls: {ca: ca.pem, certificate: a.pem, key: empty.pem}}
tracing: {otlp: "https://c", tls: {ca: collector.pem}}
"#,
    );
    put("empty.pem", "");
    let missing = |file: &str| format!("error[CF005]: cannot read {{d}}/{file}.pem: No such file or directory");
    let of_files = [
        missing("ca") + " (os error 2)\n --> {d}/legato.yaml:9:70\n  |\n9 |       b: {speaks",
        missing("a"),
        " --> {d}/legato.yaml:9:91\n".to_owned(),
        missing("collector"),
        "  --> {d}/legato.yaml:10:40\n".to_owned(),
        missing("listener"),
        " --> {d}/legato.yaml:3:47\n".to_owned(),
        "error[CF005]: expected certificates in PEM in {d}/empty.pem, found none\n --> {d}/legato.yaml:4:47\n"
            .to_owned(),
        "error[CF005]: expected a private key in PEM in {d}/empty.pem, found none\n --> {d}/legato.yaml:4:63\n"
            .to_owned(),
    ];
    let says = |want: &str| {
        for command in ["serve", "serve|--check"] {
            let command = format!("{command}|--config|{{d}}/legato.yaml");
            of_files.iter().map(String::as_str).chain([want]).for_each(|want| refuses(&directory, &command, want));
        }
    };
    says("apis.chat.backends.b.speaks: `9` is not a version of this api, expected one of 1, 2");
    put("chat/api.yaml", "{");
    says(" --> chat/api.yaml:");
}

/// A program that reads findings is not given differences among them.
#[test]
fn updates_are_shown_beside_findings_for_programs() {
    let directory = copy_of_chat();
    let text = "tests:\n  - {http: GET /api/messages, response: {\"1\": [{text: hi}], \"2\": {}}}\n";
    fs::write(directory.path().join("chat/tests/stale.yaml"), text).unwrap();
    let found = legato(&["test", path(&directory), "--update", "--format", "json"], "");
    assert!(found.err.contains("--- ") && found.err.contains("stale.yaml"), "{}{}", found.out, found.err);
    assert!(found.out.lines().all(|line| line.starts_with('{')), "{}", found.out);
}
