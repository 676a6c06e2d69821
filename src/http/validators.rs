//! A translated representation is its own: it must not carry the validators and digests of the backend's.
//!
//! An entity tag `"a"` becomes `"a-<plan>"`, where `<plan>` is a hash of the rules and the two versions, and
//! is mapped back when a client sends it in a condition.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Digests of the backend's bytes, wrong for any other.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// What is put into the tags of one plan: `-` and 16 hexadecimal digits.
#[derive(Debug)]
pub(crate) struct Mark([u8; 17]);

/// How strong the tag of a translated representation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// As strong as the backend's.
    Kept,
    /// Weak: the representation has another coding than the backend's, and others may share its tag (RFC 9110,
    /// section 8.8.1).
    Weak,
}

impl Mark {
    /// The mark of what these rules make for a client of one version of what a backend of another sends.
    pub(crate) fn new(rules: &str, client: &str, backend: &str) -> Self {
        let parts = [client, backend].map(str::as_bytes);
        let mut hash = parts.iter().fold(xxh3_64(rules.as_bytes()), |hash, part| xxh3_64_with_seed(part, hash));
        let mut mark = [b'-'; 17];
        for digit in mark[1..].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(hash % 16) as usize];
            hash /= 16;
        }
        Self(mark)
    }

    /// The backend's tag of a marked one; `None` where it has another mark or none.
    fn unmark(&self, tag: &[u8]) -> Option<Vec<u8>> {
        let bare = tag.strip_suffix(b"\"")?.strip_suffix(&self.0)?;
        Some([bare, b"\""].concat())
    }

    fn mark(&self, tag: &[u8]) -> Option<Vec<u8>> {
        Some([tag.strip_suffix(b"\"")?, &self.0, b"\""].concat())
    }
}

/// Gives a translated response its own validators.
pub(crate) fn own(headers: &mut HeaderMap, mark: &Mark, strength: Strength) {
    remove_digests(headers);
    let marked = headers.get(header::ETAG).and_then(|tag| mark.mark(tag.as_bytes()));
    let tag = match (marked, strength) {
        (Some(tag), Strength::Weak) if !tag.starts_with(b"W/") => Some([b"W/", &tag[..]].concat()),
        (tag, _) => tag,
    };
    match tag.and_then(|tag| HeaderValue::from_bytes(&tag).ok()) {
        Some(tag) => headers.insert(header::ETAG, tag),
        None => headers.remove(header::ETAG),
    };
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
}

/// Takes off the digests of a body that is translated.
pub(crate) fn remove_digests(headers: &mut HeaderMap) {
    if headers.keys().any(|name| DIGESTS.contains(name)) {
        for name in DIGESTS {
            headers.remove(name);
        }
    }
}

/// The trailers of a translated body: without what describes the one that it was made of.
pub(crate) fn own_trailers(mut trailers: HeaderMap) -> HeaderMap {
    remove_digests(&mut trailers);
    trailers.remove(header::ETAG);
    trailers
}

/// Maps a request's conditions to the backend's tags where the response is not translated.
pub(crate) fn restore(headers: &mut HeaderMap, mark: impl FnOnce() -> Mark) {
    if [header::IF_MATCH, header::IF_NONE_MATCH].iter().any(|name| headers.contains_key(name)) {
        let mark = mark();
        for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
            map_list(headers, &name, |tag| Some(mark.unmark(tag).unwrap_or_else(|| tag.to_owned())));
        }
    }
}

/// Maps a request's conditions to the backend's tags and asks for the whole representation.
pub(crate) fn map_back(headers: &mut HeaderMap, mark: &Mark) {
    headers.remove(header::RANGE);
    // Without a range it decides nothing; it is mapped like the others all the same.
    map_list(headers, &header::IF_RANGE, |tag| Some(mark.unmark(tag).unwrap_or_else(|| tag.to_owned())));
    if headers.contains_key(header::IF_NONE_MATCH) {
        // Where there are tags the date decides nothing (RFC 9110, section 13.1.3). Where no tag is left, it would: what
        // the client has may be a translation by other rules of something that has not been modified since.
        headers.remove(header::IF_MODIFIED_SINCE);
        map_list(headers, &header::IF_NONE_MATCH, |tag| mark.unmark(tag));
    }
    // A tag of another plan is left as it is: the backend knows no such tag, and the condition fails as it has to.
    map_list(headers, &header::IF_MATCH, |tag| Some(mark.unmark(tag).unwrap_or_else(|| tag.to_owned())));
}

/// The entity tags of a list: a comma within quotes belongs to its tag (RFC 9110, section 8.8.3).
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let parts = line.split(move |c| {
        is_quoted ^= *c == b'"';
        *c == b',' && !is_quoted
    });
    parts.map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty())
}

fn map_list(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    if !headers.contains_key(name) {
        return;
    }
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let tags: Vec<Vec<u8>> =
        lines.flat_map(tags).filter_map(|tag| if tag == b"*" { Some(tag.to_owned()) } else { map(tag) }).collect();
    headers.remove(name);
    if let (false, Ok(value)) = (tags.is_empty(), HeaderValue::from_bytes(&tags.join(&b", "[..]))) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_went() {
        let mark = Mark::new("rules", "2", "1");
        for tag in [&b"\"a\""[..], b"W/\"a\"", b"\"\"", b"\"a, b\"", "\"caf\u{e9}\"".as_bytes(), b"\"\xe9\""] {
            let marked = mark.mark(tag).unwrap();
            assert_ne!(marked, tag);
            assert_eq!(mark.unmark(&marked).as_deref(), Some(tag));
        }
        assert_eq!(Mark::new("rules", "3", "1").unmark(&mark.mark(b"\"a\"").unwrap()), None, "another plan's tag");
        assert_eq!(mark.mark(b"not a tag"), None);
    }

    #[test]
    fn conditions_are_mapped_back() {
        let mark = Mark::new("rules", "2", "1");
        let mut headers = HeaderMap::new();
        let marked = mark.mark(b"\"a,\xe9\"").unwrap();
        let list = HeaderValue::from_bytes(&[&marked[..], b" , \"other\""].concat()).unwrap();
        headers.insert(header::IF_NONE_MATCH, list.clone());
        headers.insert(header::IF_MATCH, list);
        headers.insert(header::IF_RANGE, HeaderValue::from_bytes(&marked).unwrap());
        headers.insert(header::RANGE, "bytes=0-1".parse().unwrap());
        map_back(&mut headers, &mark);
        assert_eq!(headers[header::IF_NONE_MATCH].as_bytes(), b"\"a,\xe9\"");
        assert_eq!(headers[header::IF_MATCH].as_bytes(), b"\"a,\xe9\", \"other\"");
        assert_eq!(headers[header::IF_RANGE].as_bytes(), b"\"a,\xe9\"");
        assert!(!headers.contains_key(header::RANGE));
    }

    #[test]
    fn a_date_in_if_range_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_RANGE, "Wed, 21 Oct 2015 07:28:00 GMT".parse().unwrap());
        map_back(&mut headers, &Mark::new("rules", "2", "1"));
        assert_eq!(headers[header::IF_RANGE], "Wed, 21 Oct 2015 07:28:00 GMT");
    }

    #[test]
    fn a_tag_may_become_weak() {
        let mark = Mark::new("rules", "2", "1");
        for tag in ["\"a\"", "W/\"a\""] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, tag.parse().unwrap());
            own(&mut headers, &mark, Strength::Weak);
            let new = headers[header::ETAG].as_bytes();
            assert_eq!(mark.unmark(new).as_deref(), Some(&b"W/\"a\""[..]));
        }
    }
}
