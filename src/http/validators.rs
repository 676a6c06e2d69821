//! A translated representation is its own: it must not carry the validators and digests of the backend's.
//!
//! An entity tag `"a"` becomes `"a-<plan>"`, where `<plan>` is a hash of the rules and the two versions, and
//! is mapped back when a client sends it in a condition.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use xxhash_rust::xxh3::Xxh3;

/// Digests of the backend's bytes, wrong for any other.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// What is put into the tags of one plan: `-` and 16 hexadecimal digits.
#[derive(Debug)]
pub(crate) struct Mark(String);

impl Mark {
    /// The mark of what these rules make for a client of one version of what a backend of another sends.
    pub(crate) fn new(rules: &str, client: &str, backend: &str) -> Self {
        let mut hash = Xxh3::new();
        for part in [rules, client, backend] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        Self(format!("-{:016x}", hash.digest()))
    }

    /// The backend's tag of a marked one; `None` where it has another mark or none.
    fn unmark(&self, tag: &str) -> Option<String> {
        let bare = tag.strip_suffix('"')?.strip_suffix(&self.0)?;
        Some(format!("{bare}\""))
    }

    fn mark(&self, tag: &str) -> Option<String> {
        Some(format!("{}{}\"", tag.strip_suffix('"')?, self.0))
    }
}

/// Gives a translated response its own validators.
pub(crate) fn own(headers: &mut HeaderMap, mark: &Mark) {
    for name in DIGESTS {
        headers.remove(name);
    }
    let tag = headers.get(header::ETAG).and_then(|t| t.to_str().ok()).and_then(|t| mark.mark(t));
    match tag.and_then(|t| HeaderValue::from_str(&t).ok()) {
        Some(tag) => headers.insert(header::ETAG, tag),
        None => headers.remove(header::ETAG),
    };
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
}

/// Maps a request's conditions to the backend's tags and asks for the whole, uncoded representation.
pub(crate) fn map_back(headers: &mut HeaderMap, mark: &Mark) {
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    map_list(headers, &header::IF_NONE_MATCH, |tag| mark.unmark(tag));
    // A tag of another plan is left as it is: the backend knows no such tag, and the condition fails as it has to.
    map_list(headers, &header::IF_MATCH, |tag| Some(mark.unmark(tag).unwrap_or_else(|| tag.to_owned())));
}

/// The entity tags of a list: a comma within quotes belongs to its tag (RFC 9110, section 8.8.3).
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = line.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|tag| !tag.is_empty())
}

fn map_list(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&str) -> Option<String>) {
    if !headers.contains_key(name) {
        return;
    }
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let tags: Vec<String> =
        lines.flat_map(tags).filter_map(|tag| if tag == "*" { Some(tag.to_owned()) } else { map(tag) }).collect();
    headers.remove(name);
    if !tags.is_empty() {
        super::headers::insert(headers, name.clone(), &tags.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_went() {
        let mark = Mark::new("rules", "2", "1");
        for tag in ["\"a\"", "W/\"a\"", "\"\""] {
            let marked = mark.mark(tag).unwrap();
            assert_ne!(marked, tag);
            assert_eq!(mark.unmark(&marked).as_deref(), Some(tag));
        }
        assert_eq!(Mark::new("rules", "3", "1").unmark(&mark.mark("\"a\"").unwrap()), None, "another plan's tag");
        assert_eq!(mark.mark("not a tag"), None);
    }

    #[test]
    fn conditions_are_mapped_back() {
        let mark = Mark::new("rules", "2", "1");
        let mut headers = HeaderMap::new();
        let list = format!("{}, \"other\"", mark.mark("\"a,b\"").unwrap());
        headers.insert(header::IF_NONE_MATCH, list.parse().unwrap());
        headers.insert(header::IF_MATCH, list.parse().unwrap());
        headers.insert(header::RANGE, "bytes=0-1".parse().unwrap());
        map_back(&mut headers, &mark);
        assert_eq!(headers[header::IF_NONE_MATCH], "\"a,b\"");
        assert_eq!(headers[header::IF_MATCH], "\"a,b\", \"other\"");
        assert_eq!(headers[header::ACCEPT_ENCODING], "identity");
        assert!(!headers.contains_key(header::RANGE));
    }
}
