//! A request's query: what ops look at becomes members of the head's document, the rest stays as it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::{Error, quote};

use super::document::{Document, decode, read_values, write_values};
use super::head::Names;

/// What must be encoded in a query's names and values.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b'*')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'')
    .remove(b';')
    .remove(b'?');

/// A parameter of a query: as it is written, and its decoded name and value.
pub(super) struct Parameter<'a> {
    raw: &'a str,
    name: String,
    value: String,
}

/// The parameters of a query, in order.
pub(super) fn parse(query: &str) -> Vec<Parameter<'_>> {
    let text = |raw: &str| String::from_utf8_lossy(&decode(&raw.replace('+', " "))).into_owned();
    let parts = query.split('&').filter(|raw| !raw.is_empty());
    parts
        .map(|raw| {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            Parameter { raw, name: text(name), value: text(value) }
        })
        .collect()
}

/// Appends those that have one of the names, each once.
pub(super) fn write(pairs: &[Parameter<'_>], names: &Names, out: &mut Vec<u8>) {
    let mut written: Vec<&str> = Vec::new();
    for pair in pairs.iter().filter(|pair| names.has(&pair.name)) {
        if written.contains(&pair.name.as_str()) {
            continue;
        }
        if !written.is_empty() {
            out.push(b',');
        }
        written.push(&pair.name);
        quote(pair.name.as_bytes(), out);
        out.push(b':');
        let all: Vec<String> = pairs.iter().filter(|p| p.name == pair.name).map(|p| p.value.clone()).collect();
        write_values(&all, out);
    }
}

/// The new query: parameters that did not change stay as and where they were, others go to the end.
pub(super) fn read(pairs: &[Parameter<'_>], names: &Names, done: &Document<'_>) -> Result<String, Error> {
    let mut out: Vec<String> = Vec::new();
    let mut after: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in done.members("query") {
        let values = read_values(value, &format!("query:/{name}"))?;
        after.push((name, values));
    }
    let unchanged = |name: &str| {
        let before = || pairs.iter().filter(|pair| pair.name == name).map(|pair| &pair.value);
        after.iter().any(|(n, values)| n == name && before().eq(values))
    };
    out.extend(
        pairs.iter().filter(|pair| !names.has(&pair.name) || unchanged(&pair.name)).map(|pair| pair.raw.to_owned()),
    );
    for (name, values) in &after {
        if !pairs.iter().any(|pair| pair.name == *name) || !unchanged(name) {
            let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
            out.extend(values.iter().map(|value| format!("{}={}", encode(name), encode(value))));
        }
    }
    Ok(out.join("&"))
}
