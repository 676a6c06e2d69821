//! `legato new`: the file of a new change.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::rules::skeleton::skeleton;

use super::rules::{Place, find_api, version};

/// Begin a change: write its file with a commented skeleton.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato new --api chat --name rename_text --since 2\n\n\
    Exit status 0: written; 2: usage, the rules have errors, or the file cannot be written.")]
pub(super) struct Args {
    /// The change's name: lower-case letters, digits and `_`.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The API, if there are several.
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
    /// The version that the change leads to; the newest by default.
    #[arg(long, value_name = "VERSION")]
    since: Option<String>,
    #[command(flatten)]
    rules: Place,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let (rules, files) = args.rules.compile()?;
    let api = find_api(&rules, args.api.as_deref())?;
    let since = args.since.as_deref().map_or(Ok(api.versions.latest()), |label| version(api, "--since", label))?;
    let date = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string();
    let skeleton = skeleton(api, since, &args.name, &date)?;
    let path = files.path(&format!("{}/{}", api.name, skeleton.file));
    write_new(Path::new(&path), &skeleton.text).map_err(|e| format!("{path}: {e}"))?;
    super::print(&path)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that must not be there.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
