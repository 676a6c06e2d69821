//! `legato fmt`: lays rule files out.

use std::path::Path;
use std::process::ExitCode;

use similar::TextDiff;

use crate::rules::layout::layout;

use super::rules::Place;
use super::{EXIT_FINDINGS, findings};

/// Lay rule files out in the one layout; comments stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato fmt rules --check\n\n\
    Exit status 0: done; 1: with --check, some file would change; 2: a file cannot be read, laid out or written.")]
pub(super) struct Args {
    #[command(flatten)]
    rules: Place,
    /// Write nothing; show what would change.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let files = findings::read_rules(args.rules.root())?;
    let mut changed = false;
    let mut wrong = Vec::new();
    for source in files.files.iter().filter(|source| is_rule_file(&source.file)) {
        let path = files.path(&source.file);
        let text = match layout(&source.text, &path) {
            Ok(text) if text == source.text => continue,
            Ok(text) => text,
            Err(error) => {
                wrong.push(error.trim_end().to_owned());
                continue;
            }
        };
        changed = true;
        if args.check {
            let diff = TextDiff::from_lines(&source.text, &text);
            super::print(diff.unified_diff().context_radius(2).header(&path, &path).to_string().trim_end())?;
        } else {
            super::write_file(Path::new(&path), &text)?;
            super::print(&path)?;
        }
    }
    match wrong.is_empty() {
        false => Err(wrong.join("\n")),
        true if changed && args.check => Ok(ExitCode::from(EXIT_FINDINGS)),
        true => Ok(ExitCode::SUCCESS),
    }
}

/// Contracts of others are theirs to lay out.
fn is_rule_file(file: &str) -> bool {
    let is_contract = file.split('/').nth(1) == Some("openapi");
    !is_contract && [".yaml", ".yml"].iter().any(|ending| file.ends_with(ending))
}
