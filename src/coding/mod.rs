//! Content codings (RFC 9110, section 8.4): taken off and put on again while bytes come, without holding them.
//!
//! Bytes in, bytes out; nothing here knows of messages or connections. [`Stack`] is what `content-encoding` says,
//! [`Accepted`] what `accept-encoding` says, [`Decoder`] and [`Encoder`] do the work. What a decoder holds is bounded
//! by its codings' windows (32 KiB for gzip and deflate, 16 MiB for br, 8 MiB for zstd) and by one chunk of its input,
//! and what it makes by [`Limits`]. Content that is cut off is an error, never the end of a document.

mod accepted;
mod decode;
mod encode;
mod gzip;

use std::fmt;

pub use accepted::Accepted;
pub use decode::Decoder;
pub use encode::Encoder;

/// A coding that can be taken off and put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 1952, with one member or several.
    Gzip,
    /// RFC 1950 (zlib). What some servers send instead, bare RFC 1951, is read too.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

impl Coding {
    /// Those that are known; where a client likes several equally well, the first.
    pub const ALL: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Deflate];

    /// The coding of a name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| is(coding.name()))
    }

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// The most codings that one body may have.
const MOST: usize = 4;

/// The codings of a body, in the order in which they were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stack([Option<Coding>; MOST]);

/// A `content-encoding` that cannot be taken off: a coding that is not known, or more than four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

impl Stack {
    /// What the elements of `content-encoding` say. `identity` is none.
    ///
    /// # Errors
    /// One that is not known, or too many.
    pub fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Unknown> {
        let mut stack = Self::default();
        let mut free = stack.0.iter_mut();
        for name in names.filter(|name| !name.eq_ignore_ascii_case("identity")) {
            let coding = Coding::parse(name).ok_or(Unknown)?;
            *free.next().ok_or(Unknown)? = Some(coding);
        }
        Ok(stack)
    }

    /// Whether the body is as it is.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0[0].is_none()
    }

    /// The only coding, if there is one.
    #[must_use]
    pub fn only(self) -> Option<Coding> {
        self.0[0].filter(|_| self.0[1].is_none())
    }

    /// In the order in which they were applied.
    #[must_use]
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Coding> {
        self.0.into_iter().flatten()
    }
}

impl From<Option<Coding>> for Stack {
    fn from(coding: Option<Coding>) -> Self {
        Self([coding, None, None, None])
    }
}

/// As `content-encoding` says it.
impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Coding::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// Bounds on what comes out of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes in all.
    pub total: u64,
    /// Most bytes for each that went in, once more than [`SMALL`] have come out.
    pub ratio: u64,
}

/// What may come out of a decoder whatever went in, in bytes: short documents that say the same thing again and again
/// are no attack.
pub const SMALL: u64 = 1 << 20;

/// Why content could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// It is not what its coding says.
    Malformed(Coding),
    /// It ended before its end.
    Cut(Coding),
    /// More came out than [`Limits::total`].
    TooMuch(u64),
    /// It grew more than [`Limits::ratio`] allows.
    Bomb(u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(coding) => write!(f, "the body is not valid {}", coding.name()),
            Self::Cut(coding) => write!(f, "the body's {} coding is cut off", coding.name()),
            Self::TooMuch(most) => write!(f, "expected at most {most} bytes in a decoded body, found more"),
            Self::Bomb(ratio) => write!(f, "expected a body that grows at most {ratio} times when decoded"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
