//! The author's commands: `new`, `fmt`, `explain`, and what `test` does beside running tests.
//!
//! Cases are data: `tests/data/layout` has rule files before and after, `tests/data/explain` calls and what is said of
//! them. `LEGATO_BLESS=1` writes what was found into the cases: read it before keeping it.

use std::fs;
use std::path::{Path, PathBuf};

use legato_proxy::rules::layout::layout;
use legato_proxy::yaml;
use serde_json::Value;
use tempfile::TempDir;

use super::cli::{RULES, copy_of_chat, failing_chat, legato, path};
use crate::support::cases::sections;

fn data(folder: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn section<'s>(sections: &'s [(String, String)], name: &str) -> &'s str {
    sections.iter().find(|(other, _)| other == name).map(|(_, text)| text.as_str()).unwrap()
}

/// Compares with the case's last section, or writes it.
fn expect(file: &Path, name: &str, found: &str) {
    let text = fs::read_to_string(file).unwrap();
    let (head, want) = text.split_once(&format!("=== {name}\n")).unwrap();
    if std::env::var_os("LEGATO_BLESS").is_some() {
        fs::write(file, format!("{head}=== {name}\n{found}")).unwrap();
        return;
    }
    assert!(found == want, "{}: expected\n{want}\nfound\n{found}", file.display());
}

/// The files of a case in a directory.
fn written(sections: &[(String, String)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in sections.iter().filter(|(name, _)| name.contains('/')) {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

#[test]
fn files_are_laid_out_as_their_cases_say() {
    for file in data("layout") {
        let sections = sections(&fs::read_to_string(&file).unwrap());
        let found = layout(section(&sections, "in"), "a.yaml").unwrap_or_else(|error| error + "\n");
        expect(&file, "out", &found);
        if !found.starts_with("a.yaml: ") {
            assert_eq!(layout(&found, "a.yaml").as_deref(), Ok(found.as_str()), "{}: a second time", file.display());
        }
    }
}

/// Every YAML text of the other cases, many of them odd: laid out, it says the same, and stays as it is from then on.
#[test]
fn laying_out_changes_nothing_that_is_said() {
    let json = |text: &str| yaml::parse(text, "", yaml::Limits::default()).ok().and_then(|tree| tree.to_json().ok());
    let mut laid_out = 0;
    for (_, text) in ["diagnostics", "rules"]
        .into_iter()
        .flat_map(data)
        .flat_map(|file| sections(&fs::read_to_string(file).unwrap()))
    {
        let Ok(found) = layout(&text, "a.yaml") else { continue };
        laid_out += 1;
        let (before, after) = (json(&text), json(&found));
        if let (Some(before), Some(after)) = (before, after) {
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(value(&before), value(&after), "{text}\n{found}");
        }
        assert_eq!(text.matches('#').count(), found.matches('#').count(), "{text}\n{found}");
        assert_eq!(layout(&found, "a.yaml").as_deref(), Ok(found.as_str()), "{text}");
    }
    assert!(laid_out > 50, "{laid_out} texts only");
}

#[test]
fn fmt_checks_and_writes() {
    let shipped = legato(&["fmt", RULES, "--check"], "");
    assert_eq!((shipped.code, shipped.out.as_str()), (Some(0), ""), "the shipped rules are laid out");
    let example = legato(&["fmt", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/example"), "--check"], "");
    assert_eq!((example.code, example.out.as_str()), (Some(0), ""), "the worked example is laid out");
    let directory = copy_of_chat();
    let file = directory.path().join("chat/tests/chain.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("    http:", "    http:   ").replace("tests:\n", "tests:\n\n\n")).unwrap();
    let check = legato(&["fmt", path(&directory), "--check"], "");
    assert_eq!(check.code, Some(1), "{}", check.err);
    assert!(check.out.contains("chain.yaml") && check.out.contains("\n-\n"), "{}", check.out);
    let done = legato(&["fmt", path(&directory)], "");
    assert_eq!((done.code, done.out.lines().count()), (Some(0), 1), "{}", done.err);
    assert_eq!(legato(&["fmt", path(&directory), "--check"], "").code, Some(0));
    fs::write(&file, "tests: [}").unwrap();
    let broken = legato(&["fmt", path(&directory)], "");
    assert_eq!(broken.code, Some(2));
    let place = format!(" --> {}:1:9", file.display());
    assert!(broken.err.contains("YM001") && broken.err.contains(&place), "{}", broken.err);
}

#[test]
fn calls_are_explained_as_their_cases_say() {
    for file in data("explain") {
        let sections = sections(&fs::read_to_string(&file).unwrap());
        let directory = written(&sections);
        let body = directory.path().join("body.json");
        let arguments = section(&sections, "arguments");
        let mut args: Vec<&str> = std::iter::once("explain").chain(arguments.lines()).collect();
        args.extend(["--rules", path(&directory)]);
        if let Some((_, text)) = sections.iter().find(|(name, _)| name == "body") {
            fs::write(&body, text).unwrap();
            args.extend(["--trace", body.to_str().unwrap()]);
        }
        let found = legato(&args, "");
        let exit = sections.iter().find(|(name, _)| name == "exit").map_or("0", |(_, text)| text.trim());
        let said = (found.out + &found.err).replace(&format!("{}/", path(&directory)), "");
        expect(&file, "want", &said);
        assert_eq!(found.code.map(|code| code.to_string()).as_deref(), Some(exit), "{}", file.display());
    }
}

#[test]
fn explain_says_what_it_does_not_know() {
    let known = ["--rules", RULES, "--from", "2", "--to", "1"];
    for (args, want) in [
        (
            &["nonsense"][..],
            "expected a call such as `GET /users`, found `nonsense`; a socket is `ws /path` or `socketio /namespace`",
        ),
        (&["ws /nowhere"], "no change between these versions is about the socket /nowhere"),
        (&["ws /ws", "--frame", "x"], "no rule knows a message `x` on /ws; without `--frame`, all are listed"),
        (&["WS /ws", "--frame", "x"], "no rule knows a message `x` on /ws"),
        (&["socketio /nowhere"], "no change between these versions is about the socket /nowhere"),
        (&["socketio /", "--frame", "x"], "no rule knows a message `x` on /"),
        (&["ws /ws", "--ack"], "`--ack` is of Socket.IO events"),
        (&["GET /x", "--api", "y"], "unknown API `y`: expected one of chat"),
        (&["GET /x", "--trace", "body.json"], "`--trace` follows one document"),
    ] {
        let all: Vec<&str> = std::iter::once("explain").chain(args.iter().copied()).chain(known).collect();
        let found = legato(&all, "");
        assert_eq!(found.code, Some(2));
        assert!(found.err.starts_with(want), "{}", found.err);
    }
}

#[test]
fn a_new_change_is_a_good_change() {
    let directory = copy_of_chat();
    let rules = path(&directory);
    let done = legato(&["new", "--rules", rules, "--name", "rename_text"], "");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let file = done.out.trim_end();
    assert!(file.contains("/chat/changes/2/20") && file.ends_with("_rename_text.yaml"), "{file}");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
    assert_eq!(layout(&text, "a.yaml").as_deref(), Ok(text.as_str()));
    for command in [&["check", rules][..], &["test", rules], &["fmt", rules, "--check"]] {
        let found = legato(command, "");
        assert_eq!(found.code, Some(0), "{}", found.out);
        // All that there is to say of it is that it says nothing yet.
        let about = found.out.lines().filter(|line| line.contains("rename_text")).collect::<Vec<_>>().join("\n");
        let nothing = about.starts_with("warning[CV301]: the change `rename_text` applies to nothing");
        assert!(about.is_empty() || nothing && found.out.matches('[').count() == 1, "{}", found.out);
    }
    // What the skeleton's comments show is a change that works.
    let shown: String =
        text.lines().filter_map(|line| line.strip_prefix('#')).fold(String::new(), |all, line| all + line + "\n");
    for want in ["http: GET /users/{id}", "ws: /stream", "discriminator: /type"] {
        assert!(shown.contains(want), "{shown}");
    }
}

#[test]
fn a_change_that_cannot_be_is_not_begun() {
    let directory = copy_of_chat();
    for (args, want) in [
        (
            &["--name", "Rename-Text"][..],
            "expected a name of lower-case letters, digits and `_`, at most 64 of them, found `Rename-Text`; write `rename_text`",
        ),
        (&["--name", "../x"], "expected a name"),
        (&["--name", ""], "expected a name"),
        (&["--name", "envelope"], "there is a change `envelope` already: chat/changes/2/20250120120000_envelope.yaml"),
        (&["--name", "x", "--since", "1"], "no change leads to `1`: it is the oldest version"),
        (&["--name", "x", "--since", "9"], "--since: unknown version `9`: expected one of 1, 2"),
    ] {
        let all: Vec<&str> =
            ["new", "--rules", path(&directory), "--api", "chat"].into_iter().chain(args.iter().copied()).collect();
        let found = legato(&all, "");
        assert_eq!((found.code, found.out.as_str()), (Some(2), ""));
        assert!(found.err.starts_with(want), "{}", found.err);
    }
    assert_eq!(fs::read_dir(directory.path().join("chat/changes/2")).unwrap().count(), 6);
}

/// The chat's rules, in which changes may touch what others do.
fn unchecked_chat() -> tempfile::TempDir {
    let directory = copy_of_chat();
    let file = directory.path().join("chat/api.yaml");
    let text = fs::read_to_string(&file).unwrap() + "check: {CF201: off, CF202: off, LS101: off}\n";
    fs::write(file, text).unwrap();
    directory
}

/// A change with a comment at every place, whose tests expect what the rules do not give.
const STALE: &str = r#"# first
change: stale
since: "2"
summary: a
apply:
  - http: GET /stale
    response: {2xx: [{rename: {/a: b}}], 4xx-5xx: []}   # ops
tests:
  - http: GET /stale            # one line
    response:
      old: {a: 1, c: "yes"}     # old
      new: {b: 2}               # new
  # a block
  - http: GET /stale
    response:
      old:
        - 1
      new:   # it is a list
        - 2
        # inside
# the end
"#;

#[test]
fn update_writes_the_expected_documents_and_nothing_else() {
    let directory = unchecked_chat();
    let file = directory.path().join("chat/changes/2/20250301_stale.yaml");
    fs::write(&file, STALE).unwrap();
    let found = legato(&["test", path(&directory), "--update"], "");
    assert_eq!(found.code, Some(0), "{}{}", found.out, found.err);
    assert!(
        found
            .out
            .contains("-      new: {b: 2}               # new\n+      new: {b: 1, c: \"yes\"}               # new\n"),
        "{}",
        found.out
    );
    assert!(found.out.ends_with(" passed, 0 failed\n"), "{}", found.out);
    let want = STALE.replace("new: {b: 2}", "new: {b: 1, c: \"yes\"}").replace("        - 2\n", "        - 1\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), want);
}

const STALE_EVENTS: &str = r#"change: stale_events
since: "2"
summary: a
apply:
  - socketio: /stale
    client: {events: {say: {as: tell, args: [{rename: {/0/a: b}}], ack: [{rename: {/0/ok: done}}]}}}
    server: {events: {hear: {args: [{rename: {/0/a: b}}]}}}
tests:
  - {socketio: /stale, client: {event: say, old: [{a: 1}], new: [{a: 1}], new_event: tell}}
  - socketio: /stale
    client_ack: {event: say, old: [{ok: true}], new: [true]}   # the acknowledgement
  - socketio: /stale
    only: down
    server:
      event: hear
      old: [{b: 1}]
      new: [{b: 1}]
"#;

#[test]
fn update_writes_what_events_and_acknowledgements_become() {
    let directory = unchecked_chat();
    let file = directory.path().join("chat/changes/2/20250301_stale_events.yaml");
    fs::write(&file, STALE_EVENTS).unwrap();
    let found = legato(&["test", path(&directory), "--update"], "");
    assert_eq!(found.code, Some(0), "{}{}", found.out, found.err);
    let want = STALE_EVENTS
        .replace("new: [{a: 1}]", "new: [{b: 1}]")
        .replace("new: [true]", "new: [{done: true}]")
        .replace("old: [{b: 1}]", "old: [{a: 1}]");
    assert_eq!(fs::read_to_string(&file).unwrap(), want);
}

#[test]
fn update_leaves_what_fails_for_other_reasons() {
    let directory = unchecked_chat();
    let file = directory.path().join("chat/changes/2/20250301_stale.yaml");
    let text = STALE
        .replace("{rename: {/a: b}}", "{map: {at: /a, pairs: [[1, 2]]}}")
        .replace("old: {a: 1, c: \"yes\"}", "old: {a: 7}")
        .replace("new: {b: 2}", "new: {a: 2}")
        .replace("        - 1\n", "        - 2\n");
    fs::write(&file, &text).unwrap();
    let found = legato(&["test", path(&directory), "--update"], "");
    assert_eq!(found.code, Some(1), "{}", found.out);
    assert!(found.out.contains("no_mapping"), "{}", found.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn coverage_names_what_no_test_exercises() {
    let directory = unchecked_chat();
    let file = directory.path().join("chat/changes/2/20250301_half.yaml");
    let text = "change: half\nsince: \"2\"\nsummary: a\napply:\n  - http: GET /half\n    response:\n      2xx:\n        \
                - map: {at: /s, pairs: [[a, b], [c, d], [e, d]]}\n        \
                - each: {at: /list/*, ops: [rename: {/x: y}, rename: {/n: m}]}\n      4xx-5xx: []\n  \
                - socketio: /c\n    client: {events: {say: {args: [rename: {/0/x: y}], ack: [rename: {/0/e: f}]}}}\n  \
                - http: POST /cross\n    request:\n      - move: {from: /s, to: \"query:/s\"}\n      \
                - map: {at: \"query:/s\", pairs: [[a, b], [c, d]]}\ntests:\n  \
                - {http: POST /cross, request: {old: {s: a}, new: {}, new_target: POST /cross?s=b}}\n  \
                - {socketio: /c, client: {event: say, old: [{x: 1}], new: [{y: 1}]}}\n  \
                - {http: GET /half, response: {old: {s: a, list: [{x: 1}]}, new: {s: b, list: [{y: 1}]}}}\n";
    fs::write(file, text).unwrap();
    let found = legato(&["test", path(&directory), "--format", "json"], "");
    assert_eq!(found.code, Some(0), "{}", found.out);
    let last: Value = serde_json::from_str(found.out.lines().last().unwrap()).unwrap();
    let mut gaps: Vec<String> = last["coverage"]["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| format!("{} {} {}", gap["line"], gap["what"].as_str().unwrap(), gap["direction"].as_str().unwrap()))
        .collect();
    gaps.sort();
    assert_eq!(
        gaps,
        [
            "12 `rename` down",
            "12 `rename` up",
            "16 the pair \"c\" to \"d\" of `map` up",
            "16 the pair \"d\" to \"c\" of `map` down",
            "8 the pair \"c\" to \"d\" of `map` up",
            "8 the pair \"d\" to \"c\" of `map` down",
            "8 the pair \"e\" to \"d\" of `map` up",
            "9 `rename` down",
            "9 `rename` up",
        ]
    );
    assert_eq!(last["failed"], 0);
    assert_eq!(legato(&["test", path(&directory), "--strict-coverage"], "").code, Some(1));
    assert_eq!(legato(&["test", RULES, "--strict-coverage"], "").code, Some(0));
}

#[test]
fn documents_are_counted_in_every_way_to_say_so() {
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/diagnostics/laws_conformance_policy.txt");
    let directory = written(&sections(&fs::read_to_string(case).unwrap()));
    let root = path(&directory);
    let ways: [(&[&str], &str); 5] = [
        (&[root, "--fuzz", "20"], "laws: 60 documents of 3 messages"),
        (&[root, "--fuzz=20"], "laws: 60 documents of 3 messages"),
        (&["--fuzz", "20", root], "laws: 60 documents of 3 messages"),
        (&["--fuzz", "--rules", root], "laws: 3000 documents of 3 messages"),
        (&[root, "--fuzz"], "laws: 3000 documents of 3 messages"),
    ];
    for (args, want) in ways {
        let found = legato(&[&["test"], args].concat(), "");
        assert!(found.out.contains(want), "{args:?}: {}{}", found.out, found.err);
    }
}

#[test]
fn laws_hold_for_the_shipped_rules_and_a_seed_repeats_a_run() {
    let found = legato(&["test", RULES, "--fuzz", "200", "--seed", "7"], "");
    assert_eq!(found.code, Some(0), "{}", found.out);
    assert!(found.out.contains("laws: ") && found.out.contains(" seed 7\n"), "{}", found.out);
    let failing = failing_chat();
    let runs = [0, 1].map(|_| legato(&["test", path(&failing), "--fuzz", "50", "--seed", "9"], "").out);
    assert_eq!(runs[0], runs[1]);
}
