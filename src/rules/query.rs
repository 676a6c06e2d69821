//! A request's query: what ops look at becomes members of the head's document, the rest stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::{Error, Kind, quote};

use super::ast::QueryArrays;
use super::document::{Document, decode, read_values, write_list, write_values, wrong};
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

/// What stands for a comma that parts no values, where commas part them.
const COMMA: &str = "%2C";

/// A parameter of a query: as it is written, and its decoded name and values.
pub(super) struct Parameter<'a> {
    raw: &'a str,
    name: String,
    values: Vec<String>,
    /// Whether it is spelled as one that may have several values.
    is_list: bool,
    /// Whether name and values are text; else they are only nearly what was sent.
    is_utf8: bool,
}

impl<'a> Parameter<'a> {
    fn parse(raw: &'a str, spelling: QueryArrays) -> Self {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        let (mut name, mut is_utf8) = text(name);
        let parts: Vec<&str> = if spelling == QueryArrays::Comma { value.split(',').collect() } else { vec![value] };
        let mut is_list = parts.len() > 1;
        if spelling == QueryArrays::Brackets
            && let Some(bare) = name.strip_suffix("[]").filter(|bare| !bare.is_empty())
        {
            (name, is_list) = (bare.to_owned(), true);
        }
        let mut values = Vec::with_capacity(parts.len());
        for (value, value_is_utf8) in parts.into_iter().map(text) {
            is_utf8 &= value_is_utf8;
            values.push(value);
        }
        Self { raw, name, values, is_list, is_utf8 }
    }
}

fn text(raw: &str) -> (String, bool) {
    match String::from_utf8(decode(&raw.replace('+', " "))) {
        Ok(text) => (text, true),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
    }
}

/// All that stands under one name.
#[derive(Debug, Default)]
struct Values {
    all: Vec<String>,
    is_list: bool,
}

/// A query between two ways to write several values of one name.
pub(super) struct Query<'a> {
    parameters: Vec<Parameter<'a>>,
    from: QueryArrays,
    to: QueryArrays,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str, from: QueryArrays, to: QueryArrays) -> Self {
        let parts = query.split('&').filter(|raw| !raw.is_empty());
        Self { parameters: parts.map(|raw| Parameter::parse(raw, from)).collect(), from, to }
    }

    /// What stands under each name. Hostile queries have thousands of parameters, so none of this looks at all of
    /// them for each.
    fn by_name(&self, wanted: impl Fn(&Parameter<'_>) -> bool) -> BTreeMap<&str, Values> {
        let mut all: BTreeMap<&str, Values> = BTreeMap::new();
        for parameter in self.parameters.iter().filter(|parameter| wanted(parameter)) {
            let values = all.entry(&parameter.name).or_default();
            values.is_list |= parameter.is_list || !values.all.is_empty();
            values.all.extend_from_slice(&parameter.values);
        }
        all
    }

    /// Appends `"query":{...}`: those that have one of the names, each once.
    pub(super) fn write(&self, names: &Names, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(bad) = self.parameters.iter().find(|parameter| !parameter.is_utf8 && names.has(&parameter.name)) {
            return Err(wrong(&format!("query:/{}", bad.name), "the value is not UTF-8"));
        }
        out.extend_from_slice(b"\"query\":{");
        for (at, (name, values)) in self.by_name(|parameter| names.has(&parameter.name)).iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quote(name.as_bytes(), out);
            out.push(b':');
            if values.is_list { write_list(&values.all, out) } else { write_values(&values.all, out) }
        }
        out.push(b'}');
        Ok(())
    }

    /// The new query: parameters that did not change stay as and where they were, others go to the end.
    pub(super) fn read(&self, names: &Names, done: &Document<'_>) -> Result<String, Error> {
        let before = self.by_name(|parameter| names.has(&parameter.name));
        let mut unchanged: BTreeSet<String> = BTreeSet::new();
        let mut new: Vec<String> = Vec::new();
        for (name, value) in done.members("query") {
            let values =
                Values { all: read_values(value, &format!("query:/{name}"))?, is_list: Kind::of(value) == Kind::Array };
            if before.get(name.as_str()).is_some_and(|before| self.alike(before, &values)) {
                unchanged.insert(name);
            } else {
                new.extend(spell(&name, &values, self.to));
            }
        }
        let stays = |parameter: &Parameter<'_>| !names.has(&parameter.name) || unchanged.contains(&parameter.name);
        Ok(self.spelled(stays).into_iter().chain(new).collect::<Vec<_>>().join("&"))
    }

    /// Whether they are written alike.
    fn alike(&self, before: &Values, after: &Values) -> bool {
        before.all == after.all && (self.to != QueryArrays::Brackets || before.is_list == after.is_list)
    }

    /// The query without edits.
    pub(super) fn respelled(&self) -> String {
        self.spelled(|_| true).join("&")
    }

    /// Parameters in their places, as the receiver writes them: as they came, wherever both sides would write the
    /// same. What is no text stays in any case.
    fn spelled(&self, stays: impl Fn(&Parameter<'_>) -> bool) -> Vec<String> {
        if self.from == self.to {
            return self.parameters.iter().filter(|p| stays(p)).map(|p| p.raw.to_owned()).collect();
        }
        let mut all = self.by_name(|parameter| parameter.is_utf8 && stays(parameter));
        let mut spelled = Vec::new();
        for parameter in self.parameters.iter().filter(|parameter| stays(parameter)) {
            if !parameter.is_utf8 {
                spelled.push(parameter.raw.to_owned());
            } else if let Some(values) = all.remove(parameter.name.as_str()) {
                let is_plain = !values.is_list && self.to.keeps(parameter);
                spelled.extend(if is_plain {
                    vec![parameter.raw.to_owned()]
                } else {
                    spell(&parameter.name, &values, self.to)
                });
            }
        }
        spelled
    }
}

impl QueryArrays {
    /// Whether a single value that is written like this means itself here.
    fn keeps(self, parameter: &Parameter<'_>) -> bool {
        match self {
            Self::Repeat => true,
            Self::Comma => !parameter.raw.contains(','),
            Self::Brackets => !parameter.name.ends_with("[]"),
        }
    }
}

/// The values of one name as they are written.
fn spell(name: &str, values: &Values, spelling: QueryArrays) -> Vec<String> {
    let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let name = encode(name);
    match spelling {
        QueryArrays::Comma if !values.all.is_empty() => {
            let values: Vec<String> = values.all.iter().map(|value| encode(value).replace(',', COMMA)).collect();
            vec![format!("{name}={}", values.join(","))]
        }
        QueryArrays::Brackets if values.is_list => {
            values.all.iter().map(|value| format!("{name}[]={}", encode(value))).collect()
        }
        QueryArrays::Repeat | QueryArrays::Comma | QueryArrays::Brackets => {
            values.all.iter().map(|value| format!("{name}={}", encode(value))).collect()
        }
    }
}
