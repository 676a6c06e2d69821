//! Bytes that may be JSON: the same verdict as `serde_json`, at the same offset wherever they are cut.

#![no_main]

use legato_fuzz::translate;
use legato_proxy::json::{Code, Limits, validate};
use legato_proxy::rules::{Direction, Mode, Ops};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, document) = input;
    let verdict = validate(document, Limits::default()).map_err(|error| (error.code, error.offset));
    let sizes: Vec<usize> = cuts.iter().map(|size| usize::from(*size) + 1).collect();
    for ops in ["[]", "[{rename: {/a: b}}]", "[{rename: {/*/a: b}}, {map: {at: /c, pairs: [[1, 2]], else: keep}}]"] {
        let program = Ops::parse(ops, "ops.yaml").expect("these are ops").program(Direction::Up, Mode::Full);
        let whole = translate(&program, document, &[]);
        assert_eq!(translate(&program, document, &[1]), whole, "{ops}: byte by byte");
        if !sizes.is_empty() {
            assert_eq!(translate(&program, document, &sizes), whole, "{ops}: in pieces of {sizes:?}");
        }
        match whole {
            // A member that is edited may stand once only, which is no matter of syntax.
            Err((Code::DuplicateKey, _)) => {}
            Err(failure) => assert_eq!(verdict, Err(failure), "{ops}"),
            Ok(_) => assert_eq!(verdict, Ok(()), "{ops}"),
        }
    }
    // What `serde_json` reads over it does not check for UTF-8, and it stops at another depth.
    let brackets = document.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if let (Ok(text), true) = (std::str::from_utf8(document), brackets < 120) {
        let reference = serde_json::from_str::<serde::de::IgnoredAny>(text);
        assert_eq!(verdict.is_ok(), reference.is_ok(), "serde_json: {reference:?}");
    }
});
