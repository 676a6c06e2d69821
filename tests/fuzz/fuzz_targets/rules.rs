//! Rule files: whatever they hold, findings with places in them, or rules that compile and whose tests run.

#![no_main]

use legato_proxy::diagnostic::{Source, render};
use legato_proxy::rules::{self, Ops};
use legato_proxy::version::VersionId;
use libfuzzer_sys::fuzz_target;

const API: &str = "legato: 1\napi: a\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\n";

fuzz_target!(|text: &str| {
    let _either = Ops::parse(text, "ops.yaml");
    // The input is each of the files in turn, the others being good.
    for name in ["a/changes/2/20250101_a.yaml", "a/api.yaml", "a/tests/chain.yaml"] {
        let mut files = vec![Source { file: name.into(), text: text.into() }];
        if name != "a/api.yaml" {
            files.push(Source { file: "a/api.yaml".into(), text: API.into() });
        }
        compile(&files);
    }
});

fn compile(files: &[Source]) {
    let compiled = rules::compile(files);
    for finding in &compiled.diagnostics {
        let source = files.iter().find(|source| *source.file == *finding.file).expect("a file of the set");
        let span = finding.span.start..finding.span.end;
        assert!(source.text.get(span.clone()).is_some(), "{span:?} of {:?}", source.file);
    }
    let _drawn = render(&compiled.diagnostics, files, false);
    if let Some(rules) = compiled.rules {
        for api in rules.apis.values() {
            (0..u16::try_from(api.versions.0.len()).unwrap_or(u16::MAX)).for_each(|id| api.prepare(VersionId(id)));
        }
        let _report = rules::test::run(&rules);
    }
}
