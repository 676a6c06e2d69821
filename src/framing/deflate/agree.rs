//! What peers offer and agree on (RFC 7692 section 7.1).

use std::fmt::Write as _;

use super::WINDOW;
use super::header::{self, Extension};

const NAME: &str = "permessage-deflate";
const CLIENT_CONTEXT: &str = "client_no_context_takeover";
const SERVER_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_BITS: &str = "client_max_window_bits";
const SERVER_BITS: &str = "server_max_window_bits";

/// How messages of one direction are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// The window, as a power of two: 8 to 15.
    pub bits: u8,
    /// Whether a message may refer to those before it.
    pub keeps_context: bool,
}

/// What a handshake came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// What the client sends.
    pub client: Flow,
    /// What the server sends.
    pub server: Flow,
}

impl Flow {
    const DEFAULT: Self = Self { bits: WINDOW, keeps_context: true };

    /// Bytes that compressing this direction keeps between messages, about.
    fn packer_memory(self) -> u64 {
        // Twice the window and as much for chains, and the table of hashes and what waits to be written.
        if self.keeps_context { (4 << self.bits) + (192 << 10) } else { 0 }
    }

    /// Bytes that the other side of this direction keeps between messages, about.
    fn unpacker_memory(self) -> u64 {
        // The window twice where messages' streams end.
        if self.keeps_context { (2 << self.bits) + (20 << 10) } else { 0 }
    }
}

impl Agreed {
    /// What two peers agree on that restrict nothing; nothing else takes more memory.
    pub const DEFAULT: Self = Self { client: Flow::DEFAULT, server: Flow::DEFAULT };

    /// Bytes that a server keeps between messages, about.
    #[must_use]
    pub fn server_memory(&self) -> u64 {
        self.server.packer_memory() + self.client.unpacker_memory()
    }

    /// Bytes that a client keeps between messages, about.
    #[must_use]
    pub fn client_memory(&self) -> u64 {
        self.client.packer_memory() + self.server.unpacker_memory()
    }
}

/// What a server agrees on of the values of a client's `sec-websocket-extensions` headers, and the value of its own;
/// `None` where nothing acceptable is offered. Contexts are kept only where the server affords it.
#[must_use]
pub fn answer<'h>(
    offers: impl Iterator<Item = &'h str>,
    affords_context: impl FnOnce(&Agreed) -> bool,
) -> Option<(Agreed, String)> {
    // A header that cannot be read offers nothing.
    let offers = offers.filter_map(header::parse).flatten();
    let mut offers = offers.filter(|offer| offer.name.eq_ignore_ascii_case(NAME));
    let mut offer = offers.find_map(|offer| offered(&offer))?;
    let agreed = &mut offer.agreed;
    if !affords_context(agreed) {
        agreed.client.keeps_context = false;
        agreed.server.keeps_context = false;
    }
    Some((offer.agreed, offer.answer()))
}

/// What a peer says of itself and the other.
struct Offer {
    /// What would be agreed on by taking it.
    agreed: Agreed,
    /// Whether the window of the server is named.
    limits_server: bool,
    /// Whether the window of the client is named, or may be.
    limits_client: bool,
}

/// What an offer says; `None` for one that has to be declined (section 7.1: a parameter that is not known, stands twice or
/// has a bad value).
fn offered(offer: &Extension) -> Option<Offer> {
    let mut agreed = Agreed::DEFAULT;
    let (mut limits_server, mut limits_client) = (false, false);
    for (at, (name, value)) in offer.parameters.iter().enumerate() {
        if offer.parameters[..at].iter().any(|(earlier, _)| earlier == name) {
            return None;
        }
        match (name.as_str(), value.as_deref()) {
            (CLIENT_CONTEXT, None) => agreed.client.keeps_context = false,
            (SERVER_CONTEXT, None) => agreed.server.keeps_context = false,
            (SERVER_BITS, Some(value)) => {
                limits_server = true;
                agreed.server.bits = bits(value)?;
            }
            (CLIENT_BITS, value) => {
                limits_client = true;
                agreed.client.bits = value.map_or(Some(WINDOW), bits)?;
            }
            _ => return None,
        }
    }
    Some(Offer { agreed, limits_server, limits_client })
}

impl Offer {
    /// The header of a server that takes it. A window of the server that the client names is to be answered, also where it
    /// is the greatest (section 7.1.2.1).
    fn answer(&self) -> String {
        let mut text = NAME.to_owned();
        let Agreed { client, server } = self.agreed;
        for (flow, parameter) in [(server, SERVER_CONTEXT), (client, CLIENT_CONTEXT)] {
            if !flow.keeps_context {
                let _ = write!(text, "; {parameter}");
            }
        }
        if self.limits_server {
            let _ = write!(text, "; {SERVER_BITS}={}", server.bits);
        }
        if self.limits_client && client.bits < WINDOW {
            let _ = write!(text, "; {CLIENT_BITS}={}", client.bits);
        }
        text
    }
}

/// What a client offers.
#[must_use]
pub fn offer(affords_context: bool) -> &'static str {
    if affords_context {
        "permessage-deflate; client_max_window_bits"
    } else {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    }
}

/// What the values of a server's `sec-websocket-extensions` headers say about an [`offer`].
///
/// # Errors
/// What is wrong with them, for a person: such a handshake has failed.
pub fn accept<'h>(
    answers: impl Iterator<Item = &'h str>,
    affords_context: bool,
) -> Result<Option<Agreed>, &'static str> {
    let mut agreed = None;
    for answer in answers {
        for extension in header::parse(answer).ok_or("its sec-websocket-extensions header cannot be read")? {
            if !extension.name.eq_ignore_ascii_case(NAME) || agreed.is_some() {
                return Err("it uses an extension that was not offered");
            }
            // What a server may say of either side is what a client may offer, with values.
            let mut taken = offered(&extension)
                .filter(|_| !extension.parameters.contains(&(CLIENT_BITS.to_owned(), None)))
                .ok_or("its parameters of permessage-deflate are not valid")?
                .agreed;
            if !affords_context {
                if taken.server.keeps_context {
                    return Err("it keeps a context of permessage-deflate that was declined");
                }
                // What this side does without needs no leave.
                taken.client.keeps_context = false;
            }
            agreed = Some(taken);
        }
    }
    Ok(agreed)
}

/// A window: 8 to 15, without further zeros.
fn bits(value: &str) -> Option<u8> {
    let is_plain = !value.starts_with('0') && value.bytes().all(|digit| digit.is_ascii_digit());
    value.parse().ok().filter(|bits| is_plain && (8..=WINDOW).contains(bits))
}
