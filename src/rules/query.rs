//! A request's query: what ops look at becomes members of the head's document, the rest stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::{Error, quote};

use super::document::{Document, decode, read_values, write_values, wrong};
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
    /// Whether name and value are text; else they are only nearly what was sent.
    is_utf8: bool,
}

/// The parameters of a query, in order.
pub(super) fn parse(query: &str) -> Vec<Parameter<'_>> {
    let text = |raw: &str| {
        let bytes = decode(&raw.replace('+', " "));
        match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
        }
    };
    let parts = query.split('&').filter(|raw| !raw.is_empty());
    parts
        .map(|raw| {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            let ((name, name_is_utf8), (value, value_is_utf8)) = (text(name), text(value));
            Parameter { raw, name, value, is_utf8: name_is_utf8 && value_is_utf8 }
        })
        .collect()
}

/// The values of each parameter that has one of the names, by name. Hostile queries have thousands of parameters, so
/// none of this looks at all of them for each.
fn by_name<'p>(pairs: &'p [Parameter<'_>], names: &Names) -> BTreeMap<&'p str, Vec<String>> {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for pair in pairs.iter().filter(|pair| names.has(&pair.name)) {
        all.entry(&pair.name).or_default().push(pair.value.clone());
    }
    all
}

/// Appends those that have one of the names, each once.
pub(super) fn write(pairs: &[Parameter<'_>], names: &Names, out: &mut Vec<u8>) -> Result<(), Error> {
    if let Some(pair) = pairs.iter().find(|pair| !pair.is_utf8 && names.has(&pair.name)) {
        return Err(wrong(&format!("query:/{}", pair.name), "the value is not UTF-8"));
    }
    for (at, (name, values)) in by_name(pairs, names).iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        quote(name.as_bytes(), out);
        out.push(b':');
        write_values(values, out);
    }
    Ok(())
}

/// The new query: parameters that did not change stay as and where they were, others go to the end.
pub(super) fn read(pairs: &[Parameter<'_>], names: &Names, done: &Document<'_>) -> Result<String, Error> {
    let before = by_name(pairs, names);
    let mut unchanged: BTreeSet<String> = BTreeSet::new();
    let mut new: Vec<String> = Vec::new();
    for (name, value) in done.members("query") {
        let values = read_values(value, &format!("query:/{name}"))?;
        if before.get(name.as_str()) == Some(&values) {
            unchanged.insert(name);
            continue;
        }
        let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        new.extend(values.iter().map(|value| format!("{}={}", encode(&name), encode(value))));
    }
    let stays = |pair: &&Parameter<'_>| !names.has(&pair.name) || unchanged.contains(&pair.name);
    let kept = pairs.iter().filter(stays).map(|pair| pair.raw);
    Ok(kept.chain(new.iter().map(String::as_str)).collect::<Vec<_>>().join("&"))
}
