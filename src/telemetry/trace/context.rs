//! Which trace a request belongs to: W3C Trace Context, `traceparent` and `tracestate`. Pure.

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Whether whoever called records its part.
const SAMPLED: u8 = 0x01;
/// Whether the trace's id is random.
const RANDOM: u8 = 0x02;

/// What a `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) flags: u8,
}

impl Parent {
    /// Reads a header (W3C Trace Context, section 3.2). Of versions that are not known yet, the parts that version 00
    /// has are read.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex::<1>(parts.next()?)?[0];
        let (trace, span) = (hex::<16>(parts.next()?)?, hex::<8>(parts.next()?)?);
        let flags = hex::<1>(parts.next()?)?[0];
        let is_whole = version != 0 || parts.next().is_none();
        let is_valid = version != 0xff && trace != [0; 16] && span != [0; 8];
        (is_whole && is_valid).then_some(Self { trace, span, flags })
    }

    pub(crate) fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The header by which this is said on.
    fn header(&self) -> String {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        format!("00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

/// Lower-case hexadecimal digits, as many as the bytes need.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().map(|byte| digit(&byte)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok().filter(|_| digits.len() == 2 * N)
}

/// What a request's headers say. A `traceparent` that is none, or that stands twice, is taken off, and so is a
/// `tracestate` without one (section 3.4).
pub(crate) fn accept(headers: &mut HeaderMap) -> Option<Parent> {
    if !headers.contains_key(TRACEPARENT) && !headers.contains_key(TRACESTATE) {
        return None;
    }
    let mut values = headers.get_all(TRACEPARENT).iter();
    let parent = values.next().and_then(|value| Parent::parse(value.to_str().ok()?.trim()));
    if parent.is_none() || values.next().is_some() {
        headers.remove(TRACEPARENT);
        headers.remove(TRACESTATE);
        return None;
    }
    parent
}

/// Says that `span` is what the receiver's own spans belong to. `parent` said the same of whoever called.
pub(crate) fn say_on(headers: &mut HeaderMap, trace: [u8; 16], span: [u8; 8], parent: Option<&Parent>) {
    let random = parent.map_or(RANDOM, |parent| parent.flags & RANDOM);
    let header = Parent { trace, span, flags: random | SAMPLED }.header();
    if let Ok(value) = HeaderValue::from_str(&header) {
        headers.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_what_the_standard_allows_is_a_parent() {
        let cases = [
            (VALID, true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-ever", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
            ("", false),
        ];
        for (text, want) in cases {
            assert_eq!(Parent::parse(text).is_some(), want, "{text}");
        }
        assert_eq!(Parent::parse(VALID).unwrap().header(), VALID);
    }
}
