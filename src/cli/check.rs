//! `legato check`: what is wrong with rule files, and what each call costs.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::diagnostic::Severity;
use crate::json::Class;
use crate::rules::laws::{self, Trial};
use crate::rules::{self, Api, RuleSet};
use crate::version::VersionId;

use super::findings;

/// Check rule files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: legato check rules\n\nExit status 0: no errors; 1: errors; 2: the files cannot be read."
)]
pub(super) struct Args {
    #[command(flatten)]
    on: findings::On,
}

/// Few enough to take milliseconds, and the same each time; `legato test --fuzz` tries more.
const TRIAL: Trial = Trial { documents: 64, seed: 1 };

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let files = findings::read_rules(&args.on.rules)?;
    let mut compiled = rules::compile(&files.files);
    if let Some(rules) = &compiled.rules {
        compiled.diagnostics.extend(laws::run(rules, TRIAL, &|_, _, _| None).findings);
    }
    let has_errors = compiled.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    let summary = compiled.rules.as_ref().filter(|_| !has_errors).map(summary).unwrap_or_default();
    findings::report(&compiled.diagnostics, &files, args.on.format, &summary)
}

/// Every call that a change touches, with what its translation holds.
fn summary(rules: &RuleSet) -> String {
    let mut text = String::new();
    for api in rules.apis.values() {
        let labels: Vec<&str> = api.versions.labels().collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}: versions {}", api.name, labels.join(", "));
        for version in 1..labels.len() {
            let newer = VersionId(u16::try_from(version).unwrap_or(u16::MAX));
            let older = VersionId(newer.0 - 1);
            let _ = writeln!(text, "  clients of {}, backend of {}:", labels[version], labels[version - 1]);
            calls(api, newer, older, &mut text);
            let _ = writeln!(text, "  clients of {}, backend of {}:", labels[version - 1], labels[version]);
            calls(api, older, newer, &mut text);
        }
    }
    let _ = write!(text, "no errors (S0 untouched, S1 streams, S2 holds an element, S3 holds the body)");
    text
}

fn calls(api: &Api, client: VersionId, backend: VersionId, text: &mut String) {
    for (label, request, responses) in api.pair(client, backend).calls() {
        let class = |class: Class| format!("{class:?}");
        let responses: Vec<String> = responses
            .filter(|(_, plan)| !plan.is_identity())
            .map(|(first, plan)| format!("{first}.. {}", class(plan.body.class())))
            .collect();
        let responses = if responses.is_empty() { "S0".to_owned() } else { responses.join(", ") };
        let _ = writeln!(text, "    {label}: request {}, response {responses}", class(request.body.class()));
    }
}
