//! Packets with their attachments, from the messages of Engine.IO in their order.

use bytes::Bytes;

use super::parse::{self, Head};
use super::{Code, Error, Generation, Packet};

/// Bounds on one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text and attachments together.
    pub bytes: usize,
    /// Attachments.
    pub attachments: usize,
    /// Nesting depth of the data.
    pub depth: u32,
}

/// Puts packets together. After an error the connection cannot go on, since nobody knows what belongs to what.
#[derive(Debug)]
pub struct Decoder {
    generation: Generation,
    limits: Limits,
    /// A packet whose attachments have not all come.
    begun: Option<Head>,
}

impl Decoder {
    /// Before the first message.
    #[must_use]
    pub fn new(generation: Generation, limits: Limits) -> Self {
        Self { generation, limits, begun: None }
    }

    /// Takes a text message.
    ///
    /// # Errors
    /// What is wrong with the packet, at its offset.
    pub fn text(&mut self, text: &Bytes) -> Result<Option<Packet>, Error> {
        if self.begun.is_some() {
            return Err(Error::new(Code::AttachmentMissing, 0));
        }
        if text.len() > self.limits.bytes {
            return Err(Error::new(Code::TooLarge, self.limits.bytes));
        }
        let head = parse::head(self.generation, text, self.limits.depth)?;
        match head.attachments {
            0 => Ok(Some(head.packet)),
            count if count > self.limits.attachments => Err(Error::new(Code::TooManyAttachments, 1)),
            _ => {
                self.begun = Some(head);
                Ok(None)
            }
        }
    }

    /// Takes a binary message.
    ///
    /// # Errors
    /// [`Code::AttachmentUnexpected`], [`Code::TooLarge`].
    pub fn binary(&mut self, bytes: Bytes) -> Result<Option<Packet>, Error> {
        let Some(mut head) = self.begun.take() else { return Err(Error::new(Code::AttachmentUnexpected, 0)) };
        let room = self.limits.bytes.saturating_sub(head.packet.len());
        if bytes.len() > room {
            return Err(Error::new(Code::TooLarge, room));
        }
        head.packet.attachments.push(bytes);
        if head.packet.attachments.len() == head.attachments {
            return Ok(Some(head.packet));
        }
        self.begun = Some(head);
        Ok(None)
    }
}
