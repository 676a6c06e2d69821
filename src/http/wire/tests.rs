//! The cases of `tests/data/http/requests.txt` that are decided here, cut in every way.

use super::{Limits, Requests, Stop};

#[path = "../../../tests/it/support/requests.rs"]
mod requests;
use requests::Case;

const LIMITS: Limits = Limits { head: 8192, headers: 20 };

/// Those that are not decided by who answers, or by the connection's end.
fn cases() -> Vec<Case> {
    let is_ours = |case: &Case| !case.is("open") && !case.is("shut") && !case.is("closed");
    requests::cases().into_iter().filter(is_ours).collect()
}

/// Hands in the bytes in pieces of this size, as a connection does.
fn run(raw: &[u8], size: usize) -> (usize, Vec<u8>, Option<Stop>) {
    let mut requests = Requests::new(LIMITS);
    let (mut held, mut passed) = (Vec::new(), Vec::new());
    for piece in raw.chunks(size) {
        held.extend_from_slice(piece);
        loop {
            let (good, read) = requests.read(&held);
            passed.extend(held.drain(..good));
            if let Err(stop) = read {
                return (requests.heads(), passed, Some(stop));
            }
            if !requests.is_asked() || held.is_empty() {
                break;
            }
            requests.go_on();
        }
    }
    (requests.heads(), passed, None)
}

#[test]
fn requests_are_told_from_what_is_none() {
    let cases = cases();
    assert!(cases.len() > 150, "{} cases", cases.len());
    for case in cases {
        let (heads, passed, stop) = run(&case.raw, usize::MAX);
        let code = match &stop {
            Some(Stop::Head(failure)) => {
                assert_eq!(heads + 1, case.statuses.len(), "{}", case.line);
                Some(failure.kind.code())
            }
            Some(Stop::Body(failure)) => Some(failure.kind.code()),
            None => {
                assert_eq!(heads, case.statuses.len(), "{}", case.line);
                assert_eq!(passed, case.raw, "{}", case.line);
                None
            }
        };
        assert_eq!(code, case.code, "{}: {stop:?}", case.line);
    }
}

#[test]
fn wherever_they_are_cut() {
    for case in cases() {
        let (heads, passed, stop) = run(&case.raw, usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            let cut = run(&case.raw, size);
            let code = |stop: &Option<Stop>| match stop {
                Some(Stop::Head(failure) | Stop::Body(failure)) => Some(failure.kind),
                None => None,
            };
            assert_eq!((cut.0, code(&cut.2)), (heads, code(&stop)), "{} in pieces of {size}", case.line);
            assert_eq!(cut.1, passed, "{} in pieces of {size}", case.line);
        }
    }
}

#[test]
fn a_head_of_exactly_the_limit_passes() {
    let head = |length: usize| {
        let rest = "GET / HTTP/1.1\r\nhost: h\r\nx: \r\n\r\n";
        rest.replace("x: ", &format!("x: {}", "y".repeat(length - rest.len())))
    };
    for (length, is_refused) in [(LIMITS.head, false), (LIMITS.head + 1, true)] {
        let head = head(length);
        assert_eq!(head.len(), length);
        for size in [1, 1000, usize::MAX] {
            assert_eq!(run(head.as_bytes(), size).2.is_some(), is_refused, "{length} bytes in pieces of {size}");
        }
    }
}
