//! Cookies as members of a head's document: what ops look at is in it, the rest stays as it is.
//!
//! A request's `cookie` headers hold pairs (RFC 6265, section 4.2), each `set-cookie` header of a response one pair and
//! its attributes (section 4.1). The value is what stands after the first `=`, quotes included. A pair that changes is
//! written in its place, and its attributes stay as they are; a cookie that an op adds has none.

use std::collections::BTreeMap;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::json::edit::{Entry, Path, Token};
use crate::json::{Error, quote};

use super::document::{Document, read_values, write_values, wrong};
use super::head::Names;
use super::lens::{Carried, carry_all};
use super::path::{Location, is_cookie_name};

/// Whose cookies they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Several pairs in each header.
    Request,
    /// One pair in each header, and its attributes.
    Response,
}

/// A pair as it is written.
struct Pair<'h> {
    raw: &'h [u8],
    name: &'h [u8],
    value: &'h [u8],
    /// Attributes, with the semicolon before them.
    after: &'h [u8],
}

/// The values of each cookie that ops may look at.
type Values = BTreeMap<String, Vec<String>>;

impl Side {
    fn header(self) -> HeaderName {
        match self {
            Self::Request => header::COOKIE,
            Self::Response => header::SET_COOKIE,
        }
    }

    fn pairs(self, line: &[u8]) -> Vec<Pair<'_>> {
        let pieces: Vec<&[u8]> = match self {
            Self::Request => line.split(|b| *b == b';').map(<[u8]>::trim_ascii).collect(),
            Self::Response => vec![line],
        };
        pieces.into_iter().filter(|raw| !raw.is_empty()).map(Pair::parse).collect()
    }

    /// Appends `"cookie":{...}`.
    pub(super) fn write(self, headers: &HeaderMap, names: &Names, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(b"\"cookie\":{");
        for (at, (name, values)) in self.values(headers, names)?.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quote(name.as_bytes(), out);
            out.push(b':');
            write_values(values, out);
        }
        out.push(b'}');
        Ok(())
    }

    fn values(self, headers: &HeaderMap, names: &Names) -> Result<Values, Error> {
        let mut all = Values::new();
        for line in headers.get_all(self.header()) {
            for pair in self.pairs(line.as_bytes()) {
                let Some(name) = pair.name().filter(|name| names.has(name)) else { continue };
                let value = String::from_utf8(pair.value.to_vec())
                    .map_err(|_| wrong(&format!("cookie:/{name}"), "the value is not UTF-8"))?;
                all.entry(name.to_owned()).or_default().push(value);
            }
        }
        Ok(all)
    }

    /// Puts the cookies of the document in the place of those that were written into it. `edits` made it.
    pub(super) fn read(
        self,
        done: &Document<'_>,
        headers: &mut HeaderMap,
        names: &Names,
        edits: &[Entry],
    ) -> Result<(), Error> {
        let before = self.values(headers, names)?;
        let mut after = Values::new();
        for (name, value) in done.members("cookie") {
            let values = read_values(value, &format!("cookie:/{name}"))?;
            if before.get(&name) != Some(&values) {
                check(&name, &values)?;
            }
            after.insert(name, values);
        }
        if before == after {
            return Ok(());
        }
        let mut changed = Changed { renamed: renamed(&before, &after, edits), after, taken: BTreeMap::new() };
        let lines: Vec<HeaderValue> = headers.get_all(self.header()).iter().cloned().collect();
        headers.remove(self.header());
        for line in &lines {
            let pieces: Vec<Vec<u8>> =
                self.pairs(line.as_bytes()).iter().filter_map(|pair| changed.write(pair, names)).collect();
            if !pieces.is_empty() {
                headers.append(self.header(), text(&pieces.join(&b"; "[..]))?);
            }
        }
        self.append(changed.rest(), headers)
    }

    /// Cookies that have no place yet: in one header with those of a request, each in its own of a response.
    fn append(self, pieces: Vec<Vec<u8>>, headers: &mut HeaderMap) -> Result<(), Error> {
        match self {
            Self::Request if !pieces.is_empty() => {
                let first = headers.get(self.header()).map(|value| value.as_bytes().to_vec());
                let all = first.into_iter().chain(pieces).collect::<Vec<_>>().join(&b"; "[..]);
                match headers.get_mut(self.header()) {
                    Some(value) => *value = text(&all)?,
                    None => {
                        headers.insert(self.header(), text(&all)?);
                    }
                }
            }
            Self::Request => {}
            Self::Response => {
                for piece in pieces {
                    headers.append(self.header(), text(&piece)?);
                }
            }
        }
        Ok(())
    }
}

impl<'h> Pair<'h> {
    fn parse(raw: &'h [u8]) -> Self {
        let end = memchr::memchr(b';', raw).unwrap_or(raw.len());
        let (pair, after) = raw.split_at(end);
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let value = pair.get(equals + 1..).unwrap_or_default();
        Self { raw, name: pair[..equals].trim_ascii(), value: value.trim_ascii(), after }
    }

    /// A name that a path can name.
    fn name(&self) -> Option<&'h str> {
        std::str::from_utf8(self.name).ok().filter(|name| !name.is_empty())
    }
}

/// What becomes of cookies.
struct Changed {
    after: Values,
    /// Old name to new.
    renamed: BTreeMap<String, String>,
    /// How many values of each new name have found a place.
    taken: BTreeMap<String, usize>,
}

impl Changed {
    /// A pair's new text; `None`: it goes.
    fn write(&mut self, pair: &Pair<'_>, names: &Names) -> Option<Vec<u8>> {
        let Some(old) = pair.name().filter(|name| names.has(name)) else { return Some(pair.raw.to_vec()) };
        let new = self.renamed.get(old).map_or(old, String::as_str);
        let at = self.taken.get(new).copied().unwrap_or(0);
        let value = self.after.get(new)?.get(at)?.clone();
        let is_same = new == old && value.as_bytes() == pair.value;
        let written = if is_same { pair.raw.to_vec() } else { [written(new, &value).as_slice(), pair.after].concat() };
        self.taken.insert(new.to_owned(), at + 1);
        Some(written)
    }

    /// The pairs that have not found a place.
    fn rest(&self) -> Vec<Vec<u8>> {
        let rest = self.after.iter().flat_map(|(name, values)| {
            let taken = self.taken.get(name).copied().unwrap_or(0);
            values.iter().skip(taken).map(move |value| written(name, value))
        });
        rest.collect()
    }
}

fn written(name: &str, value: &str) -> Vec<u8> {
    format!("{name}={value}").into_bytes()
}

/// The cookies that stand under another name after the edits, so that the new one takes the old one's place. A guard
/// may have kept an edit from running: what matters is that the old name is gone and the new one there.
fn renamed(before: &Values, after: &Values, edits: &[Entry]) -> BTreeMap<String, String> {
    let location = || Token::Key(Location::Cookie.name().to_owned());
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    gone.filter_map(|old| {
        match carry_all(edits, &[location(), Token::Key(old.clone())]) {
            Carried::To(to) => new_name(&to).filter(|new| after.contains_key(new) && !before.contains_key(new)),
            Carried::Same | Carried::Gone | Carried::Unknown => None,
        }
        .map(|new| (old.clone(), new))
    })
    .collect()
}

fn new_name(path: &Path) -> Option<String> {
    match path.as_slice() {
        [Token::Key(location), Token::Key(name)] if location == Location::Cookie.name() => Some(name.clone()),
        _ => None,
    }
}

/// RFC 6265, section 4.1.1, but for what senders write in spite of it: commas, spaces, quotes.
pub(super) fn check(name: &str, values: &[String]) -> Result<(), Error> {
    let pointer = format!("cookie:/{name}");
    if !is_cookie_name(name) {
        return Err(wrong(&pointer, "this is no cookie name"));
    }
    let fits = |value: &String| value.trim() == value && !value.contains(|c: char| c == ';' || c.is_control());
    if values.iter().all(fits) { Ok(()) } else { Err(wrong(&pointer, "the value cannot stand in a cookie")) }
}

fn text(line: &[u8]) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(line).map_err(|_| wrong("cookie:", "the value cannot stand in a cookie"))
}
