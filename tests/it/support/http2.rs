//! HTTP/2 by hand: frames as RFC 9113 section 4.1 has them.

use super::wire::Wire;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Stands for stream 0 where [`on_stream`] fills in others.
pub(crate) const CONNECTION: u32 = 1 << 31;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Frames with the number of a stream where they have none.
pub(crate) fn on_stream(frames: &[u8], stream: u32) -> Vec<u8> {
    let mut all = frames.to_vec();
    let mut at = 0;
    while at < all.len() {
        let length = usize::from(all[at]) << 16 | usize::from(all[at + 1]) << 8 | usize::from(all[at + 2]);
        let own = u32::from_be_bytes(all[at + 5..at + 9].try_into().unwrap());
        let number = if own == 0 { stream } else { own & !CONNECTION };
        all[at + 5..at + 9].copy_from_slice(&number.to_be_bytes());
        at += 9 + length;
    }
    all
}

/// The next frame's kind, flags and stream, without its payload; `None` where the connection ends.
pub(crate) async fn next(wire: &mut Wire) -> Option<(u8, u8, u32)> {
    let head = wire.try_bytes(9).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    wire.try_bytes(length).await?;
    Some((head[3], head[4], u32::from_be_bytes(head[5..9].try_into().unwrap())))
}
