//! What the fuzz targets share.

use std::sync::Arc;

use bytes::Bytes;
use legato_proxy::json::{self, Code, Error, Limits, OnError, Program, Translator, Uuids, Values};

/// What a document became, or the code and the offset of its failure.
pub type Outcome = Result<Vec<u8>, (Code, u64)>;

fn values() -> Values {
    Values {
        now: "2026-03-01T00:00:00Z".into(),
        version: "2".into(),
        uuids: Uuids::default(),
        on_error: OnError::Reject,
    }
}

fn failed(error: Error) -> (Code, u64) {
    (error.code, error.offset)
}

/// Translates a document that is there as a whole.
///
/// # Errors
/// The failure's code and offset.
pub fn at_once(program: &Arc<Program>, document: &[u8]) -> Outcome {
    let done = json::translate(program, &values(), Limits::default(), Bytes::copy_from_slice(document));
    done.map(|done| done.body).map_err(failed)
}

/// Translates a document that comes in pieces of these sizes, over and over; none: as a whole.
///
/// # Errors
/// The failure's code and offset.
pub fn translate(program: &Arc<Program>, document: &[u8], sizes: &[usize]) -> Outcome {
    let mut translator = Translator::new(Arc::clone(program), values(), Limits::default());
    let mut rest = Bytes::copy_from_slice(document);
    let mut sizes = sizes.iter().cycle();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        translator.push(rest.split_to(size)).map_err(failed)?;
        translator.take().for_each(|piece| out.extend_from_slice(&piece));
    }
    translator.finish().map_err(failed)?;
    translator.take().for_each(|piece| out.extend_from_slice(&piece));
    Ok(out)
}
