//! The architecture, as tests: who may name whom, and what stands in one place only.
//!
//! These tests read source text. A line that breaks a rule is printed with the rule's reason; where the rule is
//! wrong, change it here and in the crate's documentation in one commit.

use std::fs;
use std::path::Path;

/// A source file without its tests and comments.
struct File {
    /// Relative to `src`, with `/`.
    path: String,
    /// Lines with their numbers.
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<File> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&root, &root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    files
}

fn read(root: &Path, directory: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push(File { path: relative, lines: code(&text) });
        }
    }
}

/// The lines before the tests, without comments.
fn code(text: &str) -> Vec<(usize, String)> {
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    let before_tests =
        numbered.take_while(|(_, line)| !line.starts_with("#[cfg(test)]") && !line.starts_with("mod tests"));
    let code = before_tests.map(|(i, line)| (i, line.split("//").next().unwrap_or_default().to_owned()));
    code.collect()
}

/// Whether a file is in one of the modules, given as `json` or `backend/balance`.
fn is_in(file: &File, modules: &[&str]) -> bool {
    modules.iter().any(|m| file.path == format!("{m}.rs") || file.path.starts_with(&format!("{m}/")))
}

/// Fails for every line of these files that holds one of these texts.
fn forbid(files: &[&File], texts: &[&str], reason: &str) {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in &file.lines {
            for text in texts.iter().filter(|t| line.contains(**t)) {
                found.push(format!("src/{}:{number}: `{text}` in `{}`", file.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{reason}\n{}", found.join("\n"));
}

const PURE: [&str; 21] = [
    "json",
    "coding",
    "version",
    "route",
    "split",
    "framing",
    "rules",
    "bridge",
    "draft",
    "openapi",
    "yaml",
    "diagnostic",
    "backend/balance",
    "backend/budget",
    "backend/health",
    "http/wire/head",
    "http/wire/chunks",
    "http/wire/frames",
    "http/pace",
    "http/wire/requests",
    "listen/proxy_protocol",
];

#[test]
fn the_pure_core_does_no_io() {
    let files = sources();
    let pure: Vec<&File> = files.iter().filter(|f| is_in(f, &PURE)).collect();
    let impure = [
        "tokio",
        "hyper",
        "tracing",
        "metrics::",
        "std::fs",
        "std::net",
        "std::env",
        "Instant",
        "SystemTime",
        "Timestamp::now",
        "rand::",
        "RandomState",
        "println!",
        "eprintln!",
    ];
    forbid(
        &pure,
        &impure,
        "layers 0 and 1 are pure: what they need of the world is an argument, so that they can be tested and fuzzed",
    );
}

/// Modules, and what they may import of ours. What is not named here is tested by the other rules alone.
const MAY_IMPORT: [(&str, &[&str]); 21] = [
    ("json", &["json"]),
    ("coding", &["coding"]),
    ("framing", &["framing", "json"]),
    ("version", &["version"]),
    ("route", &["route"]),
    ("yaml", &["yaml", "diagnostic"]),
    ("diagnostic", &["diagnostic"]),
    ("rules", &["rules", "json", "version", "route", "yaml", "diagnostic"]),
    ("bridge", &["bridge", "rules", "framing", "json", "version"]),
    ("openapi", &["openapi", "rules", "json", "version", "route", "yaml", "diagnostic"]),
    ("draft", &["draft", "rules", "json"]),
    ("config", &["config", "yaml", "diagnostic"]),
    ("failure", &["json"]),
    ("tls", &["config", "diagnostic"]),
    ("telemetry", &["telemetry", "config", "json", "tls"]),
    ("worker", &[]),
    ("backend", &["backend", "config", "telemetry", "failure", "tls", "worker"]),
    ("listen", &["listen", "config", "diagnostic", "telemetry", "tls"]),
    ("snapshot", &["rules", "backend", "config", "diagnostic", "version", "route", "telemetry"]),
    ("store", &["store", "diagnostic"]),
    ("reload", &["reload", "store", "listen", "snapshot", "config", "rules", "diagnostic", "telemetry", "tls"]),
];

#[test]
fn modules_import_downwards() {
    let mut found = Vec::new();
    for file in sources() {
        let Some((module, allowed)) = MAY_IMPORT.iter().find(|(m, _)| is_in(&file, &[m])) else {
            continue;
        };
        for (number, line) in &file.lines {
            for name in imported(line).filter(|n| !allowed.contains(n)) {
                found.push(format!("src/{}:{number}: `{module}` may not import `{name}`", file.path));
            }
        }
    }
    assert!(found.is_empty(), "modules import only from lower layers\n{}", found.join("\n"));
}

/// The modules of ours that a line names.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split("crate::").skip(1);
    parts
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        // `crate::{a, b}` does not say more on this line; `pub(crate)` says nothing.
        .filter(|name| !name.is_empty() && name.starts_with(char::is_lowercase))
}

#[test]
fn the_planes_meet_in_the_snapshot() {
    let files = sources();
    let of = |modules: &[&str]| files.iter().filter(|f| is_in(f, modules)).collect::<Vec<_>>();
    forbid(
        &of(&["http", "ws", "socketio", "shadow", "backend"]),
        &["crate::store", "crate::reload", "crate::lifecycle", "crate::admin", "crate::app", "crate::cli", ".publish("],
        "the data plane reads snapshots and knows nothing of where they come from",
    );
    forbid(
        &of(&["store", "reload", "lifecycle", "admin"]),
        &["crate::http", "crate::ws", "crate::socketio", "crate::shadow", "crate::app", "crate::cli"],
        "the control plane publishes snapshots and knows nothing of who reads them",
    );
    let publishers: Vec<&str> = files
        .iter()
        .filter(|f| f.lines.iter().any(|(_, l)| l.contains(".publish(")))
        .map(|f| f.path.as_str())
        .collect();
    assert_eq!(publishers, ["reload/mod.rs"], "only `reload` publishes");
}

#[test]
fn statuses_are_picked_in_one_place() {
    let files = sources();
    // Rules may change a backend's status; the admin endpoints and the demo backend are servers of their own.
    // What a status means for framing and validators is a question, not a choice.
    let elsewhere: Vec<&File> = files
        .iter()
        .filter(|f| {
            is_in(f, &["http", "ws", "socketio", "backend", "failure", "snapshot"]) && f.path != "http/respond.rs"
        })
        .collect();
    forbid(
        &elsewhere,
        &[
            "status_mut()",
            "StatusCode::BAD",
            "StatusCode::GATEWAY",
            "StatusCode::SERVICE",
            "StatusCode::INTERNAL",
            "problem+json",
        ],
        "a status is picked in http/respond.rs alone: a failure says what happened, and there it is decided how that is said",
    );
}

#[test]
fn close_codes_are_picked_in_one_place() {
    let files = sources();
    let elsewhere: Vec<&File> = files.iter().filter(|f| f.path != "ws/session.rs" && !is_in(f, &["demo"])).collect();
    forbid(&elsewhere, &["CloseCode", "CloseFrame"], "close codes are picked in ws/session.rs alone");
}

#[test]
fn metrics_are_named_in_one_list() {
    let files = sources();
    let elsewhere: Vec<&File> = files.iter().filter(|f| f.path != "telemetry/metrics.rs").collect();
    forbid(
        &elsewhere,
        &["counter!(", "gauge!(", "histogram!(", "\"legato_"],
        "metrics are functions of telemetry/metrics.rs, so that the list there is whole",
    );
}

#[test]
fn nothing_panics_on_purpose() {
    let files = sources();
    let all: Vec<&File> = files.iter().collect();
    forbid(
        &all,
        &[".unwrap()", "panic!(", "unreachable!(", "todo!(", "unimplemented!("],
        "nothing reachable from the network or from a rule file may panic; a fact that holds is said by `expect`",
    );
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let long: Vec<String> = sources()
        .iter()
        .filter_map(|f| f.lines.last().filter(|(n, _)| *n > 600).map(|(n, _)| format!("src/{}: {n} lines", f.path)))
        .collect();
    assert!(long.is_empty(), "files end at 600 lines before their tests\n{}", long.join("\n"));
}

#[test]
fn queues_are_bounded() {
    let files = sources();
    let all: Vec<&File> = files.iter().collect();
    forbid(
        &all,
        &["unbounded_channel", "mpsc::unbounded", "std::sync::mpsc::channel"],
        "every queue is bounded: what cannot be taken has to slow its sender or be counted and dropped",
    );
}
