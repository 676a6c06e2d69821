//! The DEFLATE family: gzip, zlib, and DEFLATE with nothing around it.

use flate2::{Decompress, FlushDecompress, Status};

use super::decode::{Malformed, Ran};

/// The greatest window, as a power of two.
pub(super) const WINDOW: u8 = 15;

/// What `deflate` names: zlib by its specification, bare DEFLATE by the habit of some servers. The first two bytes
/// tell.
pub(super) enum Deflate {
    /// Not both of them have come.
    Unknown(Option<u8>),
    Known(Decompress),
}

impl Deflate {
    pub(super) fn run(&mut self, input: &[u8], out: &mut [u8]) -> Result<Ran, Malformed> {
        match self {
            Self::Known(state) => inflate(state, input, out),
            Self::Unknown(first) => {
                let (head, taken) = match (*first, input) {
                    (None, [first, second, ..]) => ([*first, *second], 0),
                    (Some(first), [second, ..]) => ([first, *second], 1),
                    (None, [only]) => {
                        *first = Some(*only);
                        return Ok(Ran { read: 1, made: 0, has_ended: false });
                    }
                    (_, []) => return Ok(Ran::default()),
                };
                let mut state = Decompress::new(is_zlib(head));
                if taken > 0 {
                    // One byte is not enough for anything to come out.
                    inflate(&mut state, &head[..taken], out)?;
                }
                let ran = inflate(&mut state, input, out);
                *self = Self::Known(state);
                ran
            }
        }
    }
}

/// Whether two bytes are the header of zlib (RFC 1950, section 2.2).
fn is_zlib([method, flags]: [u8; 2]) -> bool {
    method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Runs one step.
pub(super) fn inflate(state: &mut Decompress, input: &[u8], out: &mut [u8]) -> Result<Ran, Malformed> {
    let (read, made) = (state.total_in(), state.total_out());
    let status = state.decompress(input, out, FlushDecompress::None).map_err(|_| Malformed)?;
    let since = |now: u64, then: u64| usize::try_from(now - then).unwrap_or(usize::MAX);
    Ok(Ran {
        read: since(state.total_in(), read),
        made: since(state.total_out(), made),
        has_ended: status == Status::StreamEnd,
    })
}
