//! Random UUIDs (RFC 9562, version 4) for `$uuid`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_128;

/// Where the UUIDs of a message come from: a seed, and how many were taken. Clones take from the same.
#[derive(Debug, Clone, Default)]
pub struct Uuids {
    seed: u128,
    taken: Arc<AtomicU64>,
}

impl Uuids {
    /// From a seed; one that is random makes UUIDs that are.
    #[must_use]
    pub fn new(seed: u128) -> Self {
        Self { seed, taken: Arc::default() }
    }

    /// The next one, as text.
    pub(super) fn next(&self) -> String {
        let count = self.taken.fetch_add(1, Ordering::Relaxed);
        let random = xxh3_128(&[&self.seed.to_le_bytes()[..], &count.to_le_bytes()].concat());
        // The version is in bits 48 to 51 from the start, the variant in bits 64 and 65.
        let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
        let hex = format!("{bits:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// Whether JSON text is a string that is a UUID of version 4.
pub(crate) fn is_uuid(json: &[u8]) -> bool {
    let Some(text) = json.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else { return false };
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.iter().all(u8::is_ascii_hexdigit))
        && parts[2][0] == b'4'
        && b"89abAB".contains(&parts[3][0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_another_and_a_seed_makes_the_same_again() {
        let uuids = Uuids::new(7);
        let made: Vec<String> = (0..100).map(|_| uuids.clone().next()).collect();
        assert!(made.iter().all(|uuid| is_uuid(format!("\"{uuid}\"").as_bytes())), "{made:?}");
        assert_eq!(made.iter().collect::<std::collections::BTreeSet<_>>().len(), made.len());
        assert_eq!(Uuids::new(7).next(), made[0]);
        assert_ne!(Uuids::new(8).next(), made[0]);
    }

    #[test]
    fn other_strings_are_none() {
        assert!(is_uuid(b"\"919108f7-52d1-4320-9bac-f847db4148a8\""));
        for other in [
            "919108f7-52d1-4320-9bac-f847db4148a8",
            "\"919108f7-52d1-1320-9bac-f847db4148a8\"",
            "\"919108f7-52d1-4320-cbac-f847db4148a8\"",
            "\"919108f7-52d1-4320-9bac-f847db4148a\"",
            "\"919108f752d143209bacf847db4148a8\"",
            "\"\"",
            "\"",
        ] {
            assert!(!is_uuid(other.as_bytes()), "{other}");
        }
    }
}
