//! `legato openapi`: a version's contract, its own or derived.

use std::process::ExitCode;

use crate::diagnostic::{self, Severity};
use crate::openapi::{self, Contracts};
use crate::version::VersionId;

use super::rules::{Place, find_api, version};

/// Print a version's OpenAPI document, derived where it has none of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato openapi rules --api chat --version 2 > chat-2.yaml\n\n\
    Exit status 0: done; 2: the rules or the documents cannot be read, or no version has a document.")]
pub(super) struct Args {
    #[command(flatten)]
    rules: Place,
    /// The API, if there are several.
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
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
    let (rules, files) = args.rules.compile()?;
    let api = find_api(&rules, args.api.as_deref())?;
    let version = version(api, "--version", &args.version)?;
    let (contracts, found) = Contracts::read(api, &files.files);
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(diagnostic::render(&found, &files.files, false));
    }
    let document = contracts.document(api, version).ok_or_else(|| {
        let first = &api.versions.get(VersionId(0)).label;
        let expected = files.path(&format!("{}/openapi/{first}.yaml", api.name));
        format!("no version of `{}` has a document: expected one such as `{expected}`", api.name)
    })?;
    let text = match args.format {
        Format::Yaml => openapi::to_yaml(&document.value),
        Format::Json => serde_json::to_string_pretty(&document.value).map_err(|e| e.to_string())?,
    };
    super::print(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
