//! `legato diff`: drafts a change from what two versions say.

mod live;
mod samples;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::diagnostic::{self, Source};
use crate::draft::{self, Call, Context, Draft, Header, Pair, Part};
use crate::route::Template;
use crate::rules;
use crate::version::VersionId;
use crate::yaml;

use super::EXIT_ERROR;
use super::findings::read_rules;
use super::rules::{find_api, version};

/// Draft a change from what two versions say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    legato diff samples/v1 samples/v2 --since v2 --name split_user_name\n  \
    legato diff openapi/v1.yaml openapi/v2.yaml --rules rules --api shop --since v2 --name orders\n  \
    legato diff http://127.0.0.1:4001 http://127.0.0.1:4002 --calls calls.txt --since v2\n\n\
    What could not be explained is printed on standard error.\n\
    Exit status 0: the draft is complete; 2: a TODO remains, or an error.")]
pub(super) struct Args {
    /// The older version: a directory of samples, a sample, a contract (`OpenAPI`), or a URL.
    #[arg(value_name = "OLD")]
    old: String,
    /// The newer version, of the same sort.
    #[arg(value_name = "NEW")]
    new: String,
    /// The change's name.
    #[arg(long, default_value = "draft", value_name = "SLUG")]
    name: String,
    /// The version that the change leads to; what NEW is called by default.
    #[arg(long, value_name = "VERSION")]
    since: Option<String>,
    /// Write the draft below this rules directory instead of to standard output.
    #[arg(long, value_name = "DIR", requires_all = ["api", "since"])]
    rules: Option<PathBuf>,
    /// The API that the change is of.
    #[arg(long, requires = "rules", value_name = "NAME")]
    api: Option<String>,
    /// The call that samples belong to whose place does not say it.
    #[arg(long, value_name = "CALL")]
    on: Option<String>,
    /// Which message of that call they are.
    #[arg(long, value_enum, default_value = "response")]
    part: Side,
    /// Samples of the older version, taken a second time: what differs is noise.
    #[arg(long, value_name = "PATH")]
    again: Option<PathBuf>,
    /// What to ask live versions: a target such as `/users/7` on each line, after its template where it has one.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    Request,
    Response,
}

/// The pairs of one message.
struct Message {
    call: Option<String>,
    part: Part,
    pairs: Vec<Pair>,
    volatile: BTreeSet<String>,
}

/// What there is to draft from.
struct Gathered {
    messages: Vec<Message>,
    /// What was left out, and why.
    notes: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    if args.name.is_empty() || !args.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(format!("expected a name of letters, digits, `_` and `-`, found `{}`", args.name));
    }
    if let Some(on) = &args.on {
        Template::parse(on)
            .map_err(|e| format!("--on: expected a call such as `GET /users/{{id}}`, found `{on}`: {e}"))?;
    }
    if let (Some(root), Some(api), Some(since)) = (&args.rules, &args.api, &args.since) {
        expect_place(root, api, since)?;
    }
    let (draft, mut notes) = match contracts(args)? {
        Some((old, new)) => {
            let calls = draft::draft_contracts(&old, &new);
            let origin = "two OpenAPI documents: everything in it is a suggestion".to_owned();
            (Draft { header: header(args, origin), calls }, draft::unpaired_calls(&old, &new))
        }
        None => from_messages(args, gather(args)?)?,
    };
    notes.extend(draft.unexplained());
    for note in &notes {
        // There is nowhere else to say it.
        let _ = writeln!(std::io::stderr().lock(), "{note}");
    }
    if draft.is_empty() {
        let _ = writeln!(std::io::stderr().lock(), "the two versions do not differ in what was compared");
    } else {
        deliver(args, &draft)?;
    }
    Ok(if draft.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ERROR) })
}

/// That rules have a place for a change that leads to a version. The changes that they have do not matter: one that was
/// drafted before may still have a TODO.
fn expect_place(root: &Path, api: &str, since: &str) -> Result<(), String> {
    let is_of_change =
        |file: &str| file.split('/').nth(1).is_some_and(|at| matches!(at, "changes" | "tests" | "openapi"));
    let files: Vec<_> = read_rules(root)?.files.into_iter().filter(|source| !is_of_change(&source.file)).collect();
    let compiled = rules::compile(&files);
    let rules = compiled.rules.ok_or_else(|| diagnostic::render(&compiled.diagnostics, &files, false))?;
    let found = find_api(&rules, Some(api))?;
    let file = root.join(api).join("api.yaml");
    if !file.is_file() {
        return Err(format!("--rules: expected the directory above the APIs, found no {}", file.display()));
    }
    match version(found, "--since", since)? {
        VersionId(0) => Err(format!("--since: no change leads to `{since}`: it is the oldest version")),
        _ => Ok(()),
    }
}

fn header(args: &Args, origin: String) -> Header {
    Header { name: args.name.clone(), since: label(args.since.as_deref(), &args.new), origin }
}

/// A version's label: what was said, or what its file, directory or host is called.
fn label(said: Option<&str>, place: &str) -> String {
    let stem = || Path::new(place).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    said.map(str::to_owned).or_else(stem).unwrap_or_else(|| "TODO".to_owned())
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn gather(args: &Args) -> Result<Gathered, String> {
    match (is_url(&args.old), is_url(&args.new)) {
        (true, true) => live::gather(&args.old, &args.new, args.calls.as_deref()),
        (false, false) => {
            let part = match args.part {
                Side::Request => Part::Request,
                Side::Response => Part::Response("2xx".to_owned()),
            };
            samples::gather(
                Path::new(&args.old),
                Path::new(&args.new),
                args.again.as_deref(),
                (args.on.as_ref(), &part),
            )
        }
        _ => Err(format!("expected two URLs or two paths, found `{}` and `{}`", args.old, args.new)),
    }
}

fn from_messages(args: &Args, gathered: Gathered) -> Result<(Draft, Vec<String>), String> {
    let count: usize = gathered.messages.iter().map(|message| message.pairs.len()).sum();
    if count == 0 {
        let notes = gathered.notes.join("\n");
        return Err(format!(
            "`{}` and `{}` have no sample in common: expected JSON files of the same names\n{notes}",
            args.old, args.new
        ));
    }
    let (newer, older) = (label(args.since.as_deref(), &args.new), label(None, &args.old));
    let mut calls: Vec<Call> = Vec::new();
    for message in gathered.messages {
        let context = Context { volatile: message.volatile, newer: newer.clone(), older: older.clone() };
        let drafted = draft::draft(&message.pairs, &context);
        match calls.iter_mut().find(|call| call.call == message.call) {
            Some(call) => call.parts.push((message.part, drafted)),
            None => calls.push(Call { call: message.call, parts: vec![(message.part, drafted)] }),
        }
    }
    let pairs = if count == 1 { "1 pair of samples".to_owned() } else { format!("{count} pairs of samples") };
    Ok((Draft { header: header(args, pairs), calls }, gathered.notes))
}

/// Both documents, if both are `OpenAPI`.
fn contracts(args: &Args) -> Result<Option<(Value, Value)>, String> {
    if is_url(&args.old) || is_url(&args.new) {
        return Ok(None);
    }
    match (contract(Path::new(&args.old))?, contract(Path::new(&args.new))?) {
        (Some(old), Some(new)) => Ok(Some((old, new))),
        (None, None) => Ok(None),
        _ => Err(format!("only one of `{}` and `{}` is an OpenAPI document", args.old, args.new)),
    }
}

/// What there may be to compare.
const EXPECTED: &str =
    "expected a sample, a directory of samples, an OpenAPI document, or an address such as `http://127.0.0.1:4001`";

fn contract(path: &Path) -> Result<Option<Value>, String> {
    if path.is_dir() {
        return Ok(None);
    }
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {EXPECTED}: {e}"))?;
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_yaml {
        let document = serde_json::from_str::<Value>(&text).ok();
        return Ok(document.filter(|document| document.get("openapi").is_some()));
    }
    let node = yaml::parse(&text, &name.to_string(), yaml::Limits::default()).map_err(|found| {
        let source = Source { file: name.to_string(), text: text.clone() };
        diagnostic::render(&found, &[source], false)
    })?;
    let json = node.to_json().map_err(|e| format!("{name}: `{}` has no JSON form", e.text))?;
    let document: Value = serde_json::from_str(&json).map_err(|e| format!("{name}: {e}"))?;
    if document.get("openapi").is_none() {
        return Err(format!("{name}: expected an OpenAPI document with `openapi:` at its start"));
    }
    Ok(Some(document))
}

/// Prints the draft, or writes it where rules are; an existing file is never touched.
fn deliver(args: &Args, draft: &Draft) -> Result<(), String> {
    let text = draft.to_yaml();
    let (Some(rules), Some(api), Some(since)) = (&args.rules, &args.api, &args.since) else {
        return super::print(text.trim_end());
    };
    let folder = rules.join(api).join("changes").join(since);
    let date = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S");
    let path = folder.join(format!("{date}_{}.yaml", args.name));
    let failed = |e| format!("cannot write {}: {e}", path.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut file = std::fs::File::create_new(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    super::print(&path.display().to_string())
}
