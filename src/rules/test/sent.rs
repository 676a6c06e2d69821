//! Sent messages as documents, where head and body are translated together: what the engine edits, and what is sent.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::json::{Error, Items, Kind, quote, unescape};
use crate::rules::ast::QueryArrays;
use crate::rules::cookie;
use crate::rules::document::{Document, decode, read_values, scalar, write_list, write_values, wrong};
use crate::rules::head::{HAS_BODY, Names};
use crate::rules::path::{Location, is_framing};
use crate::rules::plan::Call;
use crate::rules::query::Query;

/// What a request and a response have besides a body.
const OF_REQUESTS: [Location; 4] = [Location::Path, Location::Query, Location::Header, Location::Cookie];
const OF_RESPONSES: [Location; 2] = [Location::Header, Location::Cookie];

/// A message as it is sent: every value of its head is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules) struct Sent {
    head: Vec<(Location, Members)>,
    /// Of a response.
    status: Option<StatusCode>,
    body: Option<Vec<u8>>,
}

/// The JSON texts of what stands under each name.
type Members = BTreeMap<String, Vec<u8>>;

impl Sent {
    /// A request, as its sender has it.
    pub(super) fn request(
        call: &Call<'_>,
        target: &str,
        arrays: QueryArrays,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let mut document = b"{\"path\":{".to_vec();
        for (at, (name, value)) in call.params().enumerate() {
            document.extend_from_slice(if at == 0 { b"" } else { b"," });
            quote(name.as_bytes(), &mut document);
            document.push(b':');
            quote(String::from_utf8_lossy(&decode(value)).as_bytes(), &mut document);
        }
        document.extend_from_slice(b"},");
        let query = target.split_once('?').map_or("", |(_, query)| query);
        Query::parse(query, arrays, arrays).write(&Names::All, &mut document)?;
        document.push(b',');
        write_headers(headers, cookie::Side::Request, &mut document)?;
        Self::with_body(document, body, arrays)
    }

    /// A response, as its sender has it.
    pub(super) fn response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        let mut document = format!("{{\"status\":{},", status.as_u16()).into_bytes();
        write_headers(headers, cookie::Side::Response, &mut document)?;
        Self::with_body(document, Some(body), QueryArrays::default())
    }

    fn with_body(mut document: Vec<u8>, body: Option<&[u8]>, arrays: QueryArrays) -> Result<Self, Error> {
        if let Some(body) = body {
            document.extend_from_slice(b",\"body\":");
            document.extend_from_slice(body);
        }
        document.push(b'}');
        Self::read(&document, arrays)
    }

    /// What is sent of a document that the engine has edited; `arrays`: how its query has several values of one name.
    ///
    /// # Errors
    /// As the head of a message cannot have what the document has.
    pub(in crate::rules) fn read(document: &[u8], arrays: QueryArrays) -> Result<Self, Error> {
        if Kind::of(document) != Kind::Object {
            return Err(wrong("", "a message is an object"));
        }
        let document = Document(document);
        let no_status = || wrong("status:", "the status is no number from 200 to 599");
        let status = document.member("status").map(|_| document.status().ok_or_else(no_status)).transpose()?;
        let locations = if status.is_some() { &OF_RESPONSES[..] } else { &OF_REQUESTS };
        let head = locations.iter().map(|location| Ok((*location, members(&document, *location, arrays)?)));
        let head = head.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { head, status, body: document.member(Location::Body.name()).map(<[u8]>::to_vec) })
    }

    /// The document as the engine gets it.
    pub(super) fn to_edit(&self) -> Vec<u8> {
        let mut document = self.to_json();
        if self.body.is_some() {
            document.pop();
            document.push(b',');
            quote(HAS_BODY.as_bytes(), &mut document);
            document.extend_from_slice(b":true}");
        }
        document
    }

    /// The document, with a member for each part of a message that there may be.
    pub(in crate::rules) fn to_json(&self) -> Vec<u8> {
        self.write(|_| true)
    }

    /// The document without what is empty of the head.
    pub(in crate::rules) fn shown(&self) -> Vec<u8> {
        self.write(|members| !members.is_empty())
    }

    fn write(&self, is_wanted: impl Fn(&Members) -> bool) -> Vec<u8> {
        let status = self.status.map(|status| status.as_str().as_bytes().to_vec());
        let head = self.head.iter().filter(|(_, members)| is_wanted(members));
        let head = head.map(|(location, members)| (location.name(), object(members.iter())));
        let body = self.body.clone();
        let all = [("status", status)].into_iter().chain(head.map(|(name, text)| (name, Some(text))));
        let all = all.chain([(Location::Body.name(), body)]).filter_map(|(name, text)| Some((name, text?)));
        object(all)
    }

    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }
}

fn object(members: impl Iterator<Item = (impl AsRef<str>, impl AsRef<[u8]>)>) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (at, (name, value)) in members.enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"," });
        quote(name.as_ref().as_bytes(), &mut out);
        out.push(b':');
        out.extend_from_slice(value.as_ref());
    }
    out.push(b'}');
    out
}

/// Appends `"header":{...},"cookie":{...}`: what tests say of headers.
fn write_headers(headers: &HeaderMap, side: cookie::Side, out: &mut Vec<u8>) -> Result<(), Error> {
    let is_cookie = |name: &&HeaderName| [header::COOKIE, header::SET_COOKIE].contains(name);
    let names = headers.keys().filter(|name| !is_framing(name.as_str()) && !is_cookie(name));
    let members = names.map(|name| {
        let mut values = Vec::new();
        let all = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        write_values(&all.collect::<Vec<_>>(), &mut values);
        (name.as_str(), values)
    });
    out.extend_from_slice(b"\"header\":");
    out.extend_from_slice(&object(members));
    out.push(b',');
    side.write(headers, &Names::All, out)
}

/// What is sent of one location of a document.
fn members(document: &Document<'_>, location: Location, arrays: QueryArrays) -> Result<Members, Error> {
    let Some(object) = document.member(location.name()) else { return Ok(Members::new()) };
    if Kind::of(object) != Kind::Object {
        return Err(wrong(&format!("{}:", location.name()), "this is no object"));
    }
    let mut members = Members::new();
    for item in Items::new(object, 0) {
        let name = String::from_utf8_lossy(&unescape(&object[item.name])).into_owned();
        let value = &object[item.value];
        let pointer = format!("{}:/{name}", location.name());
        let (name, texts) = match location {
            Location::Path => (name, vec![segment(value, &pointer)?]),
            Location::Header => header(&name, read_values(value, &pointer)?, &pointer)?,
            Location::Cookie => {
                let texts = read_values(value, &pointer)?;
                cookie::check(&name, &texts)?;
                (name, texts)
            }
            Location::Query | Location::Status | Location::Body => (name, read_values(value, &pointer)?),
        };
        if texts.is_empty() {
            continue;
        }
        let mut written = Vec::new();
        if location == Location::Query && arrays == QueryArrays::Brackets && Kind::of(value) == Kind::Array {
            write_list(&texts, &mut written);
        } else {
            write_values(&texts, &mut written);
        }
        members.insert(name, written);
    }
    Ok(members)
}

/// The text of a parameter of the path.
fn segment(value: &[u8], pointer: &str) -> Result<String, Error> {
    let text = scalar(value, pointer)?;
    if matches!(text.as_str(), "" | "." | "..") {
        return Err(wrong(pointer, "a path parameter cannot be empty or a dot segment"));
    }
    Ok(text)
}

fn header(name: &str, texts: Vec<String>, pointer: &str) -> Result<(String, Vec<String>), Error> {
    let known = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !is_framing(name.as_str()));
    let name = known.ok_or_else(|| wrong(pointer, "this is no header that an edit may make"))?;
    if texts.iter().any(|text| HeaderValue::from_str(text).is_err()) {
        return Err(wrong(pointer, "the value cannot stand in a header"));
    }
    Ok((name.as_str().to_owned(), texts))
}
