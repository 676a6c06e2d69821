//! Engine.IO's packets: against what real peers sent, in pieces of every size, and back again.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use legato_proxy::framing::engineio::payload::{Decoder, Dialect, Form};
use legato_proxy::framing::engineio::{Binary, Frame, Open, Packet, jsonp};
use legato_proxy::framing::{Code, Error, Generation};

use crate::support::random::Random;

const TEXT_3: Form = Form::Text(Generation::Eio3, Dialect::Once);
const TEXT_3_TWICE: Form = Form::Text(Generation::Eio3, Dialect::Twice);
const TEXT_4: Form = Form::Text(Generation::Eio4, Dialect::Once);

/// A recorded conversation of real peers.
pub(crate) fn trace(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/socketio").join(name);
    fs::read_to_string(&path).unwrap()
}

/// What stands after a mark such as `| text 12B: ` in each line, as bytes. What was cut short is left out.
pub(crate) fn recorded<'t>(trace: &'t str, mark: &'t str) -> impl Iterator<Item = Vec<u8>> + 't {
    trace.lines().filter_map(move |line| {
        let (_, rest) = line.split_once(mark)?;
        let (length, body) = rest.split_once('B')?;
        let length: usize = length.parse().ok()?;
        let body = body.strip_prefix(": ").unwrap_or(body);
        if body.ends_with('…') {
            return None;
        }
        let bytes = if mark.ends_with("text ") { unescaped(body) } else { hexadecimal(body) };
        assert_eq!(bytes.len(), length, "{line}");
        Some(bytes)
    })
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        out.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn hexadecimal(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Reads a body that comes in pieces of one size.
fn read(form: Form, body: &[u8], size: usize) -> Result<Vec<Packet>, Error> {
    let mut decoder = Decoder::new(form, 1 << 20);
    let mut packets = Vec::new();
    for piece in body.chunks(size.max(1)) {
        decoder.push(Bytes::copy_from_slice(piece))?;
        while let Some(packet) = decoder.packet()? {
            packets.push(packet);
        }
    }
    packets.extend(decoder.finish()?);
    Ok(packets)
}

/// Reads a body whole and in pieces of every size, which must be the same.
fn read_all_ways(form: Form, body: &[u8]) -> Result<Vec<Packet>, Error> {
    let whole = read(form, body, body.len());
    for size in 1..body.len().min(200) {
        assert_eq!(read(form, body, size), whole, "{form:?} in pieces of {size}: {}", body.escape_ascii());
    }
    whole
}

#[test]
fn recorded_bodies_are_read_and_written_as_they_were() {
    let mut bodies = 0;
    for (name, form) in
        [("c1-s1-polling.txt", TEXT_3_TWICE), ("c2-s2-polling.txt", TEXT_3), ("c4-s4-polling.txt", TEXT_4)]
    {
        // The answers to POST, and those that are errors, are no payloads.
        let trace = trace(name);
        for body in recorded(&trace, "| text ").filter(|body| body != b"ok" && !body.starts_with(b"{\"code\"")) {
            let packets = read_all_ways(form, &body).unwrap_or_else(|e| panic!("{e}: {}", body.escape_ascii()));
            assert_eq!(form.write(&packets).escape_ascii().to_string(), body.escape_ascii().to_string());
            bodies += 1;
        }
    }
    let bytes = trace("raw-browserlike-eio3-s2.txt");
    for body in recorded(&bytes, "| bytes ") {
        let packets = read_all_ways(Form::Bytes, &body).unwrap();
        assert_eq!(Form::Bytes.write(&packets), body);
        bodies += 1;
    }
    assert!(bodies > 150, "{bodies}");
}

#[test]
fn recorded_frames_are_read_and_written_as_they_were() {
    for (name, generation) in [("c2-s2-websocket.txt", Generation::Eio3), ("c4-s4-websocket.txt", Generation::Eio4)] {
        let trace = trace(name);
        let texts = recorded(&trace, " frame text ").map(|text| Frame::Text(text.into()));
        let binaries = recorded(&trace, " frame binary ").map(|bytes| Frame::Binary(bytes.into()));
        let frames: Vec<Frame> = texts.chain(binaries).collect();
        assert!(frames.len() > 40, "{}", frames.len());
        for frame in frames {
            let packet = Packet::from_frame(generation, frame.clone()).unwrap();
            assert_eq!(packet.to_frame(generation, Binary::Raw), frame);
        }
    }
}

#[test]
fn lengths_count_what_each_form_counts() {
    let message = [Packet::Message("\"é日🙂\"".into())];
    assert_eq!(TEXT_3.write(&message), "7:4\"é日🙂\"");
    assert_eq!(TEXT_4.write(&message), "4\"é日🙂\"");
    // Once encoded, the text has 12 bytes.
    let twice: String = "4\"é日🙂\"".bytes().map(char::from).collect();
    assert_eq!(TEXT_3_TWICE.write(&message), format!("12:{twice}"));
    assert_eq!(Form::Bytes.write(&message)[..5], [0, 1, 2, 0xff, b'4']);
    for form in [TEXT_3, TEXT_4, TEXT_3_TWICE, Form::Bytes] {
        assert_eq!(read_all_ways(form, &form.write(&message)).unwrap(), message, "{form:?}");
    }
}

#[test]
fn an_empty_batch_means_nothing() {
    assert_eq!(TEXT_3.write(&[]), "0:");
    assert_eq!(read_all_ways(TEXT_3, b"0:"), Ok(Vec::new()));
    assert_eq!(read_all_ways(TEXT_3, b"0:1:20:"), Ok(vec![Packet::Ping(Bytes::new())]));
}

#[test]
fn bodies_that_cannot_be_read_say_where() {
    let cases: [(Form, &[u8], Code, usize); 27] = [
        (TEXT_4, b"", Code::EmptyPacket, 0),
        (TEXT_4, b"2\x1e", Code::EmptyPacket, 2),
        (TEXT_4, b"2\x1e\x1e2", Code::EmptyPacket, 2),
        (TEXT_4, b"2\x1e7", Code::UnknownType, 2),
        (TEXT_4, b"4a\xff", Code::NotUtf8, 2),
        (TEXT_4, b"2\x1ebA===", Code::NotBase64, 4),
        (TEXT_4, b"2\x1eb*", Code::NotBase64, 3),
        (TEXT_3, b"2", Code::Truncated, 1),
        (TEXT_3, b":2", Code::BadLength, 0),
        (TEXT_3, b"x:2", Code::BadLength, 0),
        (TEXT_3, b"1x2", Code::BadLength, 1),
        (TEXT_3, b"1:2-1:2", Code::BadLength, 3),
        (TEXT_3, b"1234567890:2", Code::BadLength, 9),
        (TEXT_3, b"3:42", Code::Truncated, 4),
        (TEXT_3, "1:\u{1f642}".as_bytes(), Code::BadLength, 3),
        (TEXT_3, "2:4\u{1f642}".as_bytes(), Code::BadLength, 4),
        (TEXT_3, b"2:4\xf0\x9f1:2", Code::BadLength, 4),
        (TEXT_3, b"2:4\xc31:2", Code::NotUtf8, 3),
        (TEXT_3, b"2:4a\x80", Code::BadLength, 4),
        (TEXT_3, b"2:b5", Code::UnknownType, 3),
        (TEXT_3, b"1:b", Code::UnknownType, 3),
        (TEXT_3_TWICE, "2:4日".as_bytes(), Code::NotUtf8, 3),
        (Form::Bytes, &[2, 1, 0xff, b'2'], Code::UnknownType, 0),
        (Form::Bytes, &[0, 0xff, b'2'], Code::BadLength, 1),
        (Form::Bytes, &[0, 1, 10, b'2'], Code::BadLength, 2),
        (Form::Bytes, &[1, 2, 0xff, 5, 0], Code::UnknownType, 3),
        (Form::Bytes, &[0, 9, 0xff, b'2'], Code::Truncated, 4),
    ];
    for (form, body, code, offset) in cases {
        let error = read_all_ways(form, body).unwrap_err();
        assert_eq!((error.code, error.offset), (code, offset), "{form:?} {}", body.escape_ascii());
    }
}

#[test]
fn a_body_has_a_limit() {
    let mut decoder = Decoder::new(TEXT_4, 5);
    decoder.push("4abc".into()).unwrap();
    let error = decoder.push("de".into()).unwrap_err();
    assert_eq!((error.code, error.offset), (Code::TooLarge, 5));
    assert_eq!(error.to_string(), "too_large: expected fewer bytes at byte 5");
}

#[test]
fn frames_that_cannot_be_read_say_where() {
    use Generation::{Eio3, Eio4};
    let text = |text: &'static [u8]| Frame::Text(Bytes::from_static(text));
    let cases = [
        (Eio3, text(b""), Code::EmptyPacket, 0),
        (Eio4, text(b"9"), Code::UnknownType, 0),
        (Eio4, text(b"4\xff"), Code::NotUtf8, 1),
        (Eio3, text(b"b2AA"), Code::UnknownType, 1),
        (Eio3, text(b"b4A"), Code::NotBase64, 2),
        (Eio4, text(b"bAA*A"), Code::NotBase64, 3),
        (Eio3, Frame::Binary(Bytes::new()), Code::EmptyPacket, 0),
        (Eio3, Frame::Binary(Bytes::from_static(b"4")), Code::UnknownType, 0),
    ];
    for (generation, frame, code, offset) in cases {
        let error = Packet::from_frame(generation, frame.clone()).unwrap_err();
        assert_eq!((error.code, error.offset), (code, offset), "{generation:?} {frame:?}");
    }
}

#[test]
fn binary_messages_are_told_apart_by_the_protocol_alone() {
    for data in [&b""[..], b"\x04", b"b4", b"4text", &[0, 255, 0x1e]] {
        let packet = Packet::Binary(Bytes::copy_from_slice(data));
        for generation in [Generation::Eio3, Generation::Eio4] {
            for binary in [Binary::Raw, Binary::Base64] {
                let frame = packet.to_frame(generation, binary);
                assert_eq!(Packet::from_frame(generation, frame), Ok(packet.clone()), "{generation:?} {binary:?}");
            }
        }
    }
    let frame = |generation, binary| Packet::Binary("a".into()).to_frame(generation, binary);
    assert_eq!(frame(Generation::Eio3, Binary::Raw), Frame::Binary("\x04a".into()));
    assert_eq!(frame(Generation::Eio4, Binary::Raw), Frame::Binary("a".into()));
    assert_eq!(frame(Generation::Eio3, Binary::Base64), Frame::Text("b4YQ==".into()));
    assert_eq!(frame(Generation::Eio4, Binary::Base64), Frame::Text("bYQ==".into()));
    // Clients in browsers may leave the padding out.
    assert_eq!(
        Packet::from_frame(Generation::Eio4, Frame::Text("bYQ".into())),
        Ok(Packet::Binary("a".into())),
        "unpadded"
    );
}

#[test]
fn random_batches_survive_every_form() {
    for seed in 0..2000 {
        let mut random = Random(seed);
        let packets: Vec<Packet> = (0..=random.below(4)).map(|_| packet(&mut random)).collect();
        for form in [TEXT_3, TEXT_3_TWICE, TEXT_4, Form::Bytes] {
            let body = form.write(&packets);
            let sizes = [body.len(), 1 + random.below(body.len()), 1];
            for size in sizes {
                assert_eq!(read(form, &body, size), Ok(packets.clone()), "seed {seed}, {form:?}, pieces of {size}");
            }
        }
        for packet in &packets {
            for (generation, binary) in [
                (Generation::Eio3, Binary::Raw),
                (Generation::Eio3, Binary::Base64),
                (Generation::Eio4, Binary::Raw),
                (Generation::Eio4, Binary::Base64),
            ] {
                let frame = packet.to_frame(generation, binary);
                assert_eq!(Packet::from_frame(generation, frame).as_ref(), Ok(packet), "seed {seed}");
            }
        }
    }
}

fn packet(random: &mut Random) -> Packet {
    let text = |random: &mut Random| -> Bytes {
        let letters = ["a", "0", ":", "é", "日", "🙂", "\\n", "\n", "\u{7f}", "\u{2028}", "b4"];
        (0..random.below(8)).map(|_| *random.pick(&letters)).collect::<String>().into()
    };
    match random.below(9) {
        0 => Packet::Open(text(random)),
        1 => Packet::Close,
        2 => Packet::Ping(text(random)),
        3 => Packet::Pong(text(random)),
        4 => Packet::Upgrade,
        5 => Packet::Noop,
        6 => Packet::Binary((0..random.below(9)).map(|_| u8::try_from(random.below(256)).unwrap()).collect()),
        _ => Packet::Message(text(random)),
    }
}

#[test]
fn the_form_of_a_batch_is_what_its_client_can_read() {
    let text = [Packet::Message("x".into())];
    let bytes = [Packet::Message("x".into()), Packet::Binary("y".into())];
    let form = |packets: &[Packet], generation, binary| Form::of(packets, generation, binary, Dialect::Once);
    assert_eq!(form(&text, Generation::Eio3, Binary::Raw), TEXT_3);
    assert_eq!(form(&bytes, Generation::Eio3, Binary::Raw), Form::Bytes);
    assert_eq!(form(&bytes, Generation::Eio3, Binary::Base64), TEXT_3);
    assert_eq!(form(&bytes, Generation::Eio4, Binary::Raw), TEXT_4);
    assert_eq!(TEXT_4.content_type(), "text/plain; charset=UTF-8");
    assert_eq!(Form::Bytes.content_type(), "application/octet-stream");
}

#[test]
fn handshakes_are_read_and_written() {
    let text = br#"{"sid":"DR_F","upgrades":["websocket"],"pingInterval":400,"pingTimeout":600,"maxPayload":4000000}"#;
    let open = Open::parse(text).unwrap();
    assert_eq!(open.write(), &text[..]);
    let three = br#"{"sid":"phi4QxQ-9BzhHwnMAAAA","upgrades":[],"pingInterval":400,"pingTimeout":600}"#;
    assert_eq!(Open::parse(three).unwrap().write(), &three[..]);
    assert_eq!(Open::parse(br#" {"x":[1],"sid":"a","pingInterval":1,"pingTimeout":2} "#).unwrap().sid, "a");
    for bad in [&b"{"[..], b"[]", b"{}", br#"{"sid":"","pingInterval":1,"pingTimeout":2}"#, br#"{"sid":"a"}"#] {
        assert!(Open::parse(bad).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn scripts_and_forms_carry_payloads() {
    assert_eq!(jsonp::wrap("0", b"1:2"), r#"___eio[0]("1:2");"#);
    assert_eq!(jsonp::wrap("7);alert(", b"4[\"a\"]\n"), r#"___eio[7]("4[\"a\"]\n");"#);
    let separators = "a\u{2028}\u{2029}b\u{2030}\u{2028}";
    assert_eq!(jsonp::wrap("1", separators.as_bytes()), "___eio[1](\"a\\u2028\\u2029b\u{2030}\\u2028\");");

    assert_eq!(jsonp::unwrap(b"d=1%3A2").unwrap(), "1:2");
    assert_eq!(jsonp::unwrap("x=1&d=5%3A42%5B%22\u{e9}%22%5D+".as_bytes()).unwrap(), "5:42[\"\u{e9}\"] ");
    // A line end, and the two characters that stand for one in a string.
    assert_eq!(jsonp::unwrap(b"d=a\\nb\\\\nc\\d").unwrap(), "a\nb\\nc\\d");
    assert_eq!(jsonp::unwrap(b"data=1").unwrap_err().code, Code::NotAForm);
}
