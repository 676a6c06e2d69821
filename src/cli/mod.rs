//! The command line: one file for each command.
//!
//! A command is a module with `Args` and `fn run(args) -> Result<ExitCode, String>`, a variant of `Command`, and
//! an arm in `run`. Exit codes: 0 done, 1 findings, 2 usage, configuration or I/O error.

mod check;
mod completions;
mod demo;
mod diff;
mod explain;
mod findings;
mod fmt;
mod health;
mod new;
mod openapi;
mod rules;
mod schema;
mod serve;
mod test;
mod translate;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Usage, configuration or I/O error.
const EXIT_ERROR: u8 = 2;
/// The command worked and found something wrong.
const EXIT_FINDINGS: u8 = 1;

/// A protocol-version compatibility proxy.
#[derive(Debug, Parser)]
#[command(name = "legato", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a legacy chat backend and the proxy before it, and say what to try
    Demo(demo::Args),
    /// Run the proxy
    Serve(serve::Args),
    /// Check rule files
    Check(check::Args),
    /// Run the tests in rule files
    Test(test::Args),
    /// Begin a change: write its file with a commented skeleton
    New(new::Args),
    /// Lay rule files out in the one layout; comments stay
    Fmt(fmt::Args),
    /// Say what happens to a call or message between two versions
    Explain(explain::Args),
    /// Translate a document from standard input to standard output
    Translate(translate::Args),
    /// Print the JSON Schema of rule and configuration files, for editors
    Schema(schema::Args),
    /// Print a version's OpenAPI document, derived where it has none of its own
    Openapi(openapi::Args),
    /// Draft a change from what two versions say
    Diff(diff::Args),
    /// Ask a running proxy whether it is ready
    Health(health::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::New(args) => new::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Openapi(args) => openapi::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    result.unwrap_or_else(|error| {
        // There is nowhere else to say it.
        let _ = writeln!(std::io::stderr().lock(), "{}", error.trim_end());
        ExitCode::from(EXIT_ERROR)
    })
}

/// Prints a line.
fn print(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // A reader such as `head` that has enough is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|e| format!("cannot write to standard output: {e}")),
    }
}

/// Writes a file whole or not at all: beside it first, then in its place.
fn write_file(path: &std::path::Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("yaml.new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|e| format!("{}: {e}", path.display()))
}
