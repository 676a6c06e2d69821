//! `legato check`: what is wrong with rule files, and what each call costs.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::json;

use crate::diagnostic::Severity;
use crate::openapi;
use crate::rules::laws::{self, Trial};
use crate::rules::{Absent, Api, MessagePlan, RuleSet, lock};
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
    /// Say how many steps each translation has, and about how long it takes.
    #[arg(long)]
    verbose: bool,
    /// Write each API's `legato.lock` anew, if nothing is wrong.
    #[arg(long)]
    write_lock: bool,
}

/// Few enough to take milliseconds, and the same each time; `legato test --fuzz` tries more.
const TRIAL: Trial = Trial { documents: 64, seed: 1 };

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let mut files = findings::read_rules(args.on.rules.root())?;
    let mut compiled = openapi::compile(&files.files);
    if let (true, Some(rules)) = (args.write_lock, &compiled.rules) {
        write_locks(rules, &files)?;
        files = findings::read_rules(args.on.rules.root())?;
        compiled = openapi::compile(&files.files);
    }
    let mut found = compiled.diagnostics;
    if let Some(rules) = &compiled.rules {
        found.extend(laws::run(rules, &files.files, TRIAL, &openapi::Conforming::new(rules, &files.files)).findings);
    }
    let failed = found.iter().any(|finding| finding.severity == Severity::Error);
    let rules = compiled.rules.filter(|_| !failed);
    let summary = rules.as_ref().map(|rules| summary(rules, args.verbose)).unwrap_or_default();
    let code = findings::report(&found, &files, args.on.format, &summary)?;
    if let (findings::Format::Json, Some(rules)) = (args.on.format, &rules) {
        records(rules).iter().try_for_each(|record| super::print(record))?;
    }
    Ok(code)
}

fn write_locks(rules: &RuleSet, files: &findings::Rules) -> Result<(), String> {
    for api in rules.apis.values() {
        let path = files.path(&format!("{}/{}", api.name, lock::FILE));
        std::fs::write(&path, lock::render(api)).map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(())
}

/// One translation: of which call's message, between which versions.
struct Cost<'a> {
    client: &'a str,
    backend: &'a str,
    call: &'a str,
    /// `request`, or the lowest status of the responses.
    message: String,
    plan: &'a MessagePlan,
}

/// Every call that a change touches, for clients of a version before a backend of the next or the one before.
fn costs(api: &Api) -> Vec<Cost<'_>> {
    let label = |version: VersionId| &*api.versions.get(version).label;
    let newer = (1..=api.versions.latest().0).map(VersionId);
    let pairs = newer.flat_map(|newer| {
        let older = VersionId(newer.0 - 1);
        [(newer, older), (older, newer)]
    });
    let mut costs = Vec::new();
    for (client, backend) in pairs {
        let of = |call, message, plan| Cost { client: label(client), backend: label(backend), call, message, plan };
        for (call, request, responses) in api.pair(client, backend).calls() {
            costs.push(of(call, "request".to_owned(), request));
            let touched = responses.filter(|(_, plan)| !plan.is_identity());
            costs.extend(touched.map(|(first, plan)| of(call, format!("{first}.."), plan)));
        }
    }
    costs
}

/// What a person is told at the end.
fn summary(rules: &RuleSet, verbose: bool) -> String {
    let mut text = String::new();
    for api in rules.apis.values() {
        let labels: Vec<&str> = api.versions.labels().collect();
        // Writing to a string does not fail.
        let _ = write!(text, "{}: versions {}", api.name, labels.join(", "));
        let costs = costs(api);
        for group in costs.chunk_by(|a, b| (a.client, a.backend) == (b.client, b.backend)) {
            let _ = write!(text, "\n  clients of {}, backend of {}:", group[0].client, group[0].backend);
            for (label, absent) in absences(api, &group[0]) {
                let _ = write!(text, "\n    {label}: answered {}", absent.status);
            }
            for call in group.chunk_by(|_, next| next.message != "request") {
                let _ = write!(text, "\n    {}: {}", call[0].call, of_call(call, verbose));
            }
        }
        text.push('\n');
    }
    text + "no errors (S0 untouched, S1 streams, S2 holds an element, S3 holds the body)"
}

/// The calls between the versions of a message that are answered without a backend, and why.
fn absences<'a>(api: &'a Api, of: &Cost<'_>) -> Vec<(&'a str, &'a Absent)> {
    let pair = api.versions.find(of.client).zip(api.versions.find(of.backend));
    pair.map(|(client, backend)| api.pair(client, backend).absences().collect()).unwrap_or_default()
}

/// A call's request, then its responses.
fn of_call(messages: &[Cost<'_>], verbose: bool) -> String {
    let of = |cost: &Cost<'_>| match (cost.plan.body.steps(), verbose) {
        (0, _) | (_, false) => format!("{:?}", cost.plan.class()),
        (steps, true) => {
            let time = f64::from(cost.plan.body.nanoseconds_per_kilobyte()) / 1000.0;
            format!("{:?} ({steps} steps, about {time} µs/KB)", cost.plan.class())
        }
    };
    let responses: Vec<String> = messages[1..].iter().map(|cost| format!("{} {}", cost.message, of(cost))).collect();
    let responses = if responses.is_empty() { "S0".to_owned() } else { responses.join(", ") };
    format!("request {}, response {responses}", of(&messages[0]))
}

/// The same for programs: one JSON object for each message.
fn records(rules: &RuleSet) -> Vec<String> {
    let of_api = |api: &Api| {
        let record = |cost: Cost<'_>| {
            json!({
                "api": api.name, "client": cost.client, "backend": cost.backend,
                "call": cost.call, "message": cost.message,
                "class": format!("{:?}", cost.plan.class()), "steps": cost.plan.body.steps(),
                "ns_per_kb": cost.plan.body.nanoseconds_per_kilobyte(),
            })
            .to_string()
        };
        costs(api).into_iter().map(record).collect::<Vec<_>>()
    };
    rules.apis.values().flat_map(|api| of_api(api)).collect()
}
