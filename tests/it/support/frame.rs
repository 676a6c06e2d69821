//! Single frames of the WebSocket protocol, as bytes.

/// A frame with its first byte as it is; masked where there is a mask.
pub(crate) fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(masked | u8::try_from(short).unwrap()),
        long @ ..65_536 => {
            frame.push(masked | 0x7e);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        huge => {
            frame.push(masked | 127);
            frame.extend((huge as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}
