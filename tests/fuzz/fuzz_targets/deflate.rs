//! `permessage-deflate`: the same frames wherever a connection's bytes are cut, steps of bounded size, and what was packed
//! can be read.

#![no_main]

use legato_proxy::framing::deflate::{Corrupt, Flow, Packer, Role, Spare, Unpacker, accept, answer};
use libfuzzer_sys::fuzz_target;

/// What a step may write.
const STEP: usize = 8300;
/// What a run writes at most: bombs are what they are.
const LIMIT: usize = 1 << 20;

/// Reads a connection's bytes in pieces of these sizes, over and over; none: as a whole.
fn read(from: Role, flow: Flow, wire: &[u8], sizes: &[usize]) -> (Vec<u8>, Result<(), Corrupt>) {
    let (mut unpacker, mut spare, mut out) = (Unpacker::new(from, flow), Spare::default(), Vec::new());
    let (mut rest, mut sizes) = (wire, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        let (mut piece, after) = rest.split_at(size);
        rest = after;
        loop {
            let wrote = out.len();
            let Ok(read) = unpacker.read(piece, &mut out, &mut spare) else { return (out, Err(Corrupt)) };
            assert!(out.len() - wrote <= STEP, "a step writes {} bytes", out.len() - wrote);
            if out.len() > LIMIT {
                return (out, Ok(()));
            }
            piece = &piece[read..];
            if read == 0 && out.len() == wrote {
                break;
            }
        }
        assert!(piece.is_empty(), "{} bytes are not read", piece.len());
    }
    (out, Ok(()))
}

/// The payloads of plain frames, all together: where a message is cut to frames depends on the pieces.
fn payloads(mut frames: &[u8]) -> Vec<u8> {
    let mut payloads = Vec::new();
    while let [_, second, rest @ ..] = frames {
        let (length, rest) = match second & 0x7f {
            126 if rest.len() >= 2 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 if rest.len() >= 8 => (u64::from_be_bytes(rest[..8].try_into().expect("eight bytes")), &rest[8..]),
            126 | 127 => break,
            short => (u64::from(short), rest),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if rest.len() < mask {
            break;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len() - mask);
        payloads.extend_from_slice(&rest[mask..mask + length]);
        frames = &rest[mask + length..];
    }
    payloads
}

fuzz_target!(|input: (u8, bool, bool, Vec<u8>, &[u8])| {
    let (bits, keeps_context, is_client, cuts, bytes) = input;
    let flow = Flow { bits: 8 + bits % 8, keeps_context };
    let from = if is_client { Role::Client } else { Role::Server };
    let sizes: Vec<usize> = cuts.iter().map(|size| usize::from(*size) + 1).collect();

    let (whole, outcome) = read(from, flow, bytes, &[]);
    for sizes in [&[1][..], &sizes] {
        let (pieces, other) = read(from, flow, bytes, sizes);
        if whole.len() <= LIMIT && pieces.len() <= LIMIT && outcome.is_ok() {
            assert_eq!(other, outcome, "in pieces of {sizes:?}");
            assert_eq!(payloads(&pieces), payloads(&whole), "in pieces of {sizes:?}");
        }
    }

    let (mut packer, mut spare, mut wire) = (Packer::new(flow), Spare::default(), Vec::new());
    let mut want = Vec::new();
    for message in bytes.chunks(sizes.first().map_or(100, |size| size * 7)) {
        let Some(packed) = packer.pack(&message.chunks(sizes.last().map_or(100, |size| size * 3)).collect::<Vec<_>>(), &mut spare) else { continue };
        want.extend_from_slice(message);
        wire.extend([0xc2, 126]);
        let Ok(length) = u16::try_from(packed.len()) else { return };
        wire.extend(length.to_be_bytes());
        wire.extend(packed);
    }
    let (plain, outcome) = read(Role::Server, flow, &wire, &sizes);
    assert_eq!((payloads(&plain), outcome), (want, Ok(())));

    let text = String::from_utf8_lossy(bytes);
    if let Some((agreed, line)) = answer(std::iter::once(&*text), |_| keeps_context) {
        // A client that reads the answer knows the same.
        if let Ok(read) = accept(std::iter::once(&*line), true) {
            assert_eq!(read.map(|read| read.server), Some(agreed.server), "{line}");
        }
    }
});
