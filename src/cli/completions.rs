//! `legato completions`.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory as _;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato completions bash > /etc/bash_completion.d/legato")]
pub(super) struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "legato", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script)
        .map_err(|e| format!("cannot write to standard output: {e}"))?;
    Ok(ExitCode::SUCCESS)
}
