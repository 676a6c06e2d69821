//! How the laws of translations are tried; what they find is told by the cases of `diagnostics`.

use std::cell::RefCell;

use legato_proxy::diagnostic::Source;
use legato_proxy::rules::compile;
use legato_proxy::rules::laws::{self, Asked, Documents, Random, Trial};

const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\n\
                   check: {LS101: off}\n";

/// Closed and archived are both done, so that round trips from the older version are broken.
const CHANGE: &str = "change: a\nsince: \"2\"\nsummary: a\napply:\n  - http: GET /a\n    response:\n      2xx: \
                      [map: {at: /s, pairs: [[closed, done], [archived, done]]}]\n      4xx-5xx: []\ntests:\n  - http: \
                      GET /a\n    only: up\n    response: {old: {s: archived, n: 1}, new: {s: done, n: 1}}\n";

/// A contract of the older version that everything fits, and one of the newer that nothing does; writes down what it is
/// asked.
#[derive(Default)]
struct Contracts(RefCell<Vec<(u16, Vec<u8>)>>);

impl Documents for Contracts {
    fn make(&self, _asked: &Asked<'_>, _random: &mut Random) -> Option<Vec<u8>> {
        None
    }

    fn make_head(&self, _asked: &Asked<'_>, _random: &mut Random) -> Option<Vec<u8>> {
        None
    }

    fn fits(&self, asked: &Asked<'_>, body: &[u8]) -> Option<Result<(), String>> {
        self.0.borrow_mut().push((asked.version.0, body.to_vec()));
        Some(if asked.version.0 == 0 { Ok(()) } else { Err("/s".to_owned()) })
    }
}

/// What is asked of contracts in a trial that finds LW102 and LW106.
fn asked(documents: usize) -> Vec<(u16, Vec<u8>)> {
    let sources: Vec<Source> = [("chat/api.yaml", API), ("chat/changes/2/20250101_a.yaml", CHANGE)]
        .into_iter()
        .map(|(file, text)| Source { file: file.into(), text: text.into() })
        .collect();
    let rules = compile(&sources).rules.expect("rules");
    let contracts = Contracts::default();
    let found = laws::run(&rules, &sources, Trial { documents, seed: 1 }, &contracts).findings;
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["LW102", "LW106"]);
    contracts.0.into_inner()
}

#[test]
fn contracts_are_asked_once_and_only_of_laws_that_hold_so_far() {
    let first = asked(1);
    let tested = (0, b"{\"s\":\"archived\",\"n\":1}".to_vec());
    assert_eq!(first.iter().filter(|asked| **asked == tested).count(), 1);
    assert_eq!(asked(200), first, "everything was found with the first document");
}
