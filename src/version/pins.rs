//! A version for each of a list of clients, told apart by a header.
//!
//! Identities are often credentials, so that none is kept: what is compared are SHA-256 digests.

use std::collections::HashMap;
use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::VersionId;

/// A SHA-256 digest.
type Digest = [u8; 32];

/// What an identity may be written as instead of itself: this, and its digest in hexadecimal.
const DIGEST: &str = "sha256:";

/// Versions by the digest of an identity.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pins(HashMap<Digest, VersionId>);

/// How many there are, and none of them.
impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pins({})", self.0.len())
    }
}

impl Pins {
    /// Gives a client a version. `identity` is what `header` says for it, or `sha256:` and its digest; of
    /// `authorization`, with or without its scheme. Returns the version that it had.
    ///
    /// # Errors
    /// What is expected of an identity.
    pub fn insert(
        &mut self,
        header: &HeaderName,
        identity: &str,
        version: VersionId,
    ) -> Result<Option<VersionId>, &'static str> {
        let identity = identity.trim();
        if identity.is_empty() {
            return Err("expected what the header says for a client, found nothing");
        }
        let digest = match identity.strip_prefix(DIGEST) {
            Some(hex) => from_hex(hex).ok_or("expected 64 hexadecimal digits after `sha256:`")?,
            None => digest(credentials(header, identity.as_bytes()).unwrap_or(identity.as_bytes())),
        };
        Ok(self.0.insert(digest, version))
    }

    /// The versions of whom the header names.
    pub(super) fn versions(&self, header: &HeaderName, headers: &HeaderMap) -> impl Iterator<Item = VersionId> {
        headers.get_all(header).iter().filter_map(|value| self.version(header, value.as_bytes().trim_ascii()))
    }

    fn version(&self, header: &HeaderName, identity: &[u8]) -> Option<VersionId> {
        let pinned = |identity| self.0.get(&digest(identity)).copied();
        credentials(header, identity).and_then(pinned).or_else(|| pinned(identity))
    }
}

/// What follows the scheme of `authorization` (RFC 9110, section 11.4).
fn credentials<'v>(header: &HeaderName, value: &'v [u8]) -> Option<&'v [u8]> {
    let end = value.iter().position(|byte| *byte == b' ').filter(|_| *header == AUTHORIZATION)?;
    Some(value[end..].trim_ascii())
}

fn digest(identity: &[u8]) -> Digest {
    Sha256::digest(identity).into()
}

fn from_hex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "sha256:2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";

    fn version(header: &str, pins: &[&str], value: &str) -> Option<VersionId> {
        let header: HeaderName = header.parse().unwrap();
        let mut all = Pins::default();
        for (at, identity) in (0..).zip(pins) {
            assert_eq!(all.insert(&header, identity, VersionId(at)), Ok(None));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header.clone(), value.parse().unwrap());
        all.versions(&header, &headers).next()
    }

    #[test]
    fn clients_are_found_by_what_the_header_says() {
        let cases = [
            ("x-user", &["alice", "bob"][..], "bob", Some(1)),
            ("x-user", &["alice", "bob"], " alice ", Some(0)),
            ("x-user", &["alice", "bob"], "Alice", None),
            ("x-user", &["Bearer alice"], "alice", None),
            ("x-user", &[ALICE], "alice", Some(0)),
            ("authorization", &["alice", "bob"], "Bearer bob", Some(1)),
            ("authorization", &["Bearer alice"], "bearer alice", Some(0)),
            ("authorization", &["Bearer alice"], "Basic  alice", Some(0)),
            ("authorization", &["alice"], "alice", Some(0)),
            ("authorization", &[ALICE], "Bearer alice", Some(0)),
            ("authorization", &["alice"], "Bearer", None),
        ];
        for (header, pins, value, want) in cases {
            assert_eq!(version(header, pins, value), want.map(VersionId), "{header}: {value}, {pins:?}");
        }
    }

    #[test]
    fn no_identity_can_be_read_from_them() {
        let mut pins = Pins::default();
        pins.insert(&AUTHORIZATION, "secret", VersionId(0)).unwrap();
        assert_eq!(format!("{pins:?}"), "Pins(1)");
        for wrong in ["", "  ", "sha256:", "sha256:abc", &ALICE.replace('b', "x")] {
            assert!(pins.insert(&AUTHORIZATION, wrong, VersionId(0)).is_err(), "{wrong}");
        }
        assert_eq!(pins.insert(&AUTHORIZATION, "Bearer secret", VersionId(1)), Ok(Some(VersionId(0))));
    }
}
