//! `legato diff`, as a shell runs it, and the page about it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use legato_proxy::draft::{self, Context, Pair};
use legato_proxy::rules::Ops;
use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/diff.md");
const API: &str = "legato: 1\napi: shop\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\n";

/// Runs the command in a directory: exit status, standard output, standard error.
fn diff(directory: &TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_legato"));
    let output = command.arg("diff").args(args).current_dir(directory.path()).output().expect("legato runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    for (file, text) in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    directory
}

/// The bodies of the page's fenced blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let (json, yaml) = (blocks("json"), blocks("yaml"));
    let directory = directory(&[("old.json", &json[0]), ("new.json", &json[1])]);
    let args = ["old.json", "new.json", "--on", "GET /users/{id}", "--since", "2", "--name", "user_profile"];
    let (code, out, err) = diff(&directory, &args);
    if std::env::var_os("LEGATO_BLESS").is_some() {
        let page = PAGE.replace(&format!("```yaml\n{}```", yaml[0]), &format!("```yaml\n{out}```"));
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff.md"), page).expect("written");
        return;
    }
    assert_eq!((code, out.as_str(), err.as_str()), (Some(2), yaml[0].as_str(), ""));
}

fn pairs(old: &[&str], new: &[&str]) -> Vec<Pair> {
    let pair = |(old, new): (&&str, &&str)| Pair { old: old.as_bytes().to_vec(), new: new.as_bytes().to_vec() };
    old.iter().zip(new).map(pair).collect()
}

/// What is drafted from a few documents: the ops, in order.
#[test]
fn ops_are_those_that_a_person_would_write() {
    let context = Context { newer: "2".to_owned(), older: "1".to_owned(), ..Context::default() };
    let cases: &[(&str, &[&str], &[&str], &str)] = &[
        ("nothing", &[r#"{"a":1}"#], &[r#"{ "a": 1.0 }"#], "[]\n"),
        (
            "two names are exchanged",
            &[r#"{"a":11,"b":"x y"}"#],
            &[r#"{"a":"x y","b":11}"#],
            "- rename: {/a: b, /b: a}\n",
        ),
        (
            "big numbers keep their digits",
            &[r#"{"id":12345678901234567890}"#, r#"{"id":12345678901234567891}"#],
            &[r#"{"id":"12345678901234567890"}"#, r#"{"id":"12345678901234567891"}"#],
            "- convert: {at: /id, from: integer, to: string}\n",
        ),
        (
            "absence is null now",
            &[r#"{"id":1,"nick":"ada"}"#, r#"{"id":2}"#],
            &[r#"{"id":1,"nick":"ada"}"#, r#"{"id":2,"nick":null}"#],
            "- presence: {at: /nick, up: {missing: {value: null}}, down: {\"null\": absent}}\n",
        ),
        (
            "a body in a list",
            &[r#"{"word":"amber","n":1}"#, r#"{"word":"stone","n":2}"#],
            &[r#"[{"word":"amber","n":1}]"#, r#"[{"word":"stone","n":2}]"#],
            "- wrap: {at: \"body:\", into: array}\n",
        ),
        (
            "no envelope any more",
            &[r#"{"data":{"word":"amber","n":1},"v":1}"#, r#"{"data":{"word":"stone","n":2},"v":1}"#],
            &[r#"{"word":"amber","n":1}"#, r#"{"word":"stone","n":2}"#],
            "- unwrap: {at: \"body:\", into: {key: data, with: {v: 1}}}\n",
        ),
        (
            "snake to camel, with the new name of a value",
            &[
                r#"{"user_id":17,"first_name":"Ann","unit_price":1999}"#,
                r#"{"user_id":18,"first_name":"Bo","unit_price":500}"#,
            ],
            &[
                r#"{"userId":17,"firstName":"Ann","unitPrice":"19.99"}"#,
                r#"{"userId":18,"firstName":"Bo","unitPrice":"5.00"}"#,
            ],
            "- recase: {from: snake, to: camel}\n- convert: {at: /unitPrice, from: minor_units, to: decimal_string, scale: 2}\n",
        ),
        (
            "elements are told by their ids",
            &[r#"{"l":[{"id":11,"t":"one"},{"id":12,"t":"two"}]}"#],
            &[r#"{"l":[{"id":11,"text":"one"},{"id":12,"text":"two"},{"id":13,"text":"new"}]}"#],
            "- rename: {/l/*/t: text}\n",
        ),
        (
            "names and values that need quotes",
            &[r#"{"a b":"é: 1","x":"true"}"#],
            &[r#"{"a/c":"é: 1","x":"true","TODO":"TODO"}"#],
            "- rename: {\"/a b\": a/c}\n- add: {at: /TODO, default: {value: \"TODO\"}}\n",
        ),
    ];
    let mut wrong = String::new();
    for (why, old, new, want) in cases {
        let ops = draft::draft(&pairs(old, new), &context).bare_ops();
        if ops != *want || Ops::parse(&ops, "draft").is_err() {
            wrong.extend([*why, ": expected\n", *want, "found\n", ops.as_str()]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Places that differ from one answer to the next say nothing.
#[test]
fn noise_counts_for_nothing() {
    let first = br#"{"id":7,"etag":"abc","items":[{"at":1},{"at":2}]}"#;
    let second = br#"{"id":7,"etag":"def","items":[{"at":3},{"at":2}]}"#;
    let volatile = draft::volatile(first, second);
    assert_eq!(volatile.iter().map(String::as_str).collect::<Vec<_>>(), ["/etag", "/items/*/at"]);
    let context = Context { volatile, ..Context::default() };
    let pairs = pairs(&[r#"{"id":7,"etag":"abc"}"#], &[r#"{"ident":7,"etag":"xyz"}"#]);
    assert_eq!(draft::draft(&pairs, &context).bare_ops(), "- rename: {/id: ident}\n");
}

const SAMPLES: [(&str, &str); 8] = [
    ("v1/GET/users/{id}/response-200/1.json", r#"{"id":1,"text":"amber stone"}"#),
    ("v2/GET/users/{id}/response-200/1.json", r#"{"id":1,"body":"amber stone"}"#),
    ("v1/GET/users/{id}/response-200/2.json", r#"{"id":2,"text":"north river"}"#),
    ("v2/GET/users/{id}/response-200/2.json", r#"{"id":2,"body":"north river"}"#),
    ("v1/POST/users/request/1.json", r#"{"text":"amber cloud"}"#),
    ("v2/POST/users/request/1.json", r#"{"body":"amber cloud"}"#),
    ("v1/GET/old/response-200/1.json", "{}"),
    ("rules/shop/api.yaml", API),
];

#[test]
fn a_draft_is_written_where_rules_are_and_checks() {
    let directory = directory(&SAMPLES);
    let args = ["v1", "v2", "--since", "2", "--name", "bodies", "--rules", "rules", "--api", "shop"];
    let (code, out, err) = diff(&directory, &args);
    assert_eq!(
        (code, err.as_str()),
        (Some(0), "v1/GET/old/response-200/1.json: no sample of the newer version has this name\n")
    );
    let text = fs::read_to_string(directory.path().join(out.trim())).expect("the draft");
    assert!(Path::new(out.trim()).starts_with("rules/shop/changes/2") && out.trim().ends_with("_bodies.yaml"), "{out}");
    assert!(text.contains("# Pairs that it reproduces in both directions: 3 of 3."), "{text}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_legato"));
    let check = check.args(["check", "rules"]).current_dir(directory.path()).output().expect("legato runs");
    assert_eq!(check.status.code(), Some(0), "{}{text}", String::from_utf8_lossy(&check.stdout));
    let (code, _, err) = diff(&directory, &["v1", "v2", "--since", "2", "--rules", "rules", "--api", "other"]);
    assert!(code == Some(2) && err.starts_with("unknown API `other`: expected one of shop"), "{err}");
    let above = "--rules: expected the directory above the APIs, found no ";
    for (since, rules, api, want) in [
        ("9", "rules", "shop", "--since: unknown version `9`: expected one of 1, 2"),
        ("1", "rules", "shop", "--since: no change leads to `1`"),
        ("2", "rules", "", "unknown API ``: expected one of shop"),
        ("2", "rules/shop", "shop", above),
        ("2", ".", "rules", "error[RL005]: `rules` has no `api.yaml`"),
    ] {
        let (code, _, err) = diff(&directory, &["v1", "v2", "--since", since, "--rules", rules, "--api", api]);
        assert!(code == Some(2) && err.starts_with(want), "{rules} {api}: {err}");
    }
    // A change with a TODO is no reason to write no other.
    let todo = directory.path().join("rules/shop/changes/2/20250101000000_todo.yaml");
    fs::write(todo, "change: todo\nsince: TODO\napply: TODO\n").expect("a file");
    let more = ["v1", "v2", "--since", "2", "--rules", "rules", "--api", "shop", "--name", "more"];
    let (code, out, err) = diff(&directory, &more);
    assert!(code == Some(0) && out.trim().ends_with("_more.yaml"), "{err}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let files = [
        ("a.json", "{\"a\":1"),
        ("b.json", "{\"a\":1}"),
        ("c.json", "{\"b\":2}"),
        ("o.yaml", "a: 1"),
        ("broken.yaml", "a: [\n"),
        ("empty/a.txt", ""),
    ];
    let directory = directory(&files);
    let cases: &[(&[&str], &str)] = &[
        (&["a.json", "b.json"], "a.json: "),
        (
            &["b.json", "missing.json"],
            "missing.json: expected a sample, a directory of samples, an OpenAPI document, or",
        ),
        (&["ftp://a", "b.json"], "or an address such as `http://127.0.0.1:4001`"),
        (&["b.json", "c.json", "--again", "missing.json"], "missing.json: expected a sample, or a directory"),
        (&["b.json", "c.json", "--on", "GET a"], "--on: expected a call such as `GET /users/{id}`, found `GET a`"),
        (
            &["b.json", "c.json", "--on", "GET /a?x=1"],
            "--on: expected a call such as `GET /users/{id}`, found `GET /a?x=1`",
        ),
        (
            &["b.json", "c.json", "--on", "GET /a b"],
            "--on: expected a call such as `GET /users/{id}`, found `GET /a b`",
        ),
        (&["b.json", "broken.yaml"], "error[YM001]: malformed YAML"),
        (&["b.json", "broken.yaml"], " --> broken.yaml:2:1"),
        (&["empty", "empty"], "have no sample in common: expected JSON files of the same names"),
        (&["b.json", "http://127.0.0.1:1"], "expected two URLs or two paths"),
        (&["https://127.0.0.1:1", "https://127.0.0.1:2"], "only http:// is supported"),
        (&["b.json", "o.yaml"], "o.yaml: expected an OpenAPI document"),
        (&["b.json", "c.json", "--name", "../x"], "expected a name of letters"),
    ];
    for (args, want) in cases {
        let (code, out, err) = diff(&directory, args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}");
        assert!(err.contains(want), "{args:?}: {err}");
    }
    let (code, out, _) = diff(&directory, &["b.json", "b.json"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "no difference is no draft");
    let (code, out, _) = diff(&directory, &["b.json", "c.json"]);
    assert_eq!(code, Some(2));
    assert!(out.contains("# TODO which call is it?"), "{out}");
}

#[test]
fn contracts_suggest() {
    let document = |members: &str| {
        format!(
            "openapi: 3.1.0\npaths:\n  /users/{{id}}:\n    get:\n      responses:\n        \"200\": {{content: {{application/json: {{schema: {{$ref: \"#/components/schemas/User\"}}}}}}}}\n  /gone: {{get: {{}}}}\ncomponents: {{schemas: {{User: {{type: object, required: [id], properties: {{{members}}}}}}}}}\n"
        )
    };
    let old = document(
        "id: {type: integer}, user_state: {type: string}, list: {type: array, items: {$ref: \"#/components/schemas/User\"}}",
    );
    let new = document("id: {type: string}, user_status: {type: string}, list: {type: array, items: {$ref: \"#/components/schemas/User\"}}")
        .replace("/gone: {get", "/come: {get");
    let directory = directory(&[("1.yaml", &old), ("2.yaml", &new)]);
    let (code, out, err) = diff(&directory, &["1.yaml", "2.yaml"]);
    let said = [
        "GET /gone: only in the older version",
        "GET /come: only in the newer version",
        "GET /users/{id}, response 2xx: /list: its elements hold lists of their own kind",
    ];
    assert_eq!((code, err.lines().collect::<Vec<_>>()), (Some(2), said.to_vec()), "{out}");
    assert!(out.contains("- convert: {at: /id, from: integer, to: string}"), "{out}");
    assert!(out.contains("- rename: {/user_state: user_status}"), "{out}");
}

/// A service that answers this many requests by their target, and closes each connection.
fn service(requests: usize, answer: fn(usize, &str) -> String) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let serve = move || {
        let mut asked = Vec::new();
        for at in 0..requests {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines().map_while(Result::ok);
            let line = lines.next().expect("a request");
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = answer(at, line.split(' ').nth(1).expect("a target"));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("sent");
            asked.push(line);
        }
        asked
    };
    (address, std::thread::spawn(serve))
}

#[test]
fn live_versions_are_asked_with_get_and_the_older_one_twice() {
    let (old, before) = service(4, |at, target| {
        format!(
            "{{\"id\":1{0},\"nonce\":\"n{at}\",\"text\":\"amber {0}\"}}",
            target.rsplit('/').next().unwrap_or_default()
        )
    });
    let (new, after) = service(2, |at, target| {
        format!(
            "{{\"id\":1{0},\"nonce\":\"m{at}\",\"body\":\"amber {0}\"}}",
            target.rsplit('/').next().unwrap_or_default()
        )
    });
    let directory = directory(&[("calls.txt", "# two users\n/users/{id} /users/7\n/users/{id} /users/8\n")]);
    let (code, out, err) = diff(&directory, &[&old, &new, "--calls", "calls.txt", "--since", "2"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("- http: \"GET /users/{id}\"") && out.contains("- rename: {/text: body}"), "{out}");
    let asked = before.join().expect("the older version ends");
    let twice = ["GET /users/7 HTTP/1.1", "GET /users/7 HTTP/1.1", "GET /users/8 HTTP/1.1", "GET /users/8 HTTP/1.1"];
    assert_eq!(asked, twice);
    assert_eq!(after.join().expect("the newer version ends").len(), 2);
}
