//! What `check` and `test` print: diagnostics for a person or for a program.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::diagnostic::{self, Diagnostic, Severity, Source};
use crate::store::RuleStore;
use crate::yaml;

use super::EXIT_FINDINGS;

// What a command with findings is about. No docstring: clap would print it as the command's own.
#[derive(Debug, clap::Args)]
pub(super) struct On {
    #[command(flatten)]
    pub(super) rules: super::rules::Place,
    /// How findings are written.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
    /// Workflow commands that annotate a pull request.
    Github,
    /// SARIF 2.1.0.
    Sarif,
}

/// Rule files, named as in a directory of APIs.
pub(super) struct Rules {
    pub(super) files: Vec<Source>,
    root: PathBuf,
    /// What stands before the files' names where `root` is one API itself.
    prefix: String,
}

impl Rules {
    /// Where a file is, as seen from the working directory.
    pub(super) fn path(&self, file: &str) -> String {
        self.root.join(file.strip_prefix(&self.prefix).unwrap_or(file)).display().to_string()
    }
}

const EXPECTED: &str = "expected the rules directory, or the directory of one API";

/// Reads the rule files below a directory: of every API in it, or of the one API that it is itself.
pub(super) fn read_rules(root: &Path) -> Result<Rules, String> {
    let no_directory = |found: String| format!("cannot read the rules: {}: {EXPECTED}, found {found}", root.display());
    match std::fs::metadata(root) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(no_directory("a file".to_owned())),
        Err(error) => return Err(no_directory(format!("none: {error}"))),
    }
    let mut files = RuleStore::Directory(root.to_owned()).read()?;
    let own = files.iter().find(|source| source.file == "api.yaml").map(api_name);
    let prefix = own.map(|name| format!("{name}/")).unwrap_or_default();
    for source in &mut files {
        source.file.insert_str(0, &prefix);
    }
    if files.iter().any(|source| source.file.ends_with("/api.yaml")) {
        return Ok(Rules { files, root: root.to_owned(), prefix });
    }
    Err(format!("{}: no API found: expected `<api>/api.yaml` or `api.yaml`", root.display()))
}

fn api_name(source: &Source) -> String {
    let node = yaml::parse(&source.text, &source.file, yaml::Limits::default()).ok();
    let name =
        node.as_ref().and_then(|node| node.as_mapping()?.iter().find(|(key, _)| key.text() == Some("api"))?.1.text());
    name.filter(|name| !name.is_empty() && !name.contains('/')).unwrap_or("api").to_owned()
}

/// Prints findings, then `summary` where a person reads; exit status 1 if an error is among them.
pub(super) fn report(
    findings: &[Diagnostic],
    rules: &Rules,
    format: Format,
    summary: &str,
) -> Result<ExitCode, String> {
    let sources = rules.files.as_slice();
    let text = match format {
        Format::Text => {
            let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let mut text = diagnostic::render(findings, sources, color).trim_end().to_owned();
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text + summary
        }
        Format::Json => lines(findings, |finding| diagnostic::to_json(finding, sources, &rules.path(&finding.file))),
        Format::Github => lines(findings, |finding| github(finding, rules)),
        Format::Sarif => sarif(findings, rules),
    };
    if !text.is_empty() {
        super::print(text.trim_end())?;
    }
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if failed { ExitCode::from(EXIT_FINDINGS) } else { ExitCode::SUCCESS })
}

fn lines(findings: &[Diagnostic], write: impl Fn(&Diagnostic) -> String) -> String {
    findings.iter().map(write).collect::<Vec<_>>().join("\n")
}

/// Line and column of a finding, both from 1.
fn place(finding: &Diagnostic, sources: &[Source]) -> (usize, usize) {
    let source = sources.iter().find(|source| *source.file == *finding.file);
    source.map_or((1, 1), |source| diagnostic::line_column(&source.text, finding.span.start))
}

/// The message with its help.
fn message(finding: &Diagnostic) -> String {
    match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    }
}

/// A workflow command; its own separators are escaped as percent signs are.
fn github(finding: &Diagnostic, rules: &Rules) -> String {
    let (line, column) = place(finding, &rules.files);
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "notice",
    };
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let file = property(&rules.path(&finding.file));
    format!("::{level} file={file},line={line},col={column},title={}::{}", finding.code, data(&message(finding)))
}

fn sarif(findings: &[Diagnostic], rules: &Rules) -> String {
    let results: Vec<_> = findings
        .iter()
        .map(|finding| {
            let (line, column) = place(finding, &rules.files);
            let level = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Hint => "note",
            };
            json!({
                "ruleId": finding.code,
                "level": level,
                "message": {"text": message(finding)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": rules.path(&finding.file)},
                    "region": {"startLine": line, "startColumn": column},
                }}],
            })
        })
        .collect();
    let driver = json!({"name": "legato", "version": env!("CARGO_PKG_VERSION")});
    json!({"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{"tool": {"driver": driver}, "results": results}]}).to_string()
}
