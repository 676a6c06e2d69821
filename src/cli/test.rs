//! `legato test`: runs the tests that stand in rule files.

use std::process::ExitCode;

use crate::diagnostic::Severity;
use crate::rules;

use super::findings;

/// Run the tests in rule files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: legato test rules\n\nExit status 0: all passed; 1: some failed, or the rules have errors; 2: the files cannot be read."
)]
pub(super) struct Args {
    #[command(flatten)]
    on: findings::On,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let files = findings::read_rules(&args.on.rules)?;
    let compiled = rules::compile(&files.files);
    let Some(rules) = compiled.rules else {
        return findings::report(&compiled.diagnostics, &files, args.on.format, "");
    };
    let report = rules::test::run(&rules);
    let failed = report.failures.len();
    let mut all: Vec<_> = compiled.diagnostics.into_iter().filter(|d| d.severity == Severity::Warning).collect();
    all.extend(report.failures);
    findings::report(&all, &files, args.on.format, &format!("{} passed, {failed} failed", report.passed))
}
