//! Contracts that are derived, whole.
//!
//! A case is a file of `tests/data/openapi`: a rules directory as in `diagnostics`, with a contract of one version, and
//! below `=== want 2` the document of version 2 as `legato openapi` prints it. `LEGATO_BLESS=1` writes what was found
//! into the cases: read it before keeping it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use legato_proxy::diagnostic::{Source, render};
use legato_proxy::json::edit::Token;
use legato_proxy::openapi::{Contracts, Document, Level, Part, compare, required, to_yaml};
use legato_proxy::route::Template;
use legato_proxy::rules::{Api, compile};

use crate::support::cases;

const API: &str =
    "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}, {id: \"3\"}]\nclient_version: [{default: \"1\"}]\n";

pub(crate) fn api(files: &mut Vec<Source>) -> Arc<Api> {
    if !files.iter().any(|source| source.file == "chat/api.yaml") {
        files.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let compiled = compile(files);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, files, false)));
    Arc::clone(&rules.apis["chat"])
}

fn contracts(api: &Api, files: &[Source]) -> Contracts {
    let (contracts, found) = Contracts::read(api, files);
    assert!(found.is_empty(), "{}", render(&found, files, false));
    contracts
}

/// Derived documents are compared whole, can be read again, and derive to what they came from where nothing is lost.
#[test]
fn documents_derive_as_their_cases_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi");
    let mut paths: Vec<_> = fs::read_dir(directory).expect("cases").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 5);
    let mut wrong = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let sections = cases::sections(&text);
        let mut files: Vec<Source> = sections
            .iter()
            .filter(|(name, _)| name.contains('/'))
            .map(|(file, text)| Source { file: file.clone(), text: text.clone() })
            .collect();
        let api = api(&mut files);
        let contracts = contracts(&api, &files);
        let mut blessed = text.split("=== want").next().unwrap_or_default().to_owned();
        for (name, want) in sections.iter().filter(|(name, _)| name.starts_with("want ")) {
            let version = api.versions.find(&name["want ".len()..]).expect("a version");
            let derived = contracts.document(&api, version).expect("a document");
            let found = to_yaml(&derived.value);
            let again = Document::parse(&Source { file: "derived.yaml".into(), text: found.clone() });
            assert!(again.1.is_empty(), "{}\n{found}", render(&again.1, &[], false));
            assert_eq!(again.0.expect("a document").value, derived.value, "{found}");
            let differences = compare(&derived, &derived);
            assert!(differences.is_empty(), "{}: a document differs from itself: {differences:?}", path.display());
            let _ = write!(blessed, "=== {name}\n{found}");
            if *want != found {
                let _ = writeln!(wrong, "{}: expected\n{want}\nfound\n{found}", path.display());
            }
        }
        if std::env::var_os("LEGATO_BLESS").is_some() && blessed != text {
            fs::write(&path, blessed).expect("written");
            wrong.clear();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
