//! Codings put on.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use zstd::stream::raw::CParameter;

use super::{Coding, Stack};

// Bodies are encoded while someone waits for them: these levels cost about as much as they save on a fast network.
const DEFLATE_LEVEL: u32 = 4;
const BROTLI_QUALITY: i32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// The windows of br and zstd, as powers of two, which is what an encoder mostly holds.
const BROTLI_WINDOW: i32 = 18;
const ZSTD_WINDOW: u32 = 19;
/// What br's encoder hands over at once, in bytes.
const BROTLI_PIECE: usize = 4096;

/// Puts codings on a body.
pub struct Encoder {
    /// In the order in which bytes pass them.
    layers: Vec<Layer>,
    ready: Vec<u8>,
}

/// Encoders write to memory and do not fail but for want of it.
impl Encoder {
    /// An encoder that applies these codings in their order.
    ///
    /// # Errors
    /// No memory for it.
    pub fn try_new(codings: Stack) -> io::Result<Self> {
        let layers = codings.iter().map(Layer::try_new).collect::<io::Result<_>>()?;
        Ok(Self { layers, ready: Vec::new() })
    }

    /// Encodes the next bytes; what they make may come later.
    ///
    /// # Errors
    /// No memory.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.each(bytes, Layer::write)
    }

    /// Has all that was pushed come out, so that its receiver can decode it.
    ///
    /// # Errors
    /// No memory.
    pub fn flush(&mut self) -> io::Result<()> {
        self.each(&[], |layer, bytes| {
            layer.write(bytes)?;
            layer.flush()
        })
    }

    fn each(&mut self, bytes: &[u8], work: impl Fn(&mut Layer, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut passed = None;
        for layer in &mut self.layers {
            work(layer, passed.as_deref().unwrap_or(bytes))?;
            passed = Some(std::mem::take(layer.out()));
        }
        self.ready.extend_from_slice(passed.as_deref().unwrap_or(bytes));
        Ok(())
    }

    /// What has come out since the last time.
    #[must_use]
    pub fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.ready).into()
    }

    /// Ends the body; the last of it comes back.
    ///
    /// # Errors
    /// No memory.
    pub fn finish(mut self) -> io::Result<Bytes> {
        let mut passed = Vec::new();
        for mut layer in self.layers {
            layer.write(&passed)?;
            passed = layer.finish()?;
        }
        self.ready.append(&mut passed);
        Ok(self.ready.into())
    }
}

enum Layer {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Layer {
    fn try_new(coding: Coding) -> io::Result<Self> {
        let level = Compression::new(DEFLATE_LEVEL);
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), level)),
            Coding::Brotli => {
                let params =
                    BrotliEncoderParams { quality: BROTLI_QUALITY, lgwin: BROTLI_WINDOW, ..Default::default() };
                Self::Brotli(Box::new(CompressorWriter::with_params(Vec::new(), BROTLI_PIECE, &params)))
            }
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Deflate(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Deflate(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Deflate(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
