//! Codings taken off.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::{Buf as _, Bytes};
use flate2::Decompress;
use zstd::stream::raw::{DParameter, Operation as _};
use zstd::zstd_safe::{InBuffer, OutBuffer};

use super::gzip::{Deflate, WINDOW, inflate};
use super::{Coding, Error, Limits, SMALL, Stack};

/// What comes out at once at most, in bytes.
const PIECE: usize = 16 * 1024;
/// The greatest window of zstd, as a power of two (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// Takes the codings off a body. Give it bytes with [`push`](Self::push), then [`pull`](Self::pull) until there is
/// nothing more; when the body has ended, [`finish`](Self::finish) says whether it was whole.
pub struct Decoder {
    /// In the order in which bytes pass them: the last coding that was applied is the first.
    layers: Vec<Layer>,
    limits: Limits,
    /// Bytes that went in.
    read: u64,
    scratch: Box<[u8]>,
}

impl Decoder {
    /// A decoder for a body with these codings.
    #[must_use]
    pub fn new(codings: Stack, limits: Limits) -> Self {
        let layers = codings.iter().rev().map(Layer::new).collect();
        Self { layers, limits, read: 0, scratch: vec![0; PIECE].into_boxed_slice() }
    }

    /// Gives it the next bytes of the body. All that the last ones make has to be pulled before.
    pub fn push(&mut self, bytes: Bytes) {
        self.read += bytes.len() as u64;
        if let Some(first) = self.layers.first_mut() {
            first.input = bytes;
        }
    }

    /// The next bytes of the document; `None` until more is pushed.
    ///
    /// # Errors
    /// Those of the content.
    pub fn pull(&mut self) -> Result<Option<Bytes>, Error> {
        self.pull_from(self.layers.len())
    }

    /// What comes out of the first so many layers.
    fn pull_from(&mut self, count: usize) -> Result<Option<Bytes>, Error> {
        let Some(at) = count.checked_sub(1) else { return Ok(None) };
        loop {
            let layer = &mut self.layers[at];
            let made = layer.run(&mut self.scratch)?;
            if made > 0 {
                layer.made += made as u64;
                let all = layer.made;
                self.check(all)?;
                return Ok(Some(Bytes::copy_from_slice(&self.scratch[..made])));
            }
            match self.pull_from(at)? {
                Some(more) => self.layers[at].input = more,
                None => return Ok(None),
            }
        }
    }

    fn check(&self, made: u64) -> Result<(), Error> {
        if made > self.limits.total {
            return Err(Error::TooMuch(self.limits.total));
        }
        if made > SMALL && self.is_above_ratio(made) {
            return Err(Error::Bomb(self.limits.ratio));
        }
        Ok(())
    }

    fn is_above_ratio(&self, made: u64) -> bool {
        let unread = self.layers.first().map_or(0, |layer| layer.input.len() as u64);
        made > self.limits.ratio.saturating_mul(self.read - unread)
    }

    /// Whether the body has grown more so far than it may once it is no longer small.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        self.layers.iter().any(|layer| self.is_above_ratio(layer.made))
    }

    /// Checks that the body came to its end. One without a byte is an empty document.
    ///
    /// # Errors
    /// [`Error::Cut`].
    pub fn finish(&self) -> Result<(), Error> {
        match self.layers.iter().find(|layer| layer.has_begun && !layer.has_ended) {
            Some(layer) => Err(Error::Cut(layer.coding)),
            None => Ok(()),
        }
    }
}

/// One coding of a body.
struct Layer {
    coding: Coding,
    codec: Codec,
    /// What has not been read yet.
    input: Bytes,
    /// Whether more may come out although nothing more goes in.
    is_full: bool,
    has_begun: bool,
    /// Whether what was read so far is whole.
    has_ended: bool,
    /// Bytes that came out.
    made: u64,
}

impl Layer {
    fn new(coding: Coding) -> Self {
        Self {
            coding,
            codec: Codec::new(coding),
            input: Bytes::new(),
            is_full: false,
            has_begun: false,
            has_ended: false,
            made: 0,
        }
    }

    /// Makes some bytes; none where it needs more.
    fn run(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let malformed = Error::Malformed(self.coding);
        while self.is_full || !self.input.is_empty() {
            if self.has_ended {
                self.codec.begin_next().map_err(|_| malformed)?;
                self.has_ended = false;
            }
            self.has_begun = true;
            let has_input = !self.input.is_empty();
            let ran = self.codec.run(&self.input, out).map_err(|_| malformed)?;
            self.input.advance(ran.read);
            self.has_ended = ran.has_ended;
            self.is_full = ran.made == out.len() && !ran.has_ended;
            if ran.made > 0 {
                return Ok(ran.made);
            }
            if has_input && ran.read == 0 && !ran.has_ended {
                return Err(malformed);
            }
        }
        Ok(0)
    }
}

/// What one step of a codec did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ran {
    pub(super) read: usize,
    pub(super) made: usize,
    /// Whether the content is whole, all of it is out, and nothing of what follows was read.
    pub(super) has_ended: bool,
}

/// Content that is not of its coding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Malformed;

enum Codec {
    Gzip(Decompress),
    Deflate(Deflate),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    /// `None` where there was no memory for it.
    Zstd(Option<zstd::stream::raw::Decoder<'static>>),
}

impl Codec {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(Decompress::new_gzip(WINDOW)),
            Coding::Deflate => Self::Deflate(Deflate::Unknown(None)),
            Coding::Brotli => Self::Brotli(Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            Coding::Zstd => Self::Zstd(zstd_decoder().ok()),
        }
    }

    fn run(&mut self, input: &[u8], out: &mut [u8]) -> Result<Ran, Malformed> {
        match self {
            Self::Gzip(state) => inflate(state, input, out),
            Self::Deflate(state) => state.run(input, out),
            Self::Brotli(state) => {
                let (mut left, mut read, mut space, mut made, mut total) = (input.len(), 0, out.len(), 0, 0);
                let result =
                    BrotliDecompressStream(&mut left, &mut read, input, &mut space, &mut made, out, &mut total, state);
                match result {
                    BrotliResult::ResultFailure => Err(Malformed),
                    BrotliResult::ResultSuccess => Ok(Ran { read, made, has_ended: true }),
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
                        Ok(Ran { read, made, has_ended: false })
                    }
                }
            }
            Self::Zstd(state) => {
                let state = state.as_mut().ok_or(Malformed)?;
                let (mut input, mut out) = (InBuffer::around(input), OutBuffer::around(out));
                let hint = state.run(&mut input, &mut out).map_err(|_| Malformed)?;
                Ok(Ran { read: input.pos(), made: out.pos(), has_ended: hint == 0 })
            }
        }
    }

    /// Begins the next member or frame, where the coding has several.
    fn begin_next(&mut self) -> Result<(), Malformed> {
        match self {
            Self::Gzip(state) => {
                *state = Decompress::new_gzip(WINDOW);
                Ok(())
            }
            // It begins by itself.
            Self::Zstd(_) => Ok(()),
            Self::Deflate(_) | Self::Brotli(_) => Err(Malformed),
        }
    }
}

fn zstd_decoder() -> std::io::Result<zstd::stream::raw::Decoder<'static>> {
    let mut decoder = zstd::stream::raw::Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
    Ok(decoder)
}
