//! WebSocket peers that see and send single frames, compressed ones too.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::backend::Backend;
use super::frame::frame;
use super::proxy::TestProxy;
use super::socket::accept;
use super::wire::{Message, Wire};

/// The first byte of a whole text message.
pub(crate) const TEXT: u8 = 0x81;
/// That of a compressed one.
pub(crate) const PACKED: u8 = 0xc1;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// One end of a socket.
pub(crate) struct Peer {
    pub(crate) wire: Wire,
    /// A client masks what it sends.
    is_client: bool,
    packs: Compress,
    unpacks: Decompress,
}

impl Peer {
    fn new(wire: Wire, is_client: bool) -> Self {
        Self { wire, is_client, packs: Compress::new(Compression::new(6), false), unpacks: Decompress::new(false) }
    }

    /// Opens a socket as a client, with further header lines; the answer comes too.
    pub(crate) async fn open(proxy: &TestProxy, lines: &str) -> (Self, Message) {
        let mut wire = proxy.client().await;
        wire.send(format!(
            "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        ))
        .await;
        let answer = wire.head().await.unwrap();
        (Self::new(wire, true), answer)
    }

    /// A backend that answers one handshake for each connection with further lines, and runs a script, which is told of
    /// the request.
    pub(crate) async fn backend<F>(
        lines: &'static str,
        script: impl Fn(Self, Message) -> F + Send + Sync + Clone + 'static,
    ) -> Backend
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Backend::scripted(move |mut wire| {
            let script = script.clone();
            async move {
                let Some(request) = accept(&mut wire, lines).await else { return };
                script(Self::new(wire, false), request).await;
            }
        })
        .await
    }

    /// Sends a frame as it is.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        let frame = frame(first, payload, self.is_client.then_some([1, 2, 3, 4]));
        // A proxy that has had enough closes.
        let _ = self.wire.try_send(frame).await;
    }

    /// What a text is compressed to, with what was sent before.
    pub(crate) fn pack(&mut self, text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(text.len() + 100);
        self.packs.compress_vec(text, &mut packed, FlushCompress::Sync).unwrap();
        packed.truncate(packed.len() - 4);
        packed
    }

    /// Sends a compressed text message.
    pub(crate) async fn send_packed(&mut self, text: &str) {
        let packed = self.pack(text.as_bytes());
        self.frame(PACKED, &packed).await;
    }

    /// The next frame: its first byte and payload.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        let head = self.wire.bytes(2).await;
        let length = match head[1] & 0x7f {
            126 => usize::from(u16::from_be_bytes(self.wire.bytes(2).await.try_into().unwrap())),
            127 => usize::try_from(u64::from_be_bytes(self.wire.bytes(8).await.try_into().unwrap())).unwrap(),
            short => usize::from(short),
        };
        assert_eq!(head[1] & 0x80 != 0, !self.is_client, "who masks");
        let mask = if self.is_client { vec![0; 4] } else { self.wire.bytes(4).await };
        let payload = self.wire.bytes(length).await;
        (head[0], payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect())
    }

    /// The text of a compressed message, with what came before.
    pub(crate) fn unpack(&mut self, packed: &[u8]) -> String {
        let mut text = Vec::with_capacity(1 << 20);
        let whole = [packed, &[0, 0, 0xff, 0xff]].concat();
        self.unpacks.decompress_vec(&whole, &mut text, FlushDecompress::Sync).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// The next message, which is a compressed one, and how long it was.
    pub(crate) async fn text_packed(&mut self) -> (String, usize) {
        let (first, payload) = self.next().await;
        assert_eq!(first, PACKED, "{payload:?}");
        (self.unpack(&payload), payload.len())
    }

    /// The next frame, which is a close: its code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let (first, payload) = self.next().await;
        assert_eq!(first, CLOSE, "{payload:?}");
        let [high, low, reason @ ..] = payload.as_slice() else { panic!("a close without a code: {payload:?}") };
        (u16::from_be_bytes([*high, *low]), String::from_utf8(reason.to_vec()).unwrap())
    }
}
