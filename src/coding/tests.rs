use std::io::Write as _;

use bytes::Bytes;

use super::{Coding, Decoder, Encoder, Error, Limits, SMALL, Stack, Unknown};

const LIMITS: Limits = Limits { total: 1 << 30, ratio: 100_000 };

fn stack(names: &str) -> Stack {
    Stack::parse(names.split(',').map(str::trim).filter(|name| !name.is_empty())).unwrap()
}

/// A document that repeats itself a little, and is longer than what comes out at once.
fn document(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 64);
    let mut seed = 7_u64;
    while text.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(text, r#"{{"id":{},"text":"caf\u00e9 {}"}},"#, seed >> 20, seed % 7).unwrap();
    }
    text.truncate(length);
    text
}

fn encode(codings: Stack, chunks: &[&[u8]], is_flushed: bool) -> Vec<u8> {
    let mut encoder = Encoder::try_new(codings).unwrap();
    let mut out = Vec::new();
    for chunk in chunks {
        encoder.push(chunk).unwrap();
        if is_flushed {
            encoder.flush().unwrap();
        }
        out.extend(encoder.take());
    }
    out.extend(encoder.finish().unwrap());
    out
}

fn decode(codings: Stack, coded: &[u8], chunk: usize, limits: Limits) -> Result<Vec<u8>, Error> {
    let mut decoder = Decoder::new(codings, limits);
    let mut out = Vec::new();
    for chunk in coded.chunks(chunk) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(made) = decoder.pull()? {
            assert!(!made.is_empty() && made.len() <= 16 * 1024);
            out.extend(made);
        }
    }
    decoder.finish()?;
    Ok(out)
}

const STACKS: [&str; 8] =
    ["", "gzip", "deflate", "br", "zstd", "gzip, br", "zstd, zstd, deflate", "br, gzip, zstd, deflate"];

#[test]
fn what_is_encoded_can_be_decoded_in_chunks_of_every_size() {
    let document = document(20_000);
    for names in &STACKS[1..] {
        let coded = encode(stack(names), &document.chunks(777).collect::<Vec<_>>(), false);
        for chunk in (1..17).chain([1000, coded.len()]) {
            let got = decode(stack(names), &coded, chunk, LIMITS);
            assert!(got.as_deref() == Ok(&document[..]), "{names} in chunks of {chunk}");
        }
    }
}

#[test]
fn an_encoder_without_codings_changes_nothing() {
    assert_eq!(encode(Stack::default(), &[b"a", b"", b"bc"], true), b"abc");
}

#[test]
fn what_was_flushed_can_be_decoded_before_the_end() {
    for names in &STACKS[1..] {
        let mut encoder = Encoder::try_new(stack(names)).unwrap();
        let mut decoder = Decoder::new(stack(names), LIMITS);
        for event in [&b"data: 1\n\n"[..], b"data: 2\n\n", &document(100_000)] {
            encoder.push(event).unwrap();
            encoder.flush().unwrap();
            decoder.push(encoder.take());
            let mut got = Vec::new();
            while let Some(made) = decoder.pull().unwrap() {
                got.extend(made);
            }
            assert!(got == event, "{names}: {} of {} bytes", got.len(), event.len());
        }
        assert!(matches!(decoder.finish(), Err(Error::Cut(_))), "{names}");
    }
}

#[test]
fn content_that_is_cut_off_is_never_whole() {
    let document = document(3_000);
    for names in &STACKS[1..] {
        let coded = encode(stack(names), &[&document], false);
        for end in 1..coded.len() {
            let got = decode(stack(names), &coded[..end], 64, LIMITS);
            assert!(matches!(got, Err(Error::Cut(_))), "{names} up to {end} of {}: {got:?}", coded.len());
        }
    }
}

#[test]
fn nothing_at_all_is_an_empty_document() {
    for names in STACKS {
        assert_eq!(decode(stack(names), b"", 1, LIMITS), Ok(Vec::new()), "{names}");
        assert_eq!(decode(stack(names), &encode(stack(names), &[], false), 1, LIMITS), Ok(Vec::new()), "{names}");
    }
}

#[test]
fn some_codings_have_several_members() {
    for names in ["gzip", "zstd", "x-gzip"] {
        let parts = [encode(stack(names), &[b"one "], false), encode(stack(names), &[b"two"], false)];
        for chunk in 1..100 {
            assert_eq!(decode(stack(names), &parts.concat(), chunk, LIMITS).as_deref(), Ok(&b"one two"[..]), "{names}");
        }
    }
}

#[test]
fn deflate_may_come_without_zlib() {
    let document = document(20_000);
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(&document).unwrap();
    let coded = encoder.finish().unwrap();
    for chunk in (1..20).chain([coded.len()]) {
        assert!(decode(stack("deflate"), &coded, chunk, LIMITS).as_deref() == Ok(&document[..]), "{chunk}");
    }
}

#[test]
fn what_is_damaged_or_followed_by_something_else_is_refused() {
    for (names, coding) in
        [("gzip", Coding::Gzip), ("deflate", Coding::Deflate), ("br", Coding::Brotli), ("zstd", Coding::Zstd)]
    {
        let coded = encode(stack(names), &[b"some text that is long enough, some text that is long enough"], false);
        let behind = [&coded[..], b"\0rubbish of some length"].concat();
        for chunk in [1, 7, behind.len()] {
            assert_eq!(decode(stack(names), &behind, chunk, LIMITS), Err(Error::Malformed(coding)), "{names} {chunk}");
            let got = decode(stack(names), b"{\"text\": \"this has no coding\"}", chunk, LIMITS);
            assert!(matches!(got, Err(Error::Malformed(_) | Error::Cut(_))), "{names}: {got:?}");
        }
    }
    // gzip's checksum.
    let mut coded = encode(stack("gzip"), &[b"text"], false);
    let at = coded.len() - 8;
    coded[at] ^= 1;
    assert_eq!(decode(stack("gzip"), &coded, 5, LIMITS), Err(Error::Malformed(Coding::Gzip)));
}

#[test]
fn bombs_are_refused_while_they_unpack() {
    let zeros = vec![0; 3 << 20];
    for names in &STACKS[1..6] {
        let coded = encode(stack(names), &[&zeros], false);
        let limits = Limits { total: 2 << 20, ratio: u64::MAX };
        assert_eq!(decode(stack(names), &coded, 64, limits), Err(Error::TooMuch(2 << 20)), "{names}");
        let limits = Limits { total: u64::MAX, ratio: 200 };
        assert_eq!(decode(stack(names), &coded, 64, limits), Err(Error::Bomb(200)), "{names}");
    }
    // What is short is no bomb.
    let short = vec![b' '; usize::try_from(SMALL).unwrap()];
    let coded = encode(stack("gzip"), &[&short], false);
    assert_eq!(decode(stack("gzip"), &coded, 64, Limits { total: SMALL, ratio: 200 }), Ok(short));
}

#[test]
fn a_layer_that_unpacks_to_little_is_bounded_as_well() {
    // Very many empty members: the outer layer makes much of little, the inner one nothing of much.
    let members = encode(stack("gzip"), &[], false).repeat(100_000);
    let coded = encode(stack("gzip"), &[&members], false);
    let limits = Limits { total: 1 << 30, ratio: 50 };
    assert_eq!(decode(stack("gzip, gzip"), &coded, 1000, limits), Err(Error::Bomb(50)));
}

#[test]
fn a_window_that_would_take_too_much_memory_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(zstd::stream::raw::CParameter::WindowLog(24)).unwrap();
    encoder.write_all(&document(100_000)).unwrap();
    let coded = encoder.finish().unwrap();
    assert_eq!(decode(stack("zstd"), &coded, 64, LIMITS), Err(Error::Malformed(Coding::Zstd)));
}

#[test]
fn random_bytes_are_an_error_or_a_document() {
    let mut seed = 1_u64;
    for round in 0..500 {
        let bytes: Vec<u8> = (0..round % 90)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        for names in STACKS {
            let whole = decode(stack(names), &bytes, bytes.len().max(1), LIMITS);
            let parts = decode(stack(names), &bytes, 1, LIMITS);
            assert_eq!(whole.is_ok(), parts.is_ok(), "{names}: {bytes:?}");
        }
    }
}

#[test]
fn content_encoding_is_a_list_of_names() {
    assert_eq!(stack("gzip, BR").to_string(), "gzip, br");
    assert_eq!(stack("x-gzip").only(), Some(Coding::Gzip));
    assert_eq!(stack("gzip, br").only(), None);
    assert!(stack("identity").is_plain());
    for names in ["compress", "gzip, dcb", "gzip, gzip, gzip, gzip, gzip"] {
        assert_eq!(Stack::parse(names.split(", ")), Err(Unknown), "{names}");
    }
}
