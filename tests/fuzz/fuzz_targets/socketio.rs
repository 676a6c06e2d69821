//! Packets of Socket.IO: any messages are read or refused, and what was read can be written.

#![no_main]

use bytes::Bytes;
use legato_proxy::framing::Generation;
use legato_proxy::framing::socketio::{self, Decoder, Kind, Limits, Packet};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { bytes: 1 << 16, attachments: 4, depth: 64 };

/// Reads a packet again from what it is written as.
fn again(generation: Generation, packet: &Packet) -> Option<Packet> {
    let mut decoder = Decoder::new(generation, LIMITS);
    let mut read = decoder.text(&packet.to_text()).expect("what was written can be read");
    for attachment in &packet.attachments {
        assert_eq!(read, None);
        read = decoder.binary(attachment.clone()).expect("it was announced");
    }
    read
}

fn check(generation: Generation, packet: &Packet) {
    assert_eq!(again(generation, packet).as_ref(), Some(packet));
    if packet.kind == Kind::Event {
        let arguments = socketio::split_event(&packet.data);
        serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&arguments).expect("a list");
        if let Some(name) = socketio::event(&packet.data) {
            let joined = socketio::join_event(&name, &arguments);
            assert_eq!(socketio::event(&joined).as_deref(), Some(&*name));
            assert_eq!(socketio::split_event(&joined), arguments);
        }
    }
    if let Ok((kept, Some(text))) = socketio::renumber(&packet.data, 4) {
        assert_eq!(socketio::renumber(&text, kept.len()), Ok(((0..kept.len()).collect(), None)));
    }
}

fuzz_target!(|messages: Vec<(bool, &[u8])>| {
    for generation in [Generation::Eio3, Generation::Eio4] {
        let mut decoder = Decoder::new(generation, LIMITS);
        for (is_text, bytes) in &messages {
            let bytes = Bytes::copy_from_slice(bytes);
            let read = match is_text {
                // Messages are UTF-8, which is looked at below.
                true if std::str::from_utf8(&bytes).is_err() => continue,
                true => decoder.text(&bytes),
                false => decoder.binary(bytes),
            };
            match read {
                Ok(Some(packet)) => check(generation, &packet),
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
});
