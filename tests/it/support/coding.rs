//! Content codings, by the libraries and not by the proxy's own code.

use std::io::{Read as _, Write as _};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// Puts codings on; `raw` is DEFLATE without its zlib.
pub(crate) fn encode(codings: &str, text: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(6);
    codings.split(", ").fold(text.to_vec(), |text, coding| match coding {
        "gzip" | "x-gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        "raw" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut out = Vec::new();
            let params = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
            brotli::BrotliCompress(&mut text.as_slice(), &mut out, &params).unwrap();
            out
        }
        "zstd" => zstd::encode_all(text.as_slice(), 3).unwrap(),
        _ => text,
    })
}

/// Takes codings off.
pub(crate) fn decode(codings: &str, coded: &[u8]) -> Vec<u8> {
    codings.split(", ").fold(coded.to_vec(), |coded, coding| {
        let mut out = Vec::new();
        match coding {
            "gzip" => MultiGzDecoder::new(&coded[..]).read_to_end(&mut out).unwrap(),
            "deflate" => ZlibDecoder::new(&coded[..]).read_to_end(&mut out).unwrap(),
            "br" => brotli::Decompressor::new(&coded[..], 4096).read_to_end(&mut out).unwrap(),
            "zstd" => zstd::Decoder::new(&coded[..]).unwrap().read_to_end(&mut out).unwrap(),
            _ => return coded,
        };
        out
    })
}
