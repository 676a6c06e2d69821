//! `legato test`: runs the tests that stand in rule files, and tries the laws of translations.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use similar::TextDiff;

use crate::diagnostic::{Severity, Source, line_column};
use crate::openapi::Conforming;
use crate::rules::laws::{self, Trial};
use crate::rules::test::coverage::{Coverage, Gap};
use crate::rules::test::{self, Report};
use crate::rules::{self, Direction};

use super::EXIT_FINDINGS;
use super::findings::{self, Format, Rules};

/// Run the tests in rule files.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    legato test rules\n  \
    legato test rules --fuzz 10000\n  \
    legato test rules --update\n\n\
    Exit status 0: all passed; 1: some failed, or the rules have errors; 2: the files cannot be read or written.")]
pub(super) struct Args {
    #[command(flatten)]
    on: findings::On,
    /// Try the laws of translations on this many documents, 1000 where N is left out, for each message that has a test.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000", value_parser = documents)]
    fuzz: Option<usize>,
    /// What decides which documents `--fuzz` tries; the time by default.
    #[arg(long, value_name = "SEED", requires = "fuzz")]
    seed: Option<u64>,
    /// Write the documents that the rules give into the tests that expect others, after showing the difference.
    #[arg(long)]
    update: bool,
    /// Fail where an op, or a pair of `map`, is exercised by no test.
    #[arg(long)]
    strict_coverage: bool,
}

/// How many documents; what follows `--fuzz` is taken for it.
fn documents(text: &str) -> Result<usize, String> {
    let expected = "expected a number of documents; the rules directory stands before it: `legato test rules --fuzz`";
    text.parse().map_err(|_| expected.to_owned())
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let mut files = findings::read_rules(args.on.rules.root())?;
    let compiled = rules::compile(&files.files);
    let Some(mut rules) = compiled.rules else {
        return findings::report(&compiled.diagnostics, &files, args.on.format, "");
    };
    let mut report = test::run(&rules);
    if args.update && !report.updates.is_empty() {
        update(&report, &mut files, args.on.format)?;
        rules = rules::compile(&files.files).rules.ok_or("the updated rules have errors")?;
        report = test::run(&rules);
    }
    let mut all: Vec<_> = compiled.diagnostics.into_iter().filter(|d| d.severity == Severity::Warning).collect();
    let failed = report.failures.len();
    all.append(&mut report.failures);
    let mut summary = summary(&report.coverage, &files);
    if let Some(documents) = args.fuzz {
        let seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond().unsigned_abs());
        let tried = laws::run(&rules, &files.files, Trial { documents, seed }, &Conforming::new(&rules, &files.files));
        let _ = writeln!(summary, "laws: {} documents of {} messages, seed {seed}", tried.documents, tried.messages);
        all.extend(tried.findings);
    }
    let _ = write!(summary, "{} passed, {failed} failed", report.passed);
    let status = findings::report(&all, &files, args.on.format, &summary)?;
    if args.on.format == Format::Json {
        super::print(&record(&report, failed, &files))?;
    }
    let is_covered = !args.strict_coverage || report.coverage.gaps().next().is_none();
    Ok(if is_covered { status } else { ExitCode::from(EXIT_FINDINGS) })
}

/// Shows what changes in the files, and writes it. Where a program reads the findings, it is shown beside them.
fn update(report: &Report, files: &mut Rules, format: Format) -> Result<(), String> {
    let names: BTreeSet<_> = report.updates.iter().map(|update| update.file.clone()).collect();
    let mut changed = Vec::new();
    for name in names {
        let source = files.files.iter().find(|source| *source.file == *name);
        let source = source.ok_or_else(|| format!("{name}: no such file"))?;
        let text = test::update::update(&source.text, &name, &report.updates)?;
        let path = files.path(&name);
        let diff = TextDiff::from_lines(&source.text, &text);
        let shown = diff.unified_diff().context_radius(2).header(&path, &path).to_string();
        match format {
            Format::Text => super::print(shown.trim_end())?,
            Format::Json | Format::Github | Format::Sarif => {
                // There is nowhere else to say it.
                let _ = writeln!(std::io::stderr().lock(), "{}", shown.trim_end());
            }
        }
        changed.push((path, Source { file: name.to_string(), text }));
    }
    for (path, source) in changed {
        super::write_file(Path::new(&path), &source.text)?;
        if let Some(old) = files.files.iter_mut().find(|old| old.file == source.file) {
            *old = source;
        }
    }
    Ok(())
}

/// Lists longer than this are not read.
const MOST_GAPS: usize = 20;

/// What tests exercised, and what they did not.
fn summary(coverage: &Coverage, files: &Rules) -> String {
    let (all, exercised) = coverage.counts();
    let mut text = format!("coverage: {exercised} of {all} ops and pairs, each direction counted\n");
    let gaps: Vec<Gap> = coverage.gaps().collect();
    for gap in gaps.iter().take(MOST_GAPS) {
        let (line, column) = place(gap, files);
        // Writing to a string does not fail.
        let (what, way, file) = (&gap.what, name(gap.direction), files.path(&gap.file));
        let _ = writeln!(text, "  no test of {what} going {way}: {file}:{line}:{column}");
    }
    if gaps.len() > MOST_GAPS {
        let _ = writeln!(text, "  and {} more", gaps.len() - MOST_GAPS);
    }
    text
}

fn place(gap: &Gap, files: &Rules) -> (usize, usize) {
    let source = files.files.iter().find(|source| *source.file == *gap.file);
    source.map_or((1, 1), |source| line_column(&source.text, gap.span.start))
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

/// The last line for a program.
fn record(report: &Report, failed: usize, files: &Rules) -> String {
    let (all, exercised) = report.coverage.counts();
    let gaps: Vec<_> = report
        .coverage
        .gaps()
        .map(|gap| {
            let (line, column) = place(&gap, files);
            json!({"file": files.path(&gap.file), "line": line, "column": column, "what": gap.what, "direction": name(gap.direction)})
        })
        .collect();
    let coverage = json!({"units": all, "exercised": exercised, "gaps": gaps});
    json!({"passed": report.passed, "failed": failed, "coverage": coverage}).to_string()
}
