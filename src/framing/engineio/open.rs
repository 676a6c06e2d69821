//! What the first packet of a session says.

use std::time::Duration;

use bytes::Bytes;

use crate::framing::{Code, Error};
use crate::json::{Items, Kind, Limits, quote, unescape, validate};

/// The data of an [`Open`](super::Packet::Open) packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The session's identifier.
    pub sid: String,
    /// Whether the client may go on on a WebSocket.
    pub upgrades: bool,
    /// How often a ping is sent.
    pub ping_interval: Duration,
    /// How long its answer may take.
    pub ping_timeout: Duration,
    /// How many bytes the client may put into one body; protocol 4 alone.
    pub max_payload: Option<u64>,
}

impl Open {
    /// Reads the data of an open packet. Members that nobody here needs may be there as well.
    ///
    /// # Errors
    /// [`Code::BadJson`], [`Code::BadOpen`].
    pub fn parse(data: &[u8]) -> Result<Self, Error> {
        let limits = Limits { depth: 16, ..Limits::default() };
        validate(data, limits)
            .map_err(|error| Error::new(Code::BadJson, usize::try_from(error.offset).unwrap_or(data.len())))?;
        let bad = || Error::new(Code::BadOpen, 0);
        let object = data.trim_ascii();
        let sid = member(object, "sid").filter(|value| Kind::of(value) == Kind::String).ok_or_else(bad)?;
        let sid = String::from_utf8(unescape(sid).into_owned()).map_err(|_| bad())?;
        let milliseconds = |name| number(object, name).map(Duration::from_millis);
        Ok(Self {
            upgrades: member(object, "upgrades").is_some_and(offers_websocket),
            ping_interval: milliseconds("pingInterval").ok_or_else(bad)?,
            ping_timeout: milliseconds("pingTimeout").ok_or_else(bad)?,
            max_payload: number(object, "maxPayload"),
            sid: Some(sid).filter(|sid| !sid.is_empty()).ok_or_else(bad)?,
        })
    }

    /// Writes the data of an open packet.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut text = b"{\"sid\":".to_vec();
        quote(self.sid.as_bytes(), &mut text);
        let upgrades = if self.upgrades { "\"websocket\"" } else { "" };
        let (interval, timeout) = (self.ping_interval.as_millis(), self.ping_timeout.as_millis());
        let rest = format!(",\"upgrades\":[{upgrades}],\"pingInterval\":{interval},\"pingTimeout\":{timeout}");
        text.extend_from_slice(rest.as_bytes());
        if let Some(bytes) = self.max_payload {
            text.extend_from_slice(format!(",\"maxPayload\":{bytes}").as_bytes());
        }
        text.push(b'}');
        text.into()
    }
}

/// The value of a member of an object, in valid JSON.
fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if Kind::of(object) != Kind::Object {
        return None;
    }
    let found = Items::new(object, 0).find(|item| *unescape(&object[item.name.clone()]) == *name.as_bytes())?;
    Some(&object[found.value])
}

/// A whole number that is not negative.
fn number(object: &[u8], name: &str) -> Option<u64> {
    std::str::from_utf8(member(object, name)?).ok()?.parse().ok()
}

fn offers_websocket(upgrades: &[u8]) -> bool {
    Kind::of(upgrades) == Kind::Array && Items::new(upgrades, 0).any(|item| upgrades[item.value] == *b"\"websocket\"")
}
