//! `legato openapi`: a version's contract, its own or derived.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::diagnostic::{self, Diagnostic, Severity};
use crate::openapi::{self, Contracts};
use crate::rules;

use super::findings;

/// Print a version's OpenAPI document, derived where it has none of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato openapi --rules rules --api chat --version 2 > chat-2.yaml\n\n\
    Exit status 0: done; 2: the rules or the documents cannot be read, or no version has a document.")]
pub(super) struct Args {
    /// The rules directory, or the directory of one API.
    #[arg(long, default_value = "rules", value_name = "DIR")]
    rules: PathBuf,
    /// The API.
    #[arg(long, value_name = "NAME")]
    api: String,
    /// The version.
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// How it is written.
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let files = findings::read_rules(&args.rules)?.files;
    let compiled = rules::compile(&files);
    let drawn = |found: &[Diagnostic]| diagnostic::render(found, &files, false);
    let rules = compiled.rules.ok_or_else(|| drawn(&compiled.diagnostics))?;
    let known: Vec<&str> = rules.apis.keys().map(String::as_str).collect();
    let api = rules
        .apis
        .get(&args.api)
        .ok_or_else(|| format!("unknown API `{}`: expected one of {}", args.api, known.join(", ")))?;
    let labels: Vec<&str> = api.versions.labels().collect();
    let version = api
        .versions
        .find(&args.version)
        .ok_or_else(|| format!("unknown version `{}`: expected one of {}", args.version, labels.join(", ")))?;
    let (contracts, found) = Contracts::read(api, &files);
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(drawn(&found));
    }
    let document = contracts.document(api, version).ok_or_else(|| {
        format!("no version of `{}` has a document: expected one such as `openapi/{}.yaml`", args.api, labels[0])
    })?;
    let text = match args.format {
        Format::Yaml => openapi::to_yaml(&document.value),
        Format::Json => serde_json::to_string_pretty(&document.value).map_err(|e| e.to_string())?,
    };
    super::print(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
