//! `legato schema`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Value;

use crate::rules;

/// Print the JSON Schema of a kind of file, for editors.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato schema --out schemas\n\n\
    Then write in the first line of a change: # yaml-language-server: $schema=../../../../schemas/change.schema.json")]
pub(super) struct Args {
    /// The kind of file.
    #[arg(value_enum, default_value_t = Kind::Change)]
    kind: Kind,
    /// Write the schemas of all kinds of files into this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    out: Option<PathBuf>,
}

/// The kinds of files that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A version change
    Change,
    /// `api.yaml`
    Api,
    /// `shapes.yaml`
    Shapes,
    /// A file of whole-chain tests
    Tests,
    /// `legato.yaml`
    Config,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Api => "api",
            Self::Shapes => "shapes",
            Self::Tests => "tests",
            Self::Config => "config",
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Change => rules::schema::change(),
            Self::Api => rules::schema::api(),
            Self::Shapes => rules::schema::shapes(),
            Self::Tests => rules::schema::tests(),
            Self::Config => rules::schema::written(include_str!("../config/schema.yaml")),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let Some(directory) = &args.out else {
        super::print(&format!("{:#}", args.kind.schema()))?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(directory)
        .map_err(|e| format!("cannot make `{}`: expected a directory, or a place for one: {e}", directory.display()))?;
    for kind in Kind::value_variants() {
        let path = directory.join(format!("{}.schema.json", kind.name()));
        fs::write(&path, format!("{:#}\n", kind.schema()))
            .map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
        super::print(&format!("wrote {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
