//! What the commands about rules have in common: where the rules are, and what of them a command is about.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Method;

use crate::diagnostic;
use crate::rules::{self, Api, RuleSet};
use crate::version::VersionId;

use super::findings::{self, Rules};

// No docstring: clap would print it as the command's own.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The rules directory, or the directory of one API; `rules` by default.
    #[arg(value_name = "RULES", conflicts_with = "rules")]
    root: Option<PathBuf>,
    /// The same, by name.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl Place {
    pub(super) fn root(&self) -> &Path {
        self.root.as_ref().or(self.rules.as_ref()).map_or(Path::new("rules"), |root| root)
    }

    /// The rules with their files; what is wrong with them is the error.
    pub(super) fn compile(&self) -> Result<(RuleSet, Rules), String> {
        compile(self.root())
    }
}

/// The rules below a directory with their files; what is wrong with them is the error.
pub(super) fn compile(root: &Path) -> Result<(RuleSet, Rules), String> {
    let files = findings::read_rules(root)?;
    let compiled = rules::compile(&files.files);
    let rules = compiled.rules.ok_or_else(|| diagnostic::render(&compiled.diagnostics, &files.files, false))?;
    Ok((rules, files))
}

/// The API of that name, or the only one.
pub(super) fn find_api<'r>(rules: &'r RuleSet, name: Option<&str>) -> Result<&'r Api, String> {
    let known: Vec<&str> = rules.apis.keys().map(String::as_str).collect();
    match (name, known.as_slice()) {
        (None, [only]) => Ok(&rules.apis[*only]),
        (None, _) => Err(format!("which API? add `--api` with one of {}", known.join(", "))),
        (Some(name), _) => rules
            .apis
            .get(name)
            .map(Arc::as_ref)
            .ok_or_else(|| format!("unknown API `{name}`: expected one of {}", known.join(", "))),
    }
}

/// The version with that label, which a flag has named.
pub(super) fn version(api: &Api, flag: &str, label: &str) -> Result<VersionId, String> {
    let labels: Vec<&str> = api.versions.labels().collect();
    let unknown = || format!("{flag}: unknown version `{label}`: expected one of {}", labels.join(", "));
    api.versions.find(label).ok_or_else(unknown)
}

/// A call's method and path, without the query.
pub(super) fn call(text: &str) -> Result<(Method, &str), String> {
    let expected = || format!("expected a call such as `GET /users`, found `{text}`");
    let (method, path) = text.split_once(' ').filter(|(_, path)| path.starts_with('/')).ok_or_else(expected)?;
    if method.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(format!("{}: methods are in capitals", expected()));
    }
    Ok((method.parse().map_err(|_| expected())?, path.split('?').next().unwrap_or(path)))
}
