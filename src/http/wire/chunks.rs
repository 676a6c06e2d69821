//! The syntax of a body in chunks (RFC 9112 section 7.1).

use crate::failure::{Failure, Kind};

use super::{Limits, bad, head, refuse};

/// Most bytes of the extensions of all chunks of a body. Nobody reads them, so nobody needs many.
const EXTENSIONS: usize = 8 * 1024;
/// Most digits of a chunk's size; as many fit into its number.
const DIGITS: u8 = 16;

/// Headers that a message's end would be found by, or where it goes: a server that takes trailers for headers must
/// not find any of these in them (RFC 9110 section 6.5.1).
const NOT_IN_TRAILERS: [&[u8]; 6] =
    [b"content-length", b"transfer-encoding", b"host", b"trailer", b"content-encoding", b"connection"];

/// What has been read of a body in chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    state: State,
    extensions: usize,
    /// The trailers so far, with their line ends.
    trailers: Vec<u8>,
    /// Where the trailer that is being read begins.
    line: usize,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers,
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunks {
    /// Reads on; how many of the bytes belong to the body, and whether it has ended with them.
    ///
    /// # Errors
    /// What makes it none, with how many bytes were right.
    pub(crate) fn read(&mut self, bytes: &[u8], limits: &Limits) -> (usize, Result<bool, Failure>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if matches!(self.state, State::Ended) {
                break;
            }
            if let State::Data { left } = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                let left = left - here as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                continue;
            }
            if let Err(failure) = self.step(byte, limits) {
                return (at, Err(failure));
            }
            at += 1;
        }
        (at, Ok(matches!(self.state, State::Ended)))
    }

    fn step(&mut self, byte: u8, limits: &Limits) -> Result<(), Failure> {
        self.state = match (self.state, byte) {
            (State::Size { size, digits }, digit) if digit.is_ascii_hexdigit() && digits < DIGITS => {
                let digit = char::from(digit).to_digit(16).unwrap_or_default();
                State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { size, digits: 1.. } | State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Size { size, digits: 1.. }, b';') => State::Extension { size },
            (State::Size { .. }, _) => return Err(bad("expected the size of a chunk in hexadecimal digits")),
            (State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extensions += 1;
                if self.extensions > EXTENSIONS {
                    return Err(bad(format!("expected at most {EXTENSIONS} bytes of chunk extensions, found more")));
                }
                State::Extension { size }
            }
            (State::Extension { .. }, _) => return Err(bad("expected no control character in a chunk's extension")),
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::default(),
            (State::Trailers, byte) => self.trailer(byte, limits)?,
            (State::SizeEnd { .. } | State::DataCr | State::DataLf | State::Data { .. } | State::Ended, _) => {
                return Err(bad("expected CR LF at the end of a chunk"));
            }
        };
        Ok(())
    }

    fn trailer(&mut self, byte: u8, limits: &Limits) -> Result<State, Failure> {
        self.trailers.push(byte);
        if self.trailers.len() > limits.head {
            return Err(refuse(Kind::HeadTooLarge, format!("expected at most {} bytes of trailers", limits.head)));
        }
        if byte != b'\n' {
            return Ok(State::Trailers);
        }
        let line = &self.trailers[self.line..self.trailers.len() - 1];
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(bad("expected CR LF at the end of a trailer, found LF"));
        };
        if line.is_empty() {
            return Ok(State::Ended);
        }
        let (name, _) = head::header(line)?;
        if NOT_IN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
            return Err(bad(format!("expected no `{}` in the trailers", String::from_utf8_lossy(name))));
        }
        self.count += 1;
        if self.count > limits.headers {
            return Err(refuse(
                Kind::HeadTooLarge,
                format!("expected at most {} trailers, found more", limits.headers),
            ));
        }
        self.line = self.trailers.len();
        Ok(State::Trailers)
    }
}
