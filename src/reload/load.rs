//! Reading and checking everything that a snapshot is made of.

use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::config::{self, Config};
use crate::diagnostic::{self, Source};
use crate::rules::{self, RuleSet};
use crate::snapshot::Snapshot;
use crate::store::RuleStore;
use crate::tls;

/// Where a proxy's configuration and rules come from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The last good configuration.
    pub config: Config,
    /// Its file, where it has one; read again at every reload.
    pub config_file: Option<PathBuf>,
    /// The rules.
    pub rules: RuleStore,
}

/// What was read, good or not.
pub(super) struct Loaded {
    /// A hash of all bytes that were read.
    pub(super) fingerprint: u64,
    /// What they say, or all that is wrong with them.
    pub(super) result: Result<(Config, RuleSet), String>,
}

impl Setup {
    /// Reads a configuration file; the rules are in the directory that it names.
    ///
    /// # Errors
    /// All that is wrong with it, as one text for a person.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let text = read_config(path)?;
        let config = parse_config(path, &text)?;
        let rules = RuleStore::Directory(config.rules.clone());
        Ok(Self { config, config_file: Some(path.to_owned()), rules })
    }

    /// The same with another configuration.
    pub(super) fn with(mut self, config: Config) -> Self {
        if matches!(self.rules, RuleStore::Directory(_)) {
            self.rules = RuleStore::Directory(config.rules.clone());
        }
        self.config = config;
        self
    }

    /// Reads and checks everything, up to a snapshot of it, for its errors alone.
    ///
    /// # Errors
    /// All that is wrong, as one text for a person.
    pub fn check(&self) -> Result<(), String> {
        self.load_first(1).1.map(drop)
    }

    /// Reads and checks everything for the first time, for this many workers: a hash of all bytes that were read, and
    /// what they say, or all that is wrong with them and with the files that the configuration names.
    pub(super) fn load_first(&self, workers: usize) -> (u64, Result<(Config, Snapshot), String>) {
        let Loaded { fingerprint, result } = self.load();
        let first = match result {
            Ok((config, rules)) => Snapshot::try_new(1, &config, &rules, workers, None).map(|first| (config, first)),
            Err(reason) => {
                let backends = self.config.apis.iter().flat_map(|api| &api.backends);
                let errors = backends.filter_map(|backend| tls::Client::read(&backend.tls).err());
                Err(diagnostic::join([reason].into_iter().chain(errors)))
            }
        };
        (fingerprint, first)
    }

    /// Reads and checks everything.
    pub(super) fn load(&self) -> Loaded {
        let mut hash = Xxh3::new();
        let result = self.load_into(&mut hash);
        if let Err(reason) = &result {
            // A file that cannot be read has no bytes; the reason is what changes when it can be.
            hash.update(reason.as_bytes());
        }
        Loaded { fingerprint: hash.digest(), result }
    }

    fn load_into(&self, hash: &mut Xxh3) -> Result<(Config, RuleSet), String> {
        let config = match &self.config_file {
            None => self.config.clone(),
            Some(path) => {
                let text = read_config(path)?;
                hash.update(text.as_bytes());
                parse_config(path, &text)?
            }
        };
        let store = self.clone().with(config.clone()).rules;
        let files = store.read()?;
        for text in files.iter().flat_map(|f| [&f.file, &f.text]) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        let rules = compile(&files)?;
        Ok((config, rules))
    }
}

fn read_config(path: &Path) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|e| format!("cannot read the configuration {}: expected a YAML file: {e}", path.display()))
}

fn parse_config(path: &Path, text: &str) -> Result<Config, String> {
    let file = path.display().to_string();
    let base = path.parent().unwrap_or(Path::new(""));
    config::parse(text, &file, base, &|name| std::env::var(name).ok())
        .map_err(|errors| diagnostic::render(&errors, &[Source { file: file.clone(), text: text.to_owned() }], false))
}

fn compile(files: &[Source]) -> Result<RuleSet, String> {
    let compiled = rules::compile(files);
    let rules = compiled.rules.ok_or_else(|| diagnostic::render(&compiled.diagnostics, files, false))?;
    let failures = rules::test::run(&rules).failures;
    if failures.is_empty() { Ok(rules) } else { Err(diagnostic::render(&failures, files, false)) }
}
