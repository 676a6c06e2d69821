use super::*;

#[path = "../../../tests/it/support/frame.rs"]
mod frame;

const FULL: Flow = Flow { bits: 15, keeps_context: true };
const ALONE: Flow = Flow { bits: 15, keeps_context: false };

/// Reads a connection's bytes in pieces of a size; what comes out, or that the data is corrupt.
fn unpacked(from: Role, flow: Flow, wire: &[u8], size: usize) -> Result<Vec<u8>, Corrupt> {
    let (mut unpacker, mut spare, mut out) = (Unpacker::new(from, flow), Spare::default(), Vec::new());
    for mut piece in wire.chunks(size) {
        loop {
            let wrote = out.len();
            let read = unpacker.read(piece, &mut out, &mut spare)?;
            assert!(out.len() - wrote < 8300, "a step writes {} bytes", out.len() - wrote);
            piece = &piece[read..];
            if read == 0 && out.len() == wrote {
                break;
            }
        }
        assert!(piece.is_empty(), "{} bytes are not read", piece.len());
    }
    Ok(out)
}

/// Messages and control frames of plain frames: first bytes without the FIN bit, and payloads.
fn messages(mut frames: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut messages: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut open: Option<usize> = None;
    while let [first, second, rest @ ..] = frames {
        let (length, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(), &rest[8..]),
            short => (usize::from(short), rest),
        };
        let (mask, rest) =
            if second & 0x80 == 0 { ([0; 4], rest) } else { (rest[..4].try_into().unwrap(), &rest[4..]) };
        let payload = rest[..length].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]);
        match first & 0x0f {
            0 => messages[open.expect("a message to continue")].1.extend(payload),
            opcode => {
                if opcode < 8 {
                    assert_eq!(open, None, "a message within another");
                    open = Some(messages.len());
                }
                messages.push((first & 0x7f, payload.collect()));
            }
        }
        if first & 0x80 != 0 && first & 0x0f < 8 {
            open = None;
        }
        frames = &rest[length..];
    }
    messages
}

/// A frame; a client's is masked.
fn frame(first: u8, payload: &[u8], from: Role) -> Vec<u8> {
    frame::frame(first, payload, (from == Role::Client).then_some([0x37, 0xfa, 0x21, 0x3d]))
}

/// Messages of all sizes that matter, repetitive and not.
fn texts() -> Vec<Vec<u8>> {
    let words = |count: usize| (0..count).flat_map(|i| format!("{{\"n\":{}}},", i * i % 1013).into_bytes()).collect();
    let noise = |count: usize| {
        let mut state = 1_u32;
        let next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(count).collect()
    };
    vec![
        b"".to_vec(),
        b"a".to_vec(),
        b"Hello".to_vec(),
        b"{\"type\":\"message.created\",\"data\":{\"text\":\"hi\"}}".to_vec(),
        b"{\"type\":\"message.created\",\"data\":{\"text\":\"ho\"}}".to_vec(),
        words(25),
        words(1000),
        noise(300),
        noise(20_000),
        vec![b' '; 256],
        vec![b' '; 257],
        vec![0; 100_000],
    ]
}

#[test]
fn what_is_packed_is_unpacked_in_pieces_of_any_size() {
    for bits in 8..=15 {
        for keeps_context in [true, false] {
            for fragment in [usize::MAX, 7] {
                round_trip(Flow { bits, keeps_context }, Role::Client, fragment);
                round_trip(Flow { bits, keeps_context }, Role::Server, fragment);
            }
        }
    }
}

/// Packs all texts, given in pieces, cuts them to fragments with pings between, and reads them.
fn round_trip(flow: Flow, from: Role, fragment: usize) {
    let (mut packer, mut spare, mut wire) = (Packer::new(flow), Spare::default(), Vec::new());
    let mut packs = 0;
    for text in texts() {
        let given: Vec<&[u8]> = text.chunks(fragment.min(100)).collect();
        let short = packer.pack(&given, &mut spare);
        packs += usize::from(short.is_some());
        let (rsv1, payload) = short.map_or((0, text), |short| (0x40, short));
        let pieces: Vec<&[u8]> =
            if payload.is_empty() { vec![&[]] } else { payload.chunks(fragment.min(payload.len())).collect() };
        for (at, piece) in pieces.iter().enumerate() {
            let first = if at == 0 { 0x01 | rsv1 } else { 0 };
            let last = if at + 1 == pieces.len() { 0x80 } else { 0 };
            wire.extend(frame(first | last, piece, from));
            if at < 3 {
                wire.extend(frame(0x89, b"ping", from));
            }
        }
    }
    assert!(packs >= 1, "{flow:?}: nothing is compressed");
    for size in [1, 2, 3, 13, 4096, 5000, usize::MAX] {
        let plain = unpacked(from, flow, &wire, size).unwrap();
        let (pings, got): (Vec<_>, Vec<_>) = messages(&plain).into_iter().partition(|(first, _)| *first == 9);
        assert!(pings.iter().all(|(_, payload)| payload == b"ping"));
        let got: Vec<Vec<u8>> = got.into_iter().map(|(first, text)| (first == 1).then_some(text).unwrap()).collect();
        assert_eq!(got, texts(), "{flow:?} of a {from:?} in pieces of {size}");
    }
}

/// The examples of RFC 7692 section 7.2.3, and what zlib makes of its ends.
#[test]
fn examples_of_the_specification() {
    let hello: &[u8] = &[0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let cases: [(&[u8], &[&str]); 7] = [
        (hello, &["Hello"]),
        (&[0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00], &["Hello"]),
        (&[hello, &[0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00]].concat(), &["Hello", "Hello"]),
        (&[0xc1, 0x0b, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], &["Hello"]),
        (&[&[0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], hello].concat(), &["Hello", "Hello"]),
        (&[0xc1, 0x0d, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], &["Hello"]),
        // A compressed message of no bytes, and an empty last fragment.
        (&[0xc1, 0x01, 0x00, 0x41, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x80, 0x00], &["", "Hello"]),
    ];
    for (wire, want) in cases {
        for size in 1..=wire.len() {
            let plain = unpacked(Role::Server, FULL, wire, size).unwrap();
            let want: Vec<_> = want.iter().map(|text| (1, text.as_bytes().to_vec())).collect();
            assert_eq!(messages(&plain), want, "{wire:02x?} in pieces of {size}");
        }
    }
}

#[test]
fn what_breaks_the_protocol_is_left_for_the_reader_of_frames() {
    let packed = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let server = |first: u8| frame(first, &packed, Role::Server);
    let cases = [
        ("a compressed ping", server(0xc9)),
        ("RSV2", server(0xe1)),
        ("RSV1 without a message", server(0xc0)),
        ("a masked frame of a server", frame(0xc1, &packed, Role::Client)),
        ("an opcode that does not exist", server(0xc3)),
    ];
    for (what, wire) in cases {
        for size in 1..=wire.len() {
            assert_eq!(unpacked(Role::Server, FULL, &wire, size).unwrap(), wire, "{what}");
        }
    }
    let within = [frame(0x41, &packed, Role::Server), frame(0xc0, &packed, Role::Server)].concat();
    let plain = unpacked(Role::Server, FULL, &within, 1).unwrap();
    assert!(plain.ends_with(&frame(0xc0, &packed, Role::Server)), "RSV1 on a fragment: {plain:02x?}");
    let unmasked = server(0xc1);
    assert_eq!(unpacked(Role::Client, FULL, &unmasked, 1).unwrap(), unmasked);
}

#[test]
fn data_that_cannot_be_decompressed() {
    let cases: [&[u8]; 3] = [
        // A block type that does not exist.
        &[0x07, 0xff, 0xff],
        // A stored block whose lengths contradict each other.
        &[0x00, 0x05, 0x00, 0x05, 0x00, 0x48],
        // A reference to before the beginning.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
    ];
    for payload in cases {
        let wire = frame(0xc1, payload, Role::Server);
        for size in 1..=wire.len() {
            assert_eq!(unpacked(Role::Server, ALONE, &wire, size), Err(Corrupt), "{payload:02x?} in pieces of {size}");
        }
    }
}

#[test]
fn a_context_is_kept_or_not() {
    let text = b"{\"type\":\"message.created\",\"data\":{\"text\":\"hello there\"}}";
    let mut spare = Spare::default();
    let mut keeping = Packer::new(FULL);
    let first = keeping.pack(&[text], &mut spare).unwrap();
    let second = keeping.pack(&[text], &mut spare).unwrap();
    assert!(second.len() * 3 < first.len(), "{} after {}", second.len(), first.len());
    let mut alone = Packer::new(ALONE);
    let long = text.repeat(3);
    assert_eq!(alone.pack(&[&long], &mut spare), alone.pack(&[&long], &mut spare));
    assert_eq!(alone.pack(&[b"short"], &mut spare), None);
}

#[test]
fn offers_are_answered() {
    let cases = [
        ("permessage-deflate", true, "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", true, "permessage-deflate"),
        ("permessage-deflate", false, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (
            "Permessage-Deflate ;Server_No_Context_Takeover ; client_no_context_takeover",
            true,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"11\"",
            true,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
        ),
        ("permessage-deflate; server_max_window_bits=15", true, "permessage-deflate; server_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=8", true, "permessage-deflate; server_max_window_bits=8"),
        ("x-other; a=1, permessage-deflate", true, "permessage-deflate"),
        (
            "permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9",
            true,
            "permessage-deflate; server_max_window_bits=9",
        ),
        (",, permessage-deflate ,", true, "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits", true, ""),
        ("permessage-deflate; server_max_window_bits=16", true, ""),
        ("permessage-deflate; server_max_window_bits=09", true, ""),
        ("permessage-deflate; client_no_context_takeover=1", true, ""),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=9", true, ""),
        ("permessage-deflate; unknown", true, ""),
        ("permessage-deflate; =", true, ""),
        ("permessage-deflate x", true, ""),
        ("x-webkit-deflate-frame", true, ""),
        ("", true, ""),
    ];
    for (offer, affords, want) in cases {
        let answer = answer(std::iter::once(offer), |_| affords).map(|(_, answer)| answer);
        assert_eq!(answer.unwrap_or_default(), want, "{offer}");
    }
}

#[test]
fn answers_are_checked() {
    let flow = |bits, keeps_context| Flow { bits, keeps_context };
    let cases = [
        ("permessage-deflate", true, Some((flow(15, true), flow(15, true)))),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
            true,
            Some((flow(9, true), flow(12, true))),
        ),
        ("permessage-deflate; server_no_context_takeover", false, Some((flow(15, false), flow(15, false)))),
        ("permessage-deflate; client_no_context_takeover", true, Some((flow(15, false), flow(15, true)))),
        ("permessage-deflate", false, None),
        ("permessage-deflate; client_max_window_bits", true, None),
        ("permessage-deflate; unknown", true, None),
        ("permessage-deflate, permessage-deflate", true, None),
        ("x-other", true, None),
        ("permessage-deflate;", true, None),
    ];
    for (answer, affords, want) in cases {
        let got = accept(std::iter::once(answer), affords).ok().flatten().map(|agreed| (agreed.client, agreed.server));
        assert_eq!(got, want, "{answer}");
    }
    assert_eq!(accept(std::iter::empty(), true), Ok(None), "a server may decline");
    let own = offer(false);
    assert!(super::answer(std::iter::once(own), |_| true).is_some_and(|(agreed, _)| agreed.client_memory() == 0));
}

/// A sender that ends a stream for each message, which refers to the messages before it all the same.
#[test]
fn streams_that_end_know_of_those_before_them() {
    let noise = texts()[8].clone();
    let said = [b"Hello, hello and hello".to_vec(), noise.clone(), b"Hello, hello".to_vec(), noise];
    for from in [Role::Client, Role::Server] {
        let (mut before, mut wire, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for text in &said {
            let mut packs = flate2::Compress::new(flate2::Compression::new(6), false);
            if !before.is_empty() {
                packs.set_dictionary(&before).unwrap();
            }
            let mut packed = Vec::with_capacity(text.len() + 100);
            packs.compress_vec(text, &mut packed, flate2::FlushCompress::Finish).unwrap();
            packed.push(0);
            lengths.push(packed.len());
            wire.extend(frame(0xc1, &packed, from));
            before.extend_from_slice(text);
        }
        assert!(lengths[3] * 10 < lengths[1], "nothing is referred to: {lengths:?}");
        for size in [1, 100, wire.len()] {
            let out = unpacked(from, FULL, &wire, size).unwrap();
            let found: Vec<_> = messages(&out).into_iter().map(|(_, text)| text).collect();
            assert!(found == said, "pieces of {size}");
        }
    }
}

/// A sender that ends a stream later than that may go on, but refer to nothing before it.
#[test]
fn a_side_that_ends_its_streams_late_refers_to_nothing_before() {
    let text = texts()[8].clone();
    let mut packs = flate2::Compress::new(flate2::Compression::new(6), false);
    let mut packed = |flush| {
        let mut out = Vec::with_capacity(2 * text.len() + 100);
        packs.compress_vec(&text, &mut out, flush).unwrap();
        out
    };
    let first = packed(flate2::FlushCompress::Sync);
    let second = [packed(flate2::FlushCompress::Finish), vec![0]].concat();
    let mut refers = flate2::Compress::new(flate2::Compression::new(6), false);
    refers.set_dictionary(&text).unwrap();
    let mut referring = Vec::with_capacity(text.len() + 100);
    refers.compress_vec(&text, &mut referring, flate2::FlushCompress::Finish).unwrap();
    assert!(second.len() * 10 < first.len() && referring.len() * 10 < first.len(), "nothing is referred to");
    let whole = [frame(0xc1, &first[..first.len() - TAIL.len()], Role::Client), frame(0xc1, &second, Role::Client)];
    for (third, want) in [(ended(&text), Ok(vec![text.clone(); 3])), (referring, Err(Corrupt))] {
        let third = frame(0xc1, &[third, vec![0]].concat(), Role::Client);
        for size in [1, 100, usize::MAX] {
            let got = unpacked(Role::Client, FULL, &[whole.concat(), third.clone()].concat(), size);
            assert!(got.map(|out| messages(&out).into_iter().map(|(_, text)| text).collect()) == want, "{size}");
        }
    }
}

/// What a message's stream is, ended (BFINAL).
fn ended(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(text.len() + 100);
    let mut packs = flate2::Compress::new(flate2::Compression::new(6), false);
    packs.compress_vec(text, &mut packed, flate2::FlushCompress::Finish).unwrap();
    packed
}

/// Each end costs a window's copy, so that ends without much between them are bounded.
#[test]
fn streams_within_a_message_end_only_as_often_as_it_is_long() {
    let noise = texts()[8].clone();
    let cases: [(&str, &[u8], usize, bool); 6] = [
        ("empty ones", b"", 200, false),
        ("one byte each", b"a", 200, false),
        ("an empty message", b"", 1, true),
        ("two short ones", b"Hello", 2, true),
        ("long ones", &noise, 20, true),
        ("middling ones", &noise[..300], 100, true),
    ];
    for (what, text, times, is_fine) in cases {
        let payload = [ended(&noise), ended(text).repeat(times), vec![0]].concat();
        let wire = frame(0xc1, &payload, Role::Client);
        let want = if is_fine { Ok([noise.clone(), text.repeat(times)].concat()) } else { Err(Corrupt) };
        for size in [1, 1000, usize::MAX] {
            let got = unpacked(Role::Client, FULL, &wire, size).map(|out| messages(&out).remove(0).1);
            assert!(got == want, "{what} in pieces of {size}");
        }
    }
}
