//! Bodies and frames of Engine.IO: the same packets wherever a body is cut, and what was read can be written.

#![no_main]

use bytes::Bytes;
use legato_proxy::framing::engineio::payload::{Decoder, Dialect, Form};
use legato_proxy::framing::engineio::{Binary, Frame, Open, Packet, jsonp};
use legato_proxy::framing::{Error, Generation};
use libfuzzer_sys::fuzz_target;

const FORMS: [Form; 4] = [
    Form::Text(Generation::Eio3, Dialect::Once),
    Form::Text(Generation::Eio3, Dialect::Twice),
    Form::Text(Generation::Eio4, Dialect::Once),
    Form::Bytes,
];

/// Reads a body that comes in pieces of these sizes, over and over; none: as a whole.
fn read(form: Form, body: &[u8], sizes: &[usize]) -> Result<Vec<Packet>, Error> {
    let mut decoder = Decoder::new(form, 1 << 20);
    let mut rest = Bytes::copy_from_slice(body);
    let mut sizes = sizes.iter().cycle();
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        decoder.push(rest.split_to(size))?;
        while let Some(packet) = decoder.packet()? {
            packets.push(packet);
        }
    }
    packets.extend(decoder.finish()?);
    Ok(packets)
}

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, bytes) = input;
    let sizes: Vec<usize> = cuts.iter().map(|size| usize::from(*size) + 1).collect();
    for form in FORMS {
        let whole = read(form, bytes, &[]);
        assert_eq!(read(form, bytes, &[1]), whole, "{form:?}: byte by byte");
        assert_eq!(read(form, bytes, &sizes), whole, "{form:?}: in pieces of {sizes:?}");
        if let Ok(packets) = whole {
            assert_eq!(read(form, &form.write(&packets), &[]), Ok(packets), "{form:?}: written");
        }
    }
    for generation in [Generation::Eio3, Generation::Eio4] {
        for frame in [Frame::Text(Bytes::copy_from_slice(bytes)), Frame::Binary(Bytes::copy_from_slice(bytes))] {
            let Ok(packet) = Packet::from_frame(generation, frame) else { continue };
            for binary in [Binary::Raw, Binary::Base64] {
                assert_eq!(Packet::from_frame(generation, packet.to_frame(generation, binary)), Ok(packet.clone()));
            }
        }
    }
    if let Ok(open) = Open::parse(bytes) {
        assert_eq!(Open::parse(&open.write()), Ok(open));
    }
    let _any = jsonp::unwrap(bytes);
    let script = jsonp::wrap("0", String::from_utf8_lossy(bytes).as_bytes());
    let string = script.strip_prefix(b"___eio[0](").and_then(|rest| rest.strip_suffix(b");"));
    let text: String = serde_json::from_slice(string.expect("a call")).expect("a JSON string");
    assert_eq!(text, String::from_utf8_lossy(bytes));
});
