//! A packet's text.

use bytes::Bytes;

use super::{Code, Error, Generation, Kind, Packet, ROOT, data};
use crate::json;

/// The text of a packet, and how many attachments are to follow.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) packet: Packet,
    pub(super) attachments: usize,
}

pub(super) fn head(generation: Generation, text: &Bytes, depth: u32) -> Result<Head, Error> {
    let (kind, has_attachments) = match text.first() {
        Some(b'0') => (Kind::Connect, false),
        Some(b'1') => (Kind::Disconnect, false),
        Some(b'2') => (Kind::Event, false),
        Some(b'3') => (Kind::Ack, false),
        Some(b'4') => (Kind::Error, false),
        Some(b'5') => (Kind::Event, true),
        Some(b'6') => (Kind::Ack, true),
        Some(_) => return Err(Error::new(Code::UnknownType, 0)),
        None => return Err(Error::new(Code::EmptyPacket, 0)),
    };
    let mut rest = Rest { text, at: 1 };
    let attachments = if has_attachments { rest.attachments()? } else { 0 };
    let (namespace, query) = rest.namespace(kind);
    let id = rest.id()?;
    let start = rest.at;
    let packet = Packet { kind, namespace, query, id, data: text.slice(start..), attachments: Vec::new() };
    if packet.kind == Kind::Ack && packet.id.is_none() {
        return Err(Error::new(Code::BadId, start));
    }
    check(generation, &packet, depth).map_err(|error| error.after(start))?;
    Ok(Head { packet, attachments })
}

/// What is left of a text.
struct Rest<'a> {
    text: &'a Bytes,
    at: usize,
}

impl Rest<'_> {
    fn bytes(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// A decimal number, if one is next.
    fn number(&mut self) -> Option<Result<u64, Error>> {
        let digits = self.bytes().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = self.at;
        self.at += digits;
        let text = std::str::from_utf8(self.text.get(start..self.at)?).ok().filter(|text| !text.is_empty())?;
        Some(text.parse().map_err(|_| Error::new(Code::BadId, start)))
    }

    fn attachments(&mut self) -> Result<usize, Error> {
        let start = self.at;
        let bad = || Error::new(Code::BadAttachments, start);
        let count = self.number().and_then(Result::ok).ok_or_else(bad)?;
        if self.bytes().first() != Some(&b'-') || count == 0 {
            return Err(bad());
        }
        self.at += 1;
        usize::try_from(count).map_err(|_| bad())
    }

    /// The namespace ends at a comma, or with the text. A query is what a connect packet has in it.
    fn namespace(&mut self, kind: Kind) -> (Bytes, Option<Bytes>) {
        if self.bytes().first() != Some(&b'/') {
            return (Bytes::from_static(ROOT.as_bytes()), None);
        }
        let start = self.at;
        let end = memchr::memchr(b',', self.bytes()).map_or(self.text.len(), |at| start + at);
        self.at = (end + 1).min(self.text.len());
        let whole = self.text.slice(start..end);
        match memchr::memchr(b'?', &whole).filter(|_| kind == Kind::Connect) {
            Some(at) => (whole.slice(..at), Some(whole.slice(at + 1..))),
            None => (whole, None),
        }
    }

    fn id(&mut self) -> Result<Option<u64>, Error> {
        self.number().transpose()
    }
}

/// Whether the data is JSON that a packet of its kind carries.
fn check(generation: Generation, packet: &Packet, depth: u32) -> Result<(), Error> {
    let text = &packet.data;
    if !text.is_empty() {
        let limits = json::Limits { depth, ..json::Limits::default() };
        json::validate(text, limits)
            .map_err(|error| Error::new(Code::BadJson, usize::try_from(error.offset).unwrap_or(text.len())))?;
    }
    let value = text.trim_ascii_start();
    let json = (!value.is_empty()).then(|| json::Kind::of(value));
    let fits = match (generation, packet.kind) {
        (Generation::Eio3, Kind::Connect | Kind::Disconnect | Kind::Error) => true,
        (Generation::Eio4, Kind::Connect) => matches!(json, None | Some(json::Kind::Object)),
        (Generation::Eio4, Kind::Disconnect) => json.is_none(),
        (Generation::Eio4, Kind::Error) => matches!(json, Some(json::Kind::String | json::Kind::Object)),
        (_, Kind::Event) => json == Some(json::Kind::Array) && data::has_name(text),
        (_, Kind::Ack) => json == Some(json::Kind::Array),
    };
    if fits { Ok(()) } else { Err(Error::new(Code::BadData, 0)) }
}
